import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'io_getevents() without a context is EINVAL, whatever else is wrong',
  docs: 'A-R50',
  ltp: 'io_getevents01',
  on: '2.6.20 3.1 host',
  rows: [
    { why: 'no event asked for', args: '0, 0, 0' },
    { why: 'one event, for ever', args: '1, 1, -1' },
    { why: 'nowhere to put them', args: '1, 1, -1, events=NULL' },
  ],
  program: ({ args }) => `
T1:
  x = io_getevents(0, ${args})
expect:
  always x=EINVAL
`,
});

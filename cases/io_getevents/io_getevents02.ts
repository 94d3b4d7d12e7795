import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'io_getevents() of a context that is gone is EINVAL',
  docs: 'A-R50',
  ltp: 'io_getevents02',
  on: '2.6.20 3.1 host',
  rows: [
    { why: 'no event asked for', args: '0, 0, 0' },
    { why: 'one event, for ever', args: '1, 1, -1' },
    { why: 'nowhere to put them', args: '1, 1, -1, events=NULL' },
  ],
  program: ({ args }) => `
T1:
  c = io_setup(1)
  io_destroy(c)
  x = io_getevents(c, ${args})
expect:
  always x=EINVAL
`,
});

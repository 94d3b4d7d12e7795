import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'io_destroy() of what is no context any more, or not yet, is EINVAL',
  docs: 'A-R19 A-R20',
  ltp: 'io_destroy02',
  on: '2.6.20 3.1 host',
  rows: [
    { why: 'destroyed before', handle: 'c' },
    { why: 'never made', handle: 'd' },
  ],
  program: ({ handle }) => `
T1:
  c = io_setup(1)
  d = io_setup(0)
  x = io_destroy(c)
  y = io_destroy(${handle})
expect:
  always x=0 y=EINVAL
`,
});

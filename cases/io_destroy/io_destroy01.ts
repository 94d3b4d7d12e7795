import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'io_destroy() of what was never a context is EINVAL',
  docs: 'A-R19 A-R20',
  ltp: 'io_destroy01',
  on: '2.6.20 3.1 host',
  rows: [
    { why: 'nothing', handle: '0' },
    { why: 'an address that is not mapped', handle: '4096' },
    { why: 'all ones', handle: '-1' },
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

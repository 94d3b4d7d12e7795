import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies:
    'io_setup() refuses five mistakes, the pointer before the count, and leaves nothing behind',
  docs: 'A-R17 A-R18',
  ltp: 'io_setup02',
  on: '2.6.20 3.1 host',
  rows: [
    { why: 'the variable holds something', call: 'io_setup(1, ctxp=1)', answer: 'EINVAL' },
    { why: 'no request', call: 'io_setup(0)', answer: 'EINVAL' },
    { why: 'minus one request', call: 'io_setup(-1)', answer: 'EINVAL' },
    { why: 'no variable, no request', call: 'io_setup(0, ctxp=NULL)', answer: 'EFAULT' },
    { why: 'a variable that cannot be read', call: 'io_setup(1, ctxp=BAD)', answer: 'EFAULT' },
    { why: 'a variable that cannot be written', call: 'io_setup(1, ctxp=RO)', answer: 'EFAULT' },
    { why: 'more than the system allows', call: 'io_setup(1100000)', answer: 'EAGAIN' },
  ],
  program: ({ call, answer }) => `
T1:
  c = ${call}
  d = io_setup(1)
  x = io_destroy(c)
  y = io_destroy(d)
expect:
  always c=${answer} d=ok x=EINVAL y=0
`,
});

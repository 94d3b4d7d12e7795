import { defineCase } from '../../harness/case-api.ts';

/** 1100000: above every limit that systems are set to, below what would be refused with EINVAL. */
export default defineCase({
  verifies:
    'io_setup() makes a context that takes a request, or refuses with the errno of the mistake',
  docs: 'A-R17 A-R18',
  ltp: 'io_setup01',
  on: '2.6.20 3.1 host',
  rows: [
    { why: 'a context', call: 'io_setup(1)', context: 'ok', submitted: '1' },
    { why: 'the variable holds something', call: 'io_setup(1, ctxp=1)', context: 'EINVAL' },
    { why: 'minus one request', call: 'io_setup(-1)', context: 'EINVAL' },
    { why: 'no variable', call: 'io_setup(1, ctxp=NULL)', context: 'EFAULT' },
    { why: 'more than the system allows', call: 'io_setup(1100000)', context: 'EAGAIN' },
  ],
  program: ({ call, context, submitted = 'EINVAL' }) => `
init:
  r, w = pipe2(O_NONBLOCK)
T1:
  c = ${call}
  x = io_submit(c, [a: pread(r, 1)])
expect:
  always c=${context} x=${submitted}
`,
});

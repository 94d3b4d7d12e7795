import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'io_cancel() of no request is EFAULT: it is looked at before the context',
  docs: 'A-R47',
  ltp: 'io_cancel01',
  on: '2.6.20 3.1 host',
  rows: [
    { why: 'no context, no request', args: '0, NULL', answer: 'EFAULT' },
    { why: 'no context, nowhere', args: '0, BAD', answer: 'EFAULT' },
    { why: 'no context', args: '0, a', answer: 'EINVAL' },
  ],
  program: ({ args, answer }) => `
init:
  c = io_setup(1)
  r, w = pipe2(O_NONBLOCK)
  io_submit(c, [a: pread(r, 1), b: pread(-1, 1)])
T1:
  x = io_cancel(${args})
  y = io_getevents(c, 0, 8, 0)
expect:
  always x=${answer} y={a:EAGAIN}
`,
});

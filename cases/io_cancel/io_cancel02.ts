import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'io_cancel() of no request of a context is EFAULT, of one that nobody submitted EINVAL',
  docs: 'A-R47',
  ltp: 'io_cancel02',
  on: '2.6.20 3.1 host',
  rows: [
    { why: 'no request', args: 'c, NULL', answer: 'EFAULT' },
    { why: 'completed and not read yet', args: 'c, a', answer: 'EINVAL' },
    { why: 'never submitted', args: 'c, b', answer: 'EINVAL' },
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

import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'epoll_pwait() refuses a mask that cannot be read, ready or not',
  docs: 'E-R89',
  ltp: 'epoll_pwait04',
  rows: [
    { why: 'epoll_pwait, unmapped', call: 'epoll_pwait', mask: 'BAD', on: '2.6.20 host' },
    { why: 'epoll_pwait, in the kernel', call: 'epoll_pwait', mask: 'KERNEL', on: '2.6.20 host' },
    { why: 'epoll_pwait2, unmapped', call: 'epoll_pwait2', mask: 'BAD', on: 'host' },
    { why: 'epoll_pwait2, in the kernel', call: 'epoll_pwait2', mask: 'KERNEL', on: 'host' },
  ],
  program: ({ call, mask }) => `
init:
  A = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
  write(w, "a")
T1:
  x = ${call}(A, 8, 0, ${mask})
  y = ${call}(A, 8, 0, NULL)
expect:
  always x=EFAULT y={r:IN}
`,
});

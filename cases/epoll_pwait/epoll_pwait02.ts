import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'epoll_pwait() reports a ready socket',
  docs: 'E-R89',
  ltp: 'epoll_pwait02',
  rows: [
    { why: 'epoll_pwait with a mask', call: 'epoll_pwait', mask: '{SIGUSR1}', on: '2.6.20 host' },
    { why: 'epoll_pwait without a mask', call: 'epoll_pwait', mask: 'NULL', on: '2.6.20 host' },
    { why: 'epoll_pwait2 with a mask', call: 'epoll_pwait2', mask: '{SIGUSR1}', on: 'host' },
    { why: 'epoll_pwait2 without a mask', call: 'epoll_pwait2', mask: 'NULL', on: 'host' },
  ],
  program: ({ call, mask }) => `
init:
  A = epoll_create(8)
  s, t = socketpair(AF_UNIX, SOCK_STREAM)
  epoll_ctl(A, EPOLL_CTL_ADD, s, EPOLLIN)
  write(t, "a")
T1:
  x = ${call}(A, 8, -1, ${mask})
expect:
  always x={s:IN}
`,
});

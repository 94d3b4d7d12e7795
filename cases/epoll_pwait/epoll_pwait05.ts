import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies:
    'epoll_pwait2() refuses a time limit that is no time, whether something is ready or not',
  docs: 'E-R89',
  ltp: 'epoll_pwait05',
  rows: [
    { why: 'negative seconds', time: 'sec=-1' },
    { why: 'negative nanoseconds', time: 'nsec=-1' },
    { why: 'a second of nanoseconds', time: 'nsec=1000000000' },
  ],
  program: ({ time }) => `
on: host
init:
  A = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
T1:
  x = epoll_pwait2(A, 8, 0, {}, ${time})
  write(w, "a")
  y = epoll_pwait2(A, 8, 0, {}, ${time})
  z = epoll_pwait2(A, 8, 0, {}, sec=0, nsec=999999999)
expect:
  always x=EINVAL y=EINVAL z={r:IN}
`,
});

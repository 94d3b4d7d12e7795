import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies: 'a signal in the mask does not end the wait, another one does',
  docs: 'E-R89 E-R106',
  ltp: 'epoll_pwait01',
  rows: [
    {
      why: 'epoll_pwait, masked',
      call: 'epoll_pwait',
      mask: '{SIGUSR1}',
      answer: '{r:IN}',
      on: '2.6.20 host',
    },
    {
      why: 'epoll_pwait, not masked',
      call: 'epoll_pwait',
      mask: '{}',
      answer: 'EINTR',
      on: '2.6.20 host',
    },
    {
      why: 'epoll_pwait2, masked',
      call: 'epoll_pwait2',
      mask: '{SIGUSR1}',
      answer: '{r:IN}',
      on: 'host',
    },
    {
      why: 'epoll_pwait2, not masked',
      call: 'epoll_pwait2',
      mask: '{}',
      answer: 'EINTR',
      on: 'host',
    },
  ],
  program: ({ call, mask, answer }) => `
init:
  A = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
T1:
  x = ${call}(A, 8, -1, ${mask})
T2:
  sleep(20)
  k = kill(T1, SIGUSR1)
  sleep(20)
  n = write(w, "a")
expect:
  always x=${answer} k=0 n=1
`,
});

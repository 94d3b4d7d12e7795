import { defineCase } from '../../harness/case-api.ts';

export default defineCase({
  verifies:
    'EPOLLEXCLUSIVE is for ADD of a file that is no set, with IN, OUT, ERR, HUP, ET and WAKEUP only',
  on: 'host',
  rows: [
    {
      why: 'ADD with IN',
      call: 'epoll_ctl(A, EPOLL_CTL_ADD, w, EPOLLIN|EPOLLEXCLUSIVE)',
      answer: '0',
    },
    {
      why: 'ADD with OUT and ET',
      call: 'epoll_ctl(A, EPOLL_CTL_ADD, w, EPOLLOUT|EPOLLET|EPOLLEXCLUSIVE)',
      answer: '0',
    },
    {
      why: 'ADD with ERR, HUP and WAKEUP',
      call: 'epoll_ctl(A, EPOLL_CTL_ADD, w, EPOLLERR|EPOLLHUP|EPOLLWAKEUP|EPOLLEXCLUSIVE)',
      answer: '0',
    },
    {
      why: 'ADD with ONESHOT',
      call: 'epoll_ctl(A, EPOLL_CTL_ADD, w, EPOLLOUT|EPOLLONESHOT|EPOLLEXCLUSIVE)',
      answer: 'EINVAL',
    },
    {
      why: 'ADD with RDHUP',
      call: 'epoll_ctl(A, EPOLL_CTL_ADD, w, EPOLLRDHUP|EPOLLEXCLUSIVE)',
      answer: 'EINVAL',
    },
    {
      why: 'ADD with PRI',
      call: 'epoll_ctl(A, EPOLL_CTL_ADD, w, EPOLLPRI|EPOLLEXCLUSIVE)',
      answer: 'EINVAL',
    },
    {
      why: 'ADD of a set',
      call: 'epoll_ctl(A, EPOLL_CTL_ADD, B, EPOLLIN|EPOLLEXCLUSIVE)',
      answer: 'EINVAL',
    },
    {
      why: 'MOD with it',
      call: 'epoll_ctl(A, EPOLL_CTL_MOD, r, EPOLLIN|EPOLLEXCLUSIVE)',
      answer: 'EINVAL',
    },
    {
      why: 'MOD of an exclusive registration',
      call: 'epoll_ctl(A, EPOLL_CTL_MOD, p, EPOLLIN)',
      answer: 'EINVAL',
    },
    {
      why: 'DEL of an exclusive registration',
      call: 'epoll_ctl(A, EPOLL_CTL_DEL, p, NULL)',
      answer: '0',
    },
  ],
  program: ({ call, answer }) => `
init:
  A = epoll_create(8)
  B = epoll_create(8)
  r, w = pipe()
  p, q = pipe()
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
  epoll_ctl(A, EPOLL_CTL_ADD, p, EPOLLIN|EPOLLEXCLUSIVE)
T1:
  x = ${call}
expect:
  always x=${answer}
`,
});

import { defineCase } from '../../harness/case-api.ts';

const unix = 's, t = socketpair(AF_UNIX, SOCK_STREAM)';
const loopback = 'l = listen()\n  s = connect(l)\n  t = accept(l)';

export default defineCase({
  verifies:
    'shutting down the own receiving side is reported as RDHUP, and as IN; sys_epoll is not told',
  docs: 'E-R127 E-R131 E-B24',
  ltp: 'epoll_wait05',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows: [
    { why: 'AF_UNIX, RDHUP', make: unix, events: 'EPOLLRDHUP', answer: '{s:RDHUP}' },
    {
      why: 'AF_UNIX, IN and RDHUP',
      make: unix,
      events: 'EPOLLIN|EPOLLRDHUP',
      answer: '{s:IN|RDHUP}',
    },
    { why: 'loopback, RDHUP', make: loopback, events: 'EPOLLRDHUP', answer: '{s:RDHUP}' },
    {
      why: 'loopback, IN and RDHUP',
      make: loopback,
      events: 'EPOLLIN|EPOLLRDHUP',
      answer: '{s:IN|RDHUP}',
    },
  ],
  program: ({ make, events, answer }) => `
init:
  A = epoll_create(8)
  ${make}
  epoll_ctl(A, EPOLL_CTL_ADD, s, ${events})
T1:
  x = epoll_wait(A, 8, 0)
  a = shutdown(s, SHUT_RD)
  y = epoll_wait(A, 8, 0)
expect:
  always x={} a=0 y=${answer}
expect 2.5.44+sys_epoll-v11:
  always x={} a=0 y={}
`,
});

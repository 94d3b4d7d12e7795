import { defineCase } from '../../harness/case-api.ts';

const unix = 's, t = socketpair(AF_UNIX, SOCK_STREAM)';
const loopback = 'l = listen()\n  s = connect(l)\n  t = accept(l)';

interface Row {
  readonly why: string;
  readonly make: string;
  readonly act: string;
  readonly answer: string;
}

const rows: readonly Row[] = [
  {
    why: 'AF_UNIX, peer shuts down writing',
    make: unix,
    act: 'shutdown(t, SHUT_WR)',
    answer: 's:IN|RDHUP',
  },
  {
    why: 'AF_UNIX, peer shuts down both',
    make: unix,
    act: 'shutdown(t, SHUT_RDWR)',
    answer: 's:IN|HUP|RDHUP',
  },
  { why: 'AF_UNIX, peer closes', make: unix, act: 'close(t)', answer: 's:IN|HUP|RDHUP' },
  {
    why: 'AF_UNIX, both directions shut down here',
    make: unix,
    act: 'shutdown(s, SHUT_RDWR)',
    answer: 's:IN|HUP|RDHUP',
  },
  {
    why: 'loopback, peer shuts down writing',
    make: loopback,
    act: 'shutdown(t, SHUT_WR)',
    answer: 's:IN|RDHUP',
  },
  { why: 'loopback, peer closes', make: loopback, act: 'close(t)', answer: 's:IN|RDHUP' },
];

export default defineCase({
  verifies:
    'a peer that will not send any more is reported as IN and RDHUP, one that is gone both ways as HUP',
  docs: 'E-R127 E-R131 E-R147',
  on: '2.6.20 host',
  rows,
  program: ({ make, act, answer }) => `
init:
  A = epoll_create(8)
  ${make}
  epoll_ctl(A, EPOLL_CTL_ADD, s, EPOLLIN|EPOLLRDHUP)
T1:
  x = epoll_wait(A, 8, 0)
  c = ${act}
  y = epoll_wait(A, 8, 1000)
expect:
  always x={} c=0 y={${answer}}
`,
});

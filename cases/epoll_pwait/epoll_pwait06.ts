import { defineCase } from '../../harness/case-api.ts';

const kinds = [
  { kind: 'empty pipe', make: 'f, g = pipe()' },
  { kind: 'AF_UNIX socket', make: 'f, g = socketpair(AF_UNIX, SOCK_STREAM)' },
  { kind: 'listening socket', make: 'f = listen()' },
  { kind: 'empty set', make: 'f = epoll_create(1)' },
  { kind: 'terminal', make: 'f = open("/dev/tty", O_RDWR)' },
];
const hostKinds = [
  { kind: 'eventfd', make: 'f = eventfd(0, 0)' },
  { kind: 'timerfd', make: 'f = timerfd_create(CLOCK_MONOTONIC, 0)' },
];

/** Timeouts of 100, 10 and 1 ms, one after the other. */
function rowsOf(call: string, on: string, list: readonly { kind: string; make: string }[]) {
  return list.map(({ kind, make }) => ({ why: `${call}, ${kind}`, call, make, on }));
}

export default defineCase({
  verifies: 'a timeout ends the wait, however short it is and whatever is registered',
  docs: 'E-R89 E-R96',
  ltp: 'epoll_pwait06',
  rows: [
    ...rowsOf('epoll_pwait', '2.6.20 host', kinds),
    ...rowsOf('epoll_pwait', 'host', hostKinds),
    ...rowsOf('epoll_pwait2', 'host', [...kinds, ...hostKinds]),
  ],
  program: ({ call, make }) => `
init:
  A = epoll_create(8)
  ${make}
  epoll_ctl(A, EPOLL_CTL_ADD, f, EPOLLIN)
T1:
  x = ${call}(A, 8, 100, NULL)
  y = ${call}(A, 8, 10, NULL)
  z = ${call}(A, 8, 1, NULL)
expect:
  always x={} y={} z={}
`,
});

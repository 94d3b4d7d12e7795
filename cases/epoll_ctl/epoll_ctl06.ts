import { defineCase } from '../../harness/case-api.ts';

interface Row {
  readonly why: string;
  readonly make: string;
  readonly fd: string;
  readonly answer: '0' | 'EPERM';
  readonly on?: string;
}

const rows: readonly Row[] = [
  { why: 'read end of a pipe', make: 'f, g = pipe()', fd: 'f', answer: '0' },
  { why: 'write end of a pipe', make: 'f, g = pipe()', fd: 'g', answer: '0' },
  {
    why: 'AF_UNIX stream socket',
    make: 'f, g = socketpair(AF_UNIX, SOCK_STREAM)',
    fd: 'f',
    answer: '0',
  },
  { why: 'listening socket', make: 'f = listen()', fd: 'f', answer: '0' },
  { why: 'connected socket', make: 'l = listen()\n  f = connect(l)', fd: 'f', answer: '0' },
  {
    why: 'accepted socket',
    make: 'l = listen()\n  c = connect(l)\n  f = accept(l)',
    fd: 'f',
    answer: '0',
  },
  { why: 'epoll descriptor', make: 'f = epoll_create(1)', fd: 'f', answer: '0' },
  { why: 'terminal', make: 'f = open("/dev/tty", O_RDWR)', fd: 'f', answer: '0' },
  {
    why: 'reopened pipe',
    make: 'e, g = pipe()\n  f = open("/proc/self/fd/", e)',
    fd: 'f',
    answer: '0',
  },
  {
    why: 'named FIFO',
    make: 'mkfifo("f")\n  f = open("f", O_RDONLY|O_NONBLOCK)',
    fd: 'f',
    answer: '0',
  },
  { why: 'regular file', make: 'f = open("/tmp/file", O_RDWR)', fd: 'f', answer: 'EPERM' },
  { why: 'directory', make: 'f = open("/tmp")', fd: 'f', answer: 'EPERM' },
  { why: 'device without poll', make: 'f = open("/dev/zero")', fd: 'f', answer: 'EPERM' },
  {
    why: 'datagram socket',
    make: 'f, g = socketpair(AF_UNIX, SOCK_DGRAM)',
    fd: 'f',
    answer: '0',
    on: 'host',
  },
  {
    why: 'null device',
    make: 'f = open("/dev/null", O_RDWR)',
    fd: 'f',
    answer: 'EPERM',
    on: 'host',
  },
  { why: 'random device', make: 'f = open("/dev/random")', fd: 'f', answer: '0', on: 'host' },
  { why: 'eventfd', make: 'f = eventfd(0, 0)', fd: 'f', answer: '0', on: 'host' },
  {
    why: 'timerfd',
    make: 'f = timerfd_create(CLOCK_MONOTONIC, 0)',
    fd: 'f',
    answer: '0',
    on: 'host',
  },
];

export default defineCase({
  verifies: 'ADD takes a descriptor if and only if its file has a poll method; sys_epoll takes any',
  docs: 'E-R88 E-R135 E-B18',
  ltp: 'epoll_ctl06',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows,
  program: ({ make, fd, answer }) => `
init:
  A = epoll_create(8)
  ${make}
T1:
  x = epoll_ctl(A, EPOLL_CTL_ADD, ${fd}, EPOLLIN)
  y = epoll_ctl(A, EPOLL_CTL_DEL, ${fd}, EPOLLIN)
expect:
  always x=${answer} y=${answer}
expect 2.5.44+sys_epoll-v11:
  always x=0 y=0
`,
});

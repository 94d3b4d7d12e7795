import { defineCase } from '../../harness/case-api.ts';

interface Row {
  readonly why: string;
  readonly call: string;
  /** On 2.6.20, and on the host where nothing else is said. */
  readonly answer: string;
  readonly host?: string;
}

/** `A` has a ready pipe, `E` is empty, `z` was closed. */
const rows: readonly Row[] = [
  { why: 'epfd was closed', call: 'epoll_wait(z, 1, 0)', answer: 'EBADF' },
  {
    why: 'closed epfd and bad maxevents',
    call: 'epoll_wait(-1, -1, -1)',
    answer: 'EINVAL',
    host: 'EBADF',
  },
  { why: 'pipe and bad maxevents', call: 'epoll_wait(r, 0, 0)', answer: 'EINVAL' },
  { why: 'most events there can be', call: 'epoll_wait(E, 178956970, 0)', answer: '{}' },
  { why: 'one event more', call: 'epoll_wait(E, 178956971, 0)', answer: 'EINVAL' },
  {
    why: 'buffer is NULL and something is ready',
    call: 'epoll_wait(A, 1, 0, buf=NULL)',
    answer: 'EFAULT',
  },
  {
    why: 'buffer is NULL and nothing is ready',
    call: 'epoll_wait(E, 1, 0, buf=NULL)',
    answer: '{}',
  },
  { why: 'buffer is unmapped', call: 'epoll_wait(A, 1, 0, buf=BAD)', answer: 'EFAULT' },
  { why: 'buffer is in the kernel', call: 'epoll_wait(E, 1, 0, buf=KERNEL)', answer: 'EFAULT' },
];

export default defineCase({
  verifies: 'epoll_wait() tests maxevents and buffer before epfd, newer kernels epfd first',
  docs: 'E-R89',
  on: '2.6.20 host',
  rows,
  program: ({ call, answer, host }) => `
init:
  A = epoll_create(8)
  E = epoll_create(8)
  z = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
  write(w, "a")
  close(z)
T1:
  x = ${call}
expect:
  always x=${answer}
expect host:
  always x=${host ?? answer}
`,
});

import { defineCase } from '../../harness/case-api.ts';

interface Row {
  readonly why: string;
  readonly call: string;
  readonly answer: string;
}

const rows: readonly Row[] = [
  { why: 'epfd is closed', call: 'epoll_pwait(-1, 1, -1, {})', answer: 'EBADF' },
  { why: 'epfd is a pipe', call: 'epoll_pwait(r, 1, -1, {})', answer: 'EINVAL' },
  { why: 'maxevents is zero', call: 'epoll_pwait(A, 0, -1, {})', answer: 'EINVAL' },
  { why: 'mask before maxevents', call: 'epoll_pwait(A, 0, -1, BAD)', answer: 'EFAULT' },
  { why: 'mask before epfd', call: 'epoll_pwait(-1, 1, -1, BAD)', answer: 'EFAULT' },
  { why: 'buffer is read-only', call: 'epoll_pwait(A, 1, -1, {}, buf=RO)', answer: 'EFAULT' },
];

export default defineCase({
  verifies: 'epoll_pwait() looks at the mask first and refuses what epoll_wait() refuses',
  docs: 'E-R89',
  on: '2.6.20 host',
  rows,
  program: ({ call, answer }) => `
init:
  A = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
  write(w, "a")
T1:
  x = ${call}
expect:
  always x=${answer}
`,
});

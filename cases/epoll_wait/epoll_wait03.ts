import { defineCase } from '../../harness/case-api.ts';

interface Row {
  readonly why: string;
  readonly call: string;
  readonly answer: string;
  readonly sysEpoll?: string;
  readonly on?: string;
}

const mainline = '2.6.20 host';

const rows: readonly Row[] = [
  { why: 'epfd is closed', call: 'epoll_wait(-1, 1, -1)', answer: 'EBADF' },
  { why: 'epfd is a pipe', call: 'epoll_wait(r, 1, -1)', answer: 'EINVAL' },
  { why: 'maxevents is minus one', call: 'epoll_wait(A, -1, -1)', answer: 'EINVAL', on: mainline },
  { why: 'maxevents is zero', call: 'epoll_wait(A, 0, -1)', answer: 'EINVAL', on: mainline },
  { why: 'buffer is read-only', call: 'epoll_wait(A, 1, -1, buf=RO)', answer: 'EFAULT' },
];

export default defineCase({
  verifies: 'epoll_wait() refuses each of five mistakes with its own errno',
  docs: 'E-R6 E-R89',
  ltp: 'epoll_wait03',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows,
  program: (row) => `
init:
  A = epoll_create(8)
  r, w = pipe2(O_NONBLOCK)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
  write(w, "a")
T1:
  x = ${row.call}
expect:
  always x=${row.answer}
`,
});

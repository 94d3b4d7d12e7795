import { defineCase } from '../../harness/case-api.ts';

interface Row {
  readonly why: string;
  /** What stands before the call. */
  readonly setup?: string;
  readonly call: string;
  readonly errno: string;
  /** What sys_epoll answers, where the call can be made there. */
  readonly sysEpoll?: string;
  readonly on?: string;
}

const everywhere = '2.5.44+sys_epoll-v11 2.6.20 host';

const rows: readonly Row[] = [
  { why: 'epfd is closed', call: 'epoll_ctl(-1, EPOLL_CTL_ADD, r, EPOLLIN)', errno: 'EBADF' },
  {
    why: 'fd is a directory',
    setup: 'd = open("/tmp")',
    call: 'epoll_ctl(A, EPOLL_CTL_ADD, d, EPOLLIN)',
    errno: 'EPERM',
    sysEpoll: '0',
  },
  { why: 'fd is closed', call: 'epoll_ctl(A, EPOLL_CTL_ADD, -1, EPOLLIN)', errno: 'EBADF' },
  { why: 'op is minus one', call: 'epoll_ctl(A, -1, r, EPOLLIN)', errno: 'EINVAL' },
  {
    why: 'fd is epfd itself',
    call: 'epoll_ctl(A, EPOLL_CTL_ADD, A, EPOLLIN)',
    errno: 'EINVAL',
    sysEpoll: '0',
  },
  {
    why: 'event is NULL in ADD',
    call: 'epoll_ctl(A, EPOLL_CTL_ADD, r, NULL)',
    errno: 'EFAULT',
    on: '2.6.20 host',
  },
  {
    why: 'DEL of what is not there',
    call: 'epoll_ctl(A, EPOLL_CTL_DEL, r, EPOLLIN)',
    errno: 'ENOENT',
  },
  {
    why: 'MOD of what is not there',
    call: 'epoll_ctl(A, EPOLL_CTL_MOD, r, EPOLLIN)',
    errno: 'ENOENT',
  },
  {
    why: 'ADD of what is there',
    setup: 'a = epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)',
    call: 'epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)',
    errno: 'EEXIST',
  },
];

export default defineCase({
  verifies: 'epoll_ctl() refuses each of nine mistakes with its own errno',
  docs: 'E-R2 E-R88 E-B18',
  ltp: 'epoll_ctl02',
  on: everywhere,
  rows,
  program: (row) => `
init:
  A = epoll_create(8)
  r, w = pipe()
T1:
${row.setup === undefined ? '' : `  ${row.setup}`}
  x = ${row.call}
expect:
  always x=${row.errno}
expect 2.5.44+sys_epoll-v11:
  always x=${row.sysEpoll ?? row.errno}
`,
});

import { defineCase } from '../../harness/case-api.ts';

interface Row {
  readonly why: string;
  readonly call: string;
  readonly errno: string;
  readonly sysEpoll?: string;
  readonly on?: string;
}

const mainline = '2.6.20 host';

/** `r` is registered, `w` is not, `d` is a directory, `z` was closed. */
const rows: readonly Row[] = [
  { why: 'epfd is a pipe', call: 'epoll_ctl(r, EPOLL_CTL_ADD, w, EPOLLOUT)', errno: 'EINVAL' },
  { why: 'epfd was closed', call: 'epoll_ctl(z, EPOLL_CTL_DEL, r, EPOLLIN)', errno: 'EBADF' },
  { why: 'op is zero', call: 'epoll_ctl(A, 0, r, EPOLLIN)', errno: 'EINVAL' },
  { why: 'op is four', call: 'epoll_ctl(A, 4, r, EPOLLIN)', errno: 'EINVAL' },
  {
    why: 'event is unmapped in ADD',
    call: 'epoll_ctl(A, EPOLL_CTL_ADD, w, BAD)',
    errno: 'EFAULT',
    on: mainline,
  },
  {
    why: 'event is NULL in MOD',
    call: 'epoll_ctl(A, EPOLL_CTL_MOD, r, NULL)',
    errno: 'EFAULT',
    on: mainline,
  },
  {
    why: 'event is in the kernel',
    call: 'epoll_ctl(A, EPOLL_CTL_MOD, r, KERNEL)',
    errno: 'EFAULT',
    on: mainline,
  },
  {
    why: 'event before epfd',
    call: 'epoll_ctl(-1, EPOLL_CTL_ADD, w, NULL)',
    errno: 'EFAULT',
    on: mainline,
  },
  {
    why: 'DEL reads no event but looks at epfd',
    call: 'epoll_ctl(-1, EPOLL_CTL_DEL, r, BAD)',
    errno: 'EBADF',
    on: mainline,
  },
  {
    why: 'DEL of a closed fd',
    call: 'epoll_ctl(A, EPOLL_CTL_DEL, -1, EPOLLIN)',
    errno: 'EBADF',
    sysEpoll: 'ENOENT',
  },
  {
    why: 'MOD of a closed fd',
    call: 'epoll_ctl(A, EPOLL_CTL_MOD, -1, EPOLLIN)',
    errno: 'EBADF',
    sysEpoll: 'ENOENT',
  },
  {
    why: 'unknown op and closed fd',
    call: 'epoll_ctl(A, 99, -1, EPOLLIN)',
    errno: 'EBADF',
    sysEpoll: 'EINVAL',
  },
  {
    why: 'directory into a pipe',
    call: 'epoll_ctl(r, EPOLL_CTL_ADD, d, EPOLLIN)',
    errno: 'EPERM',
    sysEpoll: 'EINVAL',
  },
  {
    why: 'DEL of a directory',
    call: 'epoll_ctl(A, EPOLL_CTL_DEL, d, EPOLLIN)',
    errno: 'EPERM',
    sysEpoll: 'ENOENT',
  },
  {
    why: 'DEL of epfd itself',
    call: 'epoll_ctl(A, EPOLL_CTL_DEL, A, EPOLLIN)',
    errno: 'EINVAL',
    sysEpoll: 'ENOENT',
  },
];

export default defineCase({
  verifies:
    'epoll_ctl() tests its arguments in one order: event, epfd, fd, kind of file, registration',
  docs: 'E-R2 E-R88',
  on: '2.5.44+sys_epoll-v11 2.6.20 host',
  rows,
  program: (row) => `
init:
  A = epoll_create(8)
  z = epoll_create(8)
  d = open("/tmp")
  r, w = pipe()
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
  close(z)
T1:
  x = ${row.call}
expect:
  always x=${row.errno}
expect 2.5.44+sys_epoll-v11:
  always x=${row.sysEpoll ?? row.errno}
`,
});

/** The table of system calls: one row tells arguments, answers, errnos and where the call exists. */

import type { FlagSetName } from './flags.ts';
import { hasAio, isAioModel, isSince, isSysEpoll, type KernelId } from './kernel-id.ts';

/** What may stand in the place of an argument. */
export type ArgKind =
  /** A descriptor by name, or a literal number. */
  | { readonly kind: 'fd' }
  /** A decimal number. */
  | { readonly kind: 'int' }
  /** Names of the family joined by `|`, a hexadecimal word, or a decimal number. */
  | { readonly kind: 'flags'; readonly set: FlagSetName }
  /** The event set of epoll_ctl(): EPOLL* or POLL* names, a number, or NULL/BAD for the structure. */
  | { readonly kind: 'events' }
  /** `[r:POLLIN, w:POLLOUT]`, or a bad pointer. */
  | { readonly kind: 'pollfds' }
  /** Where results are put: NULL, BAD, RO, KERNEL or `mapped(n)`. */
  | { readonly kind: 'buffer' }
  /** What is written: a string, a number of bytes, a pollfd array (device), or a bad pointer. */
  | { readonly kind: 'data' }
  /** Milliseconds; -1 is for ever. */
  | { readonly kind: 'timeout' }
  /** `{SIGUSR1}`, or a bad pointer. */
  | { readonly kind: 'signals' }
  | { readonly kind: 'path' }
  /** T1 to T4. */
  | { readonly kind: 'thread' }
  /** The name of a mapping, or ALL. */
  | { readonly kind: 'address' }
  /** ioctl()'s third argument: a number or a descriptor. */
  | { readonly kind: 'ioctl-argument' }
  /** open()'s second argument: O_ flags, or the descriptor that ends a `/proc/self/fd/` path. */
  | { readonly kind: 'open-how' }
  /** An AIO context by name, or a literal handle. */
  | { readonly kind: 'context' }
  /** `[a: pread(r, 4), b]`, or a bad pointer. */
  | { readonly kind: 'iocbs' }
  /** The name of an iocb, or a bad pointer. */
  | { readonly kind: 'iocb' }
  /** The segments of a vectored request: `[1, 2]` or `["a", "b"]`. */
  | { readonly kind: 'iovec' }
  /** The value of io_setup()'s context variable beforehand, or a bad pointer to it. */
  | { readonly kind: 'variable' }
  /** `head` or `tail`. */
  | { readonly kind: 'ring-field' }
  /** A word in quotes: which number is asked for. */
  | { readonly kind: 'statistic' };

export interface ArgSpec {
  /** As the manual page calls it. */
  readonly name: string;
  readonly type: ArgKind;
  readonly optional: boolean;
  /** Written `name=value`, in any order after the others. */
  readonly labelled: boolean;
}

/** What a call answers with when it succeeds, and so what it may bind. */
export type ReturnKind =
  | 'fd'
  | 'fds2'
  | 'int'
  | 'bytes'
  | 'events'
  | 'pollevents'
  /** A mapping: its value is never compared, printed as `ok`. */
  | 'address'
  /** An AIO context: like a descriptor, its value is never compared. */
  | 'context'
  /** What became of requests, by the names of their iocbs. */
  | 'completions';

export interface SyscallSpec {
  readonly name: string;
  readonly args: readonly ArgSpec[];
  readonly returns: ReturnKind;
  /** Errnos the manual page or the modelled kernels give for it; answers beyond are suspicious. */
  readonly errnos: readonly string[];
  /** Can sleep until something else happens. */
  readonly mayBlock: boolean;
  /** Can give up the last reference to an open file. */
  readonly dropsReference: boolean;
  readonly exists: (kernel: KernelId) => boolean;
  /** Where `exists` is true, in words. */
  readonly where: string;
}

/** One argument as the tables have it: its name, kind or family of flags, and whether it may be left out. */
export type ArgText = readonly [
  name: string,
  type: ArgKind['kind'] | FlagSetName,
  how?: 'optional' | 'label',
];

interface Row {
  readonly args: readonly ArgText[];
  readonly returns: ReturnKind;
  readonly errnos: string;
  readonly blocks?: true;
  readonly drops?: true;
  readonly exists?: (kernel: KernelId) => boolean;
  readonly where?: string;
}

// From 3.0 on nothing but AIO is modelled.
const hasEpoll = (kernel: KernelId): boolean =>
  isSysEpoll(kernel) || (isSince(kernel, '2.5.45') && (kernel.host || !isSince(kernel, '3.0')));
const epoll = { exists: hasEpoll, where: '2.5.44+sys_epoll-v11, 2.6.20, host' };
const aio = { exists: hasAio, where: '2.6.20, 3.1, host' };
const aioModel = { exists: isAioModel, where: '2.6.20, 3.1' };
const mapping = {
  exists: (kernel: KernelId): boolean => isSysEpoll(kernel) || isAioModel(kernel),
  where: '2.5.44+sys_epoll-v11, 2.6.20, 3.1',
};
const hostOnly = { exists: (kernel: KernelId): boolean => kernel.host, where: 'host' };

// pipe2, SOCK_NONBLOCK, listen() and connect() as written here are conveniences: a target that lacks
// a call builds it from the calls it has, so that one program runs everywhere.
const rows: Readonly<Record<string, Row>> = {
  pipe: {
    args: [['pipefd', 'buffer', 'label']],
    returns: 'fds2',
    errnos: 'EFAULT EMFILE ENFILE ENOMEM',
  },
  pipe2: {
    args: [
      ['flags', 'open'],
      ['pipefd', 'buffer', 'label'],
    ],
    returns: 'fds2',
    errnos: 'EFAULT EINVAL EMFILE ENFILE ENOMEM',
  },
  socketpair: {
    args: [
      ['domain', 'domain'],
      ['type', 'sock'],
    ],
    returns: 'fds2',
    errnos: 'EAFNOSUPPORT EFAULT EINVAL EMFILE ENFILE ENOMEM ENOBUFS EOPNOTSUPP',
  },
  listen: {
    args: [['type', 'sock', 'optional']],
    returns: 'fd',
    errnos: 'EMFILE ENFILE ENOMEM EADDRINUSE',
  },
  connect: {
    args: [
      ['sockfd', 'fd'],
      ['type', 'sock', 'optional'],
    ],
    returns: 'fd',
    errnos:
      'EBADF ENOTSOCK EINVAL EMFILE ENFILE ENOMEM ECONNREFUSED EINPROGRESS EAGAIN EINTR ETIMEDOUT',
    blocks: true,
  },
  accept: {
    args: [
      ['sockfd', 'fd'],
      ['type', 'sock', 'optional'],
    ],
    returns: 'fd',
    errnos: 'EBADF ENOTSOCK EINVAL EOPNOTSUPP EMFILE ENFILE ENOMEM EAGAIN EINTR ECONNABORTED',
    blocks: true,
  },
  read: {
    args: [
      ['fd', 'fd'],
      ['count', 'int'],
      ['buf', 'buffer', 'label'],
    ],
    returns: 'bytes',
    errnos: 'EBADF EFAULT EINVAL EAGAIN EINTR EIO EISDIR ECONNRESET ENOTCONN',
    blocks: true,
  },
  write: {
    args: [
      ['fd', 'fd'],
      ['buf', 'data'],
      ['count', 'int', 'optional'],
    ],
    returns: 'int',
    errnos: 'EBADF EFAULT EINVAL EAGAIN EINTR EIO EPIPE ENOSPC ECONNRESET ENOTCONN ENOMEM EPERM',
    blocks: true,
    // A device write with POLLREMOVE gives up references.
    drops: true,
  },
  close: { args: [['fd', 'fd']], returns: 'int', errnos: 'EBADF EINTR EIO', drops: true },
  dup: { args: [['oldfd', 'fd']], returns: 'fd', errnos: 'EBADF EMFILE ENOMEM' },
  dup2: {
    args: [
      ['oldfd', 'fd'],
      ['newfd', 'fd'],
    ],
    returns: 'fd',
    errnos: 'EBADF EBUSY EINTR EMFILE',
    drops: true,
  },
  shutdown: {
    args: [
      ['sockfd', 'fd'],
      ['how', 'shut'],
    ],
    returns: 'int',
    errnos: 'EBADF EINVAL ENOTCONN ENOTSOCK',
  },
  fcntl: {
    args: [
      ['fd', 'fd'],
      ['cmd', 'fcntl'],
      ['arg', 'open', 'optional'],
    ],
    returns: 'int',
    errnos: 'EBADF EINVAL EPERM EBUSY EMFILE',
  },
  poll: {
    args: [
      ['fds', 'pollfds'],
      ['timeout', 'timeout'],
    ],
    returns: 'pollevents',
    errnos: 'EFAULT EINTR EINVAL ENOMEM',
    blocks: true,
  },
  open: {
    args: [
      ['pathname', 'path'],
      ['flags', 'open-how', 'optional'],
    ],
    returns: 'fd',
    errnos:
      'EACCES EEXIST EFAULT EINVAL EISDIR ELOOP EMFILE ENFILE ENOENT ENOMEM ENXIO ENODEV ENOTDIR EINTR EPERM',
    blocks: true,
  },
  mkfifo: {
    args: [['pathname', 'path']],
    returns: 'int',
    errnos: 'EACCES EEXIST ENOENT ENOSPC ENOTDIR EROFS',
  },
  epoll_create: {
    args: [['size', 'int']],
    returns: 'fd',
    errnos: 'EINVAL EMFILE ENFILE ENOMEM',
    ...epoll,
  },
  epoll_create1: {
    args: [['flags', 'create']],
    returns: 'fd',
    errnos: 'EINVAL EMFILE ENFILE ENOMEM',
    ...hostOnly,
  },
  epoll_ctl: {
    args: [
      ['epfd', 'fd'],
      ['op', 'ctl'],
      ['fd', 'fd'],
      ['event', 'events', 'optional'],
      ['data', 'int', 'label'],
    ],
    returns: 'int',
    errnos: 'EBADF EEXIST EINVAL ELOOP ENOENT ENOMEM ENOSPC EPERM EFAULT E2BIG EINTR EBUSY',
    drops: true,
    ...epoll,
  },
  epoll_wait: {
    args: [
      ['epfd', 'fd'],
      ['maxevents', 'int'],
      ['timeout', 'timeout'],
      ['buf', 'buffer', 'label'],
    ],
    returns: 'events',
    errnos: 'EBADF EFAULT EINTR EINVAL',
    blocks: true,
    ...epoll,
  },
  epoll_pwait: {
    args: [
      ['epfd', 'fd'],
      ['maxevents', 'int'],
      ['timeout', 'timeout'],
      ['sigmask', 'signals'],
      ['buf', 'buffer', 'label'],
    ],
    returns: 'events',
    errnos: 'EBADF EFAULT EINTR EINVAL',
    blocks: true,
    exists: (kernel: KernelId): boolean => hasEpoll(kernel) && isSince(kernel, '2.6.19'),
    where: '2.6.20, host',
  },
  epoll_pwait2: {
    args: [
      ['epfd', 'fd'],
      ['maxevents', 'int'],
      ['timeout', 'timeout'],
      ['sigmask', 'signals'],
      ['buf', 'buffer', 'label'],
      // The timespec itself, instead of the timeout in milliseconds.
      ['sec', 'int', 'label'],
      ['nsec', 'int', 'label'],
    ],
    returns: 'events',
    errnos: 'EBADF EFAULT EINTR EINVAL ENOSYS',
    blocks: true,
    ...hostOnly,
  },
  ioctl: {
    args: [
      ['fd', 'fd'],
      ['request', 'ioctl'],
      ['arg', 'ioctl-argument', 'optional'],
    ],
    returns: 'int',
    errnos: 'EBADF EFAULT EINVAL ENOTTY EBUSY ENOMEM EINTR',
    blocks: true,
    drops: true,
  },
  // mmap(at=c) is an anonymous mapping exactly where the ring of a context is or was.
  mmap: {
    args: [
      ['fd', 'fd', 'optional'],
      ['pages', 'int', 'optional'],
      ['prot', 'prot', 'label'],
      ['flags', 'map', 'label'],
      ['offset', 'int', 'label'],
      ['at', 'context', 'label'],
    ],
    returns: 'address',
    errnos: 'EACCES EAGAIN EBADF EINVAL ENFILE ENODEV ENOMEM EPERM',
    ...mapping,
  },
  munmap: {
    args: [
      ['addr', 'address'],
      ['fd', 'fd', 'optional'],
    ],
    returns: 'int',
    errnos: 'EINVAL ENOMEM',
    drops: true,
    ...mapping,
  },
  eventfd: {
    args: [
      ['initval', 'int'],
      ['flags', 'eventfd'],
    ],
    returns: 'fd',
    errnos: 'EINVAL EMFILE ENFILE ENODEV ENOMEM',
    ...hostOnly,
  },
  eventfd_read: {
    args: [['fd', 'fd']],
    returns: 'int',
    errnos: 'EAGAIN EBADF EINTR EINVAL',
    blocks: true,
    ...hostOnly,
  },
  eventfd_write: {
    args: [
      ['fd', 'fd'],
      ['value', 'int'],
    ],
    returns: 'int',
    errnos: 'EAGAIN EBADF EINTR EINVAL',
    blocks: true,
    ...hostOnly,
  },
  timerfd_create: {
    args: [
      ['clockid', 'clock'],
      ['flags', 'timerfd'],
    ],
    returns: 'fd',
    errnos: 'EINVAL EMFILE ENFILE ENODEV ENOMEM EPERM',
    ...hostOnly,
  },
  timerfd_settime: {
    args: [
      ['fd', 'fd'],
      ['value_ms', 'int'],
      ['interval_ms', 'int', 'optional'],
    ],
    returns: 'int',
    errnos: 'EBADF EFAULT EINVAL ECANCELED',
    ...hostOnly,
  },
  kill: {
    args: [
      ['thread', 'thread'],
      ['sig', 'signal'],
    ],
    returns: 'int',
    errnos: 'EINVAL ESRCH',
  },
  io_setup: {
    args: [
      ['nr_events', 'int'],
      ['ctxp', 'variable', 'label'],
    ],
    returns: 'context',
    errnos: 'EAGAIN EFAULT EINVAL ENOMEM ENOSYS',
    ...aio,
  },
  io_destroy: {
    args: [['ctx', 'context']],
    returns: 'int',
    errnos: 'EFAULT EINVAL ENOSYS',
    blocks: true,
    drops: true,
    ...aio,
  },
  // What /proc/self/maps says of a context's ring: PROT_ bits, 1 read, 2 write, 4 execute.
  aio_ring_prot: { args: [['ctx', 'context']], returns: 'int', errnos: 'EINVAL', ...hostOnly },
  personality: { args: [['persona', 'int']], returns: 'int', errnos: 'EINVAL', ...hostOnly },
  io_submit: {
    args: [
      ['ctx', 'context'],
      ['iocbs', 'iocbs'],
      // The count that is passed, instead of the length of the list.
      ['nr', 'int', 'label'],
    ],
    returns: 'int',
    errnos: 'EAGAIN EBADF EFAULT EINVAL ENOMEM ENOSYS EPERM EOPNOTSUPP',
    // A request that has not been started elsewhere runs in the call.
    blocks: true,
    drops: true,
    ...aio,
  },
  io_cancel: {
    args: [
      ['ctx', 'context'],
      ['iocb', 'iocb'],
      ['result', 'buffer', 'label'],
    ],
    returns: 'completions',
    errnos: 'EAGAIN EFAULT EINPROGRESS EINVAL ENOSYS',
    blocks: true,
    drops: true,
    ...aio,
  },
  io_getevents: {
    args: [
      ['ctx', 'context'],
      ['min_nr', 'int'],
      ['nr', 'int'],
      ['timeout', 'timeout'],
      ['events', 'buffer', 'label'],
      // The address of the timeout, instead of one that holds it.
      ['tmo', 'buffer', 'label'],
    ],
    returns: 'completions',
    errnos: 'EFAULT EINTR EINVAL ENOSYS',
    blocks: true,
    ...aio,
  },
  io_pgetevents: {
    args: [
      ['ctx', 'context'],
      ['min_nr', 'int'],
      ['nr', 'int'],
      ['timeout', 'timeout'],
      ['sigmask', 'signals'],
      ['events', 'buffer', 'label'],
      ['tmo', 'buffer', 'label'],
    ],
    returns: 'completions',
    errnos: 'EFAULT EINTR EINVAL ENOSYS',
    blocks: true,
    ...hostOnly,
  },
  // No system calls from here on but what a process does to itself and its memory.
  aio_ring: {
    args: [
      ['ctx', 'context'],
      ['field', 'ring-field'],
      ['value', 'int', 'optional'],
    ],
    returns: 'int',
    errnos: 'EFAULT',
    ...aioModel,
  },
  aio_ring_reap: {
    args: [['ctx', 'context']],
    returns: 'completions',
    errnos: 'EFAULT',
    ...aioModel,
  },
  fork: { args: [], returns: 'int', errnos: 'EAGAIN ENOMEM', ...aioModel },
  exit_group: { args: [], returns: 'int', errnos: '', ...aioModel },
  disk_stat: {
    args: [['name', 'statistic']],
    returns: 'int',
    errnos: 'ENODEV',
    exists: (kernel: KernelId): boolean => !kernel.host && isSince(kernel, '3.0'),
    where: '3.1',
  },
  sleep: { args: [['ms', 'timeout']], returns: 'int', errnos: 'EINTR', blocks: true },
};

const plainKinds: ReadonlyMap<string, ArgKind> = new Map(
  (
    [
      { kind: 'fd' },
      { kind: 'int' },
      { kind: 'events' },
      { kind: 'pollfds' },
      { kind: 'buffer' },
      { kind: 'data' },
      { kind: 'timeout' },
      { kind: 'signals' },
      { kind: 'path' },
      { kind: 'thread' },
      { kind: 'address' },
      { kind: 'ioctl-argument' },
      { kind: 'open-how' },
      { kind: 'context' },
      { kind: 'iocbs' },
      { kind: 'iocb' },
      { kind: 'iovec' },
      { kind: 'variable' },
      { kind: 'ring-field' },
      { kind: 'statistic' },
    ] satisfies ArgKind[]
  ).map((type) => [type.kind, type]),
);

const flagKinds: ReadonlyMap<string, ArgKind> = new Map(
  (
    [
      'ctl',
      'create',
      'open',
      'domain',
      'sock',
      'shut',
      'eventfd',
      'timerfd',
      'clock',
      'fcntl',
      'ioctl',
      'prot',
      'map',
      'signal',
    ] satisfies FlagSetName[]
  ).map((set) => [set, { kind: 'flags', set }]),
);

/** The specification that a row of a table stands for. */
export function argSpecOf([name, type, how]: ArgText): ArgSpec {
  const spec = plainKinds.get(type) ?? flagKinds.get(type) ?? { kind: 'int' };
  return { name, type: spec, optional: how !== undefined, labelled: how === 'label' };
}

/** All calls, in the order of the table. */
export const SYSCALLS: readonly SyscallSpec[] = Object.entries(rows).map(([name, row]) => ({
  name,
  args: row.args.map(argSpecOf),
  returns: row.returns,
  errnos: row.errnos === '' ? [] : row.errnos.split(' '),
  mayBlock: row.blocks ?? false,
  dropsReference: row.drops ?? false,
  exists: row.exists ?? ((): boolean => true),
  where: row.where ?? 'everywhere',
}));

const byName: ReadonlyMap<string, SyscallSpec> = new Map(SYSCALLS.map((spec) => [spec.name, spec]));

/** The row of a call, or null if the table has none. */
export function syscallOf(name: string): SyscallSpec | null {
  return byName.get(name) ?? null;
}

/** Whether a success of the call makes descriptors, whose numbers are never compared. */
export function makesDescriptors(spec: SyscallSpec): boolean {
  return spec.returns === 'fd' || spec.returns === 'fds2';
}

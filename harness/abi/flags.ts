/** Every flag, operation and command name a program may use, with its bits. */

import { isSince, isSysEpoll, type KernelId } from './kernel-id.ts';

/** Families of names; an argument accepts the names of one family. */
export type FlagSetName =
  | 'epoll'
  | 'poll'
  | 'ctl'
  | 'create'
  | 'open'
  | 'domain'
  | 'sock'
  | 'shut'
  | 'eventfd'
  | 'timerfd'
  | 'clock'
  | 'fcntl'
  | 'ioctl'
  | 'prot'
  | 'map'
  | 'signal'
  | 'all';

export interface Flag {
  readonly name: string;
  /** Unsigned 32-bit. */
  readonly value: number;
  readonly set: FlagSetName;
  /** Where the name means something; elsewhere its bits are passed all the same. */
  readonly exists: (kernel: KernelId) => boolean;
}

type Row = readonly [name: string, value: number, exists?: (kernel: KernelId) => boolean];

const everywhere = (): boolean => true;
const mainline =
  (version: string) =>
  (kernel: KernelId): boolean =>
    isSince(kernel, version);
const onSysEpoll = (kernel: KernelId): boolean => isSysEpoll(kernel);
const onHost = (kernel: KernelId): boolean => kernel.host;
const withAddAndTest = (kernel: KernelId): boolean => kernel.patches.includes('epoll-add-and-test');

/** Sets whose names exclude each other: an argument takes exactly one. */
export const EXCLUSIVE_SETS: readonly FlagSetName[] = [
  'ctl',
  'domain',
  'shut',
  'clock',
  'fcntl',
  'ioctl',
  'signal',
  'all',
];

const rows: Readonly<Record<FlagSetName, readonly Row[]>> = {
  epoll: [
    ['EPOLLIN', 0x1],
    ['EPOLLPRI', 0x2],
    ['EPOLLOUT', 0x4],
    ['EPOLLERR', 0x8],
    ['EPOLLHUP', 0x10],
    ['EPOLLNVAL', 0x20],
    ['EPOLLRDNORM', 0x40],
    ['EPOLLRDBAND', 0x80],
    ['EPOLLWRNORM', 0x100],
    ['EPOLLWRBAND', 0x200],
    ['EPOLLMSG', 0x400],
    ['EPOLLRDHUP', 0x2000, mainline('2.6.17')],
    ['EPOLLEXCLUSIVE', 0x10000000, mainline('4.5')],
    ['EPOLLWAKEUP', 0x20000000, mainline('3.5')],
    ['EPOLLONESHOT', 0x40000000, mainline('2.6.2')],
    ['EPOLLET', 0x80000000, mainline('2.5.66')],
  ],
  poll: [
    ['POLLIN', 0x1],
    ['POLLPRI', 0x2],
    ['POLLOUT', 0x4],
    ['POLLERR', 0x8],
    ['POLLHUP', 0x10],
    ['POLLNVAL', 0x20],
    ['POLLRDNORM', 0x40],
    ['POLLRDBAND', 0x80],
    ['POLLWRNORM', 0x100],
    ['POLLWRBAND', 0x200],
    ['POLLMSG', 0x400],
    // The sys_epoll patch's own bit: an element written to the device with it removes the descriptor.
    ['POLLREMOVE', 0x1000, onSysEpoll],
    ['POLLRDHUP', 0x2000, mainline('2.6.17')],
  ],
  ctl: [
    ['EPOLL_CTL_ADD', 1],
    ['EPOLL_CTL_DEL', 2],
    ['EPOLL_CTL_MOD', 3],
    ['EPOLL_CTL_ADD_AND_TEST', 4, withAddAndTest],
  ],
  create: [['EPOLL_CLOEXEC', 0o2000000, onHost]],
  open: [
    ['O_RDONLY', 0],
    ['O_WRONLY', 1],
    ['O_RDWR', 2],
    ['O_CREAT', 0o100],
    ['O_EXCL', 0o200],
    ['O_TRUNC', 0o1000],
    ['O_APPEND', 0o2000],
    ['O_NONBLOCK', 0o4000],
    ['O_DIRECT', 0o40000],
    ['O_DIRECTORY', 0o200000],
    ['O_CLOEXEC', 0o2000000],
  ],
  domain: [
    ['AF_UNIX', 1],
    ['AF_INET', 2],
  ],
  sock: [
    ['SOCK_STREAM', 1],
    ['SOCK_DGRAM', 2],
    ['SOCK_NONBLOCK', 0o4000],
    ['SOCK_CLOEXEC', 0o2000000],
  ],
  shut: [
    ['SHUT_RD', 0],
    ['SHUT_WR', 1],
    ['SHUT_RDWR', 2],
  ],
  eventfd: [
    ['EFD_SEMAPHORE', 1, onHost],
    ['EFD_NONBLOCK', 0o4000, onHost],
    ['EFD_CLOEXEC', 0o2000000, onHost],
  ],
  timerfd: [
    ['TFD_TIMER_ABSTIME', 1, onHost],
    ['TFD_NONBLOCK', 0o4000, onHost],
    ['TFD_CLOEXEC', 0o2000000, onHost],
  ],
  clock: [
    ['CLOCK_REALTIME', 0, onHost],
    ['CLOCK_MONOTONIC', 1, onHost],
  ],
  fcntl: [
    ['F_DUPFD', 0],
    ['F_GETFD', 1],
    ['F_SETFD', 2],
    ['F_GETFL', 3],
    ['F_SETFL', 4],
    ['F_SETPIPE_SZ', 1031, onHost],
    ['F_GETPIPE_SZ', 1032, onHost],
  ],
  // The device's commands. The numbers are the harness's own (only the model has the device):
  // 0x6501..0x6504, in the order of the patch.
  ioctl: [
    ['EP_ALLOC', 0x6501, onSysEpoll],
    ['EP_POLL', 0x6502, onSysEpoll],
    ['EP_FREE', 0x6503, onSysEpoll],
    ['EP_ISPOLLED', 0x6504, onSysEpoll],
    ['FIONREAD', 0x541b],
    ['FIONBIO', 0x5421],
  ],
  prot: [
    ['PROT_NONE', 0],
    ['PROT_READ', 1],
    ['PROT_WRITE', 2],
  ],
  map: [
    ['MAP_SHARED', 1],
    ['MAP_PRIVATE', 2],
  ],
  signal: [
    ['SIGHUP', 1],
    ['SIGINT', 2],
    ['SIGKILL', 9],
    ['SIGUSR1', 10],
    ['SIGUSR2', 12],
    ['SIGPIPE', 13],
    ['SIGALRM', 14],
    ['SIGTERM', 15],
    ['SIGCHLD', 17],
  ],
  // munmap(ALL, D): every mapping of D.
  all: [['ALL', 0, onSysEpoll]],
};

function isSetName(name: string): name is FlagSetName {
  return name in rows;
}

/** All flags, by family and then in order of their bits. */
export const FLAGS: readonly Flag[] = Object.entries(rows).flatMap(([set, entries]) =>
  isSetName(set)
    ? entries.map(([name, value, exists = everywhere]) => ({ name, value, set, exists }))
    : [],
);

const byName: ReadonlyMap<string, Flag> = new Map(FLAGS.map((flag) => [flag.name, flag]));

/** The flag of that name, or null. */
export function flagOf(name: string): Flag | null {
  return byName.get(name) ?? null;
}

/** The flags of one family. */
export function flagsOf(set: FlagSetName): readonly Flag[] {
  return FLAGS.filter((flag) => flag.set === set);
}

/**
 * The bits of names as a program writes them (`EPOLLIN`, `0x800`), or'ed: unsigned 32-bit.
 * A name that is none counts as 0; validity has refused it before.
 */
export function flagBits(names: readonly string[]): number {
  let bits = 0;
  for (const name of names) {
    bits |= name.startsWith('0x') ? Number.parseInt(name, 16) : (byName.get(name)?.value ?? 0);
  }
  return bits >>> 0;
}

const reserved =
  /^(EPOLL|POLL|EPOLL_CTL_|O_|AF_|SOCK_|SHUT_|EFD_|TFD_|CLOCK_|F_|EP_|PROT_|MAP_|SIG|FION)[A-Z0-9_]+$|^ALL$/;

/** Whether a word has the shape of a flag, known or not; such words cannot be names of results. */
export function looksLikeFlag(word: string): boolean {
  return byName.has(word) || reserved.test(word);
}

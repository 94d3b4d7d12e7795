/** What a built kernel offers to the model target: raw system calls over one process's address space. */

import type { Kernel, UserMemory } from '../machine/index.ts';

/** Raw arguments are integers and user addresses, as in the ABI; answers >= 0 or -errno. */
export type Syscall = (args: readonly number[]) => Kernel<number>;

export interface BuiltKernel {
  readonly spec: string;
  readonly syscalls: ReadonlyMap<string, Syscall>;
  /** Address space of the process; a new one after each boot. */
  readonly mm: UserMemory;
  /** Builds all state anew. Called first thing in init of every execution (inline, no operations needed). */
  boot(): void;
  /** Exit of the process: unmaps everything, closes every descriptor. Runs inline. */
  exit(): Kernel<void>;
  /** The same as steps of the exit task, in kernels with AIO: waits for its requests, and is explored too. */
  exitMm?(): Kernel<void>;
}

/** Static facts about the program that spare operations; set by the target before boot. */
export interface KernelConfig {
  /** Ticks per second. */
  hz: number;
  /** Some thread closes descriptors, so lookups race with close and are operations. */
  closesInThreads: boolean;
  /** Some thread changes file flags, so looking at them is an operation. */
  flagsRace: boolean;
  /** Width of long in bits: 32 (i386, default) or 64. */
  longBits: 32 | 64;
  /** Slots of every AIO ring, one of them never used; 0 for the geometry of the kernel (A-R14). */
  aioRing: number;
  /** Limit of all events that contexts may ask for together: /proc/sys/fs/aio-max-nr. */
  aioMaxNr: number;
  /** Value of jiffies when virtual time is 0. */
  jiffiesStart: number;
  /** Some thread may drop the last reference of an AIO context, so dropping one is an operation. */
  contextsDie: boolean;
  /** Request slots of the block device; 0 for as many as are asked for. */
  diskSlots: number;
  /** Ticks that the block device takes for a request; 0 for any order and any time. */
  diskService: number;
}

export const kernelConfig: KernelConfig = {
  hz: 1000,
  closesInThreads: true,
  flagsRace: false,
  longBits: 32,
  aioRing: 0,
  aioMaxNr: 65536,
  jiffiesStart: 0,
  contextsDie: true,
  diskSlots: 0,
  diskService: 0,
};

/** errno by name, i386 and x86-64 numbers. */
export const E = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ENOSPC: 28,
  ESPIPE: 29,
  EPIPE: 32,
  ENOSYS: 38,
  ELOOP: 40,
  ENOTSOCK: 88,
  EOPNOTSUPP: 95,
  ECONNRESET: 104,
  EISCONN: 106,
  ENOTCONN: 107,
  ECONNREFUSED: 111,
  ETIMEDOUT: 110,
  EINPROGRESS: 115,
  EADDRINUSE: 98,
  EALREADY: 114,
  E2BIG: 7,
  EMSGSIZE: 90,
  ENOBUFS: 105,
  EAFNOSUPPORT: 97,
  ESOCKTNOSUPPORT: 94,
} as const;

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
}

export const kernelConfig: KernelConfig = {
  hz: 1000,
  closesInThreads: true,
  flagsRace: false,
  longBits: 32,
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

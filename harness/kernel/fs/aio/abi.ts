/**
 * Structures and numbers of AIO as user space sees them (A-R13, A-R65). Structures lie in user memory whole, at the
 * address of their first byte (`mm.store(address, structure)`):
 *
 * - an `Iocb` at the address that is also its identity (`obj` of its event),
 * - the array of io_submit: one number (the address of an iocb) every `pointerSize()` bytes,
 * - the array of io_getevents: an `IoEvent` every `IO_EVENT_SIZE` bytes; io_cancel stores one at its result pointer,
 * - the context pointer of io_setup: one number (4 or 8 bytes),
 * - a `Timespec`,
 * - a table of segments: an `Iovec` every `iovecSize()` bytes.
 */

import { kernelConfig } from '../../kernel.ts';

/** struct iocb, 64 bytes. */
export interface Iocb {
  readonly data: number;
  /** aio_key, which io_submit overwrites with 0. */
  readonly key: number;
  readonly lioOpcode: number;
  readonly fildes: number;
  readonly buf: number;
  readonly nbytes: number;
  readonly offset: number;
  readonly reserved1: number;
  readonly reserved2: number;
  readonly reserved3: number;
  /** aio_resfd if IOCB_FLAG_RESFD is set, null otherwise. Where there is no eventfd both words are aio_reserved3. */
  readonly resfd: number | null;
}

export const IOCB_SIZE = 64;

/** struct io_event, 32 bytes. */
export interface IoEvent {
  readonly data: number;
  /** Address of the iocb. */
  readonly obj: number;
  res: number;
  res2: number;
}

export const IO_EVENT_SIZE = 32;

/** struct timespec. */
export interface Timespec {
  readonly sec: number;
  readonly nsec: number;
}

/** Bytes of a pointer. */
export function pointerSize(): number {
  return kernelConfig.longBits / 8;
}

/** Bytes of a struct iovec. */
export function iovecSize(): number {
  return 2 * pointerSize();
}

/** Bytes of a struct timespec. */
export function timespecSize(): number {
  return 2 * pointerSize();
}

/** aio_lio_opcode. */
export const Opcode = {
  PREAD: 0,
  PWRITE: 1,
  FSYNC: 2,
  FDSYNC: 3,
  POLL: 5,
  NOOP: 6,
  PREADV: 7,
  PWRITEV: 8,
  EPOLL_WAIT: 9,
} as const;

/** Answer of a method: somebody else will complete the request. */
export const EIOCBQUEUED = 529;
/** Answer of a method: run it again when it is kicked. */
export const EIOCBRETRY = 530;
/** Internal restart code, never meant for user space. */
export const ERESTARTSYS = 512;

/** UIO_MAXIOV. */
export const MAX_SEGMENTS = 1024;

/** Size of a kiocb on 64-bit and on 32-bit machines, for the limit of io_setup (A-R17). */
export const KIOCB_SIZE = { 32: 132, 64: 240 } as const;

/** The address of the first ring, and the distance to the next. */
export const RING_BASE = 0x40000000;
export const RING_STEP = 0x10000;

/** Reads a structure; null if none was ever stored there, which means zero bytes. */
export function asIocb(stored: unknown): Iocb | null {
  // The only writer of such a structure is the C library of the target.
  return typeof stored === 'object' && stored !== null && 'lioOpcode' in stored
    ? (stored as Iocb)
    : null;
}

/**
 * Open files, descriptors and their reference counts, common to all kernels.
 *
 * From Linux fs/file_table.c and fs/open.c; the table is one process's.
 */

import {
  andThen,
  atOnce,
  readRef,
  Mem,
  Ref,
  UserMemory,
  add,
  engine,
  keepState,
  kfree,
  kmalloc,
  newWord,
  type Kernel,
  type WaitQueue,
  type Word,
} from '../../machine/index.ts';
import { Kind } from '../../machine/op.ts';
import { E, kernelConfig } from '../kernel.ts';
import type { Kiocb } from './aio/kioctx.ts';

/** What a poll method is handed: queues an entry on a wait queue, or null for a look only. */
export type PollTable = ((whead: WaitQueue) => Kernel<void>) | null;

/** Methods of a kind of file; a missing one is a missing method. */
export interface FileOperations {
  readonly name: string;
  /** The mask of what is possible now; queues on its wait queues first when a table is given. */
  poll?(file: File, table: PollTable): Kernel<number>;
  read?(file: File, address: number, count: number): Kernel<number>;
  write?(file: File, address: number, count: number): Kernel<number>;
  ioctl?(file: File, command: number, argument: number): Kernel<number>;
  /** Answers the mapped address or -errno. */
  mmap?(
    file: File,
    length: number,
    protection: number,
    flags: number,
    offset: number,
  ): Kernel<number>;
  release?(file: File): Kernel<void>;
  /** The mask that poll would answer, from raw state and without operations: for reports when nothing runs. */
  ready?(file: File): number;
  /** Methods of AIO, and of read(2) and write(2) where there is no `read` and `write`. */
  aioRead?: AioMethod;
  aioWrite?: AioMethod;
  /** S_IFMT of the inode, where AIO asks for it: a read of one of these takes what is there (A-R58). */
  readonly inodeType?: 'fifo' | 'socket';
  /** A second open of what this file is open on (through /proc/self/fd): a new file, or -errno. */
  reopen?(file: File, flags: number): Kernel<File | number>;
}

/**
 * Reads or writes the segments from `from` on, at position `pos`; some kinds of file move the segments on as they copy
 * (A-R60). `iocb` is null for a call that waits (A-R38).
 */
export type AioMethod = (
  file: File,
  iocb: Kiocb | null,
  iov: Iovec[],
  from: number,
  pos: number,
) => Kernel<number>;

/** A piece of user memory, in bytes. */
export interface Iovec {
  base: number;
  length: number;
}

export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;

/** struct file. Freed memory when its count has reached zero and release has run. */
export class File {
  readonly mem: Mem;
  readonly ops: FileOperations;
  /** f_count. */
  readonly count: Word;
  /** f_flags; changed by fcntl only. */
  flags: number;
  /** Stands for f_flags in operations, in programs where a thread changes flags. */
  readonly flagsWord: Word | null;
  /** private_data, typed by the owner of the operations. */
  readonly data: unknown;
  /** What the epoll implementation hangs on the file (f_ep_links, f_cblist). */
  attachment: unknown = null;

  constructor(ops: FileOperations, flags: number, data: unknown) {
    this.mem = kmalloc('file', 'get_empty_filp');
    this.ops = ops;
    this.count = newWord('f_count', 1, this.mem);
    this.flags = flags;
    this.flagsWord = kernelConfig.flagsRace ? newWord('f_flags', 0, this.mem) : null;
    this.data = data;
    vfs.fileInit(this);
  }
}

/** Where the kernels differ: called at creation and at the last fput, before release. */
export interface VfsHooks {
  fileInit(file: File): void;
  lastFput(file: File): Kernel<void>;
}

let vfs: VfsHooks = { fileInit() {}, *lastFput() {} };

/** RLIMIT_NOFILE of the process. */
export const MAX_FDS = 1024;

interface FdSlot {
  readonly ref: Ref<File | null>;
  /** A number handed out by getUnusedFd, with or without a file yet. Guarded by the table. */
  reserved: boolean;
  cloexec: boolean;
}

let slots: FdSlot[] = [];
/** files->file_lock as one object: allocating and freeing numbers are operations on it. */
let table = newTable();
export let mm = new UserMemory();

/** Numbers made at boot; a thread that needs more makes them itself. */
const FDS_AT_BOOT = 16;
export const FIRST_FD = 3;

function newTable(): Word {
  return newWord('fdtable', 0);
}

function newSlot(): FdSlot {
  return { ref: new Ref<File | null>('fd', null), reserved: false, cloexec: false };
}

/** Forgets all descriptors and the address space; descriptors 0 to 2 are taken. Called from boot. */
export function resetFiles(hooks: VfsHooks): void {
  vfs = hooks;
  mm = new UserMemory();
  table = newTable();
  slots = [];
  for (let n = 0; n < FDS_AT_BOOT; n++) slots.push(newSlot());
  keepState(
    () => mm,
    () => table,
    () => slots,
  );
}

function slotOf(fd: number): FdSlot | null {
  return Number.isInteger(fd) && fd >= FIRST_FD ? (slots[fd - FIRST_FD] ?? null) : null;
}

/** Nobody can change the table or drop a last reference behind our back. */
function isAlone(): boolean {
  return engine.inline || !kernelConfig.closesInThreads;
}

/**
 * fget(): the file with one more reference, or null. One operation, a read of the descriptor: raising the count
 * is atomic with it (the lookup holds the table lock) and commutes with every fput, because the descriptor's own
 * reference keeps the count above zero. No operation at all in programs where no thread closes anything.
 */
export function fget(fd: number, site: string): Kernel<File | null> {
  const slot = slotOf(fd);
  if (slot === null) return atOnce(null);
  if (isAlone()) return atOnce(takeFile(slot));
  return andThen(engine.submit(Kind.READ, slot.ref, 0, site), takeFile, slot, null);
}

function takeFile(slot: FdSlot): File | null {
  const file = slot.ref.value;
  if (file !== null) getFile(file);
  return file;
}

/** The file at a number without taking a reference: one read of the descriptor, as code does that locks nothing. */
export function lookFd(fd: number, site: string): Kernel<File | null> {
  const slot = slotOf(fd);
  if (slot === null) return atOnce(null);
  return isAlone() ? atOnce(slot.ref.value) : readRef(slot.ref, site);
}

/** fput(): the last one runs the epoll clean-up, then release, then frees the file. */
export function fput(file: File, site: string): Kernel<void> {
  if (!isAlone()) return putFile(file, site);
  return --engine.state[file.count.id] === 0 ? releaseFile(file) : atOnce(undefined);
}

function* putFile(file: File, site: string): Kernel<void> {
  if (yield* dropFile(file, site)) yield* releaseFile(file);
}

/** The count of fput() alone: true if that was the last reference; `releaseFile` is then the caller's business. */
export function dropFile(file: File, site: string): Kernel<boolean> {
  if (isAlone()) return atOnce(--engine.state[file.count.id] === 0);
  return andThen(add(file.count, -1, site), wasLast, null, null);
}

function wasLast(_a: null, _b: null, before: number): boolean {
  return before === 1;
}

/** __fput(): what follows when the count has reached zero. */
export function* releaseFile(file: File): Kernel<void> {
  yield* vfs.lastFput(file);
  if (file.ops.release !== undefined) yield* file.ops.release(file);
  // Whoever comes last: the place is the same for all.
  kfree(file.mem, '__fput');
}

/** get_file(): one more reference by somebody who holds one. Commutes with everything, so no operation. */
export function getFile(file: File): void {
  engine.state[file.count.id]++;
}

/** get_unused_fd(): reserves the lowest free number, or -EMFILE. */
export function* getUnusedFd(site: string, cloexec = false): Kernel<number> {
  if (!engine.inline) yield* engine.submit(Kind.WRITE, table, 0, site);
  let n = 0;
  while (n < slots.length && slots[n].reserved) n++;
  if (n + FIRST_FD >= MAX_FDS) return -E.EMFILE;
  if (n === slots.length) slots.push(newSlot());
  slots[n].reserved = true;
  slots[n].cloexec = cloexec;
  return n + FIRST_FD;
}

/** put_unused_fd(): gives back a number that has no file. */
export function* putUnusedFd(fd: number, site: string): Kernel<void> {
  if (!engine.inline) yield* engine.submit(Kind.WRITE, table, 0, site);
  const slot = slotOf(fd);
  if (slot !== null) slot.reserved = false;
}

/** fd_install(): from here on every thread can use the number. */
export function* fdInstall(fd: number, file: File, site: string): Kernel<void> {
  const slot = slotOf(fd);
  if (slot === null) return;
  if (!engine.inline) yield* engine.submit(Kind.WRITE, slot.ref, 0, site);
  slot.ref.value = file;
}

/** A number with the file at it, or -EMFILE (the file then still belongs to the caller). */
export function* installFd(file: File, site: string, cloexec = false): Kernel<number> {
  const fd = yield* getUnusedFd(site, cloexec);
  if (fd >= 0) yield* fdInstall(fd, file, site);
  return fd;
}

/** sys_close(). */
export function* closeFd(fd: number, site: string): Kernel<number> {
  const slot = slotOf(fd);
  if (slot === null) return -E.EBADF;
  if (!engine.inline) yield* engine.submit2(Kind.WRITE, slot.ref, false, table, false, site);
  const file = slot.ref.value;
  if (file === null) return -E.EBADF;
  slot.ref.value = null;
  slot.reserved = false;
  yield* fput(file, site);
  return 0;
}

/** sys_dup2(): the file of `from` also at `to`, which is closed first if it is open. */
export function* dupTo(from: number, to: number, site: string): Kernel<number> {
  const file = yield* fget(from, site);
  if (file === null) return -E.EBADF;
  const slot = to < MAX_FDS ? slotOf(to) : null;
  if (slot === null || from === to) {
    yield* fput(file, site);
    return slot === null ? -E.EBADF : to;
  }
  // atomic because the table lock is held from the look at the number to the store
  if (!engine.inline) yield* engine.submit2(Kind.WRITE, slot.ref, false, table, false, site);
  const old = slot.ref.value;
  slot.ref.value = file;
  slot.reserved = true;
  slot.cloexec = false;
  if (old !== null) yield* fput(old, site);
  return to;
}

/** Descriptor flag FD_CLOEXEC, or null for a closed number. */
export function isCloexec(fd: number): boolean | null {
  const slot = slotOf(fd);
  return slot === null || slot.ref.value === null ? null : slot.cloexec;
}

/** Sets the descriptor flag FD_CLOEXEC. */
export function setCloexec(fd: number, on: boolean): void {
  const slot = slotOf(fd);
  if (slot !== null) slot.cloexec = on;
}

/** Closes every descriptor in ascending order, as exit does. */
export function* closeAll(site: string): Kernel<void> {
  for (let n = 0; n < slots.length; n++) {
    const slot = slots[n];
    if (slot !== undefined && slot.ref.value !== null) yield* closeFd(n + FIRST_FD, site);
  }
}

/** The file at a number without a reference, for code that looks without one. */
export function peekFd(fd: number): File | null {
  return slotOf(fd)?.ref.value ?? null;
}

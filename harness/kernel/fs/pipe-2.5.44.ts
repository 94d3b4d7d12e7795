/**
 * Pipes and FIFOs of 2.5.44: one page used as a ring (START, LEN), one semaphore around everything.
 *
 * After Linux 2.5.44 fs/pipe.c as the document has it (E-R17, E-R18, E-R124 to E-R126), with the places where the
 * sys_epoll v11 patch notifies. Without that patch the notification does nothing.
 * Lock order: PIPE_SEM > pipe.wait.lock, and PIPE_SEM > file.f_cblock.
 */

import {
  Guarded,
  TaskState,
  add,
  atOnce,
  autoremoveWake,
  copyFromUser,
  currentEntry,
  finishWait,
  kfree,
  kmalloc,
  mutexLock,
  mutexUnlock,
  newMutex,
  newWaitQueue,
  newWord,
  peek,
  plainRead,
  plainWrite,
  poke,
  prepareToWait,
  read,
  schedule,
  signalPending,
  waitqueueActive,
  wakeUpInterruptible,
  write,
  type Condition,
  type Kernel,
  type Mem,
  type Mutex,
  type WaitQueue,
  type Word,
} from '../../machine/index.ts';
import { HarnessBug } from '../../machine/op.ts';
import { E, kernelConfig } from '../kernel.ts';
import { POLLERR, POLLHUP, POLLWRBAND, READABLE, WRITABLE } from '../poll-bits.ts';
import { File, mm, type FileOperations, type PollTable } from './file.ts';
import { looksNonblocking, isReadable, isWritable } from './read-write.ts';
import { appendToUser, bytesAt } from './user-bytes.ts';

/** Bytes in the ring, which is also PIPE_BUF. */
export const PIPE_SIZE = 4096;

/** What the sys_epoll patch adds: something happened to the file (E-R8). */
export type SendNotify = (file: File, mask: number) => Kernel<void>;

/** The inode of a pipe or FIFO. */
export class PipeInode {
  /** PIPE_SEM, i_sem of the inode. */
  readonly sem: Mutex = newMutex('PIPE_SEM');
  readonly isFifo: boolean;
  /** i_pipe; null while nobody has the FIFO open. Guarded by sem. */
  pipe: PipeInfo | null = null;

  constructor(isFifo: boolean) {
    this.isFifo = isFifo;
  }
}

/** struct pipe_inode_info. Guarded by PIPE_SEM; the words are also looked at without it, by poll. */
export class PipeInfo {
  readonly mem: Mem;
  readonly guard: Guarded;
  readonly wait: WaitQueue;
  /** The bytes in the ring, oldest first; they start at START and wrap. LEN is their number. */
  data = '';
  start = 0;
  waitingWriters = 0;
  /** How often it was opened for reading and for writing; what poll compares an open's version with. */
  rCounter = 1;
  wCounter = 1;
  /** All that poll sees of LEN: 0 for empty, 1 otherwise. */
  readonly filled: Word;
  readonly readers: Word;
  readonly writers: Word;
  /** Raw pointers to the files that pipe(2) made, no references. */
  rdfile: File | null = null;
  wrfile: File | null = null;

  constructor(site: string) {
    const mem = kmalloc('pipe_inode_info', site);
    this.mem = mem;
    this.guard = new Guarded('pipe', mem);
    this.wait = newWaitQueue('pipe.wait', mem, true);
    this.filled = newWord('pipe.len', 0, mem);
    this.readers = newWord('pipe.readers', 0, mem);
    this.writers = newWord('pipe.writers', 0, mem);
  }
}

/** What a pipe hangs on a file. */
export class PipeEnd {
  readonly inode: PipeInode;
  /** f_version: w_counter at a non-blocking open without writers, which hides HUP until one came; else 0. */
  readonly version: number;

  constructor(inode: PipeInode, version: number) {
    this.inode = inode;
    this.version = version;
  }
}

/** The pipe end behind a file. */
export function pipeEndOf(file: File): PipeEnd {
  if (file.data instanceof PipeEnd) return file.data;
  throw new HarnessBug(`Cannot use a ${file.ops.name} file as a pipe`);
}

/** i_pipe of an inode that somebody has open. */
export function pipeOf(inode: PipeInode): PipeInfo {
  if (inode.pipe === null) throw new HarnessBug('Cannot use a pipe that nobody has open');
  return inode.pipe;
}

/** The file operations of pipes and FIFOs on a kernel that notifies by `notify`. */
export function newPipeOperations(
  notify: SendNotify,
  reopen: (inode: PipeInode, flags: number) => Kernel<File | number>,
): FileOperations {
  return {
    name: 'pipe',
    read: (file, address, count) => pipeRead(notify, file, address, count),
    write: (file, address, count) => pipeWrite(notify, file, address, count),
    poll: pipePoll,
    release: (file) => pipeRelease(notify, file),
    ready: pipeReady,
    reopen: (file, flags) => reopen(pipeEndOf(file).inode, flags),
  };
}

/** do_pipe(): the two ends of a new pipe, reading end first; both are notified from now on. */
export function makePipe(ops: FileOperations, flags: number): readonly [File, File] {
  const inode = new PipeInode(false);
  const pipe = new PipeInfo('do_pipe');
  inode.pipe = pipe;
  // Not published yet.
  poke(pipe.readers, 1);
  poke(pipe.writers, 1);
  pipe.rdfile = new File(ops, flags | 0, new PipeEnd(inode, 0));
  pipe.wrfile = new File(ops, flags | 1, new PipeEnd(inode, 0));
  return [pipe.rdfile, pipe.wrfile];
}

/** Publishes what poll sees of LEN; no step when that has not changed. */
function noteLevel(pipe: PipeInfo, site: string): Kernel<unknown> {
  const filled = pipe.data === '' ? 0 : 1;
  return filled === peek(pipe.filled) ? atOnce(null) : write(pipe.filled, filled, site);
}

// ---- write ----

function freeSpace(pipe: PipeInfo): number {
  return PIPE_SIZE - pipe.data.length;
}

/** PW4: one contiguous chunk, at most up to the physical end of the ring. Answers its bytes, or -1 on a fault. */
function* putChunk(pipe: PipeInfo, address: number, text: string, done: number): Kernel<number> {
  const site = 'pipe_write-PW4';
  const end = (pipe.start + pipe.data.length) % PIPE_SIZE;
  const chars = Math.min(PIPE_SIZE - end, text.length - done, freeSpace(pipe));
  if (!(yield* copyFromUser(mm, address + done, chars, site))) return -1;
  pipe.data += text.slice(done, done + chars);
  yield* noteLevel(pipe, site);
  return chars;
}

function* pipeWrite(
  notify: SendNotify,
  file: File,
  address: number,
  count: number,
): Kernel<number> {
  if (count === 0) return 0;
  const { inode } = pipeEndOf(file);
  const text = bytesAt(address, count);
  let min = count <= PIPE_SIZE ? count : 1;
  yield* mutexLock(inode.sem, 'pipe_write-PW1');
  const pipe = pipeOf(inode);
  let done = 0;
  let error = 0;
  let wake = false;
  let pempty = false;
  for (;;) {
    plainWrite(pipe.guard, 'pipe_write-PW2');
    // Sampled anew for each chunk.
    pempty = pipe.data === '';
    if (peek(pipe.readers) === 0) error = E.EPIPE;
    else if (freeSpace(pipe) >= min) {
      wake = true;
      const chars = yield* putChunk(pipe, address, text, done);
      if (chars < 0) error = E.EFAULT;
      else done += chars;
    }
    if (error !== 0 || done === count) break;
    if (freeSpace(pipe) > 0 && done > 0) {
      min = 1;
      continue;
    }
    if (yield* looksNonblocking(file, 'pipe_write-PW7')) error = E.EAGAIN;
    else if (yield* signalPending('pipe_write-PW8')) error = E.EINTR;
    if (error !== 0) break;
    yield* notifyReader(notify, pipe, pempty);
    if (wake) yield* wakeSleepers(pipe, 'pipe_write-PW10');
    wake = false;
    pipe.waitingWriters++;
    yield* pipeWait(inode, pipe, 'pipe_write-PW10', hasRoom(pipe, min));
    pipe.waitingWriters--;
  }
  yield* notifyReader(notify, pipe, pempty);
  yield* mutexUnlock(inode.sem, 'pipe_write-PW12');
  if (wake) yield* wakeSleepers(pipe, 'pipe_write-PW13');
  return done > 0 ? done : -error;
}

/** PW9 and PW11: IN for the file that pipe(2) made for reading, if the ring was empty at the last look. */
function notifyReader(notify: SendNotify, pipe: PipeInfo, pempty: boolean): Kernel<void> {
  if (!pempty || pipe.data === '' || pipe.rdfile === null) return atOnce(undefined);
  return notify(pipe.rdfile, READABLE);
}

/** What a writer sleeps for: room for all of a write that must not be split, else for a byte. */
function hasRoom(pipe: PipeInfo, min: number): Condition {
  return {
    holds: () => freeSpace(pipe) >= min || peek(pipe.readers) === 0,
    describe: () => `write: room for ${min} bytes in the pipe, or no reader left`,
  };
}

// ---- read ----

/**
 * One contiguous chunk, at most up to the physical end of the ring, stored behind what was read before. Answers
 * all of it, or null on a fault.
 */
function* takeChunk(
  pipe: PipeInfo,
  address: number,
  done: string,
  count: number,
): Kernel<string | null> {
  const site = 'pipe_read-PR4';
  const chars = Math.min(PIPE_SIZE - pipe.start, count - done.length, pipe.data.length);
  const chunk = pipe.data.slice(0, chars);
  if (!(yield* appendToUser(address, done, chunk, site))) return null;
  pipe.data = pipe.data.slice(chars);
  pipe.start = (pipe.start + chars) % PIPE_SIZE;
  yield* noteLevel(pipe, site);
  return done + chunk;
}

function* pipeRead(notify: SendNotify, file: File, address: number, count: number): Kernel<number> {
  if (count === 0) return 0;
  const { inode } = pipeEndOf(file);
  yield* mutexLock(inode.sem, 'pipe_read-PR1');
  const pipe = pipeOf(inode);
  let text = '';
  let error = 0;
  let pfull = false;
  for (;;) {
    plainWrite(pipe.guard, 'pipe_read-PR2');
    // Sampled anew for each chunk.
    pfull = pipe.data.length === PIPE_SIZE;
    if (pipe.data !== '') {
      const more = yield* takeChunk(pipe, address, text, count);
      if (more === null) error = E.EFAULT;
      else text = more;
    }
    if (error !== 0 || text.length === count) break;
    if (pipe.data !== '') continue;
    if (peek(pipe.writers) === 0) break;
    if (pipe.waitingWriters === 0) {
      if (text === '' && (yield* looksNonblocking(file, 'pipe_read-PR7'))) error = E.EAGAIN;
      if (text !== '' || error !== 0) break;
    }
    if (yield* signalPending('pipe_read-PR8')) {
      error = E.EINTR;
      break;
    }
    yield* notifyWriter(notify, pipe, pfull);
    if (text !== '') yield* wakeSleepers(pipe, 'pipe_read-PR10');
    yield* pipeWait(inode, pipe, 'pipe_read-PR10', hasData(pipe));
  }
  yield* notifyWriter(notify, pipe, pfull);
  yield* mutexUnlock(inode.sem, 'pipe_read-PR12');
  if (text !== '') yield* wakeSleepers(pipe, 'pipe_read-PR13');
  return text !== '' ? text.length : -error;
}

/** PR9 and PR11: OUT for the file that pipe(2) made for writing, if the ring was full at the last look. */
function notifyWriter(notify: SendNotify, pipe: PipeInfo, pfull: boolean): Kernel<void> {
  if (!pfull || pipe.data.length === PIPE_SIZE || pipe.wrfile === null) return atOnce(undefined);
  return notify(pipe.wrfile, WRITABLE | POLLWRBAND);
}

function hasData(pipe: PipeInfo): Condition {
  return {
    holds: () => pipe.data !== '' || peek(pipe.writers) === 0,
    describe: () => 'read: data in the pipe, or no writer left',
  };
}

// ---- sleeping, poll, release ----

/** pipe_wait(): sleeps once. Needs PIPE_SEM, which it drops while it sleeps. */
export function* pipeWait(
  inode: PipeInode,
  pipe: PipeInfo,
  site: string,
  condition: Condition,
): Kernel<void> {
  const entry = currentEntry(autoremoveWake);
  yield* prepareToWait(pipe.wait, entry, TaskState.INTERRUPTIBLE, site);
  yield* mutexUnlock(inode.sem, site);
  yield* schedule(site, condition);
  yield* finishWait(pipe.wait, entry, site);
  yield* mutexLock(inode.sem, site);
}

/**
 * wake_up_interruptible(PIPE_WAIT). Taking the queue lock to find the queue empty does nothing, so then it is one
 * look, which commutes with other looks.
 */
export function* wakeSleepers(pipe: PipeInfo, site: string): Kernel<void> {
  if (yield* waitqueueActive(pipe.wait, site)) yield* wakeUpInterruptible(pipe.wait, 1, 0, site);
}

/** pipe_poll(): both ends alike, without the semaphore; OUT only when the ring is empty (E-R124). */
function* pipePoll(file: File, table: PollTable): Kernel<number> {
  const end = pipeEndOf(file);
  const pipe = pipeOf(end.inode);
  if (table !== null) yield* table(pipe.wait);
  const filled = yield* read(pipe.filled, 'pipe_poll');
  const writers = yield* lookAtEnds(end.inode, pipe.writers);
  // In the step that looks at the writers: an open for writing changes both.
  const { wCounter } = pipe;
  const readers = yield* lookAtEnds(end.inode, pipe.readers);
  return maskOf(end, wCounter, filled, readers, writers);
}

/** The counters change only by closing and by opening a FIFO: no step in programs without either. */
function lookAtEnds(inode: PipeInode, counter: Word): Kernel<number> {
  if (!kernelConfig.closesInThreads && !inode.isFifo) return atOnce(peek(counter));
  return read(counter, 'pipe_poll');
}

function maskOf(
  end: PipeEnd,
  wCounter: number,
  filled: number,
  readers: number,
  writers: number,
): number {
  let mask = filled === 0 ? WRITABLE : READABLE;
  if (writers === 0 && end.version !== wCounter) mask |= POLLHUP;
  if (readers === 0) mask |= POLLERR;
  return mask;
}

function pipeReady(file: File): number {
  const end = pipeEndOf(file);
  const pipe = pipeOf(end.inode);
  return maskOf(end, pipe.wCounter, peek(pipe.filled), peek(pipe.readers), peek(pipe.writers));
}

/** pipe_release() (PX): under PIPE_SEM, after the closing file's own callbacks are gone. */
function* pipeRelease(notify: SendNotify, file: File): Kernel<void> {
  const { inode } = pipeEndOf(file);
  const reads = isReadable(file);
  const writes = isWritable(file);
  yield* mutexLock(inode.sem, 'pipe_release-PX1');
  const pipe = pipeOf(inode);
  plainWrite(pipe.guard, 'pipe_release-PX1');
  if (reads) yield* add(pipe.readers, -1, 'pipe_release-PX1');
  if (writes) yield* add(pipe.writers, -1, 'pipe_release-PX1');
  const { rdfile, wrfile } = pipe;
  if (reads && peek(pipe.readers) === 0) {
    pipe.rdfile = null;
    if (wrfile !== null) yield* notify(wrfile, POLLHUP);
  }
  if (writes && peek(pipe.writers) === 0) {
    pipe.wrfile = null;
    if (rdfile !== null) yield* notify(rdfile, POLLHUP);
  }
  plainRead(pipe.guard, 'pipe_release-PX4');
  if (!freeUnusedPipe(inode, 'pipe_release-PX4')) yield* wakeSleepers(pipe, 'pipe_release-PX4');
  yield* mutexUnlock(inode.sem, 'pipe_release-PX4');
}

/** Frees the ring when neither readers nor writers are left; answers whether it did. Needs PIPE_SEM. */
export function freeUnusedPipe(inode: PipeInode, site: string): boolean {
  const pipe = pipeOf(inode);
  if (peek(pipe.readers) !== 0 || peek(pipe.writers) !== 0) return false;
  inode.pipe = null;
  kfree(pipe.mem, site);
  return true;
}

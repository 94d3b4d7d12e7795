/**
 * Pipes and FIFOs of 2.6.20: 16 buffers of a page each; a small write is merged into the last buffer.
 *
 * After Linux 2.6.20 fs/pipe.c and fs/fifo.c (E-R124 to E-R126, E-R142 to E-R144), in own words.
 * Lock order: pipe.mutex > pipe.wait.lock.
 */

import {
  Guarded,
  TaskState,
  add,
  atOnce,
  autoremoveWake,
  currentEntry,
  finishWait,
  injectFault,
  nameValues,
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
  wakeUpInterruptible,
  write,
  type Condition,
  type Kernel,
  type Mem,
  type Mutex,
  type WaitQueue,
  type Word,
} from '../../machine/index.ts';
import { E, kernelConfig } from '../kernel.ts';
import { POLLERR, POLLHUP, READABLE, WRITABLE } from '../poll-bits.ts';
import { ERESTARTSYS } from './aio/abi.ts';
import { fileParts, sendSigpipe } from './aio/file-parts.ts';
import type { Kiocb } from './aio/kioctx.ts';
import { File, type FileOperations, type Iovec, type PollTable } from './file.ts';
import { isReadable, isWritable } from './read-write.ts';
import { copyFromSegments, copyToSegments, lengthOf } from './segments.ts';

export const PIPE_BUFFERS = 16;
/** Bytes in a buffer, and PIPE_BUF: a write of no more is atomic. */
export const PIPE_PAGE = 4096;

interface Buffer {
  /** Bytes already read from the front; what they took of the page is not given back. */
  offset: number;
  data: string;
}

/** struct pipe_inode_info. */
export interface Pipe {
  readonly mem: Mem;
  readonly isFifo: boolean;
  /** i_mutex of the pipe's inode. */
  readonly mutex: Mutex;
  /** Readers, writers and pollers sleep here alike. */
  readonly wait: WaitQueue;

  // guarded by mutex
  readonly guard: Guarded;
  readonly buffers: Buffer[];
  waitingWriters: number;
  /** How many opens for reading and writing there ever were: what a blocking FIFO open waits for. */
  rCounter: number;
  wCounter: number;

  // written under mutex, looked at without it by poll
  /** NOT_EMPTY and HAS_ROOM: all that poll can see of nrbufs. */
  readonly level: Word;
  readonly readers: Word;
  readonly writers: Word;
}

const NOT_EMPTY = 1;
const HAS_ROOM = 2;

nameValues('pipe.nrbufs', (level) =>
  level === NOT_EMPTY ? 'full' : level === HAS_ROOM ? 'empty' : 'between',
);

/** private_data of an open pipe end. */
interface PipeEnd {
  readonly pipe: Pipe;
  /** f_version: wCounter at a non-blocking open for reading without a writer; such a file shows no HUP yet. */
  readonly version: number;
}

/** A pipe with nobody at it. */
export function newPipe(isFifo: boolean): Pipe {
  const mem = kmalloc('pipe_inode_info', 'alloc_pipe_info');
  // The path keeps the inode of a FIFO.
  mem.permanent = isFifo;
  return {
    mem,
    isFifo,
    mutex: newMutex('pipe.mutex', mem),
    wait: newWaitQueue('pipe.wait', mem),
    guard: new Guarded('pipe.buffers', mem),
    buffers: [],
    waitingWriters: 0,
    rCounter: 0,
    wCounter: 0,
    level: newWord('pipe.nrbufs', HAS_ROOM, mem),
    readers: newWord('pipe.readers', 0, mem),
    writers: newWord('pipe.writers', 0, mem),
  };
}

/** One end as an open file; the counters are the caller's business. */
export function pipeFile(pipe: Pipe, flags: number, version = -1): File {
  const end: PipeEnd = { pipe, version };
  return new File(pipeOps, flags, end);
}

function endOf(file: File): PipeEnd {
  // Every file with these operations was made by pipeFile.
  return file.data as PipeEnd;
}

/** Publishes what poll sees of the number of used buffers; no step when that has not changed. */
function noteLevel(pipe: Pipe, site: string): Kernel<unknown> {
  const n = pipe.buffers.length;
  const level = (n > 0 ? NOT_EMPTY : 0) | (n < PIPE_BUFFERS ? HAS_ROOM : 0);
  return level === peek(pipe.level) ? atOnce(null) : write(pipe.level, level, site);
}

/** pipe_wait(): queued before the mutex is given up, so that no wake-up in between is lost. */
function* pipeWait(pipe: Pipe, site: string, condition: Condition): Kernel<void> {
  const entry = currentEntry(autoremoveWake);
  yield* prepareToWait(pipe.wait, entry, TaskState.INTERRUPTIBLE, site);
  yield* mutexUnlock(pipe.mutex, site);
  yield* schedule(site, condition);
  yield* finishWait(pipe.wait, entry, site);
  yield* mutexLock(pipe.mutex, site);
}

function dataCondition(pipe: Pipe): Condition {
  return {
    holds: () => pipe.buffers.length > 0 || peek(pipe.writers) === 0,
    describe: () => 'the pipe has data or no writer',
  };
}

function roomCondition(pipe: Pipe): Condition {
  return {
    holds: () => pipe.buffers.length < PIPE_BUFFERS || peek(pipe.readers) === 0,
    describe: () => 'the pipe has a free buffer or no reader',
  };
}

function wakePipe(pipe: Pipe, site: string): Kernel<void> {
  return wakeUpInterruptible(pipe.wait, 1, 0, site);
}

// ---- read ----

/**
 * pipe_read(): bytes, 0 at the end, EAGAIN, EFAULT, or the internal restart code after a signal. The method of a kiocb
 * and of read(2) alike; both sleep in it (A-B24).
 */
function* pipeRead(file: File, iocb: Kiocb | null, iov: Iovec[], first: number): Kernel<number> {
  const { pipe } = endOf(file);
  const { table, from } = fileParts.pipeTable(iov, first, 'pipe_read');
  let left = lengthOf(table, from);
  if (left === 0) return 0;
  yield* mutexLock(pipe.mutex, 'pipe_read');
  let result = 0;
  let got = 0;
  let wake = false;
  for (;;) {
    plainWrite(pipe.guard, 'pipe_read');
    while (pipe.buffers.length > 0 && left > 0) {
      const buffer = pipe.buffers[0];
      const chunk = buffer.data.slice(0, left);
      if (!(yield* copyToSegments(table, from, chunk, 'pipe_read'))) {
        result = -E.EFAULT;
        break;
      }
      got += chunk.length;
      left -= chunk.length;
      wake = (yield* consume(pipe, buffer, chunk.length)) || wake;
    }
    if (result < 0 || left === 0) break;
    const stop = yield* readerStops(pipe, file, iocb, got);
    if (stop !== null) {
      result = stop;
      break;
    }
    if (wake) yield* wakePipe(pipe, 'pipe_read');
    yield* pipeWait(pipe, 'pipe_read', dataCondition(pipe));
  }
  yield* mutexUnlock(pipe.mutex, 'pipe_read');
  // E-R143: only a buffer given back wakes.
  if (wake) yield* wakePipe(pipe, 'pipe_read');
  return got > 0 ? got : result;
}

/** Takes bytes from the front of the first buffer; true if that released the buffer. */
function* consume(pipe: Pipe, buffer: Buffer, bytes: number): Kernel<boolean> {
  buffer.offset += bytes;
  buffer.data = buffer.data.slice(bytes);
  if (buffer.data.length > 0) return false;
  pipe.buffers.shift();
  yield* noteLevel(pipe, 'pipe_read');
  return true;
}

/** Why a reader of an empty pipe does not sleep: the errno, 0 for end of file or enough; null if it does. */
function* readerStops(
  pipe: Pipe,
  file: File,
  iocb: Kiocb | null,
  got: number,
): Kernel<number | null> {
  if (peek(pipe.writers) === 0) return 0;
  // A writer that sleeps in the kernel will bring more: then even a non-blocking reader waits for it (A-B65).
  if (pipe.waitingWriters === 0) {
    if (got > 0) return 0;
    if (yield* fileParts.pipeDontWait(file, iocb, 'pipe')) return -E.EAGAIN;
  }
  return (yield* signalPending('pipe_read')) ? -ERESTARTSYS : null;
}

// ---- write ----

/** pipe_write(): bytes, EPIPE, EAGAIN, EFAULT, ENOMEM, or the internal restart code after a signal. */
function* pipeWrite(file: File, iocb: Kiocb | null, iov: Iovec[], first: number): Kernel<number> {
  const { pipe } = endOf(file);
  const { table, from } = fileParts.pipeTable(iov, first, 'pipe_write');
  const left = lengthOf(table, from);
  if (left === 0) return 0;
  yield* mutexLock(pipe.mutex, 'pipe_write');
  plainWrite(pipe.guard, 'pipe_write');
  const rest = { done: 0, result: 0, wake: false };
  const write: PipeWrite = { file, iocb, pipe, table, from, left, ...rest };
  if (peek(pipe.readers) === 0) {
    sendSigpipe(iocb, 'pipe_write');
    write.result = -E.EPIPE;
  } else if (!(yield* mergeIntoLast(write))) yield* fillBuffers(write);
  yield* mutexUnlock(pipe.mutex, 'pipe_write');
  // E-R142: a write of a byte or more wakes, whether or not the pipe was empty, and though the copy failed.
  if (write.wake) yield* wakePipe(pipe, 'pipe_write');
  return write.done > 0 ? write.done : write.result;
}

interface PipeWrite {
  readonly file: File;
  readonly iocb: Kiocb | null;
  readonly pipe: Pipe;
  readonly table: readonly Iovec[];
  readonly from: number;
  left: number;
  done: number;
  result: number;
  wake: boolean;
}

/** Takes the next bytes from the writer; null, with the result set, on a fault. */
function* nextBytes(w: PipeWrite, count: number): Kernel<string | null> {
  w.wake = true;
  const text = yield* copyFromSegments(w.table, w.from, count, 'pipe_write');
  if (text === null) w.result = -E.EFAULT;
  else {
    w.done += count;
    w.left -= count;
  }
  return text;
}

/** Puts what exceeds whole pages into the last buffer if it fits behind what is there; true if that was all. */
function mergeIntoLast(w: PipeWrite): Kernel<boolean> {
  const chars = w.left % PIPE_PAGE;
  const last = w.pipe.buffers.at(-1);
  if (last === undefined || chars === 0) return atOnce(false);
  if (last.offset + last.data.length + chars > PIPE_PAGE) return atOnce(false);
  return append(w, last, chars);
}

function* append(w: PipeWrite, last: Buffer, chars: number): Kernel<boolean> {
  const text = yield* nextBytes(w, chars);
  if (text === null) return true;
  last.data += text;
  return w.left === 0;
}

/** One buffer after the other, sleeping when all are used. */
function* fillBuffers(w: PipeWrite): Kernel<void> {
  const { pipe } = w;
  for (;;) {
    if (peek(pipe.readers) === 0) {
      sendSigpipe(w.iocb, 'pipe_write');
      w.result = -E.EPIPE;
      return;
    }
    while (pipe.buffers.length < PIPE_BUFFERS) {
      if (!(yield* fillOne(w)) || w.left === 0) return;
    }
    const stop = yield* writerStops(w);
    if (stop !== null) {
      w.result = stop;
      return;
    }
    if (w.wake) yield* wakePipe(pipe, 'pipe_write');
    w.wake = false;
    pipe.waitingWriters++;
    yield* pipeWait(pipe, 'pipe_write', roomCondition(pipe));
    plainWrite(pipe.guard, 'pipe_write');
    pipe.waitingWriters--;
  }
}

function* fillOne(w: PipeWrite): Kernel<boolean> {
  if (yield* injectFault('pipe_write')) {
    w.result = -E.ENOMEM;
    return false;
  }
  const chunk = yield* nextBytes(w, Math.min(PIPE_PAGE, w.left));
  if (chunk === null) return false;
  w.pipe.buffers.push({ offset: 0, data: chunk });
  yield* noteLevel(w.pipe, 'pipe_write');
  return true;
}

function* writerStops(w: PipeWrite): Kernel<number | null> {
  if (yield* fileParts.pipeDontWait(w.file, w.iocb, 'pipe')) return -E.EAGAIN;
  return (yield* signalPending('pipe_write')) ? -ERESTARTSYS : null;
}

// ---- poll ----

/** E-R124, E-R125. Looks at everything without the mutex. */
function* pipePoll(file: File, table: PollTable): Kernel<number> {
  const end = endOf(file);
  const { pipe } = end;
  if (table !== null) yield* table(pipe.wait);
  const level = yield* read(pipe.level, 'pipe_poll');
  const writers = isReadable(file) ? yield* lookAtEnds(pipe, pipe.writers) : 1;
  const readers = isWritable(file) ? yield* lookAtEnds(pipe, pipe.readers) : 1;
  return maskOf(file, end, level, readers, writers);
}

/** The counters change only by closing and by opening a FIFO: no step in programs without either. */
function lookAtEnds(pipe: Pipe, counter: Word): Kernel<number> {
  if (!kernelConfig.closesInThreads && !pipe.isFifo) return atOnce(peek(counter));
  return read(counter, 'pipe_poll');
}

function maskOf(file: File, end: PipeEnd, level: number, readers: number, writers: number): number {
  let mask = 0;
  if (isReadable(file)) {
    if ((level & NOT_EMPTY) !== 0) mask |= READABLE;
    if (writers === 0 && end.version !== end.pipe.wCounter) mask |= POLLHUP;
  }
  if (isWritable(file)) {
    if ((level & HAS_ROOM) !== 0) mask |= WRITABLE;
    if (readers === 0) mask |= POLLERR;
  }
  return mask;
}

function pipeReady(file: File): number {
  const end = endOf(file);
  const { level, readers, writers } = end.pipe;
  return maskOf(file, end, peek(level), peek(readers), peek(writers));
}

// ---- opening and closing ----

/** E-R144. */
function* pipeRelease(file: File): Kernel<void> {
  const { pipe } = endOf(file);
  yield* mutexLock(pipe.mutex, 'pipe_release');
  if (isReadable(file)) yield* add(pipe.readers, -1, 'pipe_release');
  if (isWritable(file)) yield* add(pipe.writers, -1, 'pipe_release');
  plainRead(pipe.guard, 'pipe_release');
  const deserted = peek(pipe.readers) === 0 && peek(pipe.writers) === 0;
  if (!deserted) yield* wakePipe(pipe, 'pipe_release');
  else if (pipe.isFifo) yield* drain(pipe);
  yield* mutexUnlock(pipe.mutex, 'pipe_release');
  // The inode of a FIFO stays for the next open; differs: in place, where 2.6.20 allocates anew.
  if (deserted && !pipe.isFifo) kfree(pipe.mem, 'pipe_release');
}

function* drain(pipe: Pipe): Kernel<void> {
  pipe.buffers.length = 0;
  yield* noteLevel(pipe, 'pipe_release');
}

/** The two ends of a new pipe, reading end first. `flags` may have O_NONBLOCK. */
export function makePipe(flags: number): readonly [File, File] {
  const pipe = newPipe(false);
  engageBoth(pipe);
  return [pipeFile(pipe, flags | 0), pipeFile(pipe, flags | 1)];
}

function engageBoth(pipe: Pipe): void {
  pipe.rCounter = 1;
  pipe.wCounter = 1;
  // Not published yet.
  poke(pipe.readers, 1);
  poke(pipe.writers, 1);
}

/** fifo_open(): E-R126. Answers the file, -ENXIO (non-blocking writer, no reader) or -EINTR. */
export function* fifoOpen(pipe: Pipe, flags: number): Kernel<File | number> {
  yield* mutexLock(pipe.mutex, 'fifo_open');
  plainWrite(pipe.guard, 'fifo_open');
  const reads = (flags & 3) !== 1;
  const writes = (flags & 3) !== 0;
  const nonblocking = (flags & 0o4000) !== 0;
  if (writes && !reads && nonblocking && peek(pipe.readers) === 0) {
    yield* mutexUnlock(pipe.mutex, 'fifo_open');
    return -E.ENXIO;
  }
  if (reads) yield* engage(pipe, pipe.readers, 'rCounter');
  if (writes) yield* engage(pipe, pipe.writers, 'wCounter');
  let version = -1;
  let interrupted = false;
  if (reads && !writes && peek(pipe.writers) === 0) {
    if (nonblocking) version = pipe.wCounter;
    else interrupted = !(yield* waitForPartner(pipe, 'wCounter'));
  }
  if (writes && !reads && peek(pipe.readers) === 0)
    interrupted = !(yield* waitForPartner(pipe, 'rCounter'));
  if (interrupted) {
    yield* add(reads ? pipe.readers : pipe.writers, -1, 'fifo_open');
    yield* wakePipe(pipe, 'fifo_open');
  }
  yield* mutexUnlock(pipe.mutex, 'fifo_open');
  return interrupted ? -E.EINTR : pipeFile(pipe, flags, version);
}

type Counter = 'rCounter' | 'wCounter';

function* engage(pipe: Pipe, count: Word, counter: Counter): Kernel<void> {
  const before = yield* add(count, 1, 'fifo_open');
  // In the same step, so that poll, which looks at both without the mutex, sees neither change alone.
  pipe[counter]++;
  // wake_up_partner(): the first of its kind ends the wait of those who opened the other way.
  if (before === 0) yield* wakePipe(pipe, 'fifo_open');
}

/** Sleeps until somebody has opened the other way; false if a signal came first. */
function* waitForPartner(pipe: Pipe, counter: Counter): Kernel<boolean> {
  const seen = pipe[counter];
  while (pipe[counter] === seen) {
    yield* pipeWait(pipe, 'fifo_open', {
      holds: () => pipe[counter] !== seen,
      describe: () => 'the FIFO is open the other way',
    });
    plainRead(pipe.guard, 'fifo_open');
    if (yield* signalPending('fifo_open')) return false;
  }
  return true;
}

/** Another open of the same pipe (through /proc/self/fd). */
function* pipeReopen(file: File, flags: number): Kernel<File | number> {
  return yield* fifoOpen(endOf(file).pipe, flags);
}

const pipeOps: FileOperations = {
  name: 'pipe',
  inodeType: 'fifo',
  aioRead: pipeRead,
  aioWrite: pipeWrite,
  poll: pipePoll,
  release: pipeRelease,
  ready: pipeReady,
  reopen: pipeReopen,
};

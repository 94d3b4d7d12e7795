/**
 * Three small devices whose poll methods are within the rules and still not what a fallback on poll expects. None of
 * them is a device of the kernel; drivers of every one of these kinds existed.
 *
 * - `/dev/two-queues`: bytes written to it can be read; poll names two queues. A text that begins with `!` wakes the
 *   first, any other the second (A-B59, A-B60).
 * - `/dev/owner-queue`: bytes written to it can be read; the poll queue belongs to an owner, and every write ends the
 *   owner, frees its queue and puts another in its place (A-R106, A-B71).
 * - `/dev/error-queue`: has something on its error queue that nobody takes: poll says POLLERR for ever, and a read has
 *   nothing (A-B62).
 *
 * No read of them ever sleeps.
 */

import {
  kfree,
  kmalloc,
  mutexLock,
  mutexUnlock,
  newMutex,
  newWaitQueue,
  newWord,
  peek,
  read,
  update,
  wakeUpInterruptible,
  type Kernel,
  type Mem,
  type Mutex,
  type WaitQueue,
  type Word,
} from '../../../machine/index.ts';
import { E } from '../../kernel.ts';
import { POLLERR, READABLE, WRITABLE } from '../../poll-bits.ts';
import type { Kiocb } from '../../fs/aio/kioctx.ts';
import { noteStuck } from '../../fs/aio/spin.ts';
import { File, type FileOperations, type Iovec, type PollTable } from '../../fs/file.ts';
import { lengthOf, readSegments, writeSegments } from '../../fs/segments.ts';

/** Bytes that wait to be read; `length` stands for them in operations. */
interface Bytes {
  text: string;
  readonly length: Word;
}

function newBytes(name: string): Bytes {
  return { text: '', length: newWord(name, 0) };
}

/** Takes what is there: bytes, or EAGAIN, EFAULT. */
function* takeBytes(
  bytes: Bytes,
  table: readonly Iovec[],
  from: number,
  site: string,
): Kernel<number> {
  const count = lengthOf(table, from);
  if (count === 0) return 0;
  let chunk = '';
  yield* update(
    bytes.length,
    () => {
      chunk = bytes.text.slice(0, count);
      bytes.text = bytes.text.slice(count);
      return bytes.text.length;
    },
    site,
  );
  if (chunk === '') return -E.EAGAIN;
  return (yield* writeSegments(table, from, 0, chunk, site)) ? chunk.length : -E.EFAULT;
}

function* addBytes(bytes: Bytes, text: string, site: string): Kernel<void> {
  yield* update(
    bytes.length,
    () => {
      bytes.text += text;
      return bytes.text.length;
    },
    site,
  );
}

function maskOf(length: number): number {
  return length > 0 ? READABLE | WRITABLE : WRITABLE;
}

// ---- two queues ----

/** `/dev/two-queues`. */
export interface TwoQueues {
  readonly first: WaitQueue;
  readonly second: WaitQueue;
  readonly bytes: Bytes;
}

export function newTwoQueues(): TwoQueues {
  return {
    first: newWaitQueue('two.first'),
    second: newWaitQueue('two.second'),
    bytes: newBytes('two.bytes'),
  };
}

export function openTwoQueues(device: TwoQueues, flags: number): File {
  return new File(twoOps, flags, device);
}

function twoOf(file: File): TwoQueues {
  // Every file with these operations was made by openTwoQueues.
  return file.data as TwoQueues;
}

function* twoWrite(
  file: File,
  _iocb: Kiocb | null,
  table: readonly Iovec[],
  from: number,
): Kernel<number> {
  const device = twoOf(file);
  const text = yield* readSegments(table, from, 0, lengthOf(table, from), 'two_write');
  if (text === null) return -E.EFAULT;
  yield* addBytes(device.bytes, text, 'two_write');
  const queue = text.startsWith('!') ? device.first : device.second;
  yield* wakeUpInterruptible(queue, 1, 0, 'two_write');
  return text.length;
}

function* twoPoll(file: File, table: PollTable): Kernel<number> {
  const device = twoOf(file);
  if (table !== null) {
    yield* table(device.first);
    yield* table(device.second);
  }
  return maskOf(yield* read(device.bytes.length, 'two_poll'));
}

const twoOps: FileOperations = {
  name: '/dev/two-queues',
  aioRead: (file, _iocb, table, from) => takeBytes(twoOf(file).bytes, table, from, 'two_read'),
  aioWrite: twoWrite,
  poll: twoPoll,
  ready: (file) => maskOf(peek(twoOf(file).bytes.length)),
};

// ---- an owner with a queue ----

/** Whom the queue belongs to. */
class Owner {
  readonly mem: Mem;
  readonly queue: WaitQueue;

  constructor(site: string) {
    this.mem = kmalloc('owner', site);
    // The device keeps its owner for as long as it is there.
    this.mem.permanent = true;
    this.queue = newWaitQueue('owner.queue', this.mem);
  }
}

/** `/dev/owner-queue`. */
export interface OwnedDevice {
  readonly lock: Mutex;
  /** Guarded by lock. */
  owner: Owner;
  readonly bytes: Bytes;
}

export function newOwnedDevice(): OwnedDevice {
  return {
    lock: newMutex('owned.lock'),
    owner: new Owner('owned_init'),
    bytes: newBytes('owned.bytes'),
  };
}

export function openOwnedDevice(device: OwnedDevice, flags: number): File {
  return new File(ownedOps, flags, device);
}

function ownedOf(file: File): OwnedDevice {
  // Every file with these operations was made by openOwnedDevice.
  return file.data as OwnedDevice;
}

/** Nobody on the old queue is woken: they learn nothing of its end. */
function* ownedWrite(
  file: File,
  _iocb: Kiocb | null,
  table: readonly Iovec[],
  from: number,
): Kernel<number> {
  const device = ownedOf(file);
  const text = yield* readSegments(table, from, 0, lengthOf(table, from), 'owned_write');
  if (text === null) return -E.EFAULT;
  yield* mutexLock(device.lock, 'owned_write');
  const old = device.owner;
  device.owner = new Owner('owned_write');
  yield* addBytes(device.bytes, text, 'owned_write');
  kfree(old.mem, 'owned_write');
  yield* mutexUnlock(device.lock, 'owned_write');
  return text.length;
}

function* ownedPoll(file: File, table: PollTable): Kernel<number> {
  const device = ownedOf(file);
  yield* mutexLock(device.lock, 'owned_poll');
  if (table !== null) yield* table(device.owner.queue);
  const mask = maskOf(yield* read(device.bytes.length, 'owned_poll'));
  yield* mutexUnlock(device.lock, 'owned_poll');
  return mask;
}

const ownedOps: FileOperations = {
  name: '/dev/owner-queue',
  aioRead: (file, _iocb, table, from) => takeBytes(ownedOf(file).bytes, table, from, 'owned_read'),
  aioWrite: ownedWrite,
  poll: ownedPoll,
  ready: (file) => maskOf(peek(ownedOf(file).bytes.length)),
};

// ---- an error that stays ----

/** `/dev/error-queue`. */
export interface ErrorQueue {
  readonly wait: WaitQueue;
  /** Counts changes of the error queue: there are none. */
  readonly changes: Word;
}

export function newErrorQueue(): ErrorQueue {
  return { wait: newWaitQueue('errq.wait'), changes: newWord('errq.changes', 0) };
}

export function openErrorQueue(device: ErrorQueue, flags: number): File {
  return new File(errorOps, flags, device);
}

function errorQueueOf(file: File): ErrorQueue {
  // Every file with these operations was made by openErrorQueue.
  return file.data as ErrorQueue;
}

const errorOps: FileOperations = {
  name: '/dev/error-queue',
  // eslint-disable-next-line require-yield -- a method that cannot sleep
  *aioRead(file, iocb, table, from) {
    if (lengthOf(table, from) === 0) return 0;
    if (iocb !== null) noteStuck(errorQueueOf(file).changes);
    return -E.EAGAIN;
  },
  *poll(file, table) {
    if (table !== null) yield* table(errorQueueOf(file).wait);
    return POLLERR;
  },
  ready: () => POLLERR,
};

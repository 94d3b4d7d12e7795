/** Reading from a socket, sleeping for data or room, and poll: what AF_UNIX and loopback streams share. */

import {
  TaskState,
  autoremoveWake,
  currentEntry,
  finishWait,
  peek,
  prepareToWait,
  read,
  schedule,
  signalPending,
  wakeUpInterruptible,
  type Condition,
  type Kernel,
} from '../../machine/index.ts';
import { E } from '../kernel.ts';
import { POLLERR, POLLHUP, POLLRDHUP, POLLWRBAND, READABLE, WRITABLE } from '../poll-bits.ts';
import { ERESTARTSYS } from '../fs/aio/abi.ts';
import { fileParts } from '../fs/aio/file-parts.ts';
import type { Kiocb } from '../fs/aio/kioctx.ts';
import { noteStuck } from '../fs/aio/spin.ts';
import { mm, type File, type Iovec, type PollTable } from '../fs/file.ts';
import { isWritableAt, lengthOf } from '../fs/segments.ts';
import { storeBytes } from '../fs/user-bytes.ts';
import { newSocketRecord } from './sock-iocb.ts';
import {
  CLOSED,
  LISTENING,
  RCV_SHUTDOWN,
  SEND_SHUTDOWN,
  SHUTDOWN_MASK,
  SOCK_DONE,
  datagramWritable,
  errorOf,
  freeSkb,
  hasRoom,
  markNoSpace,
  sockOf,
  streamWritable,
  take,
  takeError,
  unixWritable,
  type Sock,
} from './socket.ts';

const SITE = 'sock_recvmsg';

/**
 * Stores what was read and moves the segments on; false on a fault. No failure is injected here: the data would be lost.
 */
function storeAt(table: readonly Iovec[], from: number, text: string): boolean {
  let done = 0;
  for (let i = from; i < table.length && done < text.length; i++) {
    const segment = table[i];
    const chunk = text.slice(done, done + segment.length);
    if (!mm.permits(segment.base, chunk.length, true)) return false;
    storeBytes(segment.base, chunk);
    segment.base += chunk.length;
    segment.length -= chunk.length;
    done += chunk.length;
  }
  return true;
}

/**
 * recvmsg(): bytes, 0 at the end of a stream, EAGAIN, EFAULT, ENOTCONN, the pending error, or the internal restart code
 * after a signal. A datagram that is longer than asked for loses its rest.
 */
function* receive(
  file: File,
  iocb: Kiocb | null,
  table: readonly Iovec[],
  from: number,
): Kernel<number> {
  const sk = sockOf(file);
  // A stream without a peer is a listener, or was one.
  if (sk === null || (sk.kind === 'tcp' && sk.peer === null)) return -E.ENOTCONN;
  const count = lengthOf(table, from);
  for (;;) {
    const writable = isWritableAt(table, from);
    const taken = yield* take(sk, writable ? count : 0, sk.kind === 'unix-dgram', SITE);
    if (taken.had && !writable) return -E.EFAULT;
    if (taken.used.length > 0 || taken.text.length > 0) {
      if (sk.peerWait !== null) yield* wakeUpInterruptible(sk.peerWait, 1, 0, SITE);
      for (const skb of taken.used) yield* freeSkb(skb, SITE);
      return storeAt(table, from, taken.text) ? taken.text.length : -E.EFAULT;
    }
    const stop = yield* readerStops(sk, file, iocb, taken.status);
    if (stop !== null) return stop;
    if (sk.kind === 'tcp' && (yield* signalPending(SITE))) return -ERESTARTSYS;
    yield* waitForData(sk);
    // AF_UNIX looks for signals before it looks for what woke it.
    if (sk.kind !== 'tcp' && (yield* signalPending(SITE))) return -ERESTARTSYS;
  }
}

/** sock_aio_read(). Nothing wanted is answered before the socket is looked at. */
export function* sockRead(
  file: File,
  iocb: Kiocb | null,
  table: readonly Iovec[],
  from: number,
  position: number,
): Kernel<number> {
  if (position !== 0) return -E.ESPIPE;
  if (lengthOf(table, from) === 0) return 0;
  if (!(yield* newSocketRecord(iocb))) return -E.ENOMEM;
  return yield* receive(file, iocb, table, from);
}

/**
 * Why a reader of an empty queue does not sleep. The status of AF_UNIX is looked at after the queue and not in the
 * same step, as in these kernels: data and end of file that come in between read as end of file. A datagram socket shows
 * its end only to those who would wait, and after its data.
 */
function* readerStops(
  sk: Sock,
  file: File,
  iocb: Kiocb | null,
  atomicStatus: number,
): Kernel<number | null> {
  const status = sk.kind === 'tcp' ? atomicStatus : yield* read(sk.status, SITE);
  if (sk.kind === 'tcp' && (status & SOCK_DONE) !== 0) return 0;
  if (errorOf(status) !== 0) return -(yield* takeError(sk, SITE));
  const isShut = (status & RCV_SHUTDOWN) !== 0;
  if (sk.kind === 'unix-dgram') {
    const isOver = isShut && sk.receive.length === 0;
    if (!(yield* fileParts.sockDontWait(file, iocb, SITE))) return isOver ? 0 : null;
    if (isOver && iocb !== null) noteEnded(sk);
    return -E.EAGAIN;
  }
  if (isShut) return 0;
  if ((status & CLOSED) !== 0) return -E.ENOTCONN;
  return (yield* fileParts.sockDontWait(file, iocb, SITE)) ? -E.EAGAIN : null;
}

/** poll says that a shut datagram socket is ready to be read, so whoever asks it and tries again goes round for ever. */
function noteEnded(sk: Sock): void {
  sk.watched = true;
  noteStuck(sk.version);
}

function* waitForData(sk: Sock): Kernel<void> {
  const entry = currentEntry(autoremoveWake);
  yield* prepareToWait(sk.sleep, entry, TaskState.INTERRUPTIBLE, SITE);
  const woken = (yield* read(sk.queued, SITE)) > 0 || hasEnded(yield* read(sk.status, SITE));
  if (!woken && !(yield* signalPending(SITE))) yield* schedule(SITE, dataCondition(sk));
  yield* finishWait(sk.sleep, entry, SITE);
}

function hasEnded(status: number): boolean {
  return errorOf(status) !== 0 || (status & (RCV_SHUTDOWN | CLOSED)) !== 0;
}

function dataCondition(sk: Sock): Condition {
  return {
    holds: () => sk.receive.length > 0 || hasEnded(peek(sk.status)),
    describe: () => 'the socket has data, or will have none',
  };
}

/** Sleeps until there is room to send, or nobody to send to; false if a signal came. */
export function* waitForRoom(sk: Sock): Kernel<boolean> {
  const site = 'sock_wait_for_wmem';
  if (yield* signalPending(site)) return false;
  const entry = currentEntry(autoremoveWake);
  yield* prepareToWait(sk.sleep, entry, TaskState.INTERRUPTIBLE, site);
  const room =
    sk.kind === 'tcp' ? yield* markNoSpace(sk, site) : hasRoom(yield* read(sk.wmem, site));
  if (!room && !cannotSend(yield* read(sk.status, site)) && !(yield* signalPending(site))) {
    yield* schedule(site, {
      holds: () => isWritableNow(sk) || cannotSend(peek(sk.status)),
      describe: () => 'the socket has room',
    });
  }
  yield* finishWait(sk.sleep, entry, site);
  return true;
}

function cannotSend(status: number): boolean {
  return errorOf(status) !== 0 || (status & SEND_SHUTDOWN) !== 0;
}

function isWritableNow(sk: Sock): boolean {
  return sk.kind === 'tcp' ? streamWritable(peek(sk.wmem)) : unixWritable(peek(sk.wmem));
}

// ---- poll ----

/** E-R127, E-R130, E-R131, E-R133. Everything is looked at without a lock. */
export function* sockPoll(file: File, table: PollTable): Kernel<number> {
  const sk = sockOf(file);
  if (sk === null) return 0;
  if (table !== null) yield* table(sk.sleep);
  const status = yield* read(sk.status, 'sock_poll');
  const queued = yield* read(sk.queued, 'sock_poll');
  if ((status & LISTENING) !== 0) return queued > 0 ? READABLE : 0;
  const mask = commonMask(sk, status, queued);
  if (sk.kind !== 'tcp') {
    const wmem = yield* read(sk.wmem, 'sock_poll');
    return unixPollsWritable(sk, wmem) ? mask | WRITABLE | POLLWRBAND : mask;
  }
  if ((status & SEND_SHUTDOWN) !== 0) return mask;
  const room =
    streamWritable(yield* read(sk.wmem, 'sock_poll')) || (yield* markNoSpace(sk, 'sock_poll'));
  return room ? mask | WRITABLE : mask;
}

function unixPollsWritable(sk: Sock, wmem: number): boolean {
  return sk.kind === 'unix-dgram' ? datagramWritable(wmem) : unixWritable(wmem);
}

function commonMask(sk: Sock, status: number, queued: number): number {
  let mask = 0;
  if (errorOf(status) !== 0) mask |= POLLERR;
  const closed = (status & CLOSED) !== 0 && sk.kind !== 'unix-dgram';
  if ((status & SHUTDOWN_MASK) === SHUTDOWN_MASK || closed) mask |= POLLHUP;
  if ((status & RCV_SHUTDOWN) !== 0) mask |= POLLRDHUP;
  if (queued > 0 || (status & RCV_SHUTDOWN) !== 0) mask |= READABLE;
  return mask;
}

/** The same from raw state. */
export function sockReady(file: File): number {
  const sk = sockOf(file);
  if (sk === null) return 0;
  const status = peek(sk.status);
  if ((status & LISTENING) !== 0) return peek(sk.queued) > 0 ? READABLE : 0;
  const mask = commonMask(sk, status, peek(sk.queued));
  if (sk.kind !== 'tcp')
    return unixPollsWritable(sk, peek(sk.wmem)) ? mask | WRITABLE | POLLWRBAND : mask;
  return (status & SEND_SHUTDOWN) === 0 && isWritableNow(sk) ? mask | WRITABLE : mask;
}

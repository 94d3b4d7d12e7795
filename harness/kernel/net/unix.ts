/**
 * AF_UNIX stream and datagram sockets (E-R131, E-R133, E-R149).
 *
 * After Linux 2.6.20 net/unix/af_unix.c, in own words.
 */

import {
  TaskState,
  autoremoveWake,
  currentEntry,
  finishWait,
  injectFault,
  prepareToWaitExclusive,
  read,
  schedule,
  signalPending,
  update,
  wakeUpInterruptible,
  type Kernel,
} from '../../machine/index.ts';
import { E } from '../kernel.ts';
import { ERESTARTSYS } from '../fs/aio/abi.ts';
import { fileParts, sendSigpipe } from '../fs/aio/file-parts.ts';
import { announce, type Kiocb } from '../fs/aio/kioctx.ts';
import { noteStuck } from '../fs/aio/spin.ts';
import type { File, FileOperations, Iovec } from '../fs/file.ts';
import { copyFromSegments, lengthOf } from '../fs/segments.ts';
import { newSocketRecord } from './sock-iocb.ts';
import {
  CLOSED,
  MAX_DGRAM_QLEN,
  RCV_SHUTDOWN,
  SEND_SHUTDOWN,
  SHUTDOWN_MASK,
  SNDBUF,
  SOCK_DEAD,
  charge,
  dataReady,
  enqueue,
  errorOf,
  fail,
  freeSkb,
  orphan,
  setStatus,
  skWakeAsync,
  sockOf,
  stateChange,
  takeError,
  unspin,
  type Skb,
  type Sock,
} from './socket.ts';
import { sockPoll, sockRead, sockReady, waitForRoom } from './transfer.ts';

const SEND = 'unix_sendmsg';
/** A piece takes at most half of the buffer, so that two fit. */
const MAX_PIECE = SNDBUF / 2 - 64;

/** sock_aio_write() and unix_*_sendmsg(): the segments are moved on with each piece that was copied (A-R60). */
function* unixWrite(
  file: File,
  iocb: Kiocb | null,
  table: readonly Iovec[],
  from: number,
  position: number,
): Kernel<number> {
  if (position !== 0) return -E.ESPIPE;
  if (!(yield* newSocketRecord(iocb))) return -E.ENOMEM;
  const sk = sockOf(file);
  if (sk === null || sk.peer === null) return -E.ENOTCONN;
  const send: UnixSend = { file, iocb, sk, other: sk.peer, table, from };
  const count = lengthOf(table, from);
  if (sk.kind === 'unix-dgram')
    return count > SNDBUF - 32 ? -E.EMSGSIZE : yield* sendPiece(send, count, false);
  let sent = 0;
  while (sent < count) {
    const result = yield* sendPiece(send, Math.min(MAX_PIECE, count - sent), sent === 0);
    if (result === -E.EPIPE && sent === 0) sendSigpipe(iocb, SEND);
    if (result < 0) return sent > 0 ? sent : result;
    sent += result;
  }
  return sent;
}

interface UnixSend {
  readonly file: File;
  readonly iocb: Kiocb | null;
  readonly sk: Sock;
  readonly other: Sock;
  readonly table: readonly Iovec[];
  readonly from: number;
}

/**
 * Charges, copies, hands over, wakes: the bytes of the piece or -errno. An empty datagram is one too. `begins` is true for
 * the first piece of a stream.
 */
function* sendPiece(send: UnixSend, size: number, begins: boolean): Kernel<number> {
  const { sk, other, table, from } = send;
  const error = yield* allocate(send, size, begins);
  if (error !== 0) return error;
  const skb: Skb = { data: '', size, owner: sk };
  const data = yield* copyFromSegments(table, from, size, SEND);
  if (data === null) {
    yield* freeSkb(skb, SEND);
    return -E.EFAULT;
  }
  skb.data = data;
  const failed =
    sk.kind === 'unix-dgram' ? yield* sendDatagram(send, skb) : yield* sendStream(other, skb);
  return failed === 0 ? size : failed;
}

/**
 * sock_alloc_send_skb(): 0 when the size has been charged, or the pending error, EPIPE, ENOBUFS, EAGAIN, or the
 * internal restart code after a signal. Before it begins, a stream that is shut answers EPIPE and keeps its error for
 * whoever reads.
 */
function* allocate(send: UnixSend, size: number, begins: boolean): Kernel<number> {
  const { sk } = send;
  for (let round = 0; ; round++) {
    const status = yield* read(sk.status, SEND);
    if (begins && round === 0 && (status & SEND_SHUTDOWN) !== 0) return -E.EPIPE;
    if (errorOf(status) !== 0) return -(yield* takeError(sk, SEND));
    if ((status & SEND_SHUTDOWN) !== 0) return -E.EPIPE;
    if (yield* charge(sk, size, SEND)) break;
    if (yield* fileParts.sockDontWait(send.file, send.iocb, SEND)) return -E.EAGAIN;
    if (!(yield* waitForRoom(sk))) return -ERESTARTSYS;
  }
  if (!(yield* injectFault(SEND))) return 0;
  yield* update(sk.wmem, (wmem) => wmem - size * 2, SEND);
  return -E.ENOBUFS;
}

function isOpenToData(status: number): boolean {
  return (status & (SOCK_DEAD | RCV_SHUTDOWN)) === 0;
}

function* sendStream(other: Sock, skb: Skb): Kernel<number> {
  const status = yield* enqueue(other, skb, isOpenToData, SEND);
  if (!isOpenToData(status)) {
    yield* freeSkb(skb, SEND);
    return -E.EPIPE;
  }
  yield* dataReady(other, SEND);
  return 0;
}

/**
 * The receiver's limit does not count for a pair of sockets connected to each other. A datagram that finds it
 * reached is freed like one that was read: the sender is told that there is room (E-B81).
 */
function* sendDatagram(send: UnixSend, skb: Skb): Kernel<number> {
  const { sk, other } = send;
  const limited = other.peer !== sk;
  const fits = (): boolean => !limited || other.receive.length <= MAX_DGRAM_QLEN;
  for (;;) {
    let full = false;
    const status = yield* enqueue(
      other,
      skb,
      (now) => {
        full = !fits();
        if (full && send.iocb !== null) noteFull(other);
        return isOpenToData(now) && !full;
      },
      SEND,
    );
    if (isOpenToData(status) && !full) {
      if (send.iocb !== null) announce('kiocb.datagram', send.iocb, skb.size, SEND);
      yield* dataReady(other, SEND);
      return 0;
    }
    const error = !isOpenToData(status)
      ? (status & SOCK_DEAD) !== 0
        ? E.ECONNREFUSED
        : E.EPIPE
      : E.EAGAIN;
    const waits =
      error === E.EAGAIN && !(yield* fileParts.sockDontWait(send.file, send.iocb, SEND));
    if (!waits || !(yield* waitForPeer(other))) {
      yield* freeSkb(skb, SEND);
      return waits ? -ERESTARTSYS : -error;
    }
  }
}

/** poll does not look at the receiver's queue, so whoever asks it for room and tries again goes round (A-B61). */
function noteFull(other: Sock): void {
  other.watched = true;
  noteStuck(other.version);
}

/** unix_wait_for_peer(): sleeps, as one among exclusive sleepers, until the receiver reads; false if a signal came. */
function* waitForPeer(other: Sock): Kernel<boolean> {
  const site = 'unix_wait_for_peer';
  const { peerWait } = other;
  if (peerWait === null || (yield* signalPending(site))) return false;
  const isFull = (): boolean => other.receive.length > MAX_DGRAM_QLEN;
  const entry = currentEntry(autoremoveWake);
  yield* prepareToWaitExclusive(peerWait, entry, TaskState.INTERRUPTIBLE, site);
  yield* read(other.queued, site);
  if (isFull() && isOpenToData(yield* read(other.status, site)))
    yield* schedule(site, { holds: () => !isFull(), describe: () => 'the receiver has room' });
  yield* finishWait(peerWait, entry, site);
  return true;
}

/** unix_shutdown(): bits of what is shut; the other side of a stream loses the opposite direction. */
export function* unixShutdown(sk: Sock, bits: number): Kernel<number> {
  const site = 'unix_shutdown';
  yield* setStatus(sk, bits, site);
  yield* unspin(sk, site);
  yield* stateChange(sk, site);
  const other = sk.peer;
  if (other === null || sk.kind === 'unix-dgram') return 0;
  const opposite =
    ((bits & RCV_SHUTDOWN) !== 0 ? SEND_SHUTDOWN : 0) |
    ((bits & SEND_SHUTDOWN) !== 0 ? RCV_SHUTDOWN : 0);
  yield* setStatus(other, opposite, site);
  yield* stateChange(other, site);
  if (opposite === SHUTDOWN_MASK) yield* skWakeAsync(other, 1, 'POLL_HUP', site);
  else if ((opposite & RCV_SHUTDOWN) !== 0) yield* skWakeAsync(other, 1, 'POLL_IN', site);
  return 0;
}

/** unix_release_sock(): a stream's peer sees the end, or a reset if data was left unread. */
function* unixRelease(file: File): Kernel<void> {
  const site = 'unix_release';
  const sk = sockOf(file);
  if (sk === null) return;
  yield* orphan(sk, site);
  yield* setStatus(sk, SHUTDOWN_MASK | SOCK_DEAD | CLOSED, site);
  yield* unspin(sk, site);
  if (sk.peerWait !== null) yield* wakeUpInterruptible(sk.peerWait, 0, 0, site);
  const other = sk.peer;
  if (other !== null && sk.kind === 'unix-stream') {
    const unread = (yield* read(sk.queued, site)) > 0;
    if (unread) yield* fail(other, E.ECONNRESET, SHUTDOWN_MASK, site);
    else yield* setStatus(other, SHUTDOWN_MASK, site);
    yield* stateChange(other, site);
    yield* skWakeAsync(other, 1, 'POLL_HUP', site);
  }
  // Those who wait for room look at the length of a receiver's queue without its lock.
  if (sk.kind === 'unix-dgram') yield* update(sk.queued, () => 0, site);
  // No sender appends any more: it looks at the status in the step that appends.
  for (const skb of sk.receive.splice(0)) yield* freeSkb(skb, site);
}

export const unixOps: FileOperations = {
  name: 'AF_UNIX socket',
  inodeType: 'socket',
  aioRead: sockRead,
  aioWrite: unixWrite,
  poll: sockPoll,
  release: unixRelease,
  ready: sockReady,
};

/**
 * AF_UNIX stream and datagram sockets (E-R131, E-R133, E-R149).
 *
 * After Linux 2.6.20 net/unix/af_unix.c, in own words.
 */

import {
  TaskState,
  autoremoveWake,
  copyFromUser,
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
import { mm, type File, type FileOperations } from '../fs/file.ts';
import { looksNonblocking } from '../fs/read-write.ts';
import { bytesAt } from '../fs/user-bytes.ts';
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
  type Skb,
  type Sock,
} from './socket.ts';
import { sockPoll, sockRead, sockReady, waitForRoom } from './transfer.ts';

const SEND = 'unix_sendmsg';
/** A piece takes at most half of the buffer, so that two fit. */
const MAX_PIECE = SNDBUF / 2 - 64;

function* unixWrite(file: File, address: number, count: number): Kernel<number> {
  const sk = sockOf(file);
  if (sk === null || sk.peer === null) return -E.ENOTCONN;
  if (sk.kind === 'unix-dgram' && count > SNDBUF - 32) return -E.EMSGSIZE;
  const text = bytesAt(address, count);
  const datagram = sk.kind === 'unix-dgram';
  let sent = 0;
  // An empty datagram is one too.
  while (sent < count || (datagram && sent === 0)) {
    const piece = datagram ? text : text.slice(sent, sent + MAX_PIECE);
    const error = yield* sendPiece(sk, sk.peer, file, address + sent, piece);
    if (error !== 0) return sent > 0 ? sent : error;
    sent += piece.length;
    if (datagram) break;
  }
  return sent;
}

/** Charges, copies, hands over, wakes: 0 or -errno. The SIGPIPE that goes with EPIPE is taken to be ignored. */
function* sendPiece(
  sk: Sock,
  other: Sock,
  file: File,
  address: number,
  data: string,
): Kernel<number> {
  const error = yield* allocate(sk, file, data.length);
  if (error !== 0) return error;
  const skb: Skb = { data, size: data.length, owner: sk };
  if (data.length > 0 && !(yield* copyFromUser(mm, address, data.length, SEND))) {
    yield* freeSkb(skb, SEND);
    return -E.EFAULT;
  }
  return sk.kind === 'unix-dgram'
    ? yield* sendDatagram(sk, other, file, skb)
    : yield* sendStream(other, skb);
}

/** sock_alloc_send_skb(): 0 when the size has been charged, or the pending error, EPIPE, ENOBUFS, EAGAIN, EINTR. */
function* allocate(sk: Sock, file: File, size: number): Kernel<number> {
  for (;;) {
    const status = yield* read(sk.status, SEND);
    if (errorOf(status) !== 0) return -(yield* takeError(sk, SEND));
    if ((status & SEND_SHUTDOWN) !== 0) return -E.EPIPE;
    if (yield* charge(sk, size, SEND)) break;
    if (yield* looksNonblocking(file, SEND)) return -E.EAGAIN;
    if (!(yield* waitForRoom(sk))) return -E.EINTR;
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
function* sendDatagram(sk: Sock, other: Sock, file: File, skb: Skb): Kernel<number> {
  const limited = other.peer !== sk;
  const fits = (): boolean => !limited || other.receive.length <= MAX_DGRAM_QLEN;
  for (;;) {
    let full = false;
    const status = yield* enqueue(
      other,
      skb,
      (now) => {
        full = !fits();
        return isOpenToData(now) && !full;
      },
      SEND,
    );
    if (isOpenToData(status) && !full) {
      yield* dataReady(other, SEND);
      return 0;
    }
    const error = !isOpenToData(status)
      ? (status & SOCK_DEAD) !== 0
        ? E.ECONNREFUSED
        : E.EPIPE
      : E.EAGAIN;
    const waits = error === E.EAGAIN && !(yield* looksNonblocking(file, SEND));
    if (!waits || !(yield* waitForPeer(other))) {
      yield* freeSkb(skb, SEND);
      return waits ? -E.EINTR : -error;
    }
  }
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
  read: sockRead,
  write: unixWrite,
  poll: sockPoll,
  release: unixRelease,
  ready: sockReady,
};

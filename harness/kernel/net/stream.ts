/**
 * Stream sockets over the loopback device: what TCP shows of itself there (E-R127, E-R130, E-R145 to E-R148).
 *
 * After Linux 2.6.20 net/ipv4/tcp.c, tcp_input.c and inet_connection_sock.c, in own words.
 *
 * Differs: a segment arrives in the step that sends it, and is acknowledged when it has been read (there is no
 * receive window); connect() is complete when it returns; the backlog of a listener has no limit.
 */

import {
  TaskState,
  autoremoveWake,
  currentEntry,
  engine,
  finishWait,
  injectFault,
  peek,
  prepareToWaitExclusive,
  read,
  schedule,
  signalPending,
  update,
  type Kernel,
} from '../../machine/index.ts';
import { Kind } from '../../machine/op.ts';
import { E } from '../kernel.ts';
import { ERESTARTSYS } from '../fs/aio/abi.ts';
import { fileParts, sendSigpipe } from '../fs/aio/file-parts.ts';
import type { Kiocb } from '../fs/aio/kioctx.ts';
import type { File, FileOperations, Iovec } from '../fs/file.ts';
import { looksNonblocking } from '../fs/read-write.ts';
import { lengthOf, readSegments } from '../fs/segments.ts';
import { newSocketRecord } from './sock-iocb.ts';
import {
  CLOSED,
  LISTENING,
  LOOPBACK_MSS,
  RCV_SHUTDOWN,
  SEND_SHUTDOWN,
  SHUTDOWN_MASK,
  SOCK_DEAD,
  SOCK_DONE,
  Sock,
  charge,
  dataReady,
  enqueue,
  errorOf,
  errorReport,
  fail,
  freeSkb,
  orphan,
  setStatus,
  skWakeAsync,
  sockOf,
  stateChange,
  takeError,
  uncharge,
  type Skb,
} from './socket.ts';
import { sockPoll, sockRead, sockReady, waitForRoom } from './transfer.ts';

const SEND = 'tcp_sendmsg';

/** sock_aio_write() and tcp_sendmsg(): the segments stay as they are (A-R60). */
function* tcpWrite(
  file: File,
  iocb: Kiocb | null,
  table: readonly Iovec[],
  from: number,
  position: number,
): Kernel<number> {
  if (position !== 0) return -E.ESPIPE;
  if (!(yield* newSocketRecord(iocb))) return -E.ENOMEM;
  const sk = sockOf(file);
  const count = lengthOf(table, from);
  let error = sk === null || sk.peer === null ? -E.EPIPE : 0;
  let sent = 0;
  while (sk !== null && sk.peer !== null && sent < count) {
    const size = Math.min(LOOPBACK_MSS, count - sent);
    error = yield* allocate(sk, file, iocb, size);
    if (error !== 0) break;
    const data = yield* readSegments(table, from, sent, size, SEND);
    if (data === null) {
      yield* uncharge(sk, size, SEND);
      error = -E.EFAULT;
      break;
    }
    yield* sendSegment(sk, sk.peer, data);
    sent += size;
  }
  if (sent > 0) return sent;
  if (error === -E.EPIPE) sendSigpipe(iocb, SEND);
  return error;
}

function* sendSegment(sk: Sock, other: Sock, data: string): Kernel<void> {
  const skb: Skb = { data, size: data.length, owner: sk };
  const status = yield* enqueue(other, skb, (now) => (now & SOCK_DEAD) === 0, SEND);
  if ((status & SOCK_DEAD) === 0) yield* dataReady(other, SEND);
  else {
    // Nobody is there: the segment is answered with a reset.
    yield* uncharge(sk, data.length, SEND);
    yield* reset(sk, E.EPIPE, SEND);
  }
}

/**
 * A segment's place in the send buffer: 0, or EPIPE, the pending error, EAGAIN, the internal restart code after a
 * signal. No room sets SOCK_NOSPACE; no memory does not, though the answer is the same (E-B82).
 */
function* allocate(sk: Sock, file: File, iocb: Kiocb | null, size: number): Kernel<number> {
  for (;;) {
    const status = yield* read(sk.status, SEND);
    if (errorOf(status) !== 0) return -(yield* takeError(sk, SEND));
    if ((status & SEND_SHUTDOWN) !== 0) return -E.EPIPE;
    if (!(yield* charge(sk, size, SEND))) {
      if (yield* fileParts.sockDontWait(file, iocb, SEND)) return -E.EAGAIN;
      if (!(yield* waitForRoom(sk))) return -ERESTARTSYS;
      continue;
    }
    if (!(yield* injectFault(SEND))) return 0;
    yield* uncharge(sk, size, SEND);
    if (yield* fileParts.sockDontWait(file, iocb, SEND)) return -E.EAGAIN;
    // Differs: a blocking sender tries again at once instead of after a pause.
  }
}

/** tcp_reset(): the connection is gone. */
function* reset(sk: Sock, errno: number, site: string): Kernel<void> {
  const old = yield* fail(sk, errno, SHUTDOWN_MASK | CLOSED, site);
  if ((old & SOCK_DEAD) !== 0) return;
  yield* errorReport(sk, site);
  yield* stateChange(sk, site);
}

/** tcp_fin() at the other side. */
function* receiveFin(sk: Sock, site: string): Kernel<void> {
  const old = yield* setStatus(sk, RCV_SHUTDOWN | SOCK_DONE, site);
  if ((old & SOCK_DEAD) !== 0) return;
  yield* stateChange(sk, site);
  // No HUP while one direction is open.
  const both = (old & (SEND_SHUTDOWN | CLOSED)) !== 0;
  yield* skWakeAsync(sk, 1, both ? 'POLL_HUP' : 'POLL_IN', site);
}

/** inet_shutdown(). */
export function* tcpShutdown(sk: Sock, bits: number): Kernel<number> {
  const site = 'inet_shutdown';
  const old = yield* setStatus(sk, bits, site);
  if ((old & CLOSED) !== 0) return -E.ENOTCONN;
  const sendsFin = (bits & SEND_SHUTDOWN) !== 0 && (old & SEND_SHUTDOWN) === 0;
  if (sendsFin && sk.peer !== null) yield* receiveFin(sk.peer, site);
  if ((old & LISTENING) !== 0 && (bits & RCV_SHUTDOWN) !== 0)
    yield* update(sk.status, (status) => (status & ~LISTENING) | CLOSED, site);
  yield* stateChange(sk, site);
  return 0;
}

/** tcp_close(): a FIN, or a reset if data was left unread; children nobody accepted are reset. */
function* tcpRelease(file: File): Kernel<void> {
  const site = 'tcp_close';
  const sk = sockOf(file);
  if (sk === null) return;
  yield* orphan(sk, site);
  const old = yield* setStatus(sk, SHUTDOWN_MASK | SOCK_DEAD, site);
  // Nobody appends any more: who does looks at the status in the step that appends.
  for (const child of sk.children.splice(0)) {
    yield* setStatus(child, SHUTDOWN_MASK | SOCK_DEAD | CLOSED, site);
    if (child.peer !== null) yield* reset(child.peer, E.ECONNRESET, site);
  }
  const unread = sk.receive.splice(0);
  for (const skb of unread) yield* freeSkb(skb, site);
  if (sk.peer === null || (old & CLOSED) !== 0) return;
  if (unread.length > 0) yield* reset(sk.peer, E.ECONNRESET, site);
  else if ((old & SEND_SHUTDOWN) === 0) yield* receiveFin(sk.peer, site);
}

/** A connection to the listener: the client's sock, or -ECONNREFUSED. The child is on the listener's queue then. */
export function* connectTo(listener: Sock): Kernel<Sock | number> {
  const site = 'tcp_v4_connect';
  const client = new Sock('tcp');
  const child = new Sock('tcp');
  client.peer = child;
  child.peer = client;
  yield* engine.submit2(Kind.ADD, listener.queued, false, listener.status, true, site);
  const status = peek(listener.status);
  if ((status & LISTENING) === 0 || (status & SOCK_DEAD) !== 0) return -E.ECONNREFUSED;
  listener.children.push(child);
  engine.state[listener.queued.id]++;
  yield* dataReady(listener, site);
  return client;
}

/** inet_csk_accept(): the next child, or EINVAL (not listening), EAGAIN, EINTR. */
export function* acceptFrom(sk: Sock, file: File): Kernel<Sock | number> {
  const site = 'inet_csk_accept';
  for (;;) {
    yield* engine.submit2(Kind.ADD, sk.queued, false, sk.status, true, site);
    if ((peek(sk.status) & LISTENING) === 0) return -E.EINVAL;
    const child = sk.children.shift();
    engine.state[sk.queued.id] = sk.children.length;
    if (child !== undefined) return child;
    if (yield* looksNonblocking(file, site)) return -E.EAGAIN;
    if (yield* signalPending(site)) return -E.EINTR;
    yield* waitForConnect(sk, site);
  }
}

/** Exclusive: one child wakes one accept (E-R146). */
function* waitForConnect(sk: Sock, site: string): Kernel<void> {
  const entry = currentEntry(autoremoveWake);
  yield* prepareToWaitExclusive(sk.sleep, entry, TaskState.INTERRUPTIBLE, site);
  const isOver = (status: number): boolean => (status & LISTENING) === 0;
  if ((yield* read(sk.queued, site)) === 0 && !isOver(yield* read(sk.status, site)))
    yield* schedule(site, {
      holds: () => sk.children.length > 0 || isOver(peek(sk.status)),
      describe: () => 'a connection is there to be accepted',
    });
  yield* finishWait(sk.sleep, entry, site);
}

export const tcpOps: FileOperations = {
  name: 'stream socket',
  inodeType: 'socket',
  aioRead: sockRead,
  aioWrite: tcpWrite,
  poll: sockPoll,
  release: tcpRelease,
  ready: sockReady,
};

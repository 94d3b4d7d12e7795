/**
 * Sockets: state, wake-ups and the accounting of what has been sent and not yet read.
 *
 * After Linux 2.6.20 net/core/sock.c and include/net/sock.h, in own words; 2.5.44 is the same as far as this goes,
 * and hears of everything through `wakeAsync` as well. Lock order: sk.callback_lock > sk.sleep.lock.
 *
 * The receive queue's own lock covers one list operation each time, so it is one step on the queue's length. What
 * the sock's lock covers is one step too, named at its place.
 *
 * Differs: the wait queue belongs to the sock and never goes away, where C looks at waitqueue_active() first: a wake
 * of an empty queue does nothing, and without store buffers the look shows nothing else (E-B58 needs them).
 */

import {
  engine,
  newRwLock,
  newWaitQueue,
  newWord,
  peek,
  read,
  readLockIrqsave,
  readUnlock,
  update,
  wakeUpInterruptible,
  write,
  writeLockIrqsave,
  writeUnlock,
  type Kernel,
  type OpObject,
  type RwLock,
  type WaitQueue,
  type Word,
} from '../../machine/index.ts';
import { Kind } from '../../machine/op.ts';
import type { File } from '../fs/file.ts';

/** sk_sndbuf in bytes. Small, so that a few writes fill it; an skb counts as the bytes in it. */
export const SNDBUF = 16384;
/** sysctl_unix_max_dgram_qlen. */
export const MAX_DGRAM_QLEN = 10;
/** Bytes of a segment on the loopback device. */
export const LOOPBACK_MSS = 8192;

// Bits of `status`, the error above them.
export const RCV_SHUTDOWN = 1;
export const SEND_SHUTDOWN = 2;
export const SHUTDOWN_MASK = 3;
/** No file any more. */
export const SOCK_DEAD = 4;
/** Not connected any more (state TCP_CLOSE). */
export const CLOSED = 8;
export const LISTENING = 16;
/** The peer's FIN has come. */
export const SOCK_DONE = 32;
const ERROR_SHIFT = 8;

/** The word `wmem` counts bytes above this bit, which is SOCK_NOSPACE. */
const NOSPACE = 1;

export type SockKind = 'unix-stream' | 'unix-dgram' | 'tcp';

/** A piece of data on its way; charged to the sender until the receiver has read all of it. */
export interface Skb {
  data: string;
  readonly size: number;
  readonly owner: Sock;
}

/** struct sock with its socket. */
export class Sock {
  readonly kind: SockKind;
  /** sk_sleep. */
  readonly sleep: WaitQueue;
  /** Senders that wait for the receive queue of a datagram sock to get shorter; woken by its reader. */
  readonly peerWait: WaitQueue | null;
  readonly callbackLock: RwLock;
  /** sk_shutdown, sk_state and sk_err: they are looked at together, and no torn look is of consequence. */
  readonly status: Word;
  /** Length of the receive queue, or of the queue of children of a listener. */
  readonly queued: Word;
  /** sk_wmem_alloc, with SOCK_NOSPACE. */
  readonly wmem: Word;
  // changed in the same step as `queued`
  readonly receive: Skb[] = [];
  readonly children: Sock[] = [];
  /** Set before anybody else can see the sock; for datagrams the address it is connected to. */
  peer: Sock | null = null;
  /** socket.file; null before the descriptor is made and after the last close, which takes the callback lock. */
  file: File | null = null;
  /** Stands for socket.file in operations: accept() and connect() set it without a lock. */
  readonly fileWord: Word;
  /** Counts what was taken from a datagram sock's queue while somebody spun for that; see fs/aio/spin.ts. */
  readonly version: OpObject;
  /** Somebody may spin: changed in the steps that change `queued`. */
  watched = false;

  constructor(kind: SockKind, status = 0) {
    this.kind = kind;
    this.sleep = newWaitQueue('sk.sleep');
    this.peerWait = kind === 'unix-dgram' ? newWaitQueue('sk.peer_wait') : null;
    this.callbackLock = newRwLock('sk.callback_lock');
    this.status = newWord('sk.status', status);
    this.queued = newWord('sk.receive_queue', 0);
    this.wmem = newWord('sk.wmem_alloc', 0);
    this.fileWord = newWord('socket.file', 0);
    this.version = kind === 'unix-dgram' ? newWord('sk.version', 0) : this.queued;
  }
}

export function sockOf(file: File): Sock | null {
  return file.data instanceof Sock ? file.data : null;
}

/** What the sigio path is told: POLL_IN ... of siginfo. */
export type Band = 'POLL_IN' | 'POLL_OUT' | 'POLL_MSG' | 'POLL_ERR' | 'POLL_PRI' | 'POLL_HUP';

/** Called where the kernel calls sk_wake_async (E-R19), with the sock's callback lock held for reading. */
export type WakeAsync = (sk: Sock, how: number, band: Band) => Kernel<void>;

let wakeAsync: WakeAsync | null = null;

/** Says who hears of sk_wake_async, null for nobody. Called from boot. */
export function resetSockets(hook: WakeAsync | null): void {
  wakeAsync = hook;
}

// ---- wake-ups ----

/** One wake-up and one sk_wake_async under the callback lock, which keeps socket.file from going away. */
function* signal(sk: Sock, nr: number, how: number, band: Band | null, site: string): Kernel<void> {
  if (wakeAsync === null || band === null) {
    // Nothing here looks at what the lock guards.
    yield* wakeUpInterruptible(sk.sleep, nr, 0, site);
    return;
  }
  yield* readLockIrqsave(sk.callbackLock, site);
  yield* wakeUpInterruptible(sk.sleep, nr, 0, site);
  yield* read(sk.fileWord, site);
  yield* wakeAsync(sk, how, band);
  yield* readUnlock(sk.callbackLock, site);
}

/** sk_wake_async() alone: nobody sleeps for it. */
export function* skWakeAsync(sk: Sock, how: number, band: Band, site: string): Kernel<void> {
  if (wakeAsync === null) return;
  yield* readLockIrqsave(sk.callbackLock, site);
  yield* read(sk.fileWord, site);
  yield* wakeAsync(sk, how, band);
  yield* readUnlock(sk.callbackLock, site);
}

/** sk_data_ready (E-R145): all who share the queue, one of the exclusive sleepers. */
export function dataReady(sk: Sock, site: string): Kernel<void> {
  return signal(sk, 1, 1, 'POLL_IN', site);
}

/** sk_state_change (E-R147): everybody; no sk_wake_async. */
export function stateChange(sk: Sock, site: string): Kernel<void> {
  return signal(sk, 0, 0, null, site);
}

/** sk_error_report. */
export function errorReport(sk: Sock, site: string): Kernel<void> {
  return signal(sk, 1, 0, 'POLL_ERR', site);
}

/** sk_write_space of a sock that has room again (E-R148, E-R149); `async` is false after SHUT_WR of a stream. */
function writeSpace(sk: Sock, async: boolean, site: string): Kernel<void> {
  return signal(sk, 1, 2, async ? 'POLL_OUT' : null, site);
}

// ---- status ----

/** Sets bits of the status; answers what it was. */
export function setStatus(sk: Sock, bits: number, site: string): Kernel<number> {
  return update(sk.status, (old) => old | bits, site);
}

/** Sets bits and sk_err. */
export function fail(sk: Sock, errno: number, bits: number, site: string): Kernel<number> {
  return update(
    sk.status,
    (old) => (old & ((1 << ERROR_SHIFT) - 1)) | bits | (errno << ERROR_SHIFT),
    site,
  );
}

export function errorOf(status: number): number {
  return status >> ERROR_SHIFT;
}

/** sock_error(): takes the pending error, so that it is reported once. */
export function* takeError(sk: Sock, site: string): Kernel<number> {
  const old = yield* update(sk.status, (status) => status & ((1 << ERROR_SHIFT) - 1), site);
  return errorOf(old);
}

// ---- send buffer ----

function bytesCharged(wmem: number): number {
  return wmem >> 1;
}

/** Whether a sender of an AF_UNIX sock is told of room (E-R149), and whether poll says that a stream has it. */
export function unixWritable(wmem: number): boolean {
  return bytesCharged(wmem) * 4 <= SNDBUF;
}

/** Whether poll says that a datagram sock is writable (E-R132): earlier than anybody is told. */
export function datagramWritable(wmem: number): boolean {
  return bytesCharged(wmem) * 2 < SNDBUF;
}

/** Whether poll says that a stream is writable: room for half of what waits. */
export function streamWritable(wmem: number): boolean {
  const charged = bytesCharged(wmem);
  return SNDBUF - charged >= charged / 2;
}

/** Whether a sender may go on: the buffer is not full. It may be overrun by one piece. */
export function hasRoom(wmem: number): boolean {
  return bytesCharged(wmem) < SNDBUF;
}

/**
 * Charges a piece to the sender if there is room. One step: the sock's lock (streams) covers test and charge; for
 * AF_UNIX, differs: two senders cannot both pass the test with room for one.
 * A stream that finds no room leaves SOCK_NOSPACE behind.
 */
export function* charge(sk: Sock, size: number, site: string): Kernel<boolean> {
  const full = sk.kind === 'tcp' ? NOSPACE : 0;
  const old = yield* update(
    sk.wmem,
    (wmem) => (hasRoom(wmem) ? wmem + size * 2 : wmem | full),
    site,
  );
  return hasRoom(old);
}

/** Gives a charge back without telling anybody: it never became data. */
export function uncharge(sk: Sock, size: number, site: string): Kernel<number> {
  return update(sk.wmem, (wmem) => wmem - size * 2, site);
}

/** tcp_poll()'s second look: marks that somebody waits for room, and looks again in the same step. */
export function* markNoSpace(sk: Sock, site: string): Kernel<boolean> {
  const old = yield* update(
    sk.wmem,
    (wmem) => (streamWritable(wmem) ? wmem : wmem | NOSPACE),
    site,
  );
  return streamWritable(old);
}

/** kfree_skb() of sent data (sock_wfree, or the acknowledgement of a stream): room for the sender, who may be told. */
export function* freeSkb(skb: Skb, site: string): Kernel<void> {
  const sk = skb.owner;
  let tell = false;
  yield* update(
    sk.wmem,
    (wmem) => {
      const left = wmem - skb.size * 2;
      if (sk.kind !== 'tcp') {
        tell = unixWritable(left);
        return left;
      }
      // atomic because the sock's lock covers the test of SOCK_NOSPACE, of the room, and the clearing
      tell = (left & NOSPACE) !== 0 && streamWritable(left);
      return tell ? left & ~NOSPACE : left;
    },
    site,
  );
  if (!tell) return;
  if (sk.kind !== 'tcp') {
    yield* writeSpace(sk, true, site);
    return;
  }
  const status = yield* read(sk.status, site);
  if ((status & SOCK_DEAD) === 0) yield* writeSpace(sk, (status & SEND_SHUTDOWN) === 0, site);
}

// ---- receive queue ----

/**
 * Looks at the other side and appends to its queue in one step (its state lock covers both); `accept` answers
 * whether to, from its status.
 */
export function* enqueue(
  other: Sock,
  skb: Skb,
  accept: (status: number) => boolean,
  site: string,
): Kernel<number> {
  yield* engine.submit2(Kind.ADD, other.queued, false, other.status, true, site);
  const status = peek(other.status);
  if (accept(status)) {
    other.receive.push(skb);
    engine.state[other.queued.id]++;
  }
  return status;
}

/** What was taken from a receive queue, and the pieces that were used up. */
export interface Taken {
  readonly text: string;
  readonly used: readonly Skb[];
  /** Status at the same moment, for a stream. */
  readonly status: number;
  /** Something was there to be taken. */
  readonly had: boolean;
}

/**
 * Takes up to `count` bytes; at most one piece when `oneOnly`, the rest of which is thrown away. One step, as other
 * readers are kept out by a mutex and a piece that comes in between might as well come after.
 */
export function* take(sk: Sock, count: number, oneOnly: boolean, site: string): Kernel<Taken> {
  // A stream looks at its state under the same lock; AF_UNIX of these kernels does not.
  if (sk.kind === 'tcp') yield* engine.submit2(Kind.ADD, sk.queued, false, sk.status, true, site);
  else yield* engine.submit(Kind.ADD, sk.queued, 0, site);
  const used: Skb[] = [];
  const had = sk.receive.length > 0;
  let text = '';
  while (text.length < count && sk.receive.length > 0 && !(oneOnly && used.length === 1)) {
    const skb = sk.receive[0];
    const chunk = skb.data.slice(0, count - text.length);
    text += chunk;
    skb.data = skb.data.slice(chunk.length);
    if (skb.data.length > 0 && !oneOnly) break;
    sk.receive.shift();
    used.push(skb);
  }
  engine.state[sk.queued.id] = sk.receive.length;
  const status = peek(sk.status);
  yield* unspin(sk, site);
  return { text, used, status, had };
}

/** Tells those who spin for room at a datagram sock that something has changed; a step only while somebody may spin. */
export function* unspin(sk: Sock, site: string): Kernel<void> {
  if (!sk.watched) return;
  sk.watched = false;
  yield* engine.submit(Kind.UP, sk.version, 0, site);
}

/** sock_map_fd()'s store: from here on notifications find the file. No step where nobody hears of them. */
export function* setFile(sk: Sock, file: File, site: string): Kernel<void> {
  if (wakeAsync !== null) yield* write(sk.fileWord, 1, site);
  sk.file = file;
}

/** sock_orphan(): from here on nobody finds the file. */
export function* orphan(sk: Sock, site: string): Kernel<void> {
  if (wakeAsync !== null) yield* writeLockIrqsave(sk.callbackLock, site);
  sk.file = null;
  if (wakeAsync !== null) yield* writeUnlock(sk.callbackLock, site);
}

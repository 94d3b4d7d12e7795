/**
 * The request queue of the block device: bios become requests, wait on the plug of their task, are dispatched, served,
 * and end in hard interrupt context.
 *
 * After the behaviour of block/ in Linux 2.6.20 to 3.1 that AIO shows (A-R110, A-R152 to A-R155), in own words. Lock
 * order: queue.lock > queue.free.lock.
 *
 * The device is one of two kinds. Without a service time it completes what it has in any order, at any time. With one
 * it serves requests first come, first served, each for that many ticks of virtual time. With a number of slots it has
 * room for that many requests that are not completed yet; a task that brings one more sleeps until one is.
 *
 * Differs: adjacent requests merge when the plug is flushed, never with what was dispatched before; a request on a plug
 * has its slot already.
 */

import {
  Guarded,
  TaskState,
  armTimer,
  autoremoveWake,
  currentEntry,
  engine,
  finishWait,
  injectFault,
  nameAlternatives,
  keepState,
  kfree,
  newInterrupt,
  newSpinLock,
  newTimer,
  newWaitQueue,
  now,
  plainRead,
  plainWrite,
  prepareToWaitExclusive,
  raiseInterrupt,
  schedule,
  spinLockIrqsave,
  spinUnlock,
  taskConfig,
  wakeUp,
  type Interrupt,
  type Kernel,
  type Mem,
  type SpinLock,
  type Timer,
  type WaitQueue,
} from '../../machine/index.ts';
import { HarnessBug, MAX_THREADS } from '../../machine/op.ts';
import { mm } from '../fs/file.ts';
import { E, kernelConfig } from '../kernel.ts';
import { slotOf } from '../slots.ts';

/** What is read or written, and who is told. */
export interface Bio {
  readonly mem: Mem;
  readonly isWrite: boolean;
  /** First byte on the device, and bytes. */
  readonly start: number;
  readonly length: number;
  /** Moves the data, in the interrupt. */
  transfer(): Kernel<number>;
  /** bi_end_io: told the bytes, or -errno, in the interrupt. */
  endIo(result: number): Kernel<void>;
  /** Its place in the order of submission, from 1. */
  number: number;
}

/** Bios that go to the device as one. */
interface Request {
  readonly isWrite: boolean;
  readonly start: number;
  end: number;
  readonly bios: Bio[];
}

/** Bios on a plug before it is flushed whatever happens. */
const PLUG_LIMIT = 16;

/** What `disk_stat` tells; guarded by the queue's lock. */
interface Counters {
  submitted: number;
  dispatched: number;
  completed: number;
  merged: number;
  /** Bios submitted before the first was dispatched, itself included; 0 before that. */
  firstDispatch: number;
  /** Numbers of the dispatched bios in the order of their dispatch. */
  order: string;
  /** How often a task slept for a slot. */
  slept: number;
}

interface Queue {
  readonly lock: SpinLock;
  readonly guard: Guarded;
  /** Dispatched and not completed, in the order of dispatch. */
  readonly inFlight: Request[];
  /** Requests that hold a slot. */
  used: number;
  /** Tasks that wait for a slot, exclusive. */
  readonly free: WaitQueue;
  readonly count: Counters;
  /** The timer is armed. */
  serving: boolean;
  readonly interrupt: Interrupt | null;
  readonly timer: Timer | null;
}

let queue: Queue | null = null;

/** By thread: requests held back; null for a task without a plug. */
const plugs: (Request[] | null)[] = new Array<Request[] | null>(MAX_THREADS).fill(null);

/** Makes the device of a kernel; called from boot. Without a slot for its interrupt it completes nothing. */
export function resetQueue(): void {
  plugs.fill(null);
  const slot = slotOf('irq');
  const serves = kernelConfig.diskService > 0;
  queue = {
    lock: newSpinLock('queue.lock'),
    guard: new Guarded('queue'),
    inFlight: [],
    used: 0,
    free: newWaitQueue('queue.free'),
    count: {
      submitted: 0,
      dispatched: 0,
      completed: 0,
      merged: 0,
      firstDispatch: 0,
      order: '',
      slept: 0,
    },
    serving: false,
    interrupt: slot === null || serves ? null : newInterrupt('disk', slot, endAny),
    timer: slot === null || !serves ? null : newTimer('disk', slot, endFirst, null, 'hardirq'),
  };
  if (slot !== null) taskConfig.beforeSleep = flushPlug;
  keepState(
    () => queue,
    () => plugs,
  );
}

/** Whether requests to the device are ever completed. */
export function isServed(): boolean {
  return queue !== null && (queue.interrupt !== null || queue.timer !== null);
}

function theQueue(): Queue {
  if (queue === null)
    throw new HarnessBug('Cannot use the disk: the kernel was booted without one');
  return queue;
}

// ---- submission ----

/** submit_bio(): sleeps for a slot if there is none; then the bio waits on the task's plug or is dispatched. */
export function* submitBio(bio: Bio): Kernel<void> {
  const site = 'submit_bio';
  const q = theQueue();
  yield* takeSlot(q, bio);
  const request: Request = {
    isWrite: bio.isWrite,
    start: bio.start,
    end: bio.start + bio.length,
    bios: [bio],
  };
  const plug = plugs[engine.current];
  if (plug === null) {
    yield* dispatch(q, [request], site);
    return;
  }
  plug.push(request);
  if (plug.length >= PLUG_LIMIT) yield* flushPlug(site);
}

/** get_request(), get_request_wait(): a slot for the bio's request, and its number. */
function* takeSlot(q: Queue, bio: Bio): Kernel<void> {
  const site = 'get_request_wait';
  const slots = kernelConfig.diskSlots > 0 ? kernelConfig.diskSlots : Infinity;
  yield* spinLockIrqsave(q.lock, site);
  plainWrite(q.guard, site);
  while (q.used >= slots) {
    q.count.slept++;
    const entry = currentEntry(autoremoveWake);
    // Queued before the lock is let go, so that no slot comes free in between.
    yield* prepareToWaitExclusive(q.free, entry, TaskState.UNINTERRUPTIBLE, site);
    yield* spinUnlock(q.lock, site);
    yield* schedule(site, {
      holds: () => q.used < slots,
      describe: () => 'the disk has a free request slot',
    });
    yield* finishWait(q.free, entry, site);
    yield* spinLockIrqsave(q.lock, site);
    plainWrite(q.guard, site);
  }
  q.used++;
  bio.number = ++q.count.submitted;
  yield* spinUnlock(q.lock, site);
}

/** Puts requests on the queue of the device, which starts at once. */
function* dispatch(q: Queue, requests: readonly Request[], site: string): Kernel<void> {
  const { count } = q;
  yield* spinLockIrqsave(q.lock, site);
  plainWrite(q.guard, site);
  for (const request of requests) {
    if (count.firstDispatch === 0) count.firstDispatch = count.submitted;
    count.dispatched++;
    for (const { number } of request.bios) if (number < 10) count.order += String(number);
    q.inFlight.push(request);
    if (q.interrupt !== null) yield* raiseInterrupt(q.interrupt, site);
  }
  if (q.timer !== null && !q.serving) yield* serveFirst(q, q.timer, site);
  yield* spinUnlock(q.lock, site);
}

/** The device is idle: starts on the oldest request. The queue's lock is held. */
function* serveFirst(q: Queue, timer: Timer, site: string): Kernel<void> {
  q.serving = true;
  const start = yield* now(site);
  yield* armTimer(timer, start + kernelConfig.diskService, site);
}

// ---- plugs ----

/** blk_start_plug(): from here on requests of the running task are held back. */
// eslint-disable-next-line require-yield -- nobody else sees the plug
export function* startPlug(): Kernel<void> {
  plugs[engine.current] ??= [];
}

/** blk_finish_plug(): hands over what is held back, and holds back no more. */
export function* finishPlug(): Kernel<void> {
  yield* flushPlug('blk_finish_plug');
  plugs[engine.current] = null;
}

/** blk_flush_plug(): hands over what the running task holds back, in the order of the device, adjacent ones as one. */
function* flushPlug(site: string): Kernel<void> {
  const plug = plugs[engine.current];
  if (plug === null || plug.length === 0) return;
  const sorted = plug.splice(0).sort((a, b) => a.start - b.start);
  const q = theQueue();
  const merged: Request[] = [];
  for (const request of sorted) {
    const last = merged.at(-1);
    if (last === undefined || last.isWrite !== request.isWrite || last.end !== request.start)
      merged.push(request);
    else {
      last.end = request.end;
      last.bios.push(...request.bios);
    }
  }
  yield* dispatch(q, merged, site);
  const saved = sorted.length - merged.length;
  if (saved === 0) return;
  yield* spinLockIrqsave(q.lock, site);
  plainWrite(q.guard, site);
  q.count.merged += saved;
  q.used -= saved;
  yield* spinUnlock(q.lock, site);
  yield* wakeSubmitters(q, saved, site);
}

/** freed_request(). No step where nobody ever waits for a slot. */
function* wakeSubmitters(q: Queue, slots: number, site: string): Kernel<void> {
  if (kernelConfig.diskSlots > 0) yield* wakeUp(q.free, slots, 0, site);
}

// ---- completion ----

const COMPLETIONS: readonly string[] = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth'].map(
  (which) => `the ${which} request in flight is complete`,
);
const TRANSFER: readonly string[] = ['the transfer succeeds', 'the transfer fails'];

/** The interrupt of the device without a service time: one of the requests in flight is complete. */
function* endAny(): Kernel<void> {
  const site = 'blk_done_softirq';
  const q = theQueue();
  yield* spinLockIrqsave(q.lock, site);
  plainWrite(q.guard, site);
  const n = q.inFlight.length;
  if (n > 1) nameAlternatives(site, COMPLETIONS);
  const which = n > 1 ? yield* engine.submitChoice(n, site) : 0;
  const [request] = q.inFlight.splice(which, 1);
  q.count.completed += request.bios.length;
  yield* spinUnlock(q.lock, site);
  yield* endRequest(q, request);
}

/** The interrupt of the device with a service time: the oldest request is complete. */
function* endFirst(): Kernel<void> {
  const site = 'blk_done_softirq';
  const q = theQueue();
  yield* spinLockIrqsave(q.lock, site);
  plainWrite(q.guard, site);
  const request = q.inFlight.shift();
  q.serving = false;
  if (request !== undefined) q.count.completed += request.bios.length;
  if (q.timer !== null && q.inFlight.length > 0) yield* serveFirst(q, q.timer, site);
  yield* spinUnlock(q.lock, site);
  if (request !== undefined) yield* endRequest(q, request);
}

/** end_that_request_last(): the data has moved, the bios end, the slot is free. */
function* endRequest(q: Queue, request: Request): Kernel<void> {
  const site = 'bio_endio';
  for (const bio of request.bios) {
    const failed = yield* injectFault(site, TRANSFER);
    const result = failed ? -E.EIO : yield* bio.transfer();
    yield* bio.endIo(result);
    kfree(bio.mem, site);
  }
  yield* spinLockIrqsave(q.lock, site);
  plainWrite(q.guard, site);
  q.used--;
  yield* spinUnlock(q.lock, site);
  yield* wakeSubmitters(q, 1, site);
}

// ---- numbers ----

/**
 * disk_stat(address of a name): `dispatched` requests, `completed` bios, `merged` bios that went with another,
 * `first-dispatch`: how many bios had been submitted when the first one was dispatched, `order`: the numbers of the first
 * nine bios in the order of their dispatch as decimal digits, `slept`: how often a task slept for a slot. EINVAL.
 */
export function* sysDiskStat(args: readonly number[]): Kernel<number> {
  const q = theQueue();
  const name = mm.load(args[0]);
  yield* spinLockIrqsave(q.lock, 'disk_stat');
  plainRead(q.guard, 'disk_stat');
  const { count } = q;
  yield* spinUnlock(q.lock, 'disk_stat');
  switch (name) {
    case 'dispatched':
      return count.dispatched;
    case 'completed':
      return count.completed;
    case 'merged':
      return count.merged;
    case 'first-dispatch':
      return count.firstDispatch;
    case 'order':
      return Number(count.order);
    case 'slept':
      return count.slept;
    default:
      return -E.EINVAL;
  }
}

/**
 * Wait queues exactly as in section 0.2 of the epoll document: a list and a spinlock, non-exclusive entries
 * at the head, exclusive ones at the tail, custom wake functions.
 */

import { andThen, atOnce } from './at-once.ts';
import { engine, type Kernel, type Lifetime } from './engine.ts';
import { List, ListLink, isLinked, listAdd, listAddTail, listDelInit } from './list.ts';
import { newSpinLock, spinLockIrqsave, spinUnlock, type SpinLock } from './lock.ts';
import { Guarded, newWord, peek, plainRead, plainWrite, read, write, type Word } from './memory.ts';
import { WAKE_NORMAL, current, setCurrentState, wakeUpProcess, type Task } from './task.ts';
import { HarnessBug, TaskState } from './op.ts';

/** Answers whether it woke somebody. `mode` is the task-state mask, `key` what the waker says happened. */
export type WakeFunction = (entry: WaitEntry, mode: number, key: number) => Kernel<boolean>;

export class WaitEntry {
  readonly link: ListLink<WaitEntry>;
  readonly wake: WakeFunction;
  /** The sleeping task, or null for an entry that is not synchronous. */
  readonly task: Task | null;
  readonly mem: Lifetime | null;
  exclusive = false;

  constructor(wake: WakeFunction, task: Task | null, mem: Lifetime | null) {
    this.link = new ListLink<WaitEntry>(this);
    this.wake = wake;
    this.task = task;
    this.mem = mem;
  }
}

export interface WaitQueue {
  readonly name: string;
  readonly lock: SpinLock;
  /** Guarded by lock (or by the lock of the owner that uses the _locked forms). */
  readonly list: List<WaitEntry>;
  readonly guard: Guarded;
  /**
   * How many entries are queued: what waitqueue_active() looks at without the lock. Null for a queue at which
   * nobody looks that way; keeping it costs an operation at each change.
   */
  readonly active: Word | null;
}

/** An empty queue. `lookedAt` must be true if `waitqueueActive` is to be asked of it. */
export function newWaitQueue(
  name: string,
  mem: Lifetime | null = null,
  lookedAt = false,
): WaitQueue {
  return {
    name,
    lock: newSpinLock(`${name}.lock`, mem),
    list: new List(),
    guard: new Guarded(`${name}.list`, mem),
    active: lookedAt ? newWord(`${name}.active`, 0, mem) : null,
  };
}

/** Publishes a changed number of entries to those who look without the lock. */
function noteActive(q: WaitQueue, site: string): Kernel<unknown> {
  if (q.active === null) return atOnce(null);
  const size = q.list.size;
  return size === peek(q.active) ? atOnce(null) : write(q.active, size, site);
}

/** DEFINE_WAITQUEUE: an entry of the current task with the default wake function. */
export function newEntry(task: Task, wake: WakeFunction = defaultWake): WaitEntry {
  return new WaitEntry(wake, task, null);
}

/** An entry with a function of its own and no task behind it (a poll callback). */
export function newCallback(wake: WakeFunction, mem: Lifetime | null = null): WaitEntry {
  return new WaitEntry(wake, null, mem);
}

/** default_wake_function: leaves the entry on the queue. */
export function defaultWake(entry: WaitEntry, mode: number): Kernel<boolean> {
  if (entry.task === null) return atOnce(false);
  return andThen(wakeUpProcess(entry.task, mode, 'try_to_wake_up'), isNotZero, null, null);
}

/** autoremove_wake_function: takes the entry off if the wake succeeded. */
export function* autoremoveWake(entry: WaitEntry, mode: number): Kernel<boolean> {
  const woke = yield* defaultWake(entry, mode);
  if (woke) listDelInit(entry.link);
  return woke;
}

// ---- the forms that run under the queue lock (or the owner's lock) ----

/** __add_wait_queue: at the head, non-exclusive. */
export function addEntryLocked(q: WaitQueue, entry: WaitEntry, site: string): void {
  plainWrite(q.guard, site);
  touchEntry(entry, true, site);
  entry.exclusive = false;
  listAdd(entry.link, q.list);
}

export function addExclusiveLocked(q: WaitQueue, entry: WaitEntry, site: string): void {
  plainWrite(q.guard, site);
  touchEntry(entry, true, site);
  entry.exclusive = true;
  listAddTail(entry.link, q.list);
}

export function removeEntryLocked(q: WaitQueue, entry: WaitEntry, site: string): void {
  plainWrite(q.guard, site);
  touchEntry(entry, true, site);
  listDelInit(entry.link);
}

/** An entry that is part of an allocation must be alive when a queue is changed or walked. */
function touchEntry(entry: WaitEntry, write: boolean, site: string): void {
  if (entry.mem !== null) engine.observer.touched(entry.mem, write, site);
}

/** waitqueue_active() under a lock that keeps the list still. */
export function isActiveLocked(q: WaitQueue, site: string): boolean {
  plainRead(q.guard, site);
  return !q.list.isEmpty();
}

/** __wake_up_locked: from the head; stops after nr exclusive entries that were really woken; 0 means all. */
export function* wakeUpLocked(
  q: WaitQueue,
  mode: number,
  nr: number,
  key: number,
  site: string,
): Kernel<void> {
  plainRead(q.guard, site);
  let left = nr;
  for (const entry of q.list) {
    touchEntry(entry, false, site);
    const exclusive = entry.exclusive;
    const woke = yield* entry.wake(entry, mode, key);
    if (woke && exclusive && --left === 0) return;
  }
}

// ---- the forms that take the queue lock ----

export function* addWaitQueue(q: WaitQueue, entry: WaitEntry, site: string): Kernel<void> {
  yield* spinLockIrqsave(q.lock, site);
  addEntryLocked(q, entry, site);
  yield* noteActive(q, site);
  yield* spinUnlock(q.lock, site);
}

export function* addWaitQueueExclusive(q: WaitQueue, entry: WaitEntry, site: string): Kernel<void> {
  yield* spinLockIrqsave(q.lock, site);
  addExclusiveLocked(q, entry, site);
  yield* noteActive(q, site);
  yield* spinUnlock(q.lock, site);
}

export function* removeWaitQueue(q: WaitQueue, entry: WaitEntry, site: string): Kernel<void> {
  yield* spinLockIrqsave(q.lock, site);
  removeEntryLocked(q, entry, site);
  yield* noteActive(q, site);
  yield* spinUnlock(q.lock, site);
}

/** waitqueue_active() without the lock: a racy look, so an operation. */
export function waitqueueActive(q: WaitQueue, site: string): Kernel<boolean> {
  if (q.active === null)
    throw new HarnessBug(`Cannot look at ${q.name} without its lock: make it lookedAt`);
  return andThen(read(q.active, site), isNotZero, null, null);
}

function isNotZero(_a: null, _b: null, value: number): boolean {
  return value !== 0;
}

/** wake_up(): every non-exclusive entry and nr exclusive ones; nr 0 means all. `key` carries poll bits. */
export function* wakeUp(
  q: WaitQueue,
  nr: number,
  key: number,
  site: string,
  mode: number = WAKE_NORMAL,
): Kernel<void> {
  yield* spinLockIrqsave(q.lock, site);
  yield* wakeUpLocked(q, mode, nr, key, site);
  yield* noteActive(q, site);
  yield* spinUnlock(q.lock, site);
}

/** wake_up_interruptible(). */
export function wakeUpInterruptible(
  q: WaitQueue,
  nr: number,
  key: number,
  site: string,
): Kernel<void> {
  return wakeUp(q, nr, key, site, TaskState.INTERRUPTIBLE);
}

/** prepare_to_wait(): queues the entry if it is not queued, and sets the state of a synchronous entry's task. */
export function* prepareToWait(
  q: WaitQueue,
  entry: WaitEntry,
  state: number,
  site: string,
): Kernel<void> {
  yield* spinLockIrqsave(q.lock, site);
  entry.exclusive = false;
  if (!isLinked(entry.link)) {
    addEntryLocked(q, entry, site);
    yield* noteActive(q, site);
  }
  if (entry.task !== null) yield* setCurrentState(state, site);
  yield* spinUnlock(q.lock, site);
}

/** prepare_to_wait_exclusive(): as prepareToWait, but at the tail and exclusive. */
export function* prepareToWaitExclusive(
  q: WaitQueue,
  entry: WaitEntry,
  state: number,
  site: string,
): Kernel<void> {
  yield* spinLockIrqsave(q.lock, site);
  entry.exclusive = true;
  if (!isLinked(entry.link)) {
    addExclusiveLocked(q, entry, site);
    yield* noteActive(q, site);
  }
  if (entry.task !== null) yield* setCurrentState(state, site);
  yield* spinUnlock(q.lock, site);
}

/** finish_wait(): RUNNING, and off the queue, under the queue lock, if it is still linked. */
export function* finishWait(q: WaitQueue, entry: WaitEntry, site: string): Kernel<void> {
  if (entry.task !== null) yield* setCurrentState(TaskState.RUNNING, site);
  // atomic because only the waker unlinks behind our back, and then the lock is not needed
  if (!isLinked(entry.link)) return;
  yield* spinLockIrqsave(q.lock, site);
  if (isLinked(entry.link)) removeEntryLocked(q, entry, site);
  yield* noteActive(q, site);
  yield* spinUnlock(q.lock, site);
}

/** A wait entry of the current task. */
export function currentEntry(wake: WakeFunction = defaultWake): WaitEntry {
  return newEntry(current(), wake);
}

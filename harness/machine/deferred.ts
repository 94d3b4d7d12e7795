/**
 * Deferred work and interrupts as pseudo-threads, and the counting primitives behind them: semaphores and
 * completions.
 *
 * A worker or an interrupt source waits for its count to be positive; everything after that is ordinary code in its
 * own context, so the explorer orders it like any other thread.
 */

import { engine, type Kernel, type Lifetime, type OpObject } from './engine.ts';
import {
  mutexLock,
  mutexUnlock,
  newMutex,
  newSpinLock,
  spinLockIrqsave,
  spinUnlock,
  type Mutex,
  type SpinLock,
} from './lock.ts';
import { newWord, write, type Word } from './memory.ts';
import { Kind } from './op.ts';
import { now } from './task.ts';
import { armTimer, cancelTimerSync, newTimer, type Timer } from './timer.ts';

/** A counting semaphore. */
export interface Semaphore extends OpObject {
  readonly name: string;
}

export function newSemaphore(name: string, count: number, mem: Lifetime | null = null): Semaphore {
  return { id: engine.newObject(name, count), mem, name };
}

/** down(): sleeps while the count is 0. */
export function down(semaphore: Semaphore, site: string): Kernel<number> {
  engine.observer.mightSleep(site);
  return engine.submit(Kind.DOWN, semaphore, 0, site);
}

/** up(). */
export function up(semaphore: Semaphore, site: string): Kernel<number> {
  return engine.submit(Kind.UP, semaphore, 0, site);
}

/** A completion is a semaphore that starts at 0. */
export type Completion = Semaphore;

export function newCompletion(name: string, mem: Lifetime | null = null): Completion {
  return newSemaphore(name, 0, mem);
}

/** complete(): lets one waiter go on. */
export const complete = up;

/** wait_for_completion(). */
export const waitForCompletion = down;

/** A piece of work; queued at most once at a time. */
export interface Work {
  readonly run: () => Kernel<void>;
  /** PENDING: set from the request until the worker takes it off its list, or the delay is cancelled. */
  readonly pending: Word;
}

/** INIT_WORK. `mem` is what the work is part of. */
export function newWork(name: string, run: () => Kernel<void>, mem: Lifetime | null = null): Work {
  return { run, pending: newWord(`${name}.pending`, 0, mem) };
}

/** Somebody who waits until so many pieces of work have been done, or until one of them has. */
interface Flusher {
  readonly needed: number;
  readonly work: Work | null;
  readonly done: Completion;
}

/** A queue with one worker thread. */
export interface WorkQueue {
  readonly name: string;
  /** Thread slot of the worker. */
  readonly slot: number;
  readonly lock: SpinLock;
  // guarded by lock
  readonly list: Work[];
  /** How many were ever put on the list, and how many of them are done. */
  inserted: number;
  removed: number;
  readonly flushers: Flusher[];
  /** What the worker has in hand, the innermost last. */
  readonly running: Work[];
  /** Items on the list: what the worker waits for. */
  readonly pending: Semaphore;
  /** workqueue_mutex: held by whoever flushes, for the whole time. */
  readonly mutex: Mutex;
}

/** create_workqueue(), with its worker in a fixed thread slot that must not depend on the schedule. */
export function newWorkQueue(name: string, slot: number): WorkQueue {
  const queue: WorkQueue = {
    name,
    slot,
    lock: newSpinLock(`${name}.lock`),
    list: [],
    inserted: 0,
    removed: 0,
    flushers: [],
    running: [],
    pending: newSemaphore(`${name}.pending`, 0),
    mutex: newMutex('workqueue_mutex'),
  };
  const worker = (): Kernel<void> => runWorker(queue);
  engine.startPseudoThread(
    slot,
    `worker:${name}`,
    'worker',
    Kind.DOWN,
    queue.pending,
    'worker_thread',
    worker,
  );
  return queue;
}

/** The first DOWN has happened when this starts. */
function* runWorker(queue: WorkQueue): Kernel<void> {
  for (;;) {
    yield* runOne(queue);
    yield* engine.submit(Kind.DOWN, queue.pending, 0, 'worker_thread');
  }
}

/** One turn of run_workqueue(); nothing if a flush has emptied the list in the meantime. */
function* runOne(queue: WorkQueue): Kernel<boolean> {
  const site = 'run_workqueue';
  yield* spinLockIrqsave(queue.lock, site);
  const work = queue.list.shift();
  if (work !== undefined) queue.running.push(work);
  yield* spinUnlock(queue.lock, site);
  if (work === undefined) return false;
  yield* write(work.pending, 0, site);
  yield* work.run();
  yield* spinLockIrqsave(queue.lock, site);
  queue.running.pop();
  yield* finished(queue, work, site);
  yield* spinUnlock(queue.lock, site);
  return true;
}

/** [queue.lock] A piece of work is done, or will not be: tells those who wait for that. */
function* finished(queue: WorkQueue, work: Work, site: string): Kernel<void> {
  queue.removed++;
  for (const flusher of [...queue.flushers]) {
    const over = flusher.work === null ? flusher.needed <= queue.removed : flusher.work === work;
    if (!over) continue;
    queue.flushers.splice(queue.flushers.indexOf(flusher), 1);
    yield* complete(flusher.done, site);
  }
}

/** __queue_work() [queue.lock], for whoever has set PENDING. */
function* insertWork(queue: WorkQueue, work: Work, site: string): Kernel<void> {
  queue.list.push(work);
  queue.inserted++;
  yield* up(queue.pending, site);
}

/** queue_work(): false if it was queued already. May be called from any context. */
export function* queueWork(queue: WorkQueue, work: Work, site: string): Kernel<boolean> {
  // Differs: PENDING is set under the lock. Only cancel_work_sync() could tell, and it would spin in between.
  yield* spinLockIrqsave(queue.lock, site);
  const fresh = (yield* write(work.pending, 1, site)) === 0;
  if (fresh) yield* insertWork(queue, work, site);
  yield* spinUnlock(queue.lock, site);
  return fresh;
}

/**
 * flush_workqueue(): waits until all that is queued now has been done, under the mutex of all flushes. The worker
 * itself runs its list instead.
 */
export function* flushWorkQueue(queue: WorkQueue, site: string): Kernel<void> {
  yield* mutexLock(queue.mutex, site);
  if (!engine.inline && engine.current === queue.slot) {
    while (yield* runOne(queue));
  } else {
    yield* waitForQueued(queue, site);
  }
  yield* mutexUnlock(queue.mutex, site);
}

function* waitForQueued(queue: WorkQueue, site: string): Kernel<void> {
  yield* spinLockIrqsave(queue.lock, site);
  const flusher =
    queue.removed < queue.inserted
      ? { needed: queue.inserted, work: null, done: newCompletion(`${queue.name}.flush`) }
      : null;
  if (flusher !== null) queue.flushers.push(flusher);
  yield* spinUnlock(queue.lock, site);
  if (flusher !== null) yield* waitForCompletion(flusher.done, site);
}

/** Work that is queued when a timer fires. */
export interface DelayedWork {
  readonly queue: WorkQueue;
  readonly work: Work;
  readonly timer: Timer;
}

/**
 * INIT_DELAYED_WORK for a queue; the timer's thread slot must not depend on the schedule. `mem` is what it is part
 * of.
 */
export function newDelayedWork(
  queue: WorkQueue,
  timerSlot: number,
  run: () => Kernel<void>,
  mem: Lifetime | null = null,
): DelayedWork {
  const work = newWork(`${queue.name}.delayed`, run, mem);
  const handler = (): Kernel<void> => insertDelayed(queue, work);
  return { queue, work, timer: newTimer(`${queue.name}.delay`, timerSlot, handler, mem) };
}

function* insertDelayed(queue: WorkQueue, work: Work): Kernel<void> {
  // The handler finds the queue through the work, so what the work is part of must still be there.
  if (work.pending.mem !== null)
    engine.observer.touched(work.pending.mem, true, 'delayed_work_timer_fn');
  yield* spinLockIrqsave(queue.lock, 'delayed_work_timer_fn');
  yield* insertWork(queue, work, 'delayed_work_timer_fn');
  yield* spinUnlock(queue.lock, 'delayed_work_timer_fn');
}

/**
 * queue_delayed_work(): queued at once for a delay of 0, else when so many ticks have passed. False, and the delay
 * is not looked at, if it is pending.
 */
export function* queueDelayedWork(
  delayed: DelayedWork,
  ticks: number,
  site: string,
): Kernel<boolean> {
  const { queue, work, timer } = delayed;
  if (ticks === 0) return yield* queueWork(queue, work, site);
  // Differs: under the lock, as in queueWork.
  yield* spinLockIrqsave(queue.lock, site);
  const fresh = (yield* write(work.pending, 1, site)) === 0;
  if (fresh) yield* armTimer(timer, (yield* now(site)) + ticks, site);
  yield* spinUnlock(queue.lock, site);
  return fresh;
}

/**
 * cancel_delayed_work(): 1 if the timer was pending, and then the work is no longer; work that is already queued or
 * runs stays. Waits for a handler of the timer that runs.
 */
export function* cancelDelayedWork(delayed: DelayedWork, site: string): Kernel<number> {
  const pending = yield* cancelTimerSync(delayed.timer, site);
  if (pending === 1) yield* write(delayed.work.pending, 0, site);
  return pending;
}

/**
 * cancel_work_sync() of delayed work: takes it off the queue, and waits until it has run if it is being run. PENDING
 * is held meanwhile, so that it cannot be queued again. Differs: a delay that is armed is ended, not waited for.
 */
export function* cancelWorkSync(delayed: DelayedWork, site: string): Kernel<void> {
  engine.observer.mightSleep(site);
  const { queue, work, timer } = delayed;
  for (;;) {
    const wasPending = yield* write(work.pending, 1, site);
    if ((yield* takeOff(queue, work, site)) || wasPending === 0) break;
    // Neither on the list nor idle: its timer is armed, or the handler has just put it there.
    if ((yield* cancelTimerSync(timer, site)) === 1) break;
  }
  yield* write(work.pending, 0, site);
}

/** True if it was on the list. Waits for a run of it that is under way. */
function* takeOff(queue: WorkQueue, work: Work, site: string): Kernel<boolean> {
  yield* spinLockIrqsave(queue.lock, site);
  const at = queue.list.indexOf(work);
  if (at >= 0) {
    queue.list.splice(at, 1);
    yield* finished(queue, work, site);
  }
  const flusher: Flusher | null = queue.running.includes(work)
    ? { needed: 0, work, done: newCompletion(`${queue.name}.cancel`) }
    : null;
  if (flusher !== null) queue.flushers.push(flusher);
  yield* spinUnlock(queue.lock, site);
  if (flusher !== null) yield* waitForCompletion(flusher.done, site);
  return at >= 0;
}

/** An interrupt source: each time it is raised its handler runs once, in hardirq context. */
export interface Interrupt {
  readonly name: string;
  readonly raised: Semaphore;
}

/** request_irq(): the handler must not sleep. The slot must not depend on the schedule. */
export function newInterrupt(name: string, slot: number, handler: () => Kernel<void>): Interrupt {
  const raised = newSemaphore(`${name}.raised`, 0);
  engine.startPseudoThread(slot, `irq:${name}`, 'hardirq', Kind.DOWN, raised, 'do_IRQ', () =>
    runInterrupts(raised, handler),
  );
  return { name, raised };
}

/** The first DOWN has happened when this starts. */
function* runInterrupts(raised: Semaphore, handler: () => Kernel<void>): Kernel<void> {
  for (;;) {
    yield* handler();
    yield* engine.submit(Kind.DOWN, raised, 0, 'do_IRQ');
  }
}

/** The device asks for attention. */
export function raiseInterrupt(interrupt: Interrupt, site: string): Kernel<number> {
  return up(interrupt.raised, site);
}

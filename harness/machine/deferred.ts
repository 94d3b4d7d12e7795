/**
 * Deferred work and interrupts as pseudo-threads, and the counting primitives behind them: semaphores and
 * completions.
 *
 * A worker or an interrupt source waits for its count to be positive; everything after that is ordinary code in its
 * own context, so the explorer orders it like any other thread.
 */

import { engine, type Kernel, type Lifetime, type OpObject } from './engine.ts';
import { newSpinLock, spinLockIrqsave, spinUnlock, type SpinLock } from './lock.ts';
import { Kind } from './op.ts';
import { armTimer, cancelTimer, newTimer, type Timer } from './timer.ts';

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
  /** Guarded by the queue's lock. */
  queued: boolean;
}

export function newWork(run: () => Kernel<void>): Work {
  return { run, queued: false };
}

/** A queue with one worker thread. */
export interface WorkQueue {
  readonly name: string;
  readonly lock: SpinLock;
  /** Guarded by lock. */
  readonly list: Work[];
  /** Items on the list: what the worker waits for. */
  readonly pending: Semaphore;
  /** Items queued or running: what a flush waits for to be 0. */
  readonly busy: Semaphore;
}

/** create_workqueue(), with its worker in a fixed thread slot that must not depend on the schedule. */
export function newWorkQueue(name: string, slot: number): WorkQueue {
  const queue: WorkQueue = {
    name,
    lock: newSpinLock(`${name}.lock`),
    list: [],
    pending: newSemaphore(`${name}.pending`, 0),
    busy: newSemaphore(`${name}.busy`, 0),
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
  const site = 'worker_thread';
  for (;;) {
    yield* spinLockIrqsave(queue.lock, site);
    const work = queue.list.shift();
    if (work !== undefined) work.queued = false;
    yield* spinUnlock(queue.lock, site);
    if (work !== undefined) yield* work.run();
    yield* engine.submit(Kind.DOWN, queue.busy, 0, site);
    yield* engine.submit(Kind.DOWN, queue.pending, 0, site);
  }
}

/** queue_work(): false if it was queued already. May be called from any context. */
export function* queueWork(queue: WorkQueue, work: Work, site: string): Kernel<boolean> {
  yield* spinLockIrqsave(queue.lock, site);
  const fresh = !work.queued;
  if (fresh) {
    work.queued = true;
    queue.list.push(work);
    yield* up(queue.busy, site);
    yield* up(queue.pending, site);
  }
  yield* spinUnlock(queue.lock, site);
  return fresh;
}

/** flush_workqueue(): waits until nothing is queued or running. Must not be called by the worker. */
export function* flushWorkQueue(queue: WorkQueue, site: string): Kernel<void> {
  engine.observer.mightSleep(site);
  yield* engine.submit(Kind.JOIN, queue.busy, -1, site);
}

/** Work that is queued when a timer fires. */
export interface DelayedWork {
  readonly work: Work;
  readonly timer: Timer;
}

/** INIT_DELAYED_WORK for a queue; the timer's thread slot must not depend on the schedule. */
export function newDelayedWork(
  queue: WorkQueue,
  timerSlot: number,
  run: () => Kernel<void>,
): DelayedWork {
  const work = newWork(run);
  const timer = newTimer(`${queue.name}.delay`, timerSlot, function* () {
    yield* queueWork(queue, work, 'delayed_work_timer_fn');
  });
  return { work, timer };
}

/** Arms the timer of a delayed work for an absolute time in ticks. */
export function queueDelayedWork(
  delayed: DelayedWork,
  expires: number,
  site: string,
): Kernel<number> {
  return armTimer(delayed.timer, expires, site);
}

/** cancel_delayed_work(): 1 if the timer was pending; work that is already queued stays. */
export function cancelDelayedWork(delayed: DelayedWork, site: string): Kernel<number> {
  return cancelTimer(delayed.timer, site);
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

/**
 * Thread slots of pseudo-threads above those of the user threads and of their sleep timers.
 *
 * Which slot a timer or a worker has must not depend on the schedule. So the needs of a program are counted by thread
 * before it runs, every thread has slots of its own, and it takes them in its own order.
 */

import { HarnessBug, keepState } from '../machine/index.ts';
import { MAX_THREADS } from '../machine/op.ts';

/** What a program needs; counts are upper bounds. */
export interface SlotNeeds {
  /** The task that ends the process. */
  readonly exit: boolean;
  /** The worker of the AIO work queue. */
  readonly worker: boolean;
  /** The interrupt of the block device. */
  readonly irq: boolean;
  /** io_setup() calls: those of init, of the first thread, of the second, ... */
  readonly contexts: readonly number[];
  /** Submissions of iocbs with a timer, in the same order. */
  readonly kiocbs: readonly number[];
}

/** A program without AIO. */
export const NO_NEEDS: SlotNeeds = {
  exit: false,
  worker: false,
  irq: false,
  contexts: [],
  kiocbs: [],
};

/** Kinds with one slot. */
export type SingleSlot = 'exit' | 'worker' | 'irq';

/** Kinds with slots by thread: the delay of a context's work, the timer of a kiocb. */
export type ThreadSlot = 'context' | 'kiocb';

const SINGLE: readonly SingleSlot[] = ['exit', 'worker', 'irq'];
const BY_THREAD: readonly ThreadSlot[] = ['context', 'kiocb'];

/** The slots that a program can have; the last one is where init publishes. */
export const MAX_SLOTS = MAX_THREADS - 1;

const single = new Map<SingleSlot, number>();
/** By kind and place: the slots that are left, in order. */
const free = new Map<ThreadSlot, number[][]>();

/** How many slots `users` threads with these needs take, their sleep timers included. */
export function slotsNeeded(users: number, needs: SlotNeeds): number {
  const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
  const ones = SINGLE.filter((kind) => needs[kind]).length;
  return 2 * users + ones + sum(needs.contexts) + sum(needs.kiocbs);
}

/** Shares the slots out. Called first thing in init of every execution, before boot. */
export function resetSlots(users: number, needs: SlotNeeds): void {
  if (slotsNeeded(users, needs) > MAX_SLOTS)
    throw new HarnessBug(
      `Cannot share out ${slotsNeeded(users, needs)} slots: ${MAX_SLOTS} is the limit`,
    );
  let next = 2 * users;
  single.clear();
  free.clear();
  for (const kind of SINGLE) if (needs[kind]) single.set(kind, next++);
  for (const kind of BY_THREAD) {
    const counts = kind === 'context' ? needs.contexts : needs.kiocbs;
    free.set(
      kind,
      counts.map((count) => Array.from({ length: count }, () => next++)),
    );
  }
  keepState(
    () => single,
    () => free,
  );
}

/** The slot of that kind, or null if the program needs none. */
export function slotOf(kind: SingleSlot): number | null {
  return single.get(kind) ?? null;
}

/** The next slot of the kind for a user thread; -1 is init. */
export function nextSlot(kind: ThreadSlot, thread: number): number {
  const slot = free.get(kind)?.[thread + 1]?.shift();
  if (slot === undefined)
    throw new HarnessBug(
      `Cannot give thread ${thread} a slot: its needs name too few of "${kind}"`,
    );
  return slot;
}

/**
 * Visible operations: the unit of scheduling. Kinds, classes, and which pairs commute
 * (the dependence relation; a trace is an equivalence class of executions under it).
 */

export const MAX_THREADS = 16;

/** MEM: reads commute. SER: nothing commutes. RW: reader sides commute. NONE: touches nothing shared. */
export const Class = { NONE: 0, MEM: 1, SER: 2, RW: 3 } as const;

export const Kind = {
  LOCAL: 0,
  CHOICE: 1,
  READ: 2,
  WRITE: 3,
  LOCK: 4,
  TRYLOCK: 5,
  UNLOCK: 6,
  /** Task state := argument. */
  SET: 7,
  /** Task state := RUNNING if it is in the mode mask given; answers 1 if it was. */
  WAKE: 8,
  /** schedule(): goes on when the own task state is RUNNING. */
  AWAIT: 9,
  DOWN: 10,
  UP: 11,
  RLOCK: 12,
  RUNLOCK: 13,
  WLOCK: 14,
  WUNLOCK: 15,
  /** Fair rw semaphore: ask for it (granted at once or queued), and wait for the grant. */
  RWSEM_ASK: 16,
  RWSEM_GRANT: 17,
  RWSEM_UP: 18,
  /** Timer base: arm or move, cancel, expiry, look at the clock. */
  ARM: 19,
  CANCEL: 20,
  FIRE: 21,
  NOW: 22,
  /** Waits until the bits of the argument are clear: del_timer_sync; -1 waits for anything that counts down to 0. */
  JOIN: 23,
  /** Busy loop that has to see a newer version before it is worth another round. */
  RELAX: 24,
  /** Atomic add, answers the old value. */
  ADD: 25,
  /** The handler of a timer has returned. */
  EXPIRED: 26,
} as const;

export const KIND_NAMES: readonly string[] = Object.keys(Kind);

/** Class by kind. */
export const CLASS_OF = new Uint8Array([
  0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 2,
]);

/** 1 for the kinds that commute with their like on one object. */
export const IS_READ = new Uint8Array([
  1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

/** 1 for the kinds that can be disabled. */
export const MAY_BLOCK = new Uint8Array([
  0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0,
]);

/** Task states; a mask, so that a wake-up can say which it is for. */
export const TaskState = { RUNNING: 0, INTERRUPTIBLE: 1, UNINTERRUPTIBLE: 2 } as const;

/**
 * Where an object stands in the dense tables. The number is (who allocated, its how-manieth), so it does
 * not depend on the schedule; init allocates from a block of its own.
 */
export const OBJECTS_PER_THREAD = 1024;
export const OBJECTS_INIT = 16384;
export const MAX_OBJECTS = MAX_THREADS * OBJECTS_PER_THREAD + OBJECTS_INIT;

/** A broken promise of the harness itself: never a finding about a kernel. */
export class HarnessBug extends Error {
  override name = 'HarnessBug';
}

/** Input that cannot be followed (a schedule that does not fit): usage, not a bug. */
export class Nondeterminism extends Error {
  override name = 'Nondeterminism';
}

/** The timer base has a bit per slot for armed timers, and from here on one for running handlers. */
export const TIMER_RUNNING = 16;

/** What the engine runs, who decides, and what operations name: the vocabulary of the machine. */

/** What a kernel function returns: a generator that yields at visible operations. */
export type Kernel<T> = Generator<void, T, void>;

/** Who decides. Knows threads and operations, nothing of kernels. */
export interface Strategy {
  /** Before each execution: false when nothing is left to explore. */
  begin(): boolean;
  /** How many events of the last execution are replayed as they stand; 0 if absent. */
  readonly keep?: number;
  /** The thread that goes next, or -1 if none is enabled (or none is worth it). */
  pick(): number;
  /** The alternative of the choice that thread t is about to make, 0 <= answer < n. */
  alternative(t: number, n: number): number;
  /** After a new event (not a replayed one) was recorded at position d. */
  recorded?(d: number): void;
  /** After each execution. */
  end(): void;
}

/** What is run: reset and init build the state; bodies are the threads. */
export interface Scenario {
  /** Number of user threads; they take the slots from 0. */
  readonly threads: number;
  /** Single-threaded start: builds everything anew. Runs inline; must not block. */
  init(): Kernel<void>;
  body(thread: number): Kernel<void>;
  /** Single-threaded end, when every thread has finished. Runs inline. */
  exit?(): Kernel<void>;
  /** Nobody but an observer can tell whether exit has run: it is left out when there is none. */
  readonly exitUnseen?: boolean;
  /**
   * All state that init builds is named to `keepState` or hangs on it, so that later executions may start from what
   * the first ones built; the bodies see to what belongs to the scenario itself.
   */
  readonly repeatable?: boolean;
}

export type EndReason = 'done' | 'blocked' | 'steps' | 'abandoned' | 'init-blocked';

/** The kernel has gone wrong so badly that the current task dies (NULL dereference, BUG_ON). */
export class Oops extends Error {
  override name = 'Oops';
  readonly site: string;
  constructor(site: string, message: string) {
    super(message);
    this.site = site;
  }
}

/** Anything an operation can name. */
export interface OpObject {
  /** Dense number; assigned by `engine.newObject`. */
  readonly id: number;
  /** The slab object it is part of, for KASAN; null for objects that never die. */
  readonly mem: Lifetime | null;
}

/** Lifetime of an allocation, judged by KASAN. */
export interface Lifetime {
  readonly name: string;
  readonly number: number;
  readonly allocSite: string;
  freed: boolean;
  freeSite: string;
}

/** Context of a thread slot, as in_task(), in_softirq(), in_hardirq(); a worker is a kernel thread. */
export type Context = 'task' | 'softirq' | 'hardirq' | 'worker';

/** What a sleeper registered: the predicate that should have woken it, and words for the report. */
export interface Condition {
  holds(): boolean;
  describe(): string;
}

/** The part of a fair rw semaphore that the engine applies. */
export interface RwsemEffects {
  ask(t: number, write: boolean): boolean;
  up(write: boolean): void;
}

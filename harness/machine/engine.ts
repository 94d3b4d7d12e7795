/**
 * The engine: threads as generators, one visible operation at a time.
 *
 * A primitive publishes its operation and asks the strategy who goes next. If that is the same thread, the
 * engine applies the effect and the primitive returns without suspending (exploration.md 16); otherwise the
 * generator is suspended at the primitive and resumed when its turn comes, effect already applied. All
 * primitives share one preallocated iterator, so a step allocates nothing.
 *
 * There is one engine per JavaScript thread: the machine is a module-level singleton on purpose, so that
 * kernel code needs no handle to it.
 */

import { EventLog } from './log.ts';
import { NO_OBSERVER, type Observer } from './observer.ts';
import {
  CLASS_OF,
  Class,
  HarnessBug,
  Kind,
  MAX_OBJECTS,
  MAX_THREADS,
  MAY_BLOCK,
  Nondeterminism,
  OBJECTS_INIT,
  OBJECTS_PER_THREAD,
  TaskState,
} from './op.ts';

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

class InitBlocked extends Error {}

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

/** Where init and exit publish; no thread may have it. */
export const INIT_SLOT = MAX_THREADS - 1;

/** The timer base has a bit per slot for armed timers, and from here on one for running handlers. */
export const TIMER_RUNNING = 16;

const FREE_SLOT = 0;
const DONE_SLOT = 2;
const LIVE_SLOT = 1;

/** Context of a thread slot, as in_task(), in_softirq(), in_hardirq(); a worker is a kernel thread. */
export type Context = 'task' | 'softirq' | 'hardirq' | 'worker';

export class Engine {
  readonly log: EventLog;
  observer: Observer = NO_OBSERVER;
  /** Fire a timer only when nothing else can run, or at any moment after it was armed. */
  timers: 'idle' | 'any' = 'idle';
  maxSteps: number;

  /** Thread that is running; INIT_SLOT during init and exit. */
  current = 0;
  /** True while operations are applied at once, without scheduling: init and exit. */
  inline = false;
  exiting = false;

  /** State of every object by id: lock owner + 1, task state, count, ... */
  readonly state = new Int32Array(MAX_OBJECTS);
  /** Deadlines in ticks, by the slot of the timer's pseudo-thread; the armed ones are bits of the base. */
  readonly deadline = new Float64Array(MAX_THREADS);
  private readonly objectName: string[] = new Array<string>(MAX_OBJECTS).fill('');
  private readonly allocated = new Int32Array(MAX_THREADS + 1);

  private readonly slot = new Uint8Array(MAX_THREADS);
  private readonly gens: (Kernel<void> | null)[] = new Array<Kernel<void> | null>(MAX_THREADS).fill(null);
  private readonly start: ((() => Kernel<void>) | null)[] = new Array<(() => Kernel<void>) | null>(
    MAX_THREADS,
  ).fill(null);
  private readonly context: Context[] = new Array<Context>(MAX_THREADS).fill('task');
  readonly daemon = new Uint8Array(MAX_THREADS);
  readonly threadName: string[] = new Array<string>(MAX_THREADS).fill('');
  users = 0;
  width = 0;

  // The published operation of every thread.
  readonly pKind = new Uint8Array(MAX_THREADS);
  readonly pObj = new Int32Array(MAX_THREADS);
  readonly pRd = new Uint8Array(MAX_THREADS);
  readonly pObj2 = new Int32Array(MAX_THREADS);
  readonly pRd2 = new Uint8Array(MAX_THREADS);
  readonly pArg = new Float64Array(MAX_THREADS);
  /** Second argument: the deadline of ARM, the timer of FIRE. */
  readonly pArg2 = new Float64Array(MAX_THREADS);
  readonly pAlts = new Uint8Array(MAX_THREADS);
  readonly pSite: string[] = new Array<string>(MAX_THREADS).fill('');
  private readonly pTarget: (OpObject | null)[] = new Array<OpObject | null>(MAX_THREADS).fill(null);
  /** What the thread sleeps for, for the lost wake-up report. */
  readonly waitsFor: (Condition | null)[] = new Array<Condition | null>(MAX_THREADS).fill(null);
  readonly oops: (Oops | null)[] = new Array<Oops | null>(MAX_THREADS).fill(null);

  /** Result of the operation that was applied last. */
  result = 0;
  private suspend = false;
  private priming = false;
  private next = -1;
  private strategy: Strategy | null = null;
  /** Events before this position are being replayed and are checked, not recorded. */
  keep = 0;
  /** Number of operations executed so far in this execution. */
  depth = 0;
  /** Virtual time in ticks. */
  jiffies = 0;
  private outOfSteps = false;

  private readonly doneResult: IteratorResult<void, number> = { done: true, value: 0 };
  private readonly suspended: IteratorResult<void, number> = { done: false, value: undefined };
  /** The one iterator behind every primitive. */
  readonly step: Kernel<number>;

  constructor(maxSteps = 20000) {
    this.maxSteps = maxSteps;
    this.log = new EventLog(maxSteps + 1);
    const answer = (): IteratorResult<void, number> => {
      if (this.suspend) {
        this.suspend = false;
        return this.suspended;
      }
      this.doneResult.value = this.result;
      return this.doneResult;
    };
    const iterator = {
      next: answer,
      return: answer,
      throw: answer,
      [Symbol.iterator]: () => iterator,
    };
    // The one cast: `yield*` needs the iterator protocol only, never the rest of a generator.
    this.step = iterator as unknown as Kernel<number>;
  }

  // ---- objects ----

  /** A new object, named after who allocates it and that thread's own count. */
  newObject(name: string, initial: number): number {
    const creator = this.inline ? MAX_THREADS : this.current;
    const n = this.allocated[creator];
    const room = this.inline ? OBJECTS_INIT : OBJECTS_PER_THREAD;
    if (n >= room) throw new HarnessBug(`Cannot create object "${name}": ${room} per thread is the limit`);
    this.allocated[creator] = n + 1;
    const id = creator * OBJECTS_PER_THREAD + n;
    this.state[id] = initial;
    this.objectName[id] = name;
    return id;
  }

  /** Kind of the object, with its number: `ep.lock#1`. Numbers count per kind: those of init, then by thread. */
  nameOf(id: number): string {
    if (id < 0) return '';
    const name = this.objectName[id];
    const creator = Math.min(MAX_THREADS, Math.floor(id / OBJECTS_PER_THREAD));
    let number = creator === MAX_THREADS ? 0 : this.countNamed(name, MAX_THREADS, MAX_OBJECTS);
    for (let t = 0; t < creator && creator < MAX_THREADS; t++)
      number += this.countNamed(name, t, MAX_OBJECTS);
    return `${name}#${number + this.countNamed(name, creator, id) + 1}`;
  }

  private countNamed(name: string, creator: number, below: number): number {
    const first = creator * OBJECTS_PER_THREAD;
    const end = Math.min(first + this.allocated[creator], below);
    let n = 0;
    for (let id = first; id < end; id++) if (this.objectName[id] === name) n++;
    return n;
  }

  // ---- threads ----

  contextOf(t: number): Context {
    return this.inline ? 'task' : this.context[t];
  }

  isLive(t: number): boolean {
    return this.slot[t] === LIVE_SLOT;
  }

  isDone(t: number): boolean {
    return this.slot[t] === DONE_SLOT;
  }

  /**
   * Starts a pseudo-thread in a fixed slot with its first operation already published, so nothing of it runs
   * before the strategy picks it. The slot must not depend on the schedule.
   */
  startPseudoThread(
    t: number,
    name: string,
    context: Context,
    kind: number,
    target: OpObject,
    site: string,
    body: () => Kernel<void>,
  ): void {
    // The last slot is where init publishes.
    if (t >= INIT_SLOT) throw new HarnessBug(`Cannot start "${name}": ${INIT_SLOT} threads is the limit`);
    this.slot[t] = LIVE_SLOT;
    this.gens[t] = null;
    this.start[t] = body;
    this.context[t] = context;
    this.daemon[t] = 1;
    this.threadName[t] = name;
    this.publish(t, kind, target, 0, site);
    if (t + 1 > this.width) {
      this.width = t + 1;
      if (this.log.width < this.width) this.log.width = this.width;
    }
  }

  private publish(t: number, kind: number, target: OpObject | null, arg: number, site: string): void {
    this.pKind[t] = kind;
    this.pObj[t] = target === null ? -1 : target.id;
    this.pRd[t] = kind === Kind.READ || kind === Kind.RLOCK || kind === Kind.RUNLOCK ? 1 : 0;
    this.pObj2[t] = -1;
    this.pArg[t] = arg;
    this.pAlts[t] = 1;
    this.pSite[t] = site;
    this.pTarget[t] = target;
  }

  // ---- operations: called by the primitives in ops.ts ----

  /** Publishes an operation of the current thread and continues with whoever the strategy picks. */
  submit(kind: number, target: OpObject | null, arg: number, site: string): Kernel<number> {
    if (this.inline) return this.applyInline(kind, target, arg, site);
    this.publish(this.current, kind, target, arg, site);
    return this.handOver();
  }

  /** Moves the timer of slot `timer` to a deadline; the operation is on the timer base. */
  submitArm(base: OpObject, timer: number, deadline: number, site: string): Kernel<number> {
    this.pArg2[this.inline ? MAX_THREADS - 1 : this.current] = deadline;
    return this.submit(Kind.ARM, base, timer, site);
  }

  /** A memory operation on two locations. */
  submit2(
    kind: number,
    target: OpObject,
    read: boolean,
    second: OpObject,
    read2: boolean,
    site: string,
  ): Kernel<number> {
    if (this.inline) return this.applyInline(kind, target, 0, site);
    const t = this.current;
    this.publish(t, kind, target, 0, site);
    this.pRd[t] = read ? 1 : 0;
    this.pObj2[t] = second.id;
    this.pRd2[t] = read2 ? 1 : 0;
    return this.handOver();
  }

  /** A choice among n alternatives. In init and exit the first one is taken. */
  submitChoice(n: number, site: string): Kernel<number> {
    if (this.inline) {
      this.result = 0;
      return this.step;
    }
    const t = this.current;
    this.publish(t, Kind.CHOICE, null, 0, site);
    this.pRd[t] = 1;
    this.pAlts[t] = n;
    return this.handOver();
  }

  private handOver(): Kernel<number> {
    if (this.priming) {
      this.suspend = true;
      return this.step;
    }
    const n = this.pickNext();
    if (n === this.current) this.commit(n);
    else {
      this.next = n;
      this.suspend = true;
    }
    return this.step;
  }

  private pickNext(): number {
    if (this.depth >= this.maxSteps && this.canAnyRun()) {
      this.outOfSteps = true;
      return -1;
    }
    const strategy = this.strategy;
    return strategy === null ? -1 : strategy.pick();
  }

  private canAnyRun(): boolean {
    for (let t = 0; t < this.width; t++) if (this.slot[t] === LIVE_SLOT && this.isEnabled(t)) return true;
    return false;
  }

  private applyInline(kind: number, target: OpObject | null, arg: number, site: string): Kernel<number> {
    const t = MAX_THREADS - 1;
    const saved = this.current;
    this.current = t;
    this.publish(t, kind, target, arg, site);
    if (!this.isEnabled(t)) {
      this.current = saved;
      throw new InitBlocked(site);
    }
    this.apply(t);
    this.current = saved;
    return this.step;
  }

  /** Whether the published operation of live thread t could be executed now. */
  isEnabled(t: number): boolean {
    const kind = this.pKind[t];
    if (MAY_BLOCK[kind] === 0) return true;
    return this.enabledIn(this.state[this.pObj[t]], t, kind);
  }

  /** The same for a given state of the object (the state before some event). */
  enabledIn(state: number, t: number, kind: number): boolean {
    switch (kind) {
      case Kind.LOCK:
      case Kind.AWAIT:
      case Kind.WLOCK:
        return state === 0;
      case Kind.JOIN:
        return (state & this.pArg[t]) === 0;
      case Kind.DOWN:
        return state > 0;
      case Kind.RLOCK:
        return state >= 0;
      case Kind.RWSEM_GRANT:
        return (state & (1 << t)) !== 0;
      case Kind.RELAX:
        return state !== this.pArg[t];
      case Kind.FIRE:
        return (state & (1 << t)) !== 0 && this.isTimeFor(t);
      default:
        return true;
    }
  }

  /** An armed timer may fire when it is due; whether time may move to its deadline is the timer mode. */
  private isTimeFor(t: number): boolean {
    if (this.timers === 'any') return true;
    const deadline = this.deadline[t];
    if (deadline <= this.jiffies) return true;
    const armed = this.state[this.pObj[t]];
    for (let u = 0; u < this.width; u++) {
      if (this.slot[u] !== LIVE_SLOT || u === t) continue;
      if (this.pKind[u] === Kind.FIRE) {
        if ((armed & (1 << u)) === 0) continue;
        if (this.deadline[u] < deadline) return false;
      } else if (this.isEnabled(u)) return false;
    }
    return true;
  }

  /** True if firing the timer of thread t now moves virtual time while nothing else can run. */
  isBarrier(t: number): boolean {
    return (
      this.pKind[t] === Kind.FIRE && this.timers === 'idle' && this.deadline[t] > this.jiffies
    );
  }

  /** Records (or, in a replay, checks) the event of thread t's published operation and applies its effect. */
  commit(t: number): void {
    const d = this.depth;
    const log = this.log;
    const kind = this.pKind[t];
    let alt = 0;
    if (d < this.keep) {
      if (
        log.thr[d] !== t ||
        log.kind[d] !== kind ||
        log.obj[d] !== this.pObj[t] ||
        log.obj2[d] !== this.pObj2[t]
      ) {
        throw new Nondeterminism(
          `Nondeterminism at step ${d}: expected ${log.site[d]} of thread ${log.thr[d]}, ` +
            `got ${this.pSite[t]} of thread ${t}`,
        );
      }
      alt = log.alt[d];
      log.lastOf[t] = d;
      this.result = alt;
    } else {
      const strategy = this.strategy;
      if (this.pAlts[t] > 1 && strategy !== null) alt = strategy.alternative(t, this.pAlts[t]);
      if (MAY_BLOCK[kind] === 1 && !this.isEnabled(t))
        throw new HarnessBug(`Cannot run ${this.pSite[t]} of thread ${t}: it is not enabled`);
      log.loadPre(t);
      const barrier = kind === Kind.FIRE && this.isBarrier(t);
      const before = CLASS_OF[kind] === Class.SER ? this.state[this.pObj[t]] : 0;
      log.append(
        t,
        kind,
        this.pObj[t],
        this.pRd[t] === 1,
        this.pObj2[t],
        this.pRd2[t] === 1,
        alt,
        this.pAlts[t],
        before,
        this.pSite[t],
        barrier,
      );
      if (strategy !== null && strategy.recorded !== undefined) strategy.recorded(d);
    }
    this.depth = d + 1;
    this.result = alt;
    this.apply(t);
  }

  /** The effect of the published operation. */
  private apply(t: number): void {
    const kind = this.pKind[t];
    const o = this.pObj[t];
    const state = this.state;
    const target = this.pTarget[t];
    if (target !== null && target.mem !== null) this.observer.access(target.mem, this.pSite[t], kind);
    switch (kind) {
      case Kind.LOCK:
        state[o] = t + 1;
        this.observer.acquired(o, kind, this.pSite[t]);
        break;
      case Kind.TRYLOCK:
        this.result = state[o] === 0 ? 1 : 0;
        if (this.result === 1) {
          state[o] = t + 1;
          this.observer.acquired(o, kind, this.pSite[t]);
        }
        break;
      case Kind.UNLOCK:
        this.observer.released(o, kind, this.pSite[t]);
        state[o] = 0;
        break;
      case Kind.SET:
        state[o] = this.pArg[t];
        break;
      case Kind.WAKE:
        this.result = (state[o] & this.pArg[t]) !== 0 ? 1 : 0;
        if (this.result === 1) state[o] = TaskState.RUNNING;
        this.observer.woke(o, this.result === 1, this.pSite[t]);
        break;
      case Kind.DOWN:
        state[o]--;
        break;
      case Kind.UP:
        state[o]++;
        break;
      case Kind.RLOCK:
        state[o]++;
        this.observer.acquired(o, kind, this.pSite[t]);
        break;
      case Kind.RUNLOCK:
        this.observer.released(o, kind, this.pSite[t]);
        state[o]--;
        break;
      case Kind.WLOCK:
        state[o] = -1 - t;
        this.observer.acquired(o, kind, this.pSite[t]);
        break;
      case Kind.WUNLOCK:
        this.observer.released(o, kind, this.pSite[t]);
        // A counting rwlock: an unlock of a lock that nobody holds leaves it in a state no writer can take.
        state[o] = state[o] < 0 ? 0 : state[o] + 1;
        break;
      case Kind.RWSEM_ASK:
      case Kind.RWSEM_UP:
      case Kind.RWSEM_GRANT:
        this.applyRwsem(t, kind, target);
        break;
      case Kind.ARM:
        this.result = (state[o] & (1 << this.pArg[t])) !== 0 ? 1 : 0;
        state[o] |= 1 << this.pArg[t];
        this.deadline[this.pArg[t]] = this.pArg2[t];
        break;
      case Kind.CANCEL:
        this.result = (state[o] & (1 << this.pArg[t])) !== 0 ? 1 : 0;
        state[o] &= ~(1 << this.pArg[t]);
        break;
      case Kind.FIRE:
        // atomic because the base lock covers detaching the timer and marking its handler as running
        state[o] = (state[o] & ~(1 << t)) | (1 << (t + TIMER_RUNNING));
        if (this.deadline[t] > this.jiffies) this.jiffies = this.deadline[t];
        break;
      case Kind.EXPIRED:
        state[o] &= ~(1 << (t + TIMER_RUNNING));
        break;
      case Kind.NOW:
        this.result = this.jiffies;
        break;
      case Kind.READ:
        this.result = state[o];
        break;
      case Kind.WRITE:
        this.result = state[o];
        state[o] = this.pArg[t];
        break;
      case Kind.ADD:
        this.result = state[o];
        state[o] += this.pArg[t];
        break;
      default:
        break;
    }
  }

  private applyRwsem(t: number, kind: number, target: OpObject | null): void {
    const sem = target as OpObject & RwsemEffects;
    if (kind === Kind.RWSEM_ASK) {
      this.result = sem.ask(t, this.pArg[t] === 1) ? 1 : 0;
      if (this.result === 1) this.observer.acquired(sem.id, this.pArg[t] === 1 ? Kind.WLOCK : Kind.RLOCK, this.pSite[t]);
    } else if (kind === Kind.RWSEM_GRANT) {
      this.state[sem.id] &= ~(1 << t);
      this.observer.acquired(sem.id, this.pArg[t] === 1 ? Kind.WLOCK : Kind.RLOCK, this.pSite[t]);
    } else {
      this.observer.released(sem.id, this.pArg[t] === 1 ? Kind.WUNLOCK : Kind.RUNLOCK, this.pSite[t]);
      sem.up(this.pArg[t] === 1);
    }
  }

  // ---- one execution ----

  /** Runs the scenario once under the strategy. The event log holds what happened. */
  execute(scenario: Scenario, strategy: Strategy, keep = 0): EndReason {
    this.reset(scenario, strategy, keep);
    if (!this.runInline(scenario.init())) return 'init-blocked';
    this.users = scenario.threads;
    for (let t = 0; t < scenario.threads; t++) {
      this.slot[t] = LIVE_SLOT;
      this.gens[t] = scenario.body(t);
      this.context[t] = 'task';
      this.daemon[t] = 0;
      this.threadName[t] = `T${t + 1}`;
    }
    if (this.width < scenario.threads) this.width = scenario.threads;
    if (this.log.width < this.width) this.log.width = this.width;
    this.prime(scenario.threads);
    this.next = this.pickNext();
    this.loop();
    return this.finish(scenario);
  }

  /** Forgets everything recorded: to be called before another scenario is explored. */
  forget(): void {
    this.log.forget();
  }

  private reset(scenario: Scenario, strategy: Strategy, keep: number): void {
    if (this.maxSteps >= this.log.capacity)
      throw new HarnessBug(`Cannot run ${this.maxSteps} steps: the event log holds ${this.log.capacity - 1}`);
    this.log.truncate(keep);
    this.log.lastOf.fill(-1);
    this.strategy = strategy;
    this.keep = keep;
    this.priming = false;
    this.depth = 0;
    this.jiffies = 0;
    this.outOfSteps = false;
    this.suspend = false;
    this.exiting = false;
    this.users = scenario.threads;
    this.width = scenario.threads;
    this.slot.fill(FREE_SLOT);
    this.allocated.fill(0);
    for (let t = 0; t < MAX_THREADS; t++) {
      this.gens[t] = null;
      this.start[t] = null;
      this.waitsFor[t] = null;
      this.oops[t] = null;
    }
    this.observer.begin();
  }

  /** Runs a generator to its end with every operation applied at once; false if it would block. */
  private runInline(body: Kernel<void>): boolean {
    this.inline = true;
    this.current = MAX_THREADS - 1;
    try {
      let r = body.next();
      while (r.done !== true) r = body.next();
      return true;
    } catch (error) {
      if (error instanceof InitBlocked) return false;
      if (error instanceof Oops) {
        this.observer.oops(error);
        return true;
      }
      throw error;
    } finally {
      this.inline = false;
    }
  }

  /** Runs every thread up to its first operation; what stands before it nobody else can see. */
  private prime(threads: number): void {
    this.priming = true;
    for (let t = 0; t < threads; t++) {
      this.current = t;
      const gen = this.gens[t];
      if (gen !== null) this.advance(t, gen);
    }
    this.priming = false;
  }

  private loop(): void {
    while (this.next >= 0) {
      const t = this.next;
      // Before the effect: observers ask who runs.
      this.current = t;
      this.commit(t);
      let gen = this.gens[t];
      if (gen === null) {
        const start = this.start[t];
        if (start === null) throw new HarnessBug(`Cannot run thread ${t}: it was never started`);
        gen = start();
        this.gens[t] = gen;
      }
      if (this.advance(t, gen)) this.next = this.pickNext();
    }
  }

  /** Runs thread t until it is suspended (false) or has ended (true). */
  private advance(t: number, gen: Kernel<void>): boolean {
    try {
      const r = gen.next();
      if (r.done !== true) return false;
    } catch (error) {
      if (!(error instanceof Oops)) throw error;
      this.oops[t] = error;
      this.observer.oops(error);
      // The task dies where it stands: what it holds stays held, the others go on.
    }
    this.slot[t] = DONE_SLOT;
    return true;
  }

  private finish(scenario: Scenario): EndReason {
    if (this.outOfSteps) return 'steps';
    let blocked = false;
    let runnable = false;
    for (let t = 0; t < this.width; t++) {
      if (this.slot[t] !== LIVE_SLOT) continue;
      if (this.isEnabled(t)) runnable = true;
      else if (this.daemon[t] === 0) blocked = true;
    }
    if (runnable) return 'abandoned';
    this.observer.quiet();
    if (blocked) return 'blocked';
    for (let t = 0; t < scenario.threads; t++) if (this.oops[t] !== null) return 'done';
    if (scenario.exit !== undefined) {
      this.exiting = true;
      this.runInline(scenario.exit());
    }
    this.observer.end();
    return 'done';
  }

  // ---- questions of observers ----

  /** Position of the event after which the current thread runs; -1 in init. */
  position(): number {
    if (this.inline) return -1;
    return this.log.lastOf[this.current];
  }

  /** Whether thread u's event number i happens before what the current thread does now. */
  orderedBefore(u: number, i: number): boolean {
    if (i === 0 || this.inline) return true;
    if (u === this.current) return true;
    const last = this.log.lastOf[this.current];
    return last >= 0 && i <= this.log.clk[last * MAX_THREADS + u];
  }

  /** Number of the event after which thread t runs now; 0 for init. */
  indexOf(t: number): number {
    if (this.inline) return 0;
    const last = this.log.lastOf[t];
    return last < 0 ? 0 : this.log.idx[last];
  }
}

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

export const engine = new Engine();

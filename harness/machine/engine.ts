/**
 * The engine: threads as generators, one visible operation at a time.
 *
 * A primitive publishes its operation and asks the strategy who goes next. If that is the same thread, the
 * engine applies the effect and the primitive returns without suspending (exploration.md 16); otherwise the
 * generator is suspended at the primitive and resumed when its turn comes, effect already applied. All
 * primitives share one preallocated iterator, so a step allocates nothing.
 *
 * There is one engine per JavaScript thread, on purpose: so kernel code needs no handle to it.
 */

import { applyEffect } from './effects.ts';
import { isEnabledIn, stateBefore } from './enabled.ts';
import { iteratorOf } from './iterator.ts';
import { EventLog } from './log.ts';
import type { StoreBuffers } from './store-buffer.ts';
import { InitState } from './init-state.ts';
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
} from './op.ts';
import {
  Oops,
  type Condition,
  type Context,
  type EndReason,
  type Kernel,
  type OpObject,
  type Scenario,
  type Strategy,
} from './scenario.ts';
import { numberedName } from './object-name.ts';
import { objectState, publish, published } from './published.ts';
import { beginInit, beginThreads } from './snapshot.ts';

export * from './scenario.ts';

export class InitBlocked extends Error {}

// As constants of this module the tables have their addresses written into compiled code.
const state = objectState;
const {
  kind: pKind,
  obj: pObj,
  rd: pRd,
  obj2: pObj2,
  rd2: pRd2,
  arg: pArg,
  alts: pAlts,
  site: pSite,
  target: pTarget,
} = published;
const slots = new Uint8Array(MAX_THREADS);
const anyRunnable = new Uint8Array(MAX_THREADS);
const classOf = CLASS_OF;
const mayBlock = MAY_BLOCK;
const eventLog = new EventLog();
const { thr: logThr, kind: logKind, obj: logObj, alt: logAlt, lastOf: logLastOf } = eventLog;

/** Where init and exit publish; no thread may have it. */
export const INIT_SLOT = MAX_THREADS - 1;

const FREE_SLOT = 0;
const DONE_SLOT = 2;
/** State of a slot whose thread has started and not ended. */
export const LIVE_SLOT = 1;

export class Engine {
  readonly log = eventLog;
  observer: Observer = NO_OBSERVER;
  /** Fire a timer only when nothing else can run, or at any moment after it was armed. */
  timers: 'idle' | 'any' = 'idle';
  /** Set in init if stores wait in buffers; null: memory is sequentially consistent. */
  storeBuffers: StoreBuffers | null = null;
  maxSteps = eventLog.capacity - 1;
  /** Init runs in every execution, also where an earlier run of it could be used again: for comparisons. */
  alwaysInit = false;

  /** Thread that is running; INIT_SLOT during init and exit. */
  current = 0;
  /** True while operations are applied at once, without scheduling: init and exit. */
  inline = false;
  exiting = false;

  /** State of every object by id: lock owner + 1, task state, count, ... */
  readonly state = objectState;
  /** The object of all timers, or -1. */
  timerBase = -1;
  /** Deadlines in ticks, by the slot of the timer's pseudo-thread; the armed ones are bits of the base. */
  readonly deadline = new Float64Array(MAX_THREADS);
  readonly objectName: string[] = new Array<string>(MAX_OBJECTS).fill('');
  readonly allocated = new Int32Array(MAX_THREADS + 1);

  readonly slot = slots;
  private readonly gens: (Kernel<void> | null)[] = new Array<Kernel<void> | null>(MAX_THREADS).fill(
    null,
  );
  readonly start: ((() => Kernel<void>) | null)[] = new Array<(() => Kernel<void>) | null>(
    MAX_THREADS,
  ).fill(null);
  readonly context: Context[] = new Array<Context>(MAX_THREADS).fill('task');
  readonly daemon = new Uint8Array(MAX_THREADS);
  readonly threadName: string[] = new Array<string>(MAX_THREADS).fill('');
  users = 0;
  width = 0;

  // The published operation of every thread.
  readonly pKind = published.kind;
  readonly pObj = published.obj;
  readonly pRd = published.rd;
  readonly pObj2 = published.obj2;
  readonly pRd2 = published.rd2;
  readonly pArg = published.arg;
  readonly pArg2 = published.arg2;
  readonly pAlts = published.alts;
  readonly pSite = published.site;
  readonly pTarget = published.target;
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
  /** Operations applied in init and exit, and in executions before this one. */
  private applied = 0;
  /** Virtual time in ticks. */
  jiffies = 0;
  private outOfSteps = false;
  private readonly initState = new InitState(this);

  private readonly doneResult: IteratorResult<void, number> = { done: true, value: 0 };
  private readonly suspended: IteratorResult<void, number> = { done: false, value: undefined };
  /** The one iterator behind every primitive. */
  readonly step: Kernel<number>;

  constructor() {
    this.step = iteratorOf(() => {
      if (this.suspend) {
        this.suspend = false;
        return this.suspended;
      }
      this.doneResult.value = this.result;
      return this.doneResult;
    });
  }

  // ---- objects ----

  /** A new object, named after who allocates it and that thread's own count. */
  newObject(name: string, initial: number): number {
    const creator = this.inline ? MAX_THREADS : this.current;
    const n = this.allocated[creator];
    const room = this.inline ? OBJECTS_INIT : OBJECTS_PER_THREAD;
    if (n >= room)
      throw new HarnessBug(`Cannot create object "${name}": ${room} per thread is the limit`);
    this.allocated[creator] = n + 1;
    const id = creator * OBJECTS_PER_THREAD + n;
    this.state[id] = initial;
    this.objectName[id] = name;
    return id;
  }

  /** Kind of the object, with its number: `ep.lock#1`. Numbers count per kind: those of init, then by thread. */
  nameOf(id: number): string {
    return numberedName(id, this.objectName, this.allocated);
  }

  /** Operations applied since the engine was made: steps, and what init and exit do inline. */
  get operations(): number {
    return this.applied + this.depth;
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
    if (t >= INIT_SLOT)
      throw new HarnessBug(`Cannot start "${name}": ${INIT_SLOT} threads is the limit`);
    this.slot[t] = LIVE_SLOT;
    this.gens[t] = null;
    this.start[t] = body;
    this.context[t] = context;
    this.daemon[t] = 1;
    this.threadName[t] = name;
    publish(t, kind, target.id, 0, site);
    pTarget[t] = target;
    if (t + 1 > this.width) {
      this.width = t + 1;
      if (this.log.width < this.width) this.log.width = this.width;
    }
  }

  // ---- operations: called by the primitives in ops.ts ----

  /** Publishes an operation of the current thread and continues with whoever the strategy picks. */
  submit(kind: number, target: OpObject | null, arg: number, site: string): Kernel<number> {
    if (this.inline) return this.applyInline(kind, target, arg, site);
    const { storeBuffers } = this;
    if (storeBuffers !== null && storeBuffers.mustDrain(kind))
      return storeBuffers.drained(site, () => this.submit(kind, target, arg, site));
    publish(this.current, kind, target === null ? -1 : target.id, arg, site);
    return this.handOver(kind, target, arg, site);
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
    if (this.storeBuffers?.mustDrain(kind) === true) {
      const again = () => this.submit2(kind, target, read, second, read2, site);
      return this.storeBuffers.drained(site, again);
    }
    const t = this.current;
    publish(t, kind, target.id, 0, site);
    pRd[t] = read ? 1 : 0;
    pObj2[t] = second.id;
    pRd2[t] = read2 ? 1 : 0;
    return this.handOver(kind, target, 0, site);
  }

  /** A choice among n alternatives. In init and exit the first one is taken. */
  submitChoice(n: number, site: string): Kernel<number> {
    if (this.inline) {
      this.result = 0;
      return this.step;
    }
    const t = this.current;
    if (n > 31) throw new HarnessBug(`${n} alternatives at ${site}: a mask has room for 31`);
    publish(t, Kind.CHOICE, -1, 0, site);
    pAlts[t] = n;
    return this.handOver(Kind.CHOICE, null, 0, site);
  }

  /** Goes on with the current thread's published operation, or suspends the thread for another. */
  private handOver(
    kind: number,
    target: OpObject | null,
    arg: number,
    site: string,
  ): Kernel<number> {
    const t = this.current;
    if (!this.priming) {
      const n = this.pickNext();
      if (n === t) {
        this.commit(t, kind, target, arg, site);
        return this.step;
      }
      this.next = n;
    }
    pTarget[t] = target;
    this.suspend = true;
    return this.step;
  }

  private pickNext(): number {
    const d = this.depth;
    if (d < this.keep) return logThr[d];
    if (d >= this.maxSteps && this.listEnabled(anyRunnable) > 0) {
      this.outOfSteps = true;
      return -1;
    }
    const strategy = this.strategy;
    return strategy === null ? -1 : strategy.pick();
  }

  private applyInline(
    kind: number,
    target: OpObject | null,
    arg: number,
    site: string,
  ): Kernel<number> {
    const t = INIT_SLOT;
    const saved = this.current;
    const o = target === null ? -1 : target.id;
    publish(t, kind, o, arg, site);
    if (!this.isEnabled(t)) throw new InitBlocked(site);
    this.current = t;
    this.applied++;
    applyEffect(this, t, kind, o, target, arg, site);
    this.current = saved;
    return this.step;
  }

  /** Whether the published operation of live thread t could be executed now. */
  isEnabled(t: number): boolean {
    const kind = pKind[t];
    if (mayBlock[kind] === 0) return true;
    return isEnabledIn(this, state[pObj[t]], t, kind);
  }

  /** Fills in the threads that could go next, in order, and answers how many there are. */
  listEnabled(threads: Uint8Array): number {
    let n = 0;
    const { width } = this;
    for (let t = 0; t < width; t++)
      if (slots[t] === LIVE_SLOT && this.isEnabled(t)) threads[n++] = t;
    return n;
  }

  /** True if firing the timer of thread t now moves virtual time while nothing else can run. */
  isBarrier(t: number): boolean {
    return this.pKind[t] === Kind.FIRE && this.timers === 'idle' && this.deadline[t] > this.jiffies;
  }

  /** Records (or, in a replay, checks) the event of thread t's published operation and applies its effect. */
  private commit(
    t: number,
    kind: number,
    target: OpObject | null,
    arg: number,
    site: string,
  ): void {
    const d = this.depth;
    const o = pObj[t];
    if (d < this.keep) {
      if (
        logThr[d] !== t ||
        logKind[d] !== kind ||
        logObj[d] !== o ||
        this.log.obj2[d] !== pObj2[t]
      )
        this.disagree(d, t);
      logLastOf[t] = d;
      this.result = logAlt[d];
    } else this.result = this.record(d, t, kind, o, site);
    pObj2[t] = -1;
    pAlts[t] = 1;
    this.depth = d + 1;
    applyEffect(this, t, kind, o, target, arg, site);
  }

  private disagree(d: number, t: number): never {
    const expected = `${this.log.site[d]} of thread ${logThr[d]}`;
    throw new Nondeterminism(
      `Nondeterminism at step ${d}: expected ${expected}, got ${pSite[t]} of thread ${t}`,
    );
  }

  /** Enters a new event in the log, and answers which alternative it takes. */
  private record(d: number, t: number, kind: number, o: number, site: string): number {
    const { log, strategy } = this;
    const alts = pAlts[t];
    const alt = alts > 1 && strategy !== null ? strategy.alternative(t, alts) : 0;
    let barrier = 0;
    if (mayBlock[kind] === 1) {
      if (!this.isEnabled(t))
        throw new HarnessBug(`Cannot run ${site} of thread ${t}: it is not enabled`);
      if (kind === Kind.FIRE && this.isBarrier(t)) barrier = 1;
    }
    const before = classOf[kind] === Class.SER ? stateBefore(this, o, t) : 0;
    log.loadPre(t);
    log.append(t, kind, o, pRd[t], pObj2[t], pRd2[t], alt, alts, before, site, barrier);
    if (strategy !== null && strategy.recorded !== undefined) strategy.recorded(d);
    return alt;
  }

  // ---- one execution ----

  /** Runs the scenario once under the strategy. The event log holds what happened. */
  execute(scenario: Scenario, strategy: Strategy, keep = 0): EndReason {
    if (!this.prepare(scenario, strategy, keep)) return 'init-blocked';
    this.startThreads(scenario);
    this.next = this.pickNext();
    this.loop();
    return this.finish(scenario);
  }

  /** The state that init builds: by running it, or from what an earlier run of it has left. False if it blocks. */
  private prepare(scenario: Scenario, strategy: Strategy | null, keep: number): boolean {
    this.restart(scenario, strategy, keep);
    if (this.initState.restore(scenario)) return true;
    this.timerBase = -1;
    beginInit();
    this.observer.begin();
    if (!this.runInline(scenario.init())) return false;
    this.initState.offer(scenario);
    beginThreads();
    return true;
  }

  /** Forgets everything recorded: to be called before another scenario is explored. */
  forget(): void {
    this.log.forget();
  }

  private restart(scenario: Scenario, strategy: Strategy | null, keep: number): void {
    if (this.maxSteps >= this.log.capacity)
      throw new HarnessBug(
        `Cannot run ${this.maxSteps} steps: the event log holds ${this.log.capacity - 1}`,
      );
    this.log.truncate(keep);
    this.log.lastOf.fill(-1);
    this.strategy = strategy;
    this.keep = keep;
    this.priming = false;
    this.applied += this.depth;
    this.depth = 0;
    this.jiffies = 0;
    this.outOfSteps = false;
    this.suspend = false;
    this.exiting = false;
    this.users = scenario.threads;
    this.width = scenario.threads;
    this.slot.fill(FREE_SLOT);
    this.allocated.fill(0);
    pObj2.fill(-1);
    pAlts.fill(1);
    for (let t = 0; t < MAX_THREADS; t++) {
      this.gens[t] = null;
      this.start[t] = null;
      this.waitsFor[t] = null;
      this.oops[t] = null;
    }
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

  /** Makes the threads and runs each up to its first operation; what stands before it nobody else can see. */
  private startThreads(scenario: Scenario): void {
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
    this.priming = true;
    for (let t = 0; t < scenario.threads; t++) {
      this.current = t;
      const gen = this.gens[t];
      if (gen !== null) this.advance(t, gen);
    }
    this.priming = false;
  }

  private loop(): void {
    while (this.next >= 0) if (this.runFrom(this.next)) this.next = this.pickNext();
  }

  /** Executes the published operation of thread t and runs it on; true if it has ended. */
  private runFrom(t: number): boolean {
    // Before the effect: observers ask who runs.
    this.current = t;
    this.commit(t, pKind[t], pTarget[t], pArg[t], pSite[t]);
    let gen = this.gens[t];
    if (gen === null) {
      const start = this.start[t];
      if (start === null) throw new HarnessBug(`Cannot run thread ${t}: it was never started`);
      gen = start();
      this.gens[t] = gen;
    }
    return this.advance(t, gen);
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
    for (let t = 0; t < this.width; t++)
      if (this.oops[t] !== null && this.context[t] === 'task') return 'done';
    const unseen = scenario.exitUnseen === true && this.observer === NO_OBSERVER;
    if (scenario.exit !== undefined && !unseen) {
      this.exiting = true;
      this.runInline(scenario.exit());
    }
    this.observer.end();
    return 'done';
  }

  // ---- steps chosen from outside, for a scheduler that is not a Strategy ----

  /** Builds the scenario and runs every thread up to its first operation. False if init blocks. */
  open(scenario: Scenario): boolean {
    this.forget();
    this.initState.forget();
    if (!this.prepare(scenario, null, 0)) return false;
    this.startThreads(scenario);
    this.priming = true;
    return true;
  }

  /** Executes the published operation of live, enabled thread t and runs it up to its next one. */
  stepThread(t: number): void {
    this.runFrom(t);
  }

  // ---- questions of observers ----

  /** Position of the event after which the current thread runs; -1 in init. */
  position(): number {
    if (this.inline) return -1;
    return this.log.lastOf[this.current];
  }

  /** Number of the event after which thread t runs now; 0 for init. */
  indexOf(t: number): number {
    if (this.inline) return 0;
    const last = this.log.lastOf[t];
    return last < 0 ? 0 : this.log.idx[last];
  }
}

export const engine = new Engine();

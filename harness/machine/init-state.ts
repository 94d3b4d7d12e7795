/** When the state that init has built is kept, and how an execution starts from it. */

import { LIVE_SLOT, type Engine } from './engine.ts';
import type { Observer } from './observer.ts';
import { MAX_THREADS, OBJECTS_PER_THREAD } from './op.ts';
import type { Context, Kernel, Scenario } from './scenario.ts';
import { Snapshot, beginThreads } from './snapshot.ts';

/** Objects of init start here. */
const FIRST = MAX_THREADS * OBJECTS_PER_THREAD;

/** Init runs this often before it is worth keeping what it builds: many explorations end sooner. */
const RUNS_BEFORE_KEEPING = 12;

/** The published operation of a pseudo-thread that init started. */
interface Started {
  readonly t: number;
  readonly name: string;
  readonly body: (() => Kernel<void>) | null;
  readonly context: Context;
  readonly kind: number;
  readonly object: number;
  readonly read: number;
  readonly site: string;
  readonly target: Engine['pTarget'][number];
}

/** What one scenario's init has built, as far as it is known. */
export class InitState {
  private readonly engine: Engine;
  private scenario: Scenario | null = null;
  private observer: Observer | null = null;
  private runs = 0;
  private snapshot: Snapshot | null = null;
  private state = new Int32Array(0);
  private readonly deadline = new Float64Array(MAX_THREADS);
  private started: Started[] = [];
  private width = 0;
  private jiffies = 0;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** Init runs anew whatever is known. */
  forget(): void {
    this.scenario = null;
    this.snapshot = null;
    this.runs = 0;
  }

  /** Called when init has run; keeps what it built if this scenario seems to be run often. */
  offer(scenario: Scenario): void {
    const { observer } = this.engine;
    this.scenario = scenario;
    this.observer = observer;
    if (scenario.repeatable !== true || ++this.runs < RUNS_BEFORE_KEEPING) return;
    if (observer.beginAgain === undefined || observer.initDone?.() !== true) return;
    this.keep();
  }

  private keep(): void {
    const { engine } = this;
    this.snapshot = new Snapshot();
    this.state = engine.state.slice(FIRST, FIRST + engine.allocated[MAX_THREADS]);
    this.deadline.set(engine.deadline);
    this.width = engine.width;
    this.jiffies = engine.jiffies;
    this.started = [];
    for (let t = 0; t < engine.width; t++) {
      if (!engine.isLive(t)) continue;
      this.started.push({
        t,
        name: engine.threadName[t],
        body: engine.start[t],
        context: engine.context[t],
        kind: engine.pKind[t],
        object: engine.pObj[t],
        read: engine.pRd[t],
        site: engine.pSite[t],
        target: engine.pTarget[t],
      });
    }
  }

  /** Puts back what init built in this scenario; false if that is not known. The engine has been reset. */
  restore(scenario: Scenario): boolean {
    const { engine, snapshot } = this;
    const known = scenario === this.scenario && engine.observer === this.observer;
    if (!known || engine.alwaysInit) this.forget();
    this.snapshot = null;
    if (snapshot === null || this.scenario === null) return false;
    this.snapshot = snapshot;
    snapshot.restore();
    engine.state.set(this.state, FIRST);
    engine.allocated[MAX_THREADS] = this.state.length;
    engine.deadline.set(this.deadline);
    engine.width = this.width;
    engine.jiffies = this.jiffies;
    for (const s of this.started) this.startAgain(s);
    beginThreads();
    this.observer?.beginAgain?.();
    return true;
  }

  private startAgain(s: Started): void {
    const { engine } = this;
    engine.slot[s.t] = LIVE_SLOT;
    engine.start[s.t] = s.body;
    engine.context[s.t] = s.context;
    engine.daemon[s.t] = 1;
    engine.threadName[s.t] = s.name;
    engine.pKind[s.t] = s.kind;
    engine.pObj[s.t] = s.object;
    engine.pRd[s.t] = s.read;
    engine.pObj2[s.t] = -1;
    engine.pArg[s.t] = 0;
    engine.pAlts[s.t] = 1;
    engine.pSite[s.t] = s.site;
    engine.pTarget[s.t] = s.target;
  }
}

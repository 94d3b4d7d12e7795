/**
 * Finds that an execution goes round in a circle: the last steps are the same few over and over, and after each round
 * the state is the one before it: every object that was there, every timer, what every thread wants to do next, and
 * what the program has got done. Objects that a round makes for itself count for nothing.
 *
 * What kernel code keeps in plain variables is not seen. So a loop that counts there looks like a circle for as long as
 * it lasts: ask only where an execution does not come to an end.
 */

import { LIVE_SLOT, type Engine } from './engine.ts';
import { Kind, MAX_THREADS, OBJECTS_PER_THREAD } from './op.ts';

/** Steps that are remembered. */
const MEMORY = 3000;

export interface CycleThread {
  readonly thread: number;
  readonly sites: readonly string[];
}

export interface Cycle {
  /** Steps of a round. */
  readonly length: number;
  /** Rounds at the end of the execution. */
  readonly rounds: number;
  /** Steps before the first of them. */
  readonly start: number;
  /** Who goes round, and the sites in the order of the round. */
  readonly threads: readonly CycleThread[];
  /** Threads that could have gone on at some moment of the round and never did. */
  readonly waiting: readonly number[];
  /** A timer is armed that could go off if time did not stand still. */
  readonly isTimed: boolean;
}

/** The state before a step. */
interface Row {
  readonly step: number;
  readonly allocated: Int32Array;
  readonly values: readonly Int32Array[];
  /** What threads want to do, without the object; and the objects. */
  readonly wants: string;
  readonly objects: readonly number[];
  readonly enabled: number;
  readonly progress: number;
}

export class CycleWatch {
  private readonly engine: Engine;
  private readonly progress: () => number;
  private rows: Row[] = [];

  /** `progress` answers a number that grows when the program gets something done, such as its finished calls. */
  constructor(engine: Engine, progress: () => number) {
    this.engine = engine;
    this.progress = progress;
  }

  /** To be called before each step, and at the end. */
  note(): void {
    if (this.rows.length > 2 * MEMORY) this.rows = this.rows.slice(-MEMORY);
    this.rows.push(this.row());
  }

  private row(): Row {
    const { engine } = this;
    const values: Int32Array[] = [];
    for (let creator = 0; creator <= MAX_THREADS; creator++) {
      const first = creator * OBJECTS_PER_THREAD;
      values.push(engine.state.slice(first, first + engine.allocated[creator]));
    }
    const wants: string[] = [];
    const objects: number[] = [];
    let enabled = 0;
    for (let t = 0; t < engine.width; t++) {
      if (engine.slot[t] !== LIVE_SLOT) continue;
      if (engine.isEnabled(t)) enabled |= 1 << t;
      const fires = engine.pKind[t] === Kind.FIRE;
      // A timer that will go off is not where it was a round ago, unless time has stood still.
      const when = fires && this.isArmed(t) ? engine.deadline[t] - engine.jiffies : 0;
      wants.push(`${t} ${engine.pKind[t]} ${engine.pSite[t]} ${engine.pArg[t]} ${when}`);
      objects.push(engine.pObj[t]);
    }
    return {
      step: engine.depth,
      allocated: engine.allocated.slice(),
      values,
      wants: wants.join(),
      objects,
      enabled,
      progress: this.progress(),
    };
  }

  private isTimed(): boolean {
    const { engine } = this;
    for (let t = 0; t < engine.width; t++)
      if (engine.isLive(t) && engine.pKind[t] === Kind.FIRE && this.isArmed(t)) return true;
    return false;
  }

  private isArmed(t: number): boolean {
    return ((this.engine.state[this.engine.pObj[t]] >> t) & 1) === 1;
  }

  /** The circle in which the execution has gone for at least so many rounds up to now; null if there is none. */
  cycle(atLeast: number): Cycle | null {
    const { log } = this.engine;
    const end = this.engine.depth;
    const oldest = this.rows.length === 0 ? end : this.rows[0].step;
    for (let length = 1; length * atLeast <= end - oldest; length++) {
      let same = 0;
      while (same < end - length && this.isAlike(end - 1 - same, length)) same++;
      if (same < length * (atLeast - 1)) continue;
      const rounds = this.roundsWithState(end, length, Math.floor(same / length) + 1);
      if (rounds >= atLeast)
        return this.describe(length, rounds, end - rounds * length, log.length);
    }
    return null;
  }

  /** Whether the step is the one a round earlier. */
  private isAlike(d: number, length: number): boolean {
    const { log } = this.engine;
    const e = d - length;
    return (
      log.thr[d] === log.thr[e] &&
      log.kind[d] === log.kind[e] &&
      log.alt[d] === log.alt[e] &&
      log.site[d] === log.site[e]
    );
  }

  private rowAt(step: number): Row | undefined {
    const first = this.rows[0];
    return first === undefined ? undefined : this.rows[step - first.step];
  }

  /** How many of so many rounds at the end began in the state that they ended in. */
  private roundsWithState(end: number, length: number, most: number): number {
    const now = this.rowAt(end);
    let rounds = 0;
    while (now !== undefined && rounds < most) {
      const before = this.rowAt(end - (rounds + 1) * length);
      if (before === undefined || !isSame(before, now)) break;
      rounds++;
    }
    return rounds;
  }

  private describe(length: number, rounds: number, start: number, end: number): Cycle {
    const { log } = this.engine;
    const sites = new Map<number, string[]>();
    for (let d = end - length; d < end; d++) {
      const t = log.thr[d];
      sites.set(t, [...(sites.get(t) ?? []), log.site[d]]);
    }
    let waiting = 0;
    for (let step = end - length; step <= end; step++) waiting |= this.rowAt(step)?.enabled ?? 0;
    const isLeftOut = (t: number): boolean => ((waiting >> t) & 1) === 1 && !sites.has(t);
    const threads = [...sites].sort(([a], [b]) => a - b);
    return {
      length,
      rounds,
      start,
      threads: threads.map(([thread, list]) => ({ thread, sites: list })),
      waiting: Array.from({ length: MAX_THREADS }, (_, t) => t).filter(isLeftOut),
      isTimed: this.isTimed(),
    };
  }
}

/** Compares what a later row has of the objects that were there at an earlier one. */
function isSame(a: Row, b: Row): boolean {
  const { allocated } = a;
  if (a.wants !== b.wants || a.progress !== b.progress) return false;
  for (let creator = 0; creator <= MAX_THREADS; creator++) {
    const [x, y] = [a.values[creator], b.values[creator]];
    for (let n = 0; n < allocated[creator]; n++) if (x[n] !== y[n]) return false;
  }
  const isOld = (o: number): boolean => {
    const creator = Math.min(MAX_THREADS, Math.floor(o / OBJECTS_PER_THREAD));
    return o - creator * OBJECTS_PER_THREAD < allocated[creator];
  };
  return a.objects.every((o, i) => o === b.objects[i] || (!isOld(o) && !isOld(b.objects[i])));
}

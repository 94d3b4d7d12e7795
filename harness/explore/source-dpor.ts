/**
 * Source-DPOR (Abdulla, Aronsson, Jonsson, Sagonas 2014; exploration.md 6): a set of threads to go back to at every
 * depth in the place of a wakeup tree. Completes the same executions as the optimal explorer and abandons some
 * besides: a second opinion in the tests, and what the wakeup trees are measured against.
 */

import type { Engine, Strategy } from '../machine/engine.ts';
import { RaceFinder } from './races.ts';
import { Sequence, depends } from './sequence.ts';
import { isAnyEnabled } from './sleep-sets.ts';
import { SleepTable } from './sleep-table.ts';

/** Deliberate damage for the tests: each must be noticed. */
export interface SourceMutation {
  /** Operations that stay blocked are not reversed. */
  readonly ignoreBlocked?: boolean;
  /** Goes back for the thread of the later event only where that thread itself could start. */
  readonly laterOnly?: boolean;
}

interface Race {
  readonly partner: number;
  readonly exclusion: readonly number[] | null;
  /** Position of the later event; of what stayed blocked, the end of what came before. */
  readonly later: number;
  /** The thread whose operation stayed blocked, or -1. */
  readonly thr: number;
  readonly obj: number;
  readonly rd: number;
}

export class SourceDpor implements Strategy {
  keep = 0;
  /** Executions so far, with those that were abandoned. */
  executions = 0;
  /** Executions that were abandoned because all that was enabled was asleep. */
  abandoned = 0;
  private readonly engine: Engine;
  private readonly mutation: SourceMutation;
  private readonly finder: RaceFinder;
  private readonly sleep: SleepTable;
  private readonly v = new Sequence();
  /** By depth: the threads to explore there, as bits. */
  private readonly backtrack: number[] = [];
  /** The thread that the next execution tries at depth `keep`. */
  private turn = -1;
  private finished = false;
  private isBlocked = false;
  private recording = 0;
  private readonly races: Race[] = [];
  private readonly sink: (partner: number, exclusion: readonly number[] | null) => void;

  constructor(engine: Engine, mutation: SourceMutation = {}) {
    this.engine = engine;
    this.mutation = mutation;
    this.finder = new RaceFinder(engine);
    this.sleep = new SleepTable(engine);
    this.sink = (partner, exclusion) =>
      this.races.push({ partner, exclusion, later: this.recording, thr: -1, obj: -1, rd: 0 });
  }

  begin(): boolean {
    this.isBlocked = false;
    this.races.length = 0;
    return !this.finished;
  }

  pick(): number {
    const { engine } = this;
    const d = engine.depth;
    if (d < this.keep) return engine.log.thr[d];
    if (d === this.keep && this.turn >= 0) return this.turn;
    const t = this.sleep.awake();
    if (t < 0) this.isBlocked = true;
    else this.backtrack[d] = 1 << t;
    return t;
  }

  alternative(t: number): number {
    const asleep = this.sleep.asleep(this.engine.depth, t);
    let a = 0;
    while ((asleep & (1 << a)) !== 0) a++;
    return a;
  }

  recorded(d: number): void {
    this.recording = d;
    this.finder.ofEvent(d, this.sink);
    if (this.engine.log.barrier[d] === 1) this.addBlocked(d, this.engine.log.thr[d]);
    this.sleep.inherit(d);
  }

  private addBlocked(end: number, except: number): void {
    const { engine, finder, races } = this;
    if (this.mutation.ignoreBlocked === true) return;
    for (let t = 0; t < engine.width; t++) {
      if (t === except || !engine.isLive(t) || engine.isEnabled(t)) continue;
      const obj = engine.pObj[t];
      const rd = engine.pRd[t];
      finder.ofBlocked(t, (partner, exclusion) =>
        races.push({ partner, exclusion, later: end, thr: t, obj, rd }),
      );
    }
  }

  end(): void {
    this.executions++;
    if (this.isBlocked && isAnyEnabled(this.engine)) this.abandoned++;
    this.addBlocked(this.engine.log.length, -1);
    for (const race of this.races) this.goBackFor(race);
    this.next();
  }

  /** Sees to it that something is explored at the race that leads to the reversed order. */
  private goBackFor(race: Race): void {
    this.collect(race);
    const { v } = this;
    const { thr } = this.engine.log;
    let initials = 0;
    let first = -1;
    for (let j = 0; j < v.length; j++) {
      if (this.mutation.laterOnly === true && j < v.length - 1) continue;
      if (!this.isFirst(j)) continue;
      const t = thr[v.at[j]];
      initials |= 1 << t;
      if (first < 0) first = t;
    }
    const i = race.partner;
    if (first >= 0 && (initials & this.backtrack[i]) === 0) this.backtrack[i] |= 1 << first;
  }

  /** What stands between the race and does not happen after its first event, then its second. */
  private collect({ partner, exclusion, later, thr, obj, rd }: Race): void {
    const { log } = this.engine;
    const { v } = this;
    v.clear();
    const isAfter = (k: number): boolean =>
      exclusion === null
        ? log.happensBefore(partner, k)
        : exclusion.some((x) => x === k || (x < k && log.happensBefore(x, k)));
    for (let k = partner + 1; k < later; k++) if (!isAfter(k)) v.push(k);
    v.push(thr < 0 ? later : log.sketch(thr, obj, rd));
  }

  /** Whether v could start with its element j. */
  private isFirst(j: number): boolean {
    const { thr, obj, rd, obj2, rd2 } = this.engine.log;
    const { at } = this.v;
    const b = at[j];
    for (const a of at.slice(0, j)) {
      if (thr[a] === thr[b]) return false;
      if (depends(obj[a], rd[a], obj2[a], rd2[a], obj[b], rd[b], obj2[b], rd2[b])) return false;
    }
    return true;
  }

  /** The deepest point at which something is left to try. */
  private next(): void {
    const { log, width } = this.engine;
    for (let d = log.length - 1; d >= 0; d--) {
      this.sleep.putToSleep(d);
      for (let t = 0; t < width; t++) {
        if ((this.backtrack[d] & (1 << t)) === 0 || this.sleep.isDone(d, t)) continue;
        this.keep = d;
        this.turn = t;
        return;
      }
    }
    this.finished = true;
  }
}

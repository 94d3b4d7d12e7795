/**
 * Sleep sets and nothing else (Godefroid 1996; exploration.md 6): depth-first over all interleavings, leaving out
 * what is asleep. Completes one execution of every Mazurkiewicz trace, and abandons many that come to a point where
 * all that is enabled is asleep: what they cost is what persistent sets and wakeup trees save.
 */

import type { Engine, Strategy } from '../machine/engine.ts';
import { SleepTable } from './sleep-table.ts';

/** Deliberate damage for the tests: each must be noticed. */
export interface SleepMutation {
  /** What is asleep is not woken by an operation that does not commute with it. */
  readonly deaf?: boolean;
  /** Nothing is ever put to sleep. */
  readonly sleepless?: boolean;
}

export class SleepSets implements Strategy {
  keep = 0;
  /** Executions so far, with those that were abandoned. */
  executions = 0;
  /** Executions that were abandoned because all that was enabled was asleep. */
  abandoned = 0;
  private readonly engine: Engine;
  private readonly mutation: SleepMutation;
  private readonly sleep: SleepTable;
  private started = false;
  private isBlocked = false;
  /** By depth: what was awake when it was reached, as thread * 256 + alternative, and which one is being tried. */
  private readonly candidates: number[][] = [];
  private readonly tried: number[] = [];

  constructor(engine: Engine, mutation: SleepMutation = {}) {
    this.engine = engine;
    this.mutation = mutation;
    this.sleep = new SleepTable(engine);
  }

  begin(): boolean {
    this.isBlocked = false;
    if (!this.started) {
      this.started = true;
      return true;
    }
    while (this.candidates.length > 0) {
      const d = this.candidates.length - 1;
      if (this.mutation.sleepless !== true) this.sleep.putToSleep(d);
      if (++this.tried[d] < this.candidates[d].length) {
        this.keep = d;
        return true;
      }
      this.candidates.pop();
      this.tried.pop();
    }
    return false;
  }

  pick(): number {
    const d = this.engine.depth;
    if (d < this.keep) return this.engine.log.thr[d];
    if (d === this.candidates.length && !this.open(d)) return -1;
    return this.candidates[d][this.tried[d]] >> 8;
  }

  /** Lists what is awake at depth d, the running thread first; false if nothing. */
  private open(d: number): boolean {
    const { engine, sleep } = this;
    const first = sleep.awake();
    if (first < 0) {
      this.isBlocked = true;
      return false;
    }
    const list: number[] = [];
    const add = (t: number): void => {
      const asleep = sleep.asleep(d, t);
      for (let a = 0; a < engine.pAlts[t]; a++)
        if ((asleep & (1 << a)) === 0) list.push(t * 256 + a);
    };
    add(first);
    for (let t = 0; t < engine.width; t++)
      if (t !== first && engine.isLive(t) && engine.isEnabled(t)) add(t);
    this.candidates.push(list);
    this.tried.push(0);
    return true;
  }

  alternative(): number {
    const d = this.engine.depth;
    return this.candidates[d][this.tried[d]] & 255;
  }

  recorded(d: number): void {
    this.sleep.inherit(d, this.mutation.deaf === true);
  }

  end(): void {
    this.executions++;
    if (this.isBlocked && isAnyEnabled(this.engine)) this.abandoned++;
  }
}

/** True if the last execution could have gone on. */
export function isAnyEnabled(engine: Engine): boolean {
  for (let t = 0; t < engine.width; t++) if (engine.isLive(t) && engine.isEnabled(t)) return true;
  return false;
}

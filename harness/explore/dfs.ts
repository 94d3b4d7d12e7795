/**
 * Depth-first search over all interleavings, optionally within a preemption bound. No reduction: the brute force
 * that the exact explorer is tested against, and bounded search (exploration.md 11, 13.1).
 */

import type { Engine, Strategy } from '../machine/engine.ts';

export interface DfsOptions {
  /** Context switches away from a thread that could have gone on; no bound if absent. */
  readonly preemptions?: number;
}

export class Dfs implements Strategy {
  keep = 0;
  /** True if the preemption bound cut something off. */
  bounded = false;
  private readonly engine: Engine;
  private readonly bound: number;
  private started = false;
  /** By depth: the candidates (thread, alternative) as thread * 256 + alternative, and which one is being tried. */
  private readonly candidates: number[][] = [];
  private readonly tried: number[] = [];
  private readonly used: number[] = [];

  constructor(engine: Engine, options: DfsOptions = {}) {
    this.engine = engine;
    this.bound = options.preemptions ?? Infinity;
  }

  begin(): boolean {
    if (!this.started) {
      this.started = true;
      return true;
    }
    while (this.candidates.length > 0) {
      const d = this.candidates.length - 1;
      if (++this.tried[d] < this.candidates[d].length) {
        this.keep = d;
        return true;
      }
      this.candidates.pop();
      this.tried.pop();
      this.used.pop();
    }
    return false;
  }

  pick(): number {
    const { engine } = this;
    const d = engine.depth;
    if (d < this.keep) return engine.log.thr[d];
    if (d === this.candidates.length && !this.open(d)) return -1;
    return this.candidates[d][this.tried[d]] >> 8;
  }

  /** Lists what can be done at depth d; false if nothing. */
  private open(d: number): boolean {
    const { engine } = this;
    const last = d === 0 ? -1 : engine.log.thr[d - 1];
    const lastGoesOn = last >= 0 && engine.isLive(last) && engine.isEnabled(last);
    const used = d === 0 ? 0 : this.used[d - 1] + this.costOf(d - 1);
    const list: number[] = [];
    for (let t = 0; t < engine.width; t++) {
      if (!engine.isLive(t) || !engine.isEnabled(t)) continue;
      if (lastGoesOn && t !== last && used >= this.bound) {
        this.bounded = true;
        continue;
      }
      for (let a = 0; a < engine.pAlts[t]; a++) list.push(t * 256 + a);
    }
    if (list.length === 0) return false;
    this.candidates.push(list);
    this.tried.push(0);
    this.used.push(used);
    this.goesOn[d] = lastGoesOn;
    return true;
  }

  private readonly goesOn: boolean[] = [];

  private costOf(d: number): number {
    if (d === 0 || !this.goesOn[d]) return 0;
    return this.candidates[d][this.tried[d]] >> 8 !== this.engine.log.thr[d - 1] ? 1 : 0;
  }

  alternative(): number {
    const d = this.engine.depth;
    return this.candidates[d][this.tried[d]] & 255;
  }

  end(): void {}
}

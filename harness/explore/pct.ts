/**
 * PCT (Burckhardt, Kothari, Musuvathi, Nagarakatte 2010): random priorities and d-1 priority change points.
 * A bug of depth d is hit with probability at least 1/(n k^(d-1)) per run (exploration.md 10).
 */

import type { Engine, Strategy } from '../machine/engine.ts';
import { MAX_THREADS } from '../machine/op.ts';
import { Prng, mixSeed } from './prng.ts';
import type { SamplingOptions } from './random.ts';

export interface PctOptions extends SamplingOptions {
  /** Bug depth d: d - 1 change points per run. */
  readonly depth: number;
}

export class Pct implements Strategy {
  private readonly engine: Engine;
  private readonly options: PctOptions;
  private readonly random = new Prng(0);
  private readonly priority = new Float64Array(MAX_THREADS);
  /** Change point j (numbered in the order drawn) lowers the thread about to run to priority j. */
  private readonly changeAt: Int32Array;
  /** Largest number of steps of a run so far: the k of the guarantee. */
  private longest = 16;
  private run = 0;

  constructor(engine: Engine, options: PctOptions) {
    this.engine = engine;
    this.options = options;
    this.changeAt = new Int32Array(Math.max(0, options.depth - 1));
  }

  begin(): boolean {
    const { options, random } = this;
    random.reseed(mixSeed(options.seed, options.programHash ?? 0, this.run++, options.depth));
    // Distinct with probability one, all above the change points' priorities; also for threads to come.
    for (let t = 0; t < MAX_THREADS; t++) this.priority[t] = options.depth + random.next();
    for (let j = 0; j < this.changeAt.length; j++)
      this.changeAt[j] = 1 + random.below(this.longest);
    return true;
  }

  pick(): number {
    let t = this.highest();
    const step = this.engine.depth + 1;
    for (let j = 0; j < this.changeAt.length; j++) {
      if (this.changeAt[j] !== step || t < 0) continue;
      this.priority[t] = j + 1;
      t = this.highest();
    }
    return t;
  }

  private highest(): number {
    const { engine } = this;
    let best = -1;
    for (let t = 0; t < engine.width; t++) {
      if (!engine.isLive(t) || !engine.isEnabled(t)) continue;
      if (best < 0 || this.priority[t] > this.priority[best]) best = t;
    }
    return best;
  }

  alternative(_t: number, n: number): number {
    return this.random.below(n);
  }

  end(): void {
    this.noteLength(this.engine.depth);
  }

  /** Takes account of a run of so many steps. */
  noteLength(steps: number): void {
    if (steps > this.longest) this.longest = steps;
  }
}

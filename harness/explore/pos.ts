/**
 * Partial order sampling (Yuan, Yang, Gu 2018): every pending operation has a random priority, the highest
 * enabled one runs, and then what depends on it draws anew (exploration.md 10).
 */

import type { Engine, Strategy } from '../machine/engine.ts';
import { MAX_THREADS } from '../machine/op.ts';
import { Prng, mixSeed } from './prng.ts';
import type { SamplingOptions } from './random.ts';
import { depends } from './sequence.ts';

export class Pos implements Strategy {
  private readonly engine: Engine;
  private readonly options: SamplingOptions;
  private readonly random = new Prng(0);
  /** -1: to be drawn. */
  private readonly priority = new Float64Array(MAX_THREADS);
  private run = 0;

  constructor(engine: Engine, options: SamplingOptions) {
    this.engine = engine;
    this.options = options;
  }

  begin(): boolean {
    this.random.reseed(mixSeed(this.options.seed, this.options.programHash ?? 0, this.run++, 7));
    this.priority.fill(-1);
    return true;
  }

  pick(): number {
    const { engine, priority } = this;
    let best = -1;
    for (let t = 0; t < engine.width; t++) {
      if (!engine.isLive(t)) continue;
      if (priority[t] < 0) priority[t] = this.random.next();
      if (engine.isEnabled(t) && (best < 0 || priority[t] > priority[best])) best = t;
    }
    return best;
  }

  alternative(_t: number, n: number): number {
    return this.random.below(n);
  }

  recorded(d: number): void {
    const { engine, priority } = this;
    const { log } = engine;
    const ran = log.thr[d];
    priority[ran] = -1;
    for (let t = 0; t < engine.width; t++) {
      if (t === ran || !engine.isLive(t)) continue;
      if (
        depends(
          engine.pObj[t],
          engine.pRd[t],
          engine.pObj2[t],
          engine.pRd2[t],
          log.obj[d],
          log.rd[d],
          log.obj2[d],
          log.rd2[d],
        )
      )
        priority[t] = -1;
    }
  }

  end(): void {}
}

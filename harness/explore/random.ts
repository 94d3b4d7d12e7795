/** Random walk: uniform among the enabled threads (exploration.md 10). */

import type { Engine, Strategy } from '../machine/engine.ts';
import { MAX_THREADS } from '../machine/op.ts';
import { Prng, mixSeed } from './prng.ts';

/** What every sampling strategy needs to know. */
export interface SamplingOptions {
  readonly seed: number;
  /** Sets programs apart under one seed. */
  readonly programHash?: number;
}

export class RandomWalk implements Strategy {
  private readonly engine: Engine;
  private readonly random = new Prng(0);
  private readonly options: SamplingOptions;
  private run = 0;

  constructor(engine: Engine, options: SamplingOptions) {
    this.engine = engine;
    this.options = options;
  }

  begin(): boolean {
    this.random.reseed(mixSeed(this.options.seed, this.options.programHash ?? 0, this.run++));
    return true;
  }

  pick(): number {
    return pickUniform(this.engine, this.random);
  }

  alternative(_t: number, n: number): number {
    return this.random.below(n);
  }

  end(): void {}
}

/** A uniformly drawn enabled thread, or -1. */
export function pickUniform(engine: Engine, random: Prng): number {
  const n = engine.listEnabled(enabled);
  if (n === 0) return -1;
  return enabled[n === 1 ? 0 : random.below(n)];
}

const enabled = new Uint8Array(MAX_THREADS);

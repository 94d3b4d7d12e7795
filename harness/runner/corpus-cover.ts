/** The features of the programs of a corpus, and few programs that have them all. */

import { checkHistory } from '../check/checks.ts';
import { Coverage } from '../coverage/index.ts';
import { metaOf } from '../program/meta.ts';
import { compareSizes, sizeOf } from '../program/size.ts';
import { modelTarget } from '../target/model.ts';
import type { CorpusProgram } from './corpus.ts';
import { effortFor, search } from './fuzz-search.ts';

export interface MeasureOptions {
  readonly kernel: string;
  /** Executions of a program before it is sampled. */
  readonly runs: number;
  readonly maxSteps: number;
}

/** A program and what it shows. */
export interface Measured {
  readonly program: CorpusProgram;
  readonly features: readonly string[];
}

/** Runs programs as fuzzing does, and says what they show: a function of the program. */
export class Measure {
  readonly #target;
  readonly #effort;
  readonly #options: MeasureOptions;
  readonly #coverage = new Coverage();

  constructor(options: MeasureOptions) {
    this.#options = options;
    this.#target = modelTarget(options.kernel);
    this.#effort = effortFor(options.runs);
  }

  features(program: CorpusProgram): string[] {
    this.#coverage.begin();
    search(this.#target, program.program, this.#effort, {
      checks: checkHistory,
      timers: metaOf(program.program, 'timers') === 'any' ? 'any' : 'idle',
      faults: 0,
      maxSteps: this.#options.maxSteps,
      strategy: 'dpor',
      ignore: [],
      // Findings are features like others here: none is wanted for itself, so none ends the search.
      uninteresting: () => true,
      coverage: this.#coverage,
    });
    return this.#coverage.features();
  }
}

/**
 * A small set of the programs that shows all that they show: again and again the one that adds most, the smallest
 * among such; in the end without those that others have made superfluous. The order of the programs does not matter.
 */
export function smallestCover(measured: readonly Measured[]): Measured[] {
  const left = [...measured].sort(bySize);
  const seen = new Set<string>();
  const chosen: Measured[] = [];
  for (;;) {
    let best: Measured | null = null;
    let most = 0;
    for (const one of left) {
      const adds = one.features.filter((feature) => !seen.has(feature)).length;
      if (adds > most) [best, most] = [one, adds];
    }
    if (best === null) return needed(chosen);
    for (const feature of best.features) seen.add(feature);
    chosen.push(best);
  }
}

/** From the largest on, who is not needed goes. */
function needed(chosen: readonly Measured[]): Measured[] {
  const times = new Map<string, number>();
  for (const { features } of chosen)
    for (const feature of features) times.set(feature, (times.get(feature) ?? 0) + 1);
  const kept = new Set(chosen);
  for (const one of [...chosen].sort(bySize).reverse()) {
    if (one.features.some((feature) => times.get(feature) === 1)) continue;
    kept.delete(one);
    for (const feature of one.features) times.set(feature, (times.get(feature) ?? 0) - 1);
  }
  return [...kept].sort(bySize);
}

function bySize(a: Measured, b: Measured): number {
  const [one, other] = [a.program, b.program];
  const sizes = compareSizes(sizeOf(one.program), sizeOf(other.program));
  return sizes !== 0 ? sizes : one.text < other.text ? -1 : one.text > other.text ? 1 : 0;
}

/** What a program adds to those before it, for its file. */
export function additions(cover: readonly Measured[]): string[][] {
  const seen = new Set<string>();
  return cover.map(({ features }) => {
    const fresh = features.filter((feature) => !seen.has(feature));
    for (const feature of fresh) seen.add(feature);
    return fresh;
  });
}

/**
 * What programs showed, in the order of their rounds, and which of them later rounds make mutants of. A round
 * depends on what was kept before a round that is well behind it, never on who was first: rounds can be run side by
 * side, and come to the same on however many threads.
 */

import { countFeatures, type CoverageCounts } from '../coverage/index.ts';
import type { Observed } from './fuzz-order.ts';

/** A program that showed something that none before it did. */
export interface KeptProgram {
  readonly program: string;
  /** The features that were new. */
  readonly brings: readonly string[];
}

interface Kept extends KeptProgram {
  readonly executions: number;
}

/** Rounds of a generation at most. */
const GENERATION = 64;
/** Of what was kept, the cheaper part, and of that the rarer part: mutants of what is dear are dearer still. */
const CHEAP = 1 / 2;
const RARE = 1 / 4;
/** Programs that mutants are made of: so many are not cut further, and at most. */
const POOL_MIN = 32;
const POOL_MAX = 256;

const NOTHING: readonly string[] = [];

/** Takes in rounds in their order. */
export class Feedback {
  readonly #steers: boolean;
  /** Rounds that try what was given, before those that generate. */
  readonly #given: number;
  /** In how many rounds each feature was seen. */
  readonly #features = new Map<string, number>();
  readonly #outcomeSets = new Set<number>();
  readonly #kept: Kept[] = [];
  /** By number of rounds: what was worth mutating after so many. */
  readonly #pools = new Map<number, readonly string[]>([[0, NOTHING]]);
  #rounds = 0;

  constructor(steers: boolean, given: number) {
    this.#steers = steers;
    this.#given = given;
  }

  /** The programs that a round makes mutants of; null while the rounds that decide it are not over. */
  poolFor(round: number): readonly string[] | null {
    if (!this.#steers || round < this.#given) return NOTHING;
    return this.#pools.get(this.#given + basisOf(round - this.#given)) ?? null;
  }

  /** The next round is over; `observed` are its programs in their order. */
  enter(observed: readonly (Observed & { readonly executions: number })[]): void {
    const seen = new Set<string>();
    for (const { program, brings, outcomes, executions } of observed) {
      if (outcomes !== null) this.#outcomeSets.add(outcomes);
      const fresh = brings.filter((feature) => !this.#features.has(feature) && !seen.has(feature));
      for (const feature of brings) seen.add(feature);
      if (fresh.length > 0) this.#kept.push({ program, brings: fresh, executions });
    }
    for (const feature of seen) this.#features.set(feature, this.#roundsWith(feature) + 1);
    this.#rounds += 1;
    const generated = this.#rounds - this.#given;
    if (this.#steers && generated >= 0 && isBasis(generated))
      this.#pools.set(this.#rounds, this.#pool());
  }

  /** All programs that were kept, in order. */
  kept(): readonly KeptProgram[] {
    return this.#kept;
  }

  features(): ReadonlySet<string> {
    return new Set(this.#features.keys());
  }

  counts(): CoverageCounts {
    return countFeatures(this.features(), this.#outcomeSets.size);
  }

  #roundsWith(feature: string): number {
    return this.#features.get(feature) ?? 0;
  }

  /** The rarest first: near a program that shows what few others do, there is most to find. */
  #pool(): readonly string[] {
    const rarity = ({ brings }: Kept): number =>
      Math.min(...brings.map((feature) => this.#roundsWith(feature)));
    const cheap = least(this.#kept, ({ executions }) => executions, CHEAP);
    const rare = least(cheap, rarity, RARE);
    return rare.slice(0, POOL_MAX).map(({ program }) => program);
  }
}

/** The part of the list that has the least of something, but not less than POOL_MIN; in the order of what it has. */
function least<T>(list: readonly T[], what: (one: T) => number, part: number): T[] {
  const sorted = list.map((one) => ({ one, value: what(one) }));
  sorted.sort((a, b) => a.value - b.value);
  return sorted.slice(0, Math.max(POOL_MIN, Math.ceil(list.length * part))).map(({ one }) => one);
}

/**
 * Where the generation ends that begins with a round: those of a generation can be run side by side, and so can two in
 * a row, so they grow; but slowly, or what was kept would be old when it is used.
 */
function endOf(start: number): number {
  if (start < 4) return start + 2;
  return start + Math.max(4, Math.min(GENERATION, start >> 2));
}

/** How many rounds there were before the generation before that of a round: these are what it makes mutants of. */
function basisOf(round: number): number {
  let [before, start] = [0, 0];
  for (;;) {
    const end = endOf(start);
    if (round < end) return before;
    [before, start] = [start, end];
  }
}

/** Whether a generation begins there. */
function isBasis(round: number): boolean {
  let start = 0;
  while (start < round) start = endOf(start);
  return start === round;
}

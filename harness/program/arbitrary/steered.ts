/** Programs of which some are near ones that were worth keeping. */

import * as fc from 'fast-check';
import type { Program } from '../program.ts';
import { arbitraryProgram, shrunkPrograms } from './arbitrary.ts';
import { chance, pick, type Draw } from './draw.ts';
import type { Bounds, ProgramOptions } from './generate.ts';
import { mutate } from './mutate.ts';

export interface SteeredOptions extends ProgramOptions {
  readonly threads: Bounds;
  readonly callsPerThread: Bounds;
  /** Programs that showed something new when they came, the most promising first. */
  readonly kept: readonly Program[];
  readonly accepts: (program: Program) => boolean;
}

/** Of a hundred programs, those that are made of kept ones. */
const MUTANTS = 50;
/** Of a hundred donors, those that are kept programs; the others are new. */
const KEPT_DONORS = 40;

/** The programs of `arbitraryProgram` where nothing is kept: not a choice more is made. */
export function steeredProgram(options: SteeredOptions): fc.Arbitrary<Program> {
  return options.kept.length === 0 ? arbitraryProgram(options) : new SteeredArbitrary(options);
}

/** This one program; it shrinks as generated ones do. */
export function givenProgram(program: Program): fc.Arbitrary<Program> {
  return new GivenArbitrary(program);
}

class GivenArbitrary extends fc.Arbitrary<Program> {
  readonly #program: Program;

  constructor(program: Program) {
    super();
    this.#program = program;
  }

  override generate(): fc.Value<Program> {
    return new fc.Value(this.#program, undefined);
  }

  override canShrinkWithoutContext(value: unknown): value is Program {
    return value === this.#program;
  }

  override shrink(value: Program): fc.Stream<fc.Value<Program>> {
    return shrunkPrograms(value);
  }
}

class SteeredArbitrary extends fc.Arbitrary<Program> {
  readonly #options: SteeredOptions;
  readonly #fresh: fc.Arbitrary<Program>;

  constructor(options: SteeredOptions) {
    super();
    this.#options = options;
    this.#fresh = arbitraryProgram(options);
  }

  override generate(random: fc.Random, biasFactor: number | undefined): fc.Value<Program> {
    const draw: Draw = { int: (min, max) => random.nextInt(min, max) };
    if (!chance(draw, MUTANTS)) return this.#fresh.generate(random, biasFactor);
    const { kept, profile, threads, callsPerThread, accepts } = this.#options;
    const mutant = mutate(pickKept(draw, kept), draw, {
      selector: profile.selector,
      threads,
      callsPerThread,
      accepts,
      donor: () =>
        chance(draw, KEPT_DONORS)
          ? pick(draw, kept)
          : this.#fresh.generate(random, undefined).value,
    });
    if (mutant === null) return this.#fresh.generate(random, biasFactor);
    return new fc.Value(mutant, undefined);
  }

  override canShrinkWithoutContext(value: unknown): value is Program {
    return this.#fresh.canShrinkWithoutContext(value);
  }

  override shrink(value: Program): fc.Stream<fc.Value<Program>> {
    return shrunkPrograms(value);
  }
}

/** From the first half two times of three. */
function pickKept(draw: Draw, kept: readonly Program[]): Program {
  const first = chance(draw, 33);
  return kept[draw.int(0, first ? (kept.length - 1) >> 1 : kept.length - 1)];
}

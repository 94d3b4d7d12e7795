/** fast-check arbitraries of programs and single calls. */

import * as fc from 'fast-check';
import type { Call, Program } from '../program.ts';
import { shrinkProgram, simplerCalls } from '../shrink.ts';
import { add, close, modify, poll, read, remove, waitStep, write, type Step } from './calls.ts';
import { pick, type Draw } from './draw.ts';
import { generateProgram, type Bounds, type ProgramOptions } from './generate.ts';
import type { KernelProfile } from './profile.ts';
import type { Actor, Descriptor, World } from './world.ts';

function drawFrom(random: fc.Random): Draw {
  return { int: (min, max) => random.nextInt(min, max) };
}

/** fast-check asks for small values now and then: half the upper bound. */
function smaller(bounds: Bounds): Bounds {
  return { min: bounds.min, max: Math.max(bounds.min, bounds.max >> 1) };
}

class ProgramArbitrary extends fc.Arbitrary<Program> {
  readonly #options: ProgramOptions;

  constructor(options: ProgramOptions) {
    super();
    this.#options = options;
  }

  override generate(random: fc.Random, biasFactor: number | undefined): fc.Value<Program> {
    const small = biasFactor !== undefined && random.nextInt(1, biasFactor) === 1;
    const options = small
      ? {
          ...this.#options,
          threads: smaller(this.#options.threads ?? { min: 1, max: 3 }),
          callsPerThread: smaller(this.#options.callsPerThread ?? { min: 1, max: 3 }),
        }
      : this.#options;
    return new fc.Value(generateProgram(drawFrom(random), options), undefined);
  }

  /** Programs from files shrink like generated ones; what else a caller passes is not ours. */
  override canShrinkWithoutContext(value: unknown): value is Program {
    return typeof value === 'object' && value !== null && 'threads' in value && 'init' in value;
  }

  override shrink(value: Program): fc.Stream<fc.Value<Program>> {
    return shrunkPrograms(value);
  }
}

/** All that is one step smaller; every arbitrary of programs shrinks so. */
export function shrunkPrograms(value: Program): fc.Stream<fc.Value<Program>> {
  return fc.stream(shrinkProgram(value)).map((program) => new fc.Value(program, undefined));
}

/**
 * Valid programs for a kernel, biased to share descriptors and to race ctl with wait. They shrink
 * along shrinkProgram(): every shrunk program is valid and strictly smaller.
 *
 * @example
 * fc.assert(fc.property(arbitraryProgram({ profile: profileOf('2.6.20') }), (p) => holds(p)));
 */
export function arbitraryProgram(options: ProgramOptions): fc.Arbitrary<Program> {
  return new ProgramArbitrary(options);
}

/** A descriptor in scope of a single generated call. */
export type { Descriptor } from './world.ts';

const steps: readonly Step[] = [add, modify, remove, waitStep, read, write, close, poll];

class CallArbitrary extends fc.Arbitrary<Call> {
  readonly #profile: KernelProfile;
  readonly #descriptors: readonly Descriptor[];

  constructor(profile: KernelProfile, descriptors: readonly Descriptor[]) {
    super();
    this.#profile = profile;
    this.#descriptors = descriptors;
  }

  override generate(random: fc.Random): fc.Value<Call> {
    const draw = drawFrom(random);
    const world: World = {
      draw,
      profile: this.#profile,
      sizes: [1, 100, 4096],
      hot: this.#descriptors.at(-1)?.channel ?? 0,
      registered: new Set(),
      usedNames: new Set(this.#descriptors.map((descriptor) => descriptor.name)),
      channels: this.#descriptors.length,
      threads: 1,
    };
    const actor: Actor = { world, thread: 0, descriptors: [...this.#descriptors], mappings: [] };
    const [made] = pick(draw, steps)(actor);
    // sleep() needs no descriptor, so there is always a call.
    return new fc.Value(
      made ?? { bind: [], name: 'sleep', args: [{ kind: 'int', value: 1 }] },
      undefined,
    );
  }

  override canShrinkWithoutContext(value: unknown): value is Call {
    return typeof value === 'object' && value !== null && 'bind' in value && 'args' in value;
  }

  override shrink(value: Call): fc.Stream<fc.Value<Call>> {
    return fc.stream(simplerCalls(value)).map((call) => new fc.Value(call, undefined));
  }
}

/** Single calls that are valid where these descriptors can be named; they shrink by their arguments. */
export function arbitraryCall(
  profile: KernelProfile,
  descriptors: readonly Descriptor[],
): fc.Arbitrary<Call> {
  return new CallArbitrary(profile, descriptors);
}

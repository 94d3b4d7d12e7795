/** Where the choices of a generated program come from. */

/** A source of choices: fast-check's, or any other generator of numbers. */
export interface Draw {
  /** A number from `min` to `max`, both included. */
  int(min: number, max: number): number;
}

/** Thing and weight. */
export type Weighted<T> = readonly [weight: number, thing: T];

/** One of the list, all alike; the list must not be empty. */
export function pick<T>(draw: Draw, things: readonly T[]): T {
  return things[draw.int(0, things.length - 1)];
}

/** One of the list by weight; weights are whole numbers and not all 0. */
export function pickWeighted<T>(draw: Draw, things: readonly Weighted<T>[]): T {
  const total = things.reduce((sum, [weight]) => sum + weight, 0);
  let at = draw.int(0, total - 1);
  for (const [weight, thing] of things) {
    at -= weight;
    if (at < 0) return thing;
  }
  return things[things.length - 1][1];
}

/** True in about that many of a hundred draws. */
export function chance(draw: Draw, percent: number): boolean {
  return draw.int(0, 99) < percent;
}

/** A source from a seed (32 bits): xorshift; the same seed gives the same choices on every machine. */
export function drawFromSeed(seed: number): Draw {
  // Murmur's finaliser, so that neighbouring seeds are far apart; 0 is no state of xorshift.
  let state = Math.imul(seed ^ (seed >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  state = (state ^ (state >>> 16)) >>> 0 || 0x9e3779b9;
  return {
    int(min, max) {
      state ^= state << 13;
      state ^= state >>> 17;
      state = (state ^ (state << 5)) >>> 0;
      return min + (state % (max - min + 1));
    },
  };
}

/** What the tests of the machine share: steps, and a trace of what ran. */

import { NO_OBSERVER, engine, newWord, write, type Kernel } from './index.ts';
import { runTiny, type Tiny } from './scripted.ts';

export const SEED = 20021029;

export const seen: string[] = [];

/** Runs and answers the end and what the bodies pushed to `seen`. */
export function run(
  tiny: Tiny,
  threads: readonly number[] = [],
  alternatives: readonly number[] = [],
): [string, string[]] {
  seen.length = 0;
  const end = runTiny(tiny, threads, NO_OBSERVER, alternatives);
  return [end, [...seen]];
}

export function* step(site = 'step'): Kernel<void> {
  yield* write(newWord('private', 0), 1, site);
}

export function* steps(n: number): Kernel<void> {
  for (let i = 0; i < n; i++) yield* step(`step ${i}`);
}

/** Sites of the recorded events, with the thread in front. */
export function trace(): string[] {
  const { log } = engine;
  return Array.from({ length: engine.depth }, (_, d) => `${log.thr[d]}:${log.site[d]}`);
}

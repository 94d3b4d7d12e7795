/** What the tests of the sanitizers share: the findings of a tiny scenario. */

import { type Kernel } from '../machine/index.ts';
import { runTiny, type Tiny } from '../machine/scripted.ts';
import { Sanitizers } from './index.ts';

export function found(tiny: Tiny, threads: readonly number[] = []): string[] {
  const sanitizers = new Sanitizers();
  runTiny(tiny, threads, sanitizers);
  return sanitizers.findings().map((f) => `${f.detector} ${f.site}`);
}

export function details(
  tiny: Tiny,
  threads: readonly number[] = [],
): ReturnType<Sanitizers['findings']> {
  const sanitizers = new Sanitizers();
  runTiny(tiny, threads, sanitizers);
  return sanitizers.findings();
}

export function* nothing(): Kernel<void> {}

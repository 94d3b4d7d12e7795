/** The size order of programs: what a shrunk program is smaller in. */

import type { Arg, Call, IocbArg, Program } from './program.ts';

/** Threads, calls, calls in threads, conditions, weight of arguments, budgets: compared from left to right. */
export type ProgramSize = readonly [number, number, number, number, number, number];

/** Measures a program; of its header only budgets count, expectations and names do not. */
export function sizeOf(program: Program): ProgramSize {
  const concurrent = program.threads.flat();
  const calls = [...program.init, ...concurrent];
  const conditions = calls.filter((call) => call.when !== undefined).length;
  const weight = calls.reduce((sum, call) => sum + callWeight(call), 0);
  const budgets = program.meta.reduce((sum, { key, value }) => sum + budgetOf(key, value), 0);
  return [program.threads.length, calls.length, concurrent.length, conditions, weight, budgets];
}

/** What a line of the header allows beyond what happens anyway: 0 for most lines. */
export function budgetOf(key: string, value: string): number {
  switch (key) {
    case 'faults':
      return Number(value);
    case 'timers':
      return value === 'any' ? 1 : 0;
    case 'ring':
      return 1;
    default:
      return 0;
  }
}

/** Negative when a is smaller than b, 0 when they are of one size. */
export function compareSizes(a: ProgramSize, b: ProgramSize): number {
  for (const [i, value] of a.entries()) if (value !== b[i]) return value - b[i];
  return 0;
}

/** Whether a is strictly smaller than b. */
export function isSmaller(a: Program, b: Program): boolean {
  return compareSizes(sizeOf(a), sizeOf(b)) < 0;
}

/** How far the arguments of a call are from the simplest. */
export function callWeight(call: Call): number {
  return call.args.reduce((sum, arg) => sum + argWeight(arg), 0);
}

/** How far an argument is from the simplest: small numbers, few flags, short strings, nothing optional. */
export function argWeight(arg: Arg): number {
  switch (arg.kind) {
    case 'int':
      // -1 (for ever, or a bad descriptor) is simpler than a real duration, but not than 0.
      return 1 + (arg.value < 0 ? 2 * -arg.value : arg.value * 4);
    case 'name':
      return 1;
    case 'flags':
      return 1 + arg.names.length;
    case 'string':
      return 1 + arg.value.length;
    case 'pollfds':
      return 1 + arg.entries.reduce((sum, e) => sum + argWeight(e.fd) + argWeight(e.events), 0);
    case 'iocbs':
      return 1 + arg.entries.reduce((sum, e) => sum + iocbWeight(e), 0);
    case 'iovec':
      return 1 + arg.segments.reduce((sum, segment) => sum + argWeight(segment), 0);
    case 'pointer':
      return 3;
    case 'mapped':
      return 3 + arg.elements;
    case 'signals':
      return 1 + arg.names.length;
    case 'labelled':
      return 1 + argWeight(arg.value);
  }
}

/** A request weighs as a call would, and one more than the same memory submitted again. */
function iocbWeight(entry: IocbArg): number {
  if (entry.kind === 'pointer') return 3;
  if (entry.op === null) return 1;
  return 2 + entry.op.args.reduce((sum, arg) => sum + argWeight(arg), 0);
}

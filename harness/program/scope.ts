/** Which names a call may use: those of init, and those its own thread bound before it. */

import { makesDescriptors, syscallOf } from '../abi/index.ts';
import type { Arg, Call, IocbArg, Program } from './program.ts';

/** What a bound name stands for. */
export type NameKind = 'descriptor' | 'mapping' | 'context' | 'result';

/** What the names a call binds stand for. */
export function boundKind(call: Call): NameKind {
  const spec = syscallOf(call.name);
  if (spec === null) return 'result';
  if (makesDescriptors(spec)) return 'descriptor';
  if (spec.returns === 'context') return 'context';
  return spec.returns === 'address' ? 'mapping' : 'result';
}

/** Every name the program binds, with what it stands for; of a name bound twice, the first. */
export function allNames(program: Program): ReadonlyMap<string, NameKind> {
  const names = new Map<string, NameKind>();
  for (const call of [program.init, ...program.threads].flat()) {
    const kind = boundKind(call);
    for (const name of call.bind) if (!names.has(name)) names.set(name, kind);
  }
  return names;
}

/** The list of an io_submit(); empty for other calls and bad pointers. */
export function iocbsOf(call: Call): readonly IocbArg[] {
  return call.args.flatMap((arg: Arg) => (arg.kind === 'iocbs' ? arg.entries : []));
}

/** The iocbs that calls fill: their names are of one space, which is not that of results. */
export function filledIocbs(calls: readonly Call[]): ReadonlySet<string> {
  const entries = calls.flatMap(iocbsOf);
  return new Set(entries.flatMap((e) => (e.kind === 'iocb' && e.op !== null ? [e.name] : [])));
}

/** One call and where it stands; thread -1 is init. */
export interface PlacedCall {
  readonly thread: number;
  /** From 0. */
  readonly index: number;
  readonly call: Call;
}

/** All calls: init first, then thread by thread. */
export function placedCalls(program: Program): readonly PlacedCall[] {
  const calls: PlacedCall[] = program.init.map((call, index) => ({ thread: -1, index, call }));
  for (const [thread, list] of program.threads.entries()) {
    for (const [index, call] of list.entries()) calls.push({ thread, index, call });
  }
  return calls;
}

/** `T2.1`, `init.3`: thread and call, both from 1; how unnamed calls are spoken of. */
export function callLabel(thread: number, index: number): string {
  return `${threadLabel(thread)}.${index + 1}`;
}

/** `T1`; `init` for -1. */
export function threadLabel(thread: number): string {
  return thread < 0 ? 'init' : `T${thread + 1}`;
}

/**
 * Smaller programs, in the order that pays: fewer threads, fewer calls, shorter threads, fewer
 * concurrent calls, simpler arguments, lower budgets.
 */

import { iocbOpOf, syscallOf, type ArgSpec } from '../abi/index.ts';
import type { Arg, Call, IocbArg, IocbOp, Program } from './program.ts';
import { draftOf, rebuild, renameIn, type Draft, type Origin } from './rewrite.ts';
import { printCalls } from './print.ts';
import { argWeight, budgetOf, isSmaller } from './size.ts';
import { problemOf } from './validity.ts';

/**
 * Every program one step smaller than the given valid one: each is valid, strictly smaller by
 * compareSizes(), and comes once. Deterministic; at most a few hundred for a program of ten calls.
 */
export function* shrinkProgram(program: Program): Generator<Program> {
  const seen = new Set<string>([textOf(program)]);
  for (const candidate of candidates(program)) {
    const text = textOf(candidate);
    if (seen.has(text)) continue;
    seen.add(text);
    if (isSmaller(candidate, program) && problemOf(candidate) === null) yield candidate;
  }
}

/** All that programs differ by here. */
function textOf(program: Program): string {
  const budgets = program.meta.map(({ key, value }) => `${key}: ${value}`);
  return [...budgets, ...printCalls(program)].join('\n');
}

function* candidates(program: Program): Generator<Program> {
  const draft = draftOf(program);
  yield* build(program, withoutThread(draft));
  yield* build(program, withoutCall(draft));
  yield* build(program, withoutTail(draft));
  yield* build(program, withThreadsJoined(draft));
  yield* build(program, withCallInInit(draft));
  yield* build(program, withoutCondition(draft));
  yield* build(program, withSimplerArgs(draft));
  yield* withLowerBudgets(program);
}

/** Fewer injected failures, timers that wait until nothing else can run, a ring of the usual size. */
function* withLowerBudgets(program: Program): Generator<Program> {
  for (const [i, { key, value }] of program.meta.entries()) {
    if (budgetOf(key, value) === 0) continue;
    yield { ...program, meta: program.meta.toSpliced(i, 1) };
    if (key !== 'faults') continue;
    for (let faults = 1; faults < Number(value); faults++)
      yield { ...program, meta: program.meta.with(i, { key, value: String(faults) }) };
  }
}

function* build(program: Program, drafts: Iterable<Draft>): Generator<Program> {
  for (const draft of drafts) yield rebuild(program, draft);
}

function* withoutThread(draft: Draft): Generator<Draft> {
  for (const i of draft.threads.keys()) {
    yield { init: draft.init, threads: draft.threads.toSpliced(i, 1) };
  }
}

/** From the last call to the first: late calls have fewer users. */
function* withoutCall(draft: Draft): Generator<Draft> {
  const { init, threads } = draft;
  for (const [t, calls] of threads.entries()) {
    for (let i = calls.length - 1; i >= 0; i--) {
      yield* without(calls[i], { init, threads: threads.with(t, calls.toSpliced(i, 1)) });
    }
  }
  for (let i = init.length - 1; i >= 0; i--) {
    yield* without(init[i], { init: init.toSpliced(i, 1), threads });
  }
}

/** `rest` is the draft that has lost the call already. */
function* without({ call }: Origin, rest: Draft): Generator<Draft> {
  // A duplicate can go without its users: they do with the descriptor it was made of.
  const [source] = call.args;
  const [copy] = call.bind;
  if (call.name === 'dup' && source?.kind === 'name' && copy !== undefined) {
    const names = new Map([[copy, source.name]]);
    yield mapCalls(rest, (user) => renameIn(user, names));
  }
  yield rest;
}

function mapCalls(draft: Draft, change: (call: Call) => Call): Draft {
  const each = (calls: readonly Origin[]): readonly Origin[] =>
    calls.map((origin) => ({ ...origin, call: change(origin.call) }));
  return { init: each(draft.init), threads: draft.threads.map(each) };
}

function* withoutTail(draft: Draft): Generator<Draft> {
  for (const [t, calls] of draft.threads.entries()) {
    for (let keep = Math.floor(calls.length / 2); keep > 0; keep = Math.floor(keep / 2)) {
      yield { init: draft.init, threads: draft.threads.with(t, calls.slice(0, keep)) };
      yield { init: draft.init, threads: draft.threads.with(t, calls.slice(-keep)) };
    }
  }
}

/** Two threads as one, either first: what was concurrent becomes sequential. */
function* withThreadsJoined(draft: Draft): Generator<Draft> {
  const { init, threads } = draft;
  for (const [a, first] of threads.entries()) {
    for (const [b, second] of threads.entries()) {
      if (a === b) continue;
      const rest = threads.with(a, [...first, ...second]).toSpliced(b, 1);
      yield { init, threads: rest };
    }
  }
}

function* withCallInInit(draft: Draft): Generator<Draft> {
  for (const [t, calls] of draft.threads.entries()) {
    const [first, ...rest] = calls;
    if (first === undefined || mayHangInit(first.call)) continue;
    yield { init: [...draft.init, first], threads: draft.threads.with(t, rest) };
  }
}

/** A wait that needs another thread would never let the threads start. */
function mayHangInit(call: Call): boolean {
  const spec = syscallOf(call.name);
  const at = spec?.args.findIndex((arg) => arg.type.kind === 'timeout') ?? -1;
  const timeout = call.args[at];
  return timeout?.kind === 'int' && timeout.value !== 0;
}

function* withoutCondition(draft: Draft): Generator<Draft> {
  for (const { origin, put } of places(draft)) {
    const { when, ...call } = origin.call;
    if (when !== undefined) yield put(call);
  }
}

interface Place {
  readonly origin: Origin;
  readonly put: (call: Call) => Draft;
}

/** Every call of the draft with a way to put another in its place. */
function places(draft: Draft): readonly Place[] {
  const inThreads = draft.threads.flatMap((calls, t) =>
    calls.map((origin, i): Place => ({
      origin,
      put: (call) => ({
        init: draft.init,
        threads: draft.threads.with(t, calls.with(i, { ...origin, call })),
      }),
    })),
  );
  const inInit = draft.init.map((origin, i): Place => ({
    origin,
    put: (call) => ({ init: draft.init.with(i, { ...origin, call }), threads: draft.threads }),
  }));
  return [...inThreads, ...inInit];
}

function* withSimplerArgs(draft: Draft): Generator<Draft> {
  for (const { origin, put } of places(draft)) {
    for (const call of simplerCalls(origin.call)) yield put(call);
  }
}

/** The call with one argument simpler or an optional one left out. */
export function* simplerCalls(call: Call): Generator<Call> {
  const spec = syscallOf(call.name);
  if (spec === null) return;
  for (const args of simplerLists(call.args, spec.args)) yield { ...call, args };
}

/** Argument lists of a call or request, each simpler in one place. */
function* simplerLists(args: readonly Arg[], specs: readonly ArgSpec[]): Generator<readonly Arg[]> {
  const plain = specs.filter((arg) => !arg.labelled);
  for (const [i, arg] of args.entries()) {
    const row = arg.kind === 'labelled' ? specs.find((a) => a.name === arg.label) : plain[i];
    if (row === undefined) continue;
    if (row.optional && (arg.kind === 'labelled' || isLastPlain(args, i))) {
      yield args.toSpliced(i, 1);
    }
    for (const simpler of simplerArgs(arg, row)) {
      if (argWeight(simpler) < argWeight(arg)) yield args.with(i, simpler);
    }
  }
}

function isLastPlain(args: readonly Arg[], index: number): boolean {
  const next = args[index + 1];
  return next === undefined || next.kind === 'labelled';
}

/** Round numbers to try for sizes, smallest first. */
const ROUND = [1, 2, 8, 10, 64, 100, 512, 1000, 4046, 4095, 4096, 4097];

function* simplerArgs(arg: Arg, row: ArgSpec): Generator<Arg> {
  switch (arg.kind) {
    case 'int':
      if (row.type.kind === 'timeout') yield { kind: 'int', value: 0 };
      else if (row.type.kind === 'int' || row.type.kind === 'data') {
        for (const value of ROUND) if (value < arg.value) yield { kind: 'int', value };
      }
      return;
    case 'flags':
      if (arg.names.length > 1) {
        for (const i of arg.names.keys()) yield { kind: 'flags', names: arg.names.toSpliced(i, 1) };
      }
      return;
    case 'string':
      if (row.type.kind === 'data' && arg.value.length > 1) {
        yield { kind: 'string', value: arg.value.slice(0, 1) };
        yield { kind: 'string', value: arg.value.slice(0, arg.value.length >> 1) };
      }
      return;
    case 'pollfds':
      if (arg.entries.length > 1) {
        for (const i of arg.entries.keys()) {
          yield { kind: 'pollfds', entries: arg.entries.toSpliced(i, 1) };
        }
      }
      return;
    case 'iocbs':
      yield* simplerIocbs(arg.entries);
      return;
    case 'iovec':
      yield* simplerSegments(arg.segments);
      return;
    case 'signals':
      for (const i of arg.names.keys()) yield { kind: 'signals', names: arg.names.toSpliced(i, 1) };
      return;
    case 'mapped':
      if (arg.elements > 0) yield { kind: 'mapped', elements: arg.elements >> 1 };
      return;
    case 'labelled':
      for (const value of simplerArgs(arg.value, row)) {
        yield { kind: 'labelled', label: arg.label, value };
      }
      return;
    case 'name':
    case 'pointer':
      return;
  }
}

function* simplerIocbs(entries: readonly IocbArg[]): Generator<Arg> {
  if (entries.length > 1) {
    for (const i of entries.keys()) yield { kind: 'iocbs', entries: entries.toSpliced(i, 1) };
  }
  for (const [i, entry] of entries.entries()) {
    if (entry.kind === 'pointer' || entry.op === null) continue;
    for (const op of simplerOps(entry.op))
      yield { kind: 'iocbs', entries: entries.with(i, { ...entry, op }) };
  }
}

/** The request with simpler arguments, or one of a simpler kind on the same descriptor. */
function* simplerOps(op: IocbOp): Generator<IocbOp> {
  const [fd, data] = op.args;
  if (data?.kind === 'iovec') {
    const [first] = data.segments;
    const scalar = op.name === 'preadv' ? 'pread' : 'pwrite';
    if (first !== undefined && first.kind !== 'pointer')
      yield { name: scalar, args: [fd, first, ...op.args.slice(2)] };
  }
  const spec = iocbOpOf(op.name);
  if (spec === null) return;
  for (const args of simplerLists(op.args, spec.args)) yield { ...op, args };
}

function* simplerSegments(segments: readonly Arg[]): Generator<Arg> {
  if (segments.length > 8) {
    // Too many to be tried one by one.
    const half = segments.length >> 1;
    yield { kind: 'iovec', segments: segments.slice(0, half) };
    yield { kind: 'iovec', segments: segments.slice(half) };
    yield { kind: 'iovec', segments: segments.slice(1) };
    return;
  }
  if (segments.length > 1) {
    for (const i of segments.keys()) yield { kind: 'iovec', segments: segments.toSpliced(i, 1) };
  }
  const row: ArgSpec = {
    name: 'segment',
    type: { kind: 'data' },
    optional: false,
    labelled: false,
  };
  for (const [i, segment] of segments.entries()) {
    for (const simpler of simplerArgs(segment, row))
      yield { kind: 'iovec', segments: segments.with(i, simpler) };
  }
}

/** Takes calls out of a program or moves them, together with everything that refers to them. */

import type {
  Arg,
  Call,
  Conjunction,
  ExpectBlock,
  Expectation,
  IocbArg,
  Program,
  ValuePattern,
} from './program.ts';
import { allNames, callLabel, filledIocbs, iocbsOf } from './scope.ts';

/** A call and where it stood before the change; null for a new call. */
export interface Origin {
  readonly call: Call;
  /** -1 is init. */
  readonly thread: number;
  readonly index: number;
}

/** The calls of a program with their origins, to be cut and moved. */
export interface Draft {
  readonly init: readonly Origin[];
  readonly threads: readonly (readonly Origin[])[];
}

/** The program as a draft of itself. */
export function draftOf(program: Program): Draft {
  return {
    init: program.init.map((call, index) => ({ call, thread: -1, index })),
    threads: program.threads.map((calls, thread) =>
      calls.map((call, index) => ({ call, thread, index })),
    ),
  };
}

/**
 * Builds a program from a draft: calls whose names are gone go too, empty threads vanish, threads are
 * numbered anew, and what expectations say of the lost names is left out.
 */
export function rebuild(original: Program, draft: Draft): Program {
  const pruned = prune(draft);
  const kept = pruned.threads.filter((calls) => calls.length > 0);
  const threadNames = new Map<string, string>();
  for (const [i, calls] of kept.entries()) {
    for (const { thread } of calls) if (thread >= 0) threadNames.set(`T${thread + 1}`, `T${i + 1}`);
  }
  const labels = new Map<string, string>();
  const place = (calls: readonly Origin[], at: number): readonly Call[] =>
    calls.map(({ call, thread, index }, i) => {
      labels.set(callLabel(thread, index), callLabel(at, i));
      return renameThreads(call, threadNames);
    });
  const init = place(pruned.init, -1);
  const threads = kept.map((calls, i) => place(calls, i));
  const program: Program = { ...original, init, threads, expect: [] };
  return {
    ...program,
    expect: original.expect.map((block) => rewriteBlock(block, program, labels)),
  };
}

/** Removes what uses names that nothing visible binds any more, until nothing changes. */
function prune(draft: Draft): Draft {
  const names = new Set<string>();
  const threadsLeft = new Set<string>();
  for (const calls of draft.threads) {
    for (const { thread } of calls) threadsLeft.add(`T${thread + 1}`);
  }
  const all = [draft.init, ...draft.threads].flat().map(({ call }) => call);
  const iocbs = filledIocbs(all);
  const keep = (calls: readonly Origin[], visible: Set<string>): readonly Origin[] =>
    calls.flatMap((origin) => {
      const isVisible = (name: string): boolean => visible.has(name) || threadsLeft.has(name);
      const call = fitted(origin.call, isVisible, iocbs);
      if (call === null) return [];
      for (const name of call.bind) visible.add(name);
      return [call === origin.call ? origin : { ...origin, call }];
    });
  const init = keep(draft.init, names);
  const threads = draft.threads.map((calls) => keep(calls, new Set(names)));
  // A thread that lost its last call can be named by a kill() that was already kept, an iocb that is not filled any
  // more by an io_cancel().
  const shrunk = threads.some((calls, i) => calls.length === 0 && draft.threads[i].length > 0);
  const left = filledIocbs([init, ...threads].flat().map(({ call }) => call));
  return shrunk || left.size < iocbs.size
    ? prune({ init, threads: threads.filter((calls) => calls.length > 0) })
    : { init, threads };
}

/** The call without the requests that use lost names; null if the call itself does, or if no request is left. */
function fitted(
  call: Call,
  isVisible: (name: string) => boolean,
  iocbs: ReadonlySet<string>,
): Call | null {
  const entries = iocbsOf(call);
  const kept = entries.filter(
    (e) => namesInIocb(e).every(isVisible) && namedIocbs([e]).every((name) => iocbs.has(name)),
  );
  if (kept.length === 0 && entries.length > 0) return null;
  const args = call.args.map((arg): Arg =>
    arg.kind === 'iocbs' ? { ...arg, entries: kept } : arg,
  );
  const smaller = kept.length === entries.length ? call : { ...call, args };
  const fits = usedNames(smaller).every(isVisible);
  return fits && usedIocbs(smaller).every((name) => iocbs.has(name)) ? smaller : null;
}

/** Names a call refers to: descriptors, mappings, contexts, threads, the result its condition tests; not iocbs. */
export function usedNames(call: Call): readonly string[] {
  const isIocb = call.name === 'io_cancel' ? call.args[1] : undefined;
  const names = call.args
    .filter((arg) => arg !== isIocb && !isRingField(call, arg))
    .flatMap(namesIn);
  if (call.when === undefined) return names;
  // Events are named by a symbol of registration, or a number given as data.
  return [
    ...names,
    call.when.name,
    ...eventNames(call.when.value).filter((name) => !isNumber(name)),
  ];
}

function isRingField(call: Call, arg: Arg): boolean {
  return call.name === 'aio_ring' && arg === call.args[1];
}

function isNumber(name: string): boolean {
  return /^-?[0-9]+$/.test(name);
}

function eventNames(value: ValuePattern): readonly string[] {
  if (value.kind === 'events') return value.entries.map((entry) => entry.name);
  if (value.kind !== 'completions') return [];
  return value.entries.flatMap((entry) =>
    entry.value.kind === 'events' ? entry.value.entries.map((event) => event.name) : [],
  );
}

/** The iocbs a call refers to without filling them. */
export function usedIocbs(call: Call): readonly string[] {
  const target = call.name === 'io_cancel' ? call.args[1] : undefined;
  const cancelled = target?.kind === 'name' ? [target.name] : [];
  const tested = call.when === undefined ? [] : iocbNames(call.when.value);
  return [...cancelled, ...namedIocbs(iocbsOf(call)), ...tested];
}

function namedIocbs(entries: readonly IocbArg[]): readonly string[] {
  return entries.flatMap((e) => (e.kind === 'iocb' && e.op === null ? [e.name] : []));
}

function iocbNames(value: ValuePattern): readonly string[] {
  if (value.kind !== 'completions') return [];
  return value.entries.map((entry) => entry.name).filter((name) => !isNumber(name));
}

function namesInIocb(entry: IocbArg): readonly string[] {
  return entry.kind === 'iocb' && entry.op !== null ? entry.op.args.flatMap(namesIn) : [];
}

function namesIn(arg: Arg): readonly string[] {
  switch (arg.kind) {
    case 'name':
      return [arg.name];
    case 'pollfds':
      return arg.entries.flatMap((entry) => [...namesIn(entry.fd), ...namesIn(entry.events)]);
    case 'labelled':
      return namesIn(arg.value);
    case 'iocbs':
      return arg.entries.flatMap(namesInIocb);
    default:
      return [];
  }
}

/** The call with names replaced; names without a replacement stay. Patterns of events too, but not iocbs. */
export function renameIn(call: Call, to: ReadonlyMap<string, string>): Call {
  const args = call.args.map((arg) => renameArg(arg, to));
  if (call.when === undefined) return { ...call, args };
  return { ...call, args, when: { ...call.when, value: renamePattern(call.when.value, to) } };
}

function renamePattern(value: ValuePattern, to: ReadonlyMap<string, string>): ValuePattern {
  const events = <T extends { readonly name: string }>(entries: readonly T[]): readonly T[] =>
    entries.map((e) => ({ ...e, name: to.get(e.name) ?? e.name }));
  if (value.kind === 'events') return { ...value, entries: events(value.entries) };
  if (value.kind !== 'completions') return value;
  const entries = value.entries.map((e) =>
    e.value.kind === 'events'
      ? { ...e, value: { ...e.value, entries: events(e.value.entries) } }
      : e,
  );
  return { ...value, entries };
}

function renameIocb(entry: IocbArg, to: ReadonlyMap<string, string>): IocbArg {
  if (entry.kind === 'pointer' || entry.op === null) return entry;
  return { ...entry, op: { ...entry.op, args: entry.op.args.map((arg) => renameArg(arg, to)) } };
}

function renameArg(arg: Arg, to: ReadonlyMap<string, string>): Arg {
  switch (arg.kind) {
    case 'name':
      return { kind: 'name', name: to.get(arg.name) ?? arg.name };
    case 'pollfds':
      return {
        kind: 'pollfds',
        entries: arg.entries.map((e) => ({
          fd: renameArg(e.fd, to),
          events: renameArg(e.events, to),
        })),
      };
    case 'labelled':
      return { kind: 'labelled', label: arg.label, value: renameArg(arg.value, to) };
    case 'iocbs':
      return { kind: 'iocbs', entries: arg.entries.map((entry) => renameIocb(entry, to)) };
    default:
      return arg;
  }
}

function renameThreads(call: Call, names: ReadonlyMap<string, string>): Call {
  if (call.name !== 'kill') return call;
  const args = call.args.map((arg) => renameArg(arg, names));
  return { ...call, args };
}

function rewriteBlock(
  block: ExpectBlock,
  program: Program,
  labels: ReadonlyMap<string, string>,
): ExpectBlock {
  const names = allNames(program);
  const iocbs = filledIocbs([program.init, ...program.threads].flat());
  const rewrite = (outcome: Conjunction): Conjunction => ({
    terms: outcome.terms.flatMap((term) => {
      const name = term.name.includes('.') ? labels.get(term.name) : term.name;
      if (name === undefined || (!name.includes('.') && !names.has(name))) return [];
      const values = term.values.filter((value) => isKnown(value, names, iocbs));
      return values.length === 0 ? [] : [{ name, values }];
    }),
  });
  const expectations = block.expectations.flatMap((e): readonly Expectation[] => {
    if (e.kind === 'exactly') {
      const outcomes = e.outcomes.map(rewrite).filter((outcome) => outcome.terms.length > 0);
      return outcomes.length === 0 ? [] : [{ kind: 'exactly', outcomes }];
    }
    if (e.kind !== 'always' && e.kind !== 'sometimes' && e.kind !== 'never') return [e];
    const outcome = rewrite(e.outcome);
    return outcome.terms.length === 0 ? [] : [{ kind: e.kind, outcome }];
  });
  return { selectors: block.selectors, expectations };
}

function isKnown(
  value: ValuePattern,
  names: ReadonlyMap<string, unknown>,
  iocbs: ReadonlySet<string>,
): boolean {
  return (
    eventNames(value).every((name) => isNumber(name) || names.has(name)) &&
    iocbNames(value).every((name) => iocbs.has(name))
  );
}

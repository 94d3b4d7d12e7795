/** Takes calls out of a program or moves them, together with everything that refers to them. */

import type {
  Arg,
  Call,
  Conjunction,
  ExpectBlock,
  Expectation,
  Program,
  ValuePattern,
} from './program.ts';
import { allNames, callLabel } from './scope.ts';

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
  const keep = (calls: readonly Origin[], visible: Set<string>): readonly Origin[] =>
    calls.filter(({ call }) => {
      const fits = usedNames(call).every((name) => visible.has(name) || threadsLeft.has(name));
      if (fits) for (const name of call.bind) visible.add(name);
      return fits;
    });
  const init = keep(draft.init, names);
  const threads = draft.threads.map((calls) => keep(calls, new Set(names)));
  const next = { init, threads };
  // A thread that lost its last call can be named by a kill() that was already kept.
  const shrunk = threads.some((calls, i) => calls.length === 0 && draft.threads[i].length > 0);
  return shrunk ? prune({ init, threads: threads.filter((calls) => calls.length > 0) }) : next;
}

/** Names a call refers to: descriptors, mappings, threads, the result its condition tests. */
export function usedNames(call: Call): readonly string[] {
  const names = call.args.flatMap(namesIn);
  if (call.when === undefined) return names;
  const { value } = call.when;
  const events = value.kind === 'events' ? value.entries.map((entry) => entry.name) : [];
  // Events are named by a symbol of registration, or a number given as data.
  return [...names, call.when.name, ...events.filter((name) => !/^-?[0-9]+$/.test(name))];
}

function namesIn(arg: Arg): readonly string[] {
  switch (arg.kind) {
    case 'name':
      return [arg.name];
    case 'pollfds':
      return arg.entries.flatMap((entry) => [...namesIn(entry.fd), ...namesIn(entry.events)]);
    case 'labelled':
      return namesIn(arg.value);
    default:
      return [];
  }
}

/** The call with names replaced; names without a replacement stay. Patterns of events too. */
export function renameIn(call: Call, to: ReadonlyMap<string, string>): Call {
  const args = call.args.map((arg) => renameArg(arg, to));
  if (call.when === undefined) return { ...call, args };
  const { value } = call.when;
  const renamed: ValuePattern =
    value.kind !== 'events'
      ? value
      : { ...value, entries: value.entries.map((e) => ({ ...e, name: to.get(e.name) ?? e.name })) };
  return { ...call, args, when: { ...call.when, value: renamed } };
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
  const rewrite = (outcome: Conjunction): Conjunction => ({
    terms: outcome.terms.flatMap((term) => {
      const name = term.name.includes('.') ? labels.get(term.name) : term.name;
      if (name === undefined || (!name.includes('.') && !names.has(name))) return [];
      const values = term.values.filter((value) => isKnown(value, names));
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

function isKnown(value: ValuePattern, names: ReadonlyMap<string, unknown>): boolean {
  if (value.kind !== 'events') return true;
  return value.entries.every((e) => /^-?[0-9]+$/.test(e.name) || names.has(e.name));
}

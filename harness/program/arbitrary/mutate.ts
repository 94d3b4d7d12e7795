/**
 * Programs that differ in a few places from one that is known to be interesting: calls inserted, left out or taken
 * from another program, arguments changed, calls and threads moved. What comes out is valid, and a function of the
 * programs and the choices.
 */

import { syscallOf, type ArgSpec } from '../../abi/index.ts';
import type { Arg, Call, Program } from '../program.ts';
import { printArg, printCalls } from '../print.ts';
import { draftOf, rebuild, type Draft, type Origin } from '../rewrite.ts';
import { missingOn, problemOf } from '../validity.ts';
import { chance, pick, pickWeighted, type Draw, type Weighted } from './draw.ts';
import type { Bounds } from './generate.ts';
import { graft, listOf, rolesOf, withList, type Spot } from './graft.ts';

export interface MutateOptions {
  /** `2.6.20`: mutants have nothing that it lacks. */
  readonly selector: string;
  readonly threads: Bounds;
  readonly callsPerThread: Bounds;
  /** Another program to take calls from: a new one, or one that was kept. */
  readonly donor: () => Program;
  /** What a target says beside that a program is valid. */
  readonly accepts: (program: Program) => boolean;
}

/** A mutation that finds nothing to do answers null. */
type Mutation = (draft: Draft, draw: Draw, options: MutateOptions) => Draft | null;

/** Calls of init that a mutant can have; each costs little, but a program is to be read. */
const INIT_MAX = 14;
/** Attempts at one mutant. */
const TRIES = 12;

/** A valid program near the given one, and not it; null if none is found in a few attempts. */
export function mutate(program: Program, draw: Draw, options: MutateOptions): Program | null {
  const before = printCalls(program).join('\n');
  for (let tries = 0; tries < TRIES; tries++) {
    const mutant = mutantOf(program, draw, options);
    if (mutant !== null && isFit(mutant, options) && printCalls(mutant).join('\n') !== before)
      return mutant;
  }
  return null;
}

/** One to three mutations, one on top of the other. */
function mutantOf(program: Program, draw: Draw, options: MutateOptions): Program | null {
  let draft: Draft | null = draftOf(program);
  let left = chance(draw, 50) ? 1 : draw.int(2, 3);
  for (; left > 0; left--) draft = pickWeighted(draw, MUTATIONS)(draft, draw, options) ?? draft;
  // Most of what does not fit is seen here already, where it costs least.
  if (!fits(draft, options)) return null;
  return rebuild({ ...program, name: '', expect: [] }, draft);
}

/** Whether there are as many threads and calls as there may be; a thread without calls is no thread. */
function fits(of: Draft | Program, options: MutateOptions): boolean {
  const lengths = of.threads.map((calls) => calls.length).filter((n) => n > 0);
  const { threads, callsPerThread } = options;
  return (
    of.init.length <= INIT_MAX &&
    lengths.length >= threads.min &&
    lengths.length <= threads.max &&
    lengths.every((n) => n >= callsPerThread.min && n <= callsPerThread.max)
  );
}

function isFit(program: Program, options: MutateOptions): boolean {
  return (
    fits(program, options) &&
    problemOf(program) === null &&
    missingOn(program, options.selector) === null &&
    options.accepts(program)
  );
}

/** A thread that has calls; null if none has. */
function pickThread(draft: Draft, draw: Draw): number | null {
  const some = [...draft.threads.keys()].filter((t) => draft.threads[t].length > 0);
  return some.length === 0 ? null : pick(draw, some);
}

/** A call of a thread. */
function pickCall(draft: Draft, draw: Draw): Spot | null {
  const thread = pickThread(draft, draw);
  return thread === null ? null : { thread, at: draw.int(0, draft.threads[thread].length - 1) };
}

function insertCall(draft: Draft, draw: Draw, options: MutateOptions): Draft | null {
  const thread = pickThread(draft, draw);
  if (thread === null) return null;
  const donor = options.donor();
  const source = donor.threads.flat();
  if (source.length === 0) return null;
  const at = draw.int(0, draft.threads[thread].length);
  return graft(draft, donor, [pick(draw, source)], { thread, at }, draw);
}

/** Something more to begin with, of what the init of another program does. */
function insertInInit(draft: Draft, draw: Draw, options: MutateOptions): Draft | null {
  const donor = options.donor();
  if (donor.init.length === 0) return null;
  const at = draw.int(0, draft.init.length);
  return graft(draft, donor, [pick(draw, donor.init)], { thread: -1, at }, draw);
}

function deleteCall(draft: Draft, draw: Draw): Draft | null {
  const inInit = draft.init.length > 0 && chance(draw, 20);
  const spot = inInit
    ? { thread: -1, at: draw.int(0, draft.init.length - 1) }
    : pickCall(draft, draw);
  if (spot === null) return null;
  return withList(draft, spot.thread, listOf(draft, spot.thread).toSpliced(spot.at, 1));
}

function replaceCall(draft: Draft, draw: Draw, options: MutateOptions): Draft | null {
  const spot = pickCall(draft, draw);
  const donor = options.donor();
  const source = donor.threads.flat();
  if (spot === null || source.length === 0) return null;
  const without = withList(draft, spot.thread, listOf(draft, spot.thread).toSpliced(spot.at, 1));
  return graft(without, donor, [pick(draw, source)], spot, draw);
}

/** A whole thread of another program, beside those there are or in place of one. */
function spliceThread(draft: Draft, draw: Draw, options: MutateOptions): Draft | null {
  const donor = options.donor();
  if (donor.threads.length === 0) return null;
  const calls = pick(draw, donor.threads);
  const more = draft.threads.length < options.threads.max && chance(draw, 60);
  const thread = more ? draft.threads.length : pickThread(draft, draw);
  if (thread === null) return null;
  const threads = more ? [...draft.threads, []] : draft.threads.with(thread, []);
  return graft({ init: draft.init, threads }, donor, calls, { thread, at: 0 }, draw);
}

/** The same call at another place of the program, with names of its own for what it binds. */
function copyCall(draft: Draft, draw: Draw): Draft | null {
  const spot = pickCall(draft, draw);
  const thread = pickThread(draft, draw);
  if (spot === null || thread === null) return null;
  const { call } = listOf(draft, spot.thread)[spot.at];
  const at = draw.int(0, draft.threads[thread].length);
  return graft(draft, asProgram(draft), [call], { thread, at }, draw);
}

function asProgram(draft: Draft): Program {
  const calls = (list: readonly Origin[]): Call[] => list.map(({ call }) => call);
  const threads = draft.threads.map(calls);
  return { name: '', meta: [], init: calls(draft.init), threads, expect: [] };
}

/** To another thread, or to another place in its own. */
function moveCall(draft: Draft, draw: Draw): Draft | null {
  const from = pickCall(draft, draw);
  const to = pickThread(draft, draw);
  if (from === null || to === null) return null;
  return moved(draft, from, { thread: to, at: -1 }, draw);
}

/** The first call of a thread becomes the last of init. */
function moveToInit(draft: Draft, draw: Draw): Draft | null {
  const thread = pickThread(draft, draw);
  if (thread === null || mayWait(draft.threads[thread][0].call)) return null;
  return moved(draft, { thread, at: 0 }, { thread: -1, at: draft.init.length }, draw);
}

/** The last call of init happens in a thread, beside the others. */
function moveFromInit(draft: Draft, draw: Draw): Draft | null {
  const thread = pickThread(draft, draw);
  if (thread === null || draft.init.length === 0) return null;
  return moved(draft, { thread: -1, at: draft.init.length - 1 }, { thread, at: 0 }, draw);
}

function moved(draft: Draft, from: Spot, to: Spot, draw: Draw): Draft {
  const list = listOf(draft, from.thread);
  const { call } = list[from.at];
  const without = withList(draft, from.thread, list.toSpliced(from.at, 1));
  const target = listOf(without, to.thread);
  const at = to.at < 0 ? draw.int(0, target.length) : to.at;
  // Who stands in another thread is of that thread: a kill() follows its thread, not one call of it.
  const origin = { call, thread: to.thread, index: -1 };
  return withList(without, to.thread, target.toSpliced(at, 0, origin));
}

/** A call that can wait for another thread would keep init from ending. */
function mayWait(call: Call): boolean {
  const spec = syscallOf(call.name);
  const waits = spec?.args.some((arg) => arg.type.kind === 'timeout') === true;
  return waits || call.name === 'ioctl' || call.name === 'sleep';
}

/** Two threads from some call on, each as the other was. */
function swapTails(draft: Draft, draw: Draw): Draft | null {
  const [a, b] = [pickThread(draft, draw), pickThread(draft, draw)];
  if (a === null || b === null || a === b) return null;
  const [first, second] = [draft.threads[a], draft.threads[b]];
  const [cutA, cutB] = [draw.int(0, first.length), draw.int(0, second.length)];
  const of = (list: readonly Origin[], thread: number): Origin[] =>
    list.map((origin) => ({ ...origin, thread }));
  const threads = draft.threads
    .with(a, [...first.slice(0, cutA), ...of(second.slice(cutB), a)])
    .with(b, [...second.slice(0, cutB), ...of(first.slice(cutA), b)]);
  return { init: draft.init, threads };
}

/** Another descriptor or context in place of one, of those the call can name: so calls meet that did not. */
function retarget(draft: Draft, draw: Draw): Draft | null {
  const spot = pickCall(draft, draw);
  if (spot === null) return null;
  const list = listOf(draft, spot.thread);
  const { call } = list[spot.at];
  const before = [...draft.init, ...list.slice(0, spot.at)].map((origin) => origin.call);
  const roles = rolesOf(before);
  const named = [...call.args.keys()].filter((i) => call.args[i].kind === 'name');
  if (named.length === 0 || roles.size < 2) return null;
  const name = pick(draw, [...roles.keys()]);
  return changed(draft, spot, call.args.with(pick(draw, named), { kind: 'name', name }));
}

/** A copy of a descriptor, made in init, in one of its uses. */
function useDuplicate(draft: Draft, draw: Draw): Draft | null {
  const spot = pickCall(draft, draw);
  if (spot === null) return null;
  const { call } = listOf(draft, spot.thread)[spot.at];
  const made = rolesOf(draft.init.map((origin) => origin.call));
  const uses = [...call.args.entries()].flatMap(([i, arg]) =>
    arg.kind === 'name' && isDuplicable(made.get(arg.name)) ? [{ i, name: arg.name }] : [],
  );
  if (uses.length === 0) return null;
  const { i, name } = pick(draw, uses);
  const taken = new Set([draft.init, ...draft.threads].flat().flatMap((o) => o.call.bind));
  let copy = 'd';
  for (let n = 2; taken.has(copy); n++) copy = `d${n}`;
  const dup: Call = { bind: [copy], name: 'dup', args: [{ kind: 'name', name }] };
  const init = [...draft.init, { call: dup, thread: -1, index: -1 }];
  return changed({ ...draft, init }, spot, call.args.with(i, { kind: 'name', name: copy }));
}

function isDuplicable(role: string | undefined): boolean {
  return role !== undefined && /^(pipe|socketpair|listen|connect|accept|eventfd|open) /.test(role);
}

/** One argument as another program has it in such a call, or another time limit. */
function changeArgument(draft: Draft, draw: Draw, options: MutateOptions): Draft | null {
  const inInit = draft.init.length > 0 && chance(draw, 25);
  const spot = inInit
    ? { thread: -1, at: draw.int(0, draft.init.length - 1) }
    : pickCall(draft, draw);
  if (spot === null) return null;
  const { call } = listOf(draft, spot.thread)[spot.at];
  const spec = syscallOf(call.name);
  if (spec === null) return null;
  const plain = spec.args.filter((arg) => !arg.labelled);
  const choices = [...call.args.entries()].flatMap(([i, arg]) =>
    othersFor(arg, plain[i], call, i, options).map((other) => call.args.with(i, other)),
  );
  return choices.length === 0 ? null : changed(draft, spot, pick(draw, choices));
}

const TIMEOUTS = [-1, 0, 20];
const SIZES = [1, 2, 100, 4095, 4096, 4097, 65536];

/** What else could stand there; names are the business of another mutation. */
function othersFor(
  arg: Arg,
  row: ArgSpec | undefined,
  call: Call,
  at: number,
  options: MutateOptions,
): readonly Arg[] {
  if (row === undefined) return [];
  const numbers = row.type.kind === 'timeout' ? TIMEOUTS : row.type.kind === 'data' ? SIZES : [];
  const alike = [options.donor(), options.donor()]
    .flatMap((donor) => [...donor.init, ...donor.threads.flat()])
    .filter((other) => other.name === call.name)
    .flatMap((other): readonly Arg[] => {
      const its = other.args[at];
      return its?.kind === 'int' || its?.kind === 'flags' || its?.kind === 'string' ? [its] : [];
    });
  if (arg.kind !== 'int' && arg.kind !== 'flags' && arg.kind !== 'string') return [];
  const all: Arg[] = [...numbers.map((value): Arg => ({ kind: 'int', value })), ...alike];
  return all.filter((other) => printArg(other) !== printArg(arg));
}

function changed(draft: Draft, spot: Spot, args: readonly Arg[]): Draft {
  const list = listOf(draft, spot.thread);
  const origin = list[spot.at];
  const call = { ...origin.call, args };
  return withList(draft, spot.thread, list.with(spot.at, { ...origin, call }));
}

const MUTATIONS: readonly Weighted<Mutation>[] = [
  [6, insertCall],
  [4, replaceCall],
  [3, deleteCall],
  [4, changeArgument],
  [3, retarget],
  [2, moveCall],
  [3, spliceThread],
  [2, copyCall],
  [1, swapTails],
  [1, moveToInit],
  [2, moveFromInit],
  [2, insertInInit],
  [1, useDuplicate],
];

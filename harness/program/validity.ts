/** Whether a program makes sense: names, arguments, threads, outcomes. */

import {
  SYSCALLS,
  flagOf,
  isSysEpoll,
  kernelIdOf,
  syscallOf,
  type KernelId,
} from '../abi/index.ts';
import { checkArgs, hasPlace } from './check-args.ts';
import { checkExpect, checkPattern, type Found } from './check-expectations.ts';
import type { ArgScope } from './check-names.ts';
import { didYouMean } from './did-you-mean.ts';
import { META } from './meta.ts';
import { bindPositionOf, positionOf } from './positions.ts';
import type { Call, Program } from './program.ts';
import {
  allNames,
  boundKind,
  callLabel,
  filledIocbs,
  threadLabel,
  type NameKind,
} from './scope.ts';
import { ProgramSyntaxError } from './syntax-error.ts';
import { isName, isReserved } from './words.ts';

/** Threads a program may have. */
export const THREADS_MAX = 4;
/** Calls init or one thread may have. */
export const CALLS_MAX = 1000;

/** Throws ProgramSyntaxError with the first thing that is wrong with the program, if anything is. */
export function checkProgram(program: Program, fileName: string = program.name): void {
  const found = findProblem(program);
  if (found === null) return;
  const at = found.at ?? positionOf(found.part) ?? { line: 0, column: 0 };
  const label =
    at.line === 0 && found.label !== undefined ? `${fileName}: ${found.label}` : fileName;
  throw new ProgramSyntaxError(found.reason, { fileName: label, ...at });
}

/** The first thing that is wrong, as one sentence without a position; null for a valid program. */
export function problemOf(program: Program): string | null {
  return findProblem(program)?.reason ?? null;
}

/** Why a target cannot run the program for lack of a call or flag, as one sentence; null if it has all. */
export function missingOn(program: Program, selector: string): string | null {
  const kernel = kernelIdOf(selector);
  for (const call of [program.init, ...program.threads].flat()) {
    const spec = syscallOf(call.name);
    if (spec !== null && !spec.exists(kernel)) return `${selector} has no ${call.name}()`;
    const form = call.name === 'mmap' ? missingMmap(call, kernel) : null;
    if (form !== null) return `${selector} has no ${form}`;
    for (const arg of call.args) {
      const names = arg.kind === 'flags' ? arg.names : [];
      const missing = names.find((name) => flagOf(name)?.exists(kernel) === false);
      // On older kernels unknown event bits are ignored, which programs may want to see.
      if (missing !== undefined && flagOf(missing)?.set !== 'epoll')
        return `${selector} has no ${missing}`;
    }
  }
  return null;
}

/** Descriptors that can be mapped are of sys_epoll; on the other kernels a place for the ring can be taken. */
function missingMmap(call: Call, kernel: KernelId): string | null {
  if (hasPlace(call)) return isSysEpoll(kernel) ? 'mmap(at=)' : null;
  return isSysEpoll(kernel) ? null : 'mmap() of a descriptor';
}

function findProblem(program: Program): Found | null {
  if (program.threads.length > THREADS_MAX) {
    return {
      reason: `Cannot have ${program.threads.length} threads: ${THREADS_MAX} at most`,
      part: program,
    };
  }
  return checkMeta(program) ?? checkCalls(program) ?? checkExpect(program);
}

function checkMeta(program: Program): Found | null {
  const seen = new Set<string>();
  for (const entry of [...program.meta]) {
    const row = META.find(({ key }) => key === entry.key && key !== 'name');
    if (row === undefined) return { reason: `Cannot have header "${entry.key}"`, part: entry };
    if (seen.has(entry.key))
      return { reason: `Cannot have header "${entry.key}" twice`, part: entry };
    seen.add(entry.key);
    if (!row.form.test(entry.value) || !isHeaderText(entry.value)) {
      return {
        reason: `Cannot use "${entry.value}" as "${entry.key}": ${row.meaning}, such as "${row.example}"`,
        part: entry,
      };
    }
  }
  if (program.name !== '' && !isHeaderText(program.name)) {
    return {
      reason: 'Cannot use this name: it has line breaks, comments or spaces around it',
      part: program,
    };
  }
  return null;
}

/** A comment sign after a space would be cut off when the text is read back. */
function isHeaderText(value: string): boolean {
  return value.trim() === value && !/[\r\n]|\s#|^#/.test(value);
}

function checkCalls(program: Program): Found | null {
  const all = allNames(program);
  const iocbs = filledIocbs([program.init, ...program.threads].flat());
  const bound = new Map<string, string>();
  const initNames = new Map<string, NameKind>();
  const lists: readonly (readonly [number, readonly Call[], Map<string, NameKind>])[] = [
    [-1, program.init, initNames],
    ...program.threads.map((calls, i) => [i, calls, new Map<string, NameKind>()] as const),
  ];
  for (const [thread, calls, own] of lists) {
    if (thread >= 0) for (const [name, kind] of initNames) own.set(name, kind);
    if (calls.length > CALLS_MAX) {
      return {
        reason: `Cannot have ${calls.length} calls in ${threadLabel(thread)}: ${CALLS_MAX} at most`,
        part: calls[CALLS_MAX],
      };
    }
    for (const [index, call] of calls.entries()) {
      const scope: ArgScope = { visible: own, all, iocbs, threads: program.threads.length, thread };
      const label = callLabel(thread, index);
      const found = checkCall(call, scope, bound, label);
      if (found !== null)
        return { label, at: positionOf(found.part) ?? positionOf(call), ...found };
      const kind = boundKind(call);
      for (const name of call.bind) own.set(name, kind);
    }
  }
  return null;
}

function checkCall(
  call: Call,
  scope: ArgScope,
  bound: Map<string, string>,
  label: string,
): Found | null {
  if (syscallOf(call.name) === null) {
    const names = SYSCALLS.map((spec) => spec.name);
    return {
      reason: `Cannot call "${call.name}": no such call${didYouMean(call.name, names)}`,
      part: call,
    };
  }
  return checkBinds(call, bound, label) ?? checkArgs(call, scope) ?? checkCondition(call, scope);
}

function checkBinds(call: Call, bound: Map<string, string>, label: string): Found | null {
  const spec = syscallOf(call.name);
  const count = call.bind.length;
  if (spec?.returns === 'fds2' ? count !== 0 && count !== 2 : count > 1) {
    const what = spec?.returns === 'fds2' ? 'two descriptors, as in "r, w = "' : 'one name';
    return {
      reason: `Cannot bind ${count} name${count === 1 ? '' : 's'} to ${call.name}(): it makes ${what}`,
      part: call,
    };
  }
  for (const [i, name] of call.bind.entries()) {
    const at = bindPositionOf(call.bind, i);
    if (!isName(name)) return { reason: `Cannot bind "${name}": it is no name`, part: call, at };
    if (isReserved(name)) {
      return { reason: `Cannot bind "${name}": the word is reserved`, part: call, at };
    }
    const before = bound.get(name);
    if (before !== undefined) {
      return { reason: `Cannot bind "${name}" again: ${before} binds it`, part: call, at };
    }
    bound.set(name, label);
  }
  return null;
}

function checkCondition(call: Call, scope: ArgScope): Found | null {
  const { when } = call;
  if (when === undefined) return null;
  if (!scope.visible.has(when.name) || call.bind.includes(when.name)) {
    const hint = didYouMean(when.name, [...scope.visible.keys()]);
    const why = scope.all.has(when.name)
      ? ': it is not an earlier result of this thread or of init'
      : `: nothing binds it${hint}`;
    return { reason: `Cannot test "${when.name}"${why}`, part: when };
  }
  return checkPattern(when.value, scope);
}

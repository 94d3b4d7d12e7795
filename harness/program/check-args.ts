/** Whether the arguments of a call fit its row in the table of system calls. */

import {
  EXCLUSIVE_SETS,
  flagOf,
  flagsOf,
  syscallOf,
  type ArgKind,
  type ArgSpec,
  type FlagSetName,
} from '../abi/index.ts';
import { accepts, expectedText, setsOf } from './arg-kinds.ts';
import { checkIocbs } from './check-iocbs.ts';
import { checkName, type ArgScope, type Problem } from './check-names.ts';
import { didYouMean } from './did-you-mean.ts';
import { printArg } from './print.ts';
import type { Arg, Call } from './program.ts';

/** A call or request as its table has it. */
export interface Signature {
  readonly name: string;
  readonly args: readonly ArgSpec[];
}

/** The first thing wrong with a call's arguments, or null. */
export function checkArgs(call: Call, scope: ArgScope): Problem | null {
  const spec = syscallOf(call.name);
  if (spec === null) return null;
  return checkForms(call, scope) ?? checkArgList(spec, call, 'call', scope);
}

/** What the number and kinds of arguments alone do not say. */
function checkForms(call: Call, scope: ArgScope): Problem | null {
  const plain = call.args.filter((arg) => arg.kind !== 'labelled');
  if (call.name === 'epoll_ctl' && plain.length === 3 && !isDelete(plain[1])) {
    return {
      reason: 'Cannot leave the events of epoll_ctl() out: only EPOLL_CTL_DEL has none',
      part: call,
    };
  }
  if (
    call.name === 'mmap' &&
    (plain.length > 0 ? plain.length < 2 || hasPlace(call) : !hasPlace(call))
  ) {
    return { reason: 'Cannot call mmap() so: it takes (fd, pages) or (at=)', part: call };
  }
  if (call.name === 'exit_group' && scope.thread < 0) {
    return { reason: 'Cannot exit in init: no thread runs yet', part: call };
  }
  return null;
}

/** Whether mmap() says where. */
export function hasPlace(call: Call): boolean {
  return call.args.some((arg) => arg.kind === 'labelled' && arg.label === 'at');
}

/** The first thing wrong with the arguments of a call or request, or null; `verb` is what one does with it. */
export function checkArgList(
  spec: Signature,
  of: { readonly args: readonly Arg[] },
  verb: 'call' | 'submit',
  scope: ArgScope,
): Problem | null {
  const plain = of.args.filter((arg) => arg.kind !== 'labelled');
  const specs = spec.args.filter((arg) => !arg.labelled);
  const required = specs.filter((arg) => !arg.optional).length;
  if (plain.length < required || plain.length > specs.length) {
    const reason = `Cannot ${verb} ${spec.name}() with ${plural(plain.length)}: it takes ${signature(spec)}`;
    return { reason, part: plain[specs.length] ?? of };
  }
  let position = 0;
  const labels = new Set<string>();
  for (const arg of of.args) {
    const problem =
      arg.kind === 'labelled'
        ? checkLabelled(spec, arg, labels, scope)
        : labels.size > 0
          ? { reason: `Cannot put ${printArg(arg)} after a labelled argument`, part: arg }
          : checkArg(spec.name, specs[position++], arg, scope);
    if (problem !== null) return problem;
  }
  return null;
}

function isDelete(op: Arg | undefined): boolean {
  return op?.kind === 'flags' && op.names[0] === 'EPOLL_CTL_DEL';
}

function plural(n: number): string {
  return `${n} argument${n === 1 ? '' : 's'}`;
}

/** `(epfd, op, fd, event, [data=])`. */
export function signature(spec: Signature): string {
  const names = spec.args.map((arg) =>
    arg.labelled ? `[${arg.name}=]` : arg.optional ? `[${arg.name}]` : arg.name,
  );
  return `(${names.join(', ')})`;
}

function checkLabelled(
  spec: Signature,
  arg: Extract<Arg, { kind: 'labelled' }>,
  labels: Set<string>,
  scope: ArgScope,
): Problem | null {
  const known = spec.args.filter((row) => row.labelled);
  const row = known.find(({ name }) => name === arg.label);
  if (row === undefined) {
    const hint = didYouMean(
      arg.label,
      known.map(({ name }) => name),
    );
    return {
      reason: `Cannot label an argument of ${spec.name}() "${arg.label}"${hint}`,
      part: arg,
    };
  }
  if (labels.has(arg.label)) {
    return { reason: `Cannot give "${arg.label}=" twice`, part: arg };
  }
  labels.add(arg.label);
  return checkArg(spec.name, row, arg.value, scope);
}

function checkArg(call: string, spec: ArgSpec, arg: Arg, scope: ArgScope): Problem | null {
  if (arg.kind === 'name') return checkName(call, spec, arg, scope);
  if (!accepts(spec.type, arg)) {
    const reason = `Cannot use ${printArg(arg)} as ${spec.name} of ${call}(): expected ${expectedText(spec.type)}`;
    return { reason, part: arg };
  }
  switch (arg.kind) {
    case 'flags':
      return checkFlags(arg, setsOf(spec.type), `${spec.name} of ${call}()`);
    case 'signals': {
      const problem = checkFlags(
        { kind: 'flags', names: arg.names },
        ['signal'],
        'a signal set',
        true,
      );
      return problem === null ? null : { reason: problem.reason, part: arg };
    }
    case 'pollfds':
      for (const { fd, events } of arg.entries) {
        const problem =
          checkArg(call, plainSpec('fd', { kind: 'fd' }), fd, scope) ??
          checkArg(call, plainSpec('events', { kind: 'events' }), events, scope);
        if (problem !== null) return problem;
        if (events.kind === 'pointer') {
          return { reason: `Cannot use ${printArg(events)} as events of a pollfd`, part: events };
        }
      }
      return null;
    case 'iocbs':
      return checkIocbs(arg.entries, arg, scope);
    case 'iovec':
      return checkSegments(call, arg);
    case 'int':
      return checkRange(call, spec, arg);
    case 'string':
      return checkText(arg);
    default:
      return null;
  }
}

function plainSpec(name: string, type: ArgKind): ArgSpec {
  return { name, type, optional: false, labelled: false };
}

function checkSegments(call: string, arg: Extract<Arg, { kind: 'iovec' }>): Problem | null {
  const segment: ArgSpec = plainSpec('a segment', { kind: 'data' });
  for (const part of arg.segments) {
    const fits = part.kind === 'int' || part.kind === 'pointer';
    if (!fits && !(part.kind === 'string' && call === 'pwritev')) {
      const bytes = call === 'pwritev' ? 'a string or a number of bytes' : 'a number of bytes';
      return {
        reason: `Cannot use ${printArg(part)} as a segment of ${call}(): expected ${bytes}`,
        part,
      };
    }
    const problem = part.kind === 'int' ? checkRange(call, segment, part) : checkText(part);
    if (problem !== null) return problem;
  }
  return null;
}

function checkText(arg: Arg): Problem | null {
  if (arg.kind !== 'string' || !/[^\0-\xff]/.test(arg.value)) return null;
  return { reason: `Cannot use a character beyond \\xff in a string: write its bytes`, part: arg };
}

/** Numbers that stand for lengths cannot be negative or huge in a program; odd values of the ABI can. */
function checkRange(
  call: string,
  spec: ArgSpec,
  arg: Extract<Arg, { kind: 'int' }>,
): Problem | null {
  const length =
    ((call === 'read' || call === 'pread') && spec.name === 'count') || spec.type.kind === 'data';
  if (length && (arg.value < 0 || arg.value > 0x100000)) {
    return {
      reason: `Cannot use ${arg.value} as a number of bytes: it goes from 0 to 1048576`,
      part: arg,
    };
  }
  if (call === 'sleep' && arg.value < 0) {
    return { reason: `Cannot sleep for ${arg.value} ms`, part: arg };
  }
  return null;
}

function checkFlags(
  arg: Extract<Arg, { kind: 'flags' }>,
  sets: readonly FlagSetName[],
  what: string,
  many = false,
): Problem | null {
  for (const name of arg.names) {
    if (name.startsWith('0x')) continue;
    const flag = flagOf(name);
    if (flag !== null && sets.includes(flag.set)) continue;
    const candidates = sets.flatMap((set) => flagsOf(set).map((known) => known.name));
    const hint =
      flag === null ? didYouMean(name, candidates) : `: expected ${candidates[0]} or its like`;
    return {
      reason: `Cannot use ${flag === null ? 'unknown flag ' : ''}${name} as ${what}${hint}`,
      part: arg,
    };
  }
  if (!many && arg.names.length > 1 && sets.some((set) => EXCLUSIVE_SETS.includes(set))) {
    return { reason: `Cannot combine ${arg.names.join('|')}: ${what} is one of them`, part: arg };
  }
  return null;
}

/** Whether the arguments of a call fit its row in the table of system calls. */

import {
  EXCLUSIVE_SETS,
  flagOf,
  flagsOf,
  syscallOf,
  type ArgKind,
  type ArgSpec,
  type FlagSetName,
  type SyscallSpec,
} from '../abi/index.ts';
import { didYouMean } from './did-you-mean.ts';
import { printArg } from './print.ts';
import type { Arg, Call } from './program.ts';
import type { NameKind } from './scope.ts';

/** What a call can see when its arguments are checked. */
export interface ArgScope {
  /** Names bound by init or earlier by the same thread. */
  readonly visible: ReadonlyMap<string, NameKind>;
  /** All names of the program. */
  readonly all: ReadonlyMap<string, NameKind>;
  readonly threads: number;
  /** -1 in init. */
  readonly thread: number;
}

/** What is wrong, and with which part of the program. */
export interface Problem {
  readonly reason: string;
  readonly part: object;
}

/** The first thing wrong with a call's arguments, or null. */
export function checkArgs(call: Call, scope: ArgScope): Problem | null {
  const spec = syscallOf(call.name);
  if (spec === null) return null;
  const plain = call.args.filter((arg) => arg.kind !== 'labelled');
  const specs = spec.args.filter((arg) => !arg.labelled);
  const required = specs.filter((arg) => !arg.optional).length;
  if (plain.length < required || plain.length > specs.length) {
    const reason = `Cannot call ${call.name}() with ${plural(plain.length)}: it takes ${signature(spec)}`;
    return { reason, part: plain[specs.length] ?? call };
  }
  if (call.name === 'epoll_ctl' && plain.length === 3 && !isDelete(plain[1])) {
    return {
      reason: 'Cannot leave the events of epoll_ctl() out: only EPOLL_CTL_DEL has none',
      part: call,
    };
  }
  let position = 0;
  const labels = new Set<string>();
  for (const arg of call.args) {
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
export function signature(spec: SyscallSpec): string {
  const names = spec.args.map((arg) =>
    arg.labelled ? `[${arg.name}=]` : arg.optional ? `[${arg.name}]` : arg.name,
  );
  return `(${names.join(', ')})`;
}

function checkLabelled(
  spec: SyscallSpec,
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
    case 'int':
      return checkRange(call, spec, arg);
    case 'string':
      if (/[^\0-\xff]/.test(arg.value)) {
        return {
          reason: `Cannot use a character beyond \\xff in a string: write its bytes`,
          part: arg,
        };
      }
      return null;
    default:
      return null;
  }
}

function plainSpec(name: string, type: ArgKind): ArgSpec {
  return { name, type, optional: false, labelled: false };
}

/** Numbers that stand for lengths cannot be negative or huge in a program; odd values of the ABI can. */
function checkRange(
  call: string,
  spec: ArgSpec,
  arg: Extract<Arg, { kind: 'int' }>,
): Problem | null {
  const length = (call === 'read' && spec.name === 'count') || spec.type.kind === 'data';
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

function checkName(
  call: string,
  spec: ArgSpec,
  arg: Extract<Arg, { kind: 'name' }>,
  scope: ArgScope,
): Problem | null {
  const { kind } = spec.type;
  if (kind === 'thread') return checkThread(arg, scope);
  const wanted: NameKind | null =
    kind === 'fd' || kind === 'ioctl-argument' || kind === 'open-how'
      ? 'descriptor'
      : kind === 'address' || (kind === 'buffer' && spec.labelled)
        ? 'mapping'
        : null;
  if (wanted === null || (kind === 'buffer' && !scope.visible.has(arg.name))) {
    const candidates = setsOf(spec.type).flatMap((set) => flagsOf(set).map((flag) => flag.name));
    const hint = didYouMean(arg.name, candidates);
    return {
      reason: `Cannot use ${arg.name} as ${spec.name} of ${call}(): expected ${expectedText(spec.type)}${hint}`,
      part: arg,
    };
  }
  const have = scope.visible.get(arg.name);
  if (have === wanted) return null;
  if (have !== undefined) {
    return {
      reason: `Cannot use "${arg.name}" as ${spec.name} of ${call}(): it is a ${have}, not a ${wanted}`,
      part: arg,
    };
  }
  if (scope.all.has(arg.name)) {
    return {
      reason: `Cannot use "${arg.name}" here: it is bound later or by another thread; bind it in init`,
      part: arg,
    };
  }
  const near = [...scope.visible].filter(([, k]) => k === wanted).map(([name]) => name);
  return {
    reason: `Cannot use "${arg.name}": nothing binds it${didYouMean(arg.name, near)}`,
    part: arg,
  };
}

function checkThread(arg: Extract<Arg, { kind: 'name' }>, scope: ArgScope): Problem | null {
  if (scope.thread < 0) {
    return { reason: 'Cannot send a signal in init: no thread runs yet', part: arg };
  }
  const number = /^T([1-9])$/.exec(arg.name)?.[1];
  if (number === undefined || Number(number) > scope.threads) {
    return {
      reason: `Cannot send a signal to "${arg.name}": threads are T1 to T${scope.threads}`,
      part: arg,
    };
  }
  return null;
}

function accepts(type: ArgKind, arg: Arg): boolean {
  switch (type.kind) {
    case 'fd':
    case 'int':
    case 'timeout':
      return arg.kind === 'int';
    case 'flags':
      return arg.kind === 'flags' || arg.kind === 'int';
    case 'events':
      return arg.kind === 'flags' || arg.kind === 'int' || arg.kind === 'pointer';
    case 'pollfds':
      return arg.kind === 'pollfds' || arg.kind === 'pointer';
    case 'buffer':
      return arg.kind === 'pointer' || arg.kind === 'mapped';
    case 'data':
      return ['string', 'int', 'pollfds', 'pointer', 'mapped'].includes(arg.kind);
    case 'signals':
      return arg.kind === 'signals' || arg.kind === 'pointer';
    case 'path':
      return arg.kind === 'string' || arg.kind === 'pointer';
    case 'thread':
      return false;
    case 'address':
      return arg.kind === 'int' || arg.kind === 'pointer' || arg.kind === 'flags';
    case 'ioctl-argument':
      return arg.kind === 'int' || arg.kind === 'pointer';
    case 'open-how':
      return arg.kind === 'flags' || arg.kind === 'int';
  }
}

function setsOf(type: ArgKind): readonly FlagSetName[] {
  switch (type.kind) {
    case 'flags':
      return [type.set];
    case 'events':
      return ['epoll', 'poll'];
    case 'open-how':
      return ['open'];
    case 'address':
      return ['all'];
    default:
      return [];
  }
}

function expectedText(type: ArgKind): string {
  switch (type.kind) {
    case 'fd':
      return 'a descriptor';
    case 'int':
      return 'a decimal number';
    case 'flags':
      return `${flagsOf(type.set)[0].name} or its like`;
    case 'events':
      return 'EPOLLIN or its like';
    case 'pollfds':
      return 'a list such as [r:POLLIN]';
    case 'buffer':
      return 'NULL, BAD, RO, KERNEL or mapped(n)';
    case 'data':
      return 'a string or a number of bytes';
    case 'timeout':
      return 'milliseconds';
    case 'signals':
      return 'a set such as {SIGUSR1}';
    case 'path':
      return 'a string';
    case 'thread':
      return 'a thread';
    case 'address':
      return 'a mapping or ALL';
    case 'ioctl-argument':
      return 'a number or a descriptor';
    case 'open-how':
      return 'O_RDONLY or its like';
  }
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

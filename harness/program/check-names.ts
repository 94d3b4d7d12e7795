/** Whether a name that stands for an argument is one, and of the right kind. */

import { flagsOf, type ArgSpec } from '../abi/index.ts';
import { expectedText, setsOf } from './arg-kinds.ts';
import { didYouMean } from './did-you-mean.ts';
import type { Arg } from './program.ts';
import type { NameKind } from './scope.ts';

/** What a call can see when its arguments are checked. */
export interface ArgScope {
  /** Names bound by init or earlier by the same thread. */
  readonly visible: ReadonlyMap<string, NameKind>;
  /** All names of the program. */
  readonly all: ReadonlyMap<string, NameKind>;
  /** The iocbs that some io_submit() of the program fills. */
  readonly iocbs: ReadonlySet<string>;
  readonly threads: number;
  /** -1 in init. */
  readonly thread: number;
}

/** What is wrong, and with which part of the program. */
export interface Problem {
  readonly reason: string;
  readonly part: object;
}

type NameArg = Extract<Arg, { kind: 'name' }>;

/** What is wrong with a name in the place of that argument, or null. */
export function checkName(
  call: string,
  spec: ArgSpec,
  arg: NameArg,
  scope: ArgScope,
): Problem | null {
  const { kind } = spec.type;
  if (kind === 'thread') return checkThread(arg, scope);
  if (kind === 'iocb') return checkIocbName(arg.name, arg, scope);
  if (kind === 'ring-field' && (arg.name === 'head' || arg.name === 'tail')) return null;
  const wanted = wantedKinds(spec);
  if (wanted.length === 0 || (kind === 'buffer' && !scope.visible.has(arg.name))) {
    const candidates = setsOf(spec.type).flatMap((set) => flagsOf(set).map((flag) => flag.name));
    const fields = kind === 'ring-field' ? ['head', 'tail'] : [];
    const hint = didYouMean(arg.name, [...candidates, ...fields]);
    return {
      reason: `Cannot use ${arg.name} as ${spec.name} of ${call}(): expected ${expectedText(spec.type)}${hint}`,
      part: arg,
    };
  }
  const have = scope.visible.get(arg.name);
  if (have !== undefined && wanted.includes(have)) return null;
  if (have !== undefined) {
    return {
      reason: `Cannot use "${arg.name}" as ${spec.name} of ${call}(): it is a ${have}, not a ${wanted.join(' or ')}`,
      part: arg,
    };
  }
  if (scope.all.has(arg.name)) {
    return {
      reason: `Cannot use "${arg.name}" here: it is bound later or by another thread; bind it in init`,
      part: arg,
    };
  }
  const near = [...scope.visible].filter(([, k]) => wanted.includes(k)).map(([name]) => name);
  return {
    reason: `Cannot use "${arg.name}": nothing binds it${didYouMean(arg.name, near)}`,
    part: arg,
  };
}

/** What a name in that place may stand for; nothing if it takes no names. */
function wantedKinds(spec: ArgSpec): readonly NameKind[] {
  switch (spec.type.kind) {
    case 'fd':
    case 'ioctl-argument':
    case 'open-how':
      return ['descriptor'];
    // The ring of a context is a mapping too.
    case 'address':
      return ['mapping', 'context'];
    case 'buffer':
      return spec.labelled ? ['mapping'] : [];
    case 'context':
      return ['context'];
    default:
      return [];
  }
}

function checkThread(arg: NameArg, scope: ArgScope): Problem | null {
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

/** What is wrong with a reference to an iocb by its name, or null. */
export function checkIocbName(name: string, part: object, scope: ArgScope): Problem | null {
  if (scope.iocbs.has(name)) return null;
  const hint = didYouMean(name, [...scope.iocbs]);
  return { reason: `Cannot use iocb "${name}": no io_submit() fills it${hint}`, part };
}

/** What each kind of argument accepts, and how a message says so. */

import { flagsOf, type ArgKind, type FlagSetName } from '../abi/index.ts';
import type { Arg } from './program.ts';

/** Whether an argument that is no name has the form that the kind asks for. */
export function accepts(type: ArgKind, arg: Arg): boolean {
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
    case 'context':
      return isNumber(arg);
    case 'variable':
      return isNumber(arg) || arg.kind === 'pointer';
    case 'iocbs':
      return arg.kind === 'iocbs' || arg.kind === 'pointer';
    case 'iocb':
      return arg.kind === 'pointer';
    case 'iovec':
      return arg.kind === 'iovec';
    case 'ring-field':
      return false;
    case 'statistic':
      return arg.kind === 'string';
  }
}

/** Handles and addresses are easier to read in hexadecimal. */
function isNumber(arg: Arg): boolean {
  if (arg.kind === 'flags') return arg.names.length === 1 && arg.names[0].startsWith('0x');
  return arg.kind === 'int';
}

/** The families of flags that the kind takes its names from. */
export function setsOf(type: ArgKind): readonly FlagSetName[] {
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

/** `a descriptor`, `EPOLLIN or its like`: what should have been written. */
export function expectedText(type: ArgKind): string {
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
    case 'context':
      return 'a context of io_setup() or a number';
    case 'variable':
      return 'a number, or a bad pointer such as BAD';
    case 'iocbs':
      return 'a list such as [a: pread(r, 1)]';
    case 'iocb':
      return 'the name of an iocb, or a bad pointer such as BAD';
    case 'iovec':
      return 'a list such as [1, 4096]';
    case 'ring-field':
      return 'head or tail';
    case 'statistic':
      return 'a name in quotes';
  }
}

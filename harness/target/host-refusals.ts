/** What the host does not run, and why: a line each. */

import type { Arg, Call } from '../program/program.ts';
import { IOCB_BYTES_MAX, type HostArg } from './host-plan.ts';

/** Why a program cannot run on the host; a CONF, nobody's fault. */
export class HostRefusal extends Error {}

/** Descriptor numbers below this one may be the child's own; programs must not name them. */
const OWN_FDS = 64;
/** Longest write by count, in bytes. */
const WRITE_MAX = 1 << 20;

/** Throws if the call asks for what the host has not, or must not do. */
export function refuseCall(call: Call): void {
  switch (call.name) {
    case 'write':
      refuseWrite(call.args[1]);
      return;
    case 'dup2':
      if (call.args[1]?.kind === 'int')
        throw new HostRefusal('host does not run dup2() onto a number');
      return;
    case 'kill':
      if (!onlySignal(call.args[1])) throw new HostRefusal('host sends no signal but SIGUSR1');
      return;
    case 'epoll_ctl':
      refuseFlag(call.args[1], 'EPOLL_CTL_ADD_AND_TEST');
      return;
    case 'io_pgetevents':
      if (!onlySignal(call.args[4])) throw new HostRefusal('host blocks no signal but SIGUSR1');
      return;
    case 'epoll_pwait':
    case 'epoll_pwait2':
      if (!onlySignal(call.args[3])) throw new HostRefusal('host blocks no signal but SIGUSR1');
      return;
    case 'fcntl':
      refuseFlag(call.args[1], 'F_DUPFD');
      return;
    case 'ioctl':
      for (const flag of ['EP_ALLOC', 'EP_POLL', 'EP_FREE', 'EP_ISPOLLED'])
        refuseFlag(call.args[1], flag);
      return;
    default:
  }
}

/** Throws for a number that may be a descriptor of the harness. */
export function refuseOwnDescriptor(value: number): void {
  if (value < 0 || value >= OWN_FDS) return;
  throw new HostRefusal(
    `host does not run calls on descriptor ${value} by number: it may belong to the harness; use a name, -1, or ${OWN_FDS} and more`,
  );
}

function refuseWrite(data: Arg | undefined): void {
  if (data?.kind === 'pollfds') throw new HostRefusal('host has no /dev/epoll to write pollfds to');
  if (data?.kind === 'int' && data.value > WRITE_MAX) {
    throw new HostRefusal(`host writes at most ${WRITE_MAX} bytes in one call`);
  }
}

const TRANSFERS = new Set(['pread', 'pwrite', 'preadv', 'pwritev']);

/** Segments that fit on the page of an iocb. */
const SEGMENTS_MAX = 252;

/** Throws if a request transfers more than its buffer holds, or by more segments than there is room for. */
export function refuseContent(request: string, data: HostArg | undefined): void {
  if (!TRANSFERS.has(request)) return;
  const sizes = data?.kind === 'iovec' ? data.segments.map(sizeOf) : [sizeOf(data)];
  if (sizes.reduce((sum, size) => sum + Math.max(0, size), 0) > IOCB_BYTES_MAX)
    throw new HostRefusal(`host transfers at most ${IOCB_BYTES_MAX} bytes by one iocb`);
  if (sizes.length > SEGMENTS_MAX)
    throw new HostRefusal(`host passes at most ${SEGMENTS_MAX} segments by one iocb`);
}

function sizeOf(data: HostArg | undefined): number {
  if (data?.kind === 'string') return data.value.length;
  return data?.kind === 'int' ? data.value : 0;
}

function refuseFlag(arg: Arg | undefined, flag: string): void {
  if (arg?.kind === 'flags' && arg.names.includes(flag))
    throw new HostRefusal(`host has no ${flag}`);
}

/** SIGUSR2 is the harness's own, the others would end the child. */
function onlySignal(arg: Arg | undefined): boolean {
  if (arg?.kind !== 'flags' && arg?.kind !== 'signals')
    return arg?.kind !== 'int' || arg.value === 0;
  return arg.names.every((name) => name === 'SIGUSR1');
}

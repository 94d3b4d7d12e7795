/** What the C library of the model is made of: who calls, raw calls, raw answers as results. */

import { errnoName } from '../abi/index.ts';
import type { ReportedEvent, Result } from '../history/history.ts';
import type { BuiltKernel } from '../kernel/kernel.ts';
import { atOnce, type Kernel } from '../machine/index.ts';
import type { Arg, Call } from '../program/program.ts';
import type { Iocbs } from './model-iocbs.ts';
import type { Arenas, Scope, Symbols } from './model-values.ts';

/** Bytes of a struct epoll_event. */
export const EVENT_SIZE = 12;

/** What a call needs to know about who makes it. */
export interface Caller {
  readonly kernel: BuiltKernel;
  /** 2.5.44 with sys_epoll: events by value, batches through the mapped buffer. */
  readonly sysEpoll: boolean;
  /** -1 is init. */
  readonly thread: number;
  /** How many threads the program has. */
  readonly threads: number;
  readonly scope: Scope;
  readonly symbols: Symbols;
  readonly arenas: Arenas;
  /** Descriptor number → symbol of the registration, for kernels that report numbers. */
  readonly numberNames: Map<number, string>;
  /** The request blocks of the program. */
  readonly iocbs: Iocbs;
}

/** Marshals the arguments, makes the call, reads back what it says. */
export type Marshal = (c: Caller, args: readonly Arg[], call: Call) => Kernel<Result>;

/** The raw answer of a system call; -ENOSYS if the kernel has none of that name. */
export function sys(c: Caller, name: string, args: readonly number[]): Kernel<number> {
  const syscall = c.kernel.syscalls.get(name);
  return syscall === undefined ? atOnce(-38) : syscall(args);
}

/** The result of a call that answers with a number. */
export function value(r: number): Result {
  return r < 0 ? { kind: 'errno', errno: errnoName(-r) } : { kind: 'value', value: r };
}

/** The result of a call that makes descriptors. */
export function descriptors(r: number, fds: readonly number[]): Result {
  return r < 0 ? { kind: 'errno', errno: errnoName(-r) } : { kind: 'fds', fds };
}

/** The epoll events that a call stored at an address. */
export function eventsAt(c: Caller, address: number, count: number): ReportedEvent[] {
  const events: ReportedEvent[] = [];
  for (let i = 0; i < count; i++) {
    // The kernel stored an epoll_event here: that is what the call promised.
    const e = c.kernel.mm.load(address + EVENT_SIZE * i) as
      { readonly events: number; readonly data: number } | undefined;
    // A store to an address that the process cannot read back (a kernel address) shows as nothing.
    if (e !== undefined) events.push({ name: c.symbols.nameOf(e.data), mask: e.events >>> 0 });
  }
  return events;
}

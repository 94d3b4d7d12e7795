/** What the rows of calls are made of: prepared actions, arguments as numbers, new descriptors as results. */

import { flagBits } from '../abi/index.ts';
import type { Result } from '../history/history.ts';
import { type Caller, SCRATCH, errnoResult } from './host-caller.ts';
import type { SyscallArgument } from './host-libc.ts';
import type { HostArg, HostCall } from './host-plan.ts';

/** Makes one call. What is constant in it was computed when the program was loaded. */
export type Action = (caller: Caller) => Result;

/** Prepares a call. */
export type Prepare = (call: HostCall) => Action;

/** Bits of a flags argument, or the number; 0 if there is none. */
export function bitsOf(arg: HostArg | undefined): number {
  if (arg?.kind === 'int') return arg.value;
  return arg?.kind === 'flags' ? flagBits(arg.names) : 0;
}

/** A number as the 64 bits a system call takes. */
export function wide(value: number): number | bigint {
  return Number.isSafeInteger(value) ? value : BigInt.asIntN(64, BigInt(Math.trunc(value)));
}

/** Notes the new descriptor of a call, if there is one. The numbers in results are slots, not the machine's. */
export function madeOne(c: Caller, r: number, call: HostCall, kind: 1 | 2 = 1): Result {
  const slot = call.slots[0] ?? 0;
  if (r < 0) {
    Atomics.store(c.shared.fds, slot, -1);
    return errnoResult(r);
  }
  c.own(r, slot, kind);
  return { kind: 'fds', fds: [slot] };
}

/** Stores a timespec as it is, however odd. */
export function storeTimespec(c: Caller, at: number, sec: number, nsec: number): void {
  c.view.setBigInt64(at, BigInt(sec), true);
  c.view.setBigInt64(at + 8, BigInt(nsec), true);
}

/** Stores milliseconds as a timespec. */
export function storeTime(c: Caller, at: number, ms: number): void {
  const seconds = Math.floor(ms / 1000);
  c.view.setBigInt64(at, BigInt(seconds), true);
  c.view.setBigInt64(at + 8, BigInt(Math.round((ms - seconds * 1000) * 1e6)), true);
}

const signalNumbers: Readonly<Record<string, number>> = { SIGUSR1: 10 };

/** The bits of a signal set. */
export function signalsOf(arg: HostArg | undefined): bigint {
  let mask = 0n;
  if (arg?.kind !== 'signals') return mask;
  for (const name of arg.names) mask |= 1n << BigInt((signalNumbers[name] ?? 1) - 1);
  return mask;
}

/** Where a signal set lies: in the scratch page, or where the program points; 0 for none. */
export function storeSignals(c: Caller, arg: HostArg | undefined, mask: bigint): SyscallArgument {
  if (arg?.kind === 'pointer') return c.target(arg, 8);
  if (arg?.kind !== 'signals') return 0;
  c.view.setBigUint64(SCRATCH.signals, mask, true);
  return c.scratch(SCRATCH.signals);
}

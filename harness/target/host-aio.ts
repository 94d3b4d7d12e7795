/** The calls of AIO on the host: contexts by slot, request blocks by number. */

import { readFileSync } from 'node:fs';
import type { Result } from '../history/history.ts';
import { type Prepare, bitsOf, signalsOf, storeSignals, storeTime, wide } from './host-action.ts';
import {
  type Caller,
  IOCB_POINTERS_MAX,
  SCRATCH,
  errnoResult,
  valueOrErrno,
} from './host-caller.ts';
import { NR, type SyscallArgument } from './host-libc.ts';
import type { HostArg, HostIocb } from './host-plan.ts';

const EVENT_BYTES = 32;
const EINVAL = 22;

/** The handle of a context argument: of its slot, or the literal. */
function contextOf(c: Caller, arg: HostArg | undefined): number {
  if (arg?.kind === 'context') return c.shared.contexts[arg.slot] ?? 0;
  return arg?.kind === 'int' ? arg.value : 0;
}

const ioSetup: Prepare = (call) => {
  const nr = bitsOf(call.args[0]);
  const given = call.labels['ctxp'];
  const initial = given?.kind === 'int' ? given.value : 0;
  return (c) => {
    const slot = call.context ?? 0;
    const { contexts, contextsOwned } = c.shared;
    contexts[slot] = 0;
    c.view.setBigInt64(SCRATCH.value, BigInt(initial), true);
    const at = given?.kind === 'pointer' ? c.target(given, 8) : c.scratch(SCRATCH.value);
    const r = c.sys(NR.io_setup, nr, at);
    if (r < 0) return errnoResult(r);
    contexts[slot] = Number(c.view.getBigUint64(SCRATCH.value, true));
    contextsOwned[slot] = 1;
    return { kind: 'fds', fds: [slot] };
  };
};

const ioDestroy: Prepare =
  ({ args }) =>
  (c) => {
    const handle = contextOf(c, args[0]);
    const { contexts, contextsOwned } = c.shared;
    // Before the call: as soon as the ring is unmapped another thread can get the handle for a new context.
    const owners = contexts.findIndex((h, slot) => h === handle && contextsOwned[slot] === 1);
    if (owners >= 0) contextsOwned[owners] = 0;
    return valueOrErrno(c.sys(NR.io_destroy, handle));
  };

/** The protection of a ring, from the line of its mapping. */
const ringProt: Prepare =
  ({ args }) =>
  (c) => {
    const start = contextOf(c, args[0]).toString(16);
    const line = readFileSync('/proc/self/maps', 'latin1')
      .split('\n')
      .find((text) => new RegExp(`^0*${start}-`).test(text));
    const bits = /^\S+ (...)/.exec(line ?? '')?.[1];
    if (bits === undefined) return errnoResult(-EINVAL);
    const value = [...'rwx'].reduce((sum, bit, n) => sum + (bits[n] === bit ? 1 << n : 0), 0);
    return { kind: 'value', value };
  };

const personality: Prepare =
  ({ args }) =>
  (c) =>
    valueOrErrno(c.sys(NR.personality, bitsOf(args[0])));

/** Writes the blocks that are given anew and the array of addresses; answers its address. */
function storeIocbs(c: Caller, entries: readonly HostIocb[]): number {
  for (const [i, entry] of entries.entries()) {
    if (entry.kind === 'iocb' && entry.op !== null) c.iocbs.fill(entry.iocb, entry.op, c);
    const address = entry.kind === 'iocb' ? c.iocbs.addressOf(entry.iocb) : c.pointer(entry.where);
    c.view.setBigInt64(SCRATCH.pollfds + 8 * i, BigInt(address), true);
  }
  return c.scratch(SCRATCH.pollfds);
}

const ioSubmit: Prepare = ({ args, labels }) => {
  const list = args[1];
  const entries = list?.kind === 'iocbs' ? list.entries.slice(0, IOCB_POINTERS_MAX) : [];
  const nr = labels['nr'] === undefined ? entries.length : wide(bitsOf(labels['nr']));
  return (c) => {
    const isList = list?.kind === 'iocbs';
    const at = isList ? storeIocbs(c, entries) : c.target(list, 8);
    const count = isList || labels['nr'] !== undefined ? nr : 1;
    return valueOrErrno(c.sys(NR.io_submit, contextOf(c, args[0]), count, at));
  };
};

function completionsAt(c: Caller, at: SyscallArgument, count: number): Result {
  if (count < 0) return errnoResult(count);
  const first = c.offsetOf(at);
  const events = Array.from({ length: count }, (_, i) =>
    c.iocbs.completion(c.view, first + EVENT_BYTES * i, c.iocbNames),
  );
  return { kind: 'completions', events };
}

const ioCancel: Prepare =
  ({ args, labels }) =>
  (c) => {
    const [context, iocb] = args;
    const address = iocb?.kind === 'iocb' ? c.iocbs.addressOf(iocb.iocb) : c.target(iocb, 64);
    const at = c.target(labels['result'], EVENT_BYTES);
    const r = c.sys(NR.io_cancel, contextOf(c, context), address, at);
    return r < 0 ? errnoResult(r) : completionsAt(c, at, 1);
  };

/** Where the time limit lies; null for none. */
function timeoutAt(c: Caller, timeout: number, given: HostArg | undefined): SyscallArgument {
  if (given?.kind === 'pointer') return c.target(given, 16);
  if (timeout < 0) return 0;
  storeTime(c, SCRATCH.time, timeout);
  return c.scratch(SCRATCH.time);
}

const ioGetevents: Prepare = ({ args, labels }) => {
  const min = wide(bitsOf(args[1]));
  const nr = wide(bitsOf(args[2]));
  const timeout = bitsOf(args[3]);
  return (c) => {
    const at = c.target(labels['events'], EVENT_BYTES);
    const time = timeoutAt(c, timeout, labels['tmo']);
    const context = contextOf(c, args[0]);
    const r = c.timedSys(timeout, NR.io_getevents, context, min, nr, at, time);
    return completionsAt(c, at, r);
  };
};

/** Bytes of the structure that holds the address of the signal set and its size. */
const SIGSET_AT = 8;

const ioPgetevents: Prepare = ({ args, labels }) => {
  const min = wide(bitsOf(args[1]));
  const nr = wide(bitsOf(args[2]));
  const timeout = bitsOf(args[3]);
  const mask = signalsOf(args[4]);
  return (c) => {
    const at = c.target(labels['events'], EVENT_BYTES);
    const time = timeoutAt(c, timeout, labels['tmo']);
    const context = contextOf(c, args[0]);
    const set = storeSignals(c, args[4], mask);
    const pair = SCRATCH.signals + SIGSET_AT;
    c.view.setBigInt64(pair, BigInt(set), true);
    c.view.setBigInt64(pair + 8, 8n, true);
    const r = c.timedSys(timeout, NR.io_pgetevents, context, min, nr, at, time, c.scratch(pair));
    return completionsAt(c, at, r);
  };
};

/** Rows of the AIO family, by name. */
export const AIO_CALLS: Readonly<Record<string, Prepare>> = {
  io_setup: ioSetup,
  io_destroy: ioDestroy,
  io_submit: ioSubmit,
  aio_ring_prot: ringProt,
  personality,
  io_cancel: ioCancel,
  io_getevents: ioGetevents,
  io_pgetevents: ioPgetevents,
};

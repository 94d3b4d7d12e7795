/** The calls of AIO on the model: contexts, request blocks, completions, and the ring as user space sees it. */

import type { Completion } from '../program/result.ts';
import type { Result } from '../history/history.ts';
import { IO_EVENT_SIZE, pointerSize, type IoEvent, type Timespec } from '../kernel/fs/aio/abi.ts';
import { aio } from '../kernel/fs/aio/kioctx.ts';
import { ringAt, userLoad, userReap, userStore, type AioRing } from '../kernel/fs/aio/ring.ts';
import { E, kernelConfig } from '../kernel/kernel.ts';
import { downRead, sendSignal, tasks, upRead, type Kernel } from '../machine/index.ts';
import type { Arg, IocbArg } from '../program/program.ts';
import { eventsAt, sys, value, type Caller, type Marshal } from './model-caller.ts';
import { intOf, labelled, pointerAddress } from './model-values.ts';

/** Where things lie in the buffer of a thread. */
const TIMEOUT_AT = 0x8000;
const CONTEXT_AT = 0x8100;

/** The handle of a context argument: what the variable holds, or the literal. */
function handleOf(c: Caller, arg: Arg | undefined): number {
  if (arg?.kind === 'name') return Math.max(0, c.scope.get(arg.name).address);
  return intOf(arg);
}

const ioSetup: Marshal = function* (c, args, call) {
  const given = labelled(call.args, 'ctxp');
  let address = c.arenas.of(c.thread) + CONTEXT_AT;
  if (given?.kind === 'pointer') address = c.arenas.bufferFor(given, c.thread, pointerSize());
  else c.kernel.mm.store(address, intOf(given));
  const r = yield* sys(c, 'io_setup', [intOf(args[0]) >>> 0, address]);
  // A variable that the call has not written holds 0.
  const handle = r < 0 ? 0 : Number(c.kernel.mm.load(address));
  if (call.bind.length === 1) c.scope.bindAddress(call.bind[0], handle);
  return r < 0 ? value(r) : { kind: 'fds', fds: [] };
};

const ioDestroy: Marshal = function* (c, args) {
  return value(yield* sys(c, 'io_destroy', [handleOf(c, args[0])]));
};

/** Writes the blocks that are given anew and the array of addresses; answers its address. */
function* storeIocbs(c: Caller, entries: readonly IocbArg[]): Kernel<number> {
  const array = c.arenas.of(c.thread);
  for (const [i, entry] of entries.entries()) {
    if (entry.kind === 'iocb' && entry.op !== null)
      yield* c.iocbs.fill(entry.name, entry.op, c.scope);
    const address =
      entry.kind === 'iocb' ? c.iocbs.addressOf(entry.name) : pointerAddress(entry.where);
    c.kernel.mm.store(array + i * pointerSize(), address);
  }
  return array;
}

const ioSubmit: Marshal = function* (c, args, call) {
  const list = args[1];
  const given = labelled(call.args, 'nr');
  const isList = list?.kind === 'iocbs';
  const array = isList
    ? yield* storeIocbs(c, list.entries)
    : c.arenas.bufferFor(list, c.thread, pointerSize());
  const nr = intOf(given, isList ? list.entries.length : 1);
  return value(yield* sys(c, 'io_submit', [handleOf(c, args[0]), nr, array]));
};

/** What a program makes of an io_event. */
function* completionOf(c: Caller, event: IoEvent): Kernel<Completion> {
  const { obj, res, res2 } = event;
  const name = c.iocbs.nameOf(obj);
  if (res < 0) return { name, res, res2 };
  const data = yield* c.iocbs.readBack(obj, res);
  if (data !== null) return { name, res, res2, data };
  const stored = yield* c.iocbs.eventsOf(obj);
  if (stored === null) return { name, res, res2 };
  return { name, res, res2, events: eventsAt(c, stored, res) };
}

function* completionsAt(c: Caller, address: number, count: number): Kernel<Result> {
  const events: Completion[] = [];
  for (let i = 0; i < count; i++) {
    // The kernel stored an io_event here: that is what the call promised.
    const event = c.kernel.mm.load(address + IO_EVENT_SIZE * i) as IoEvent | undefined;
    if (event !== undefined) events.push(yield* completionOf(c, event));
  }
  return { kind: 'completions', events };
}

const ioCancel: Marshal = function* (c, args, call) {
  const iocb = args[1];
  const address =
    iocb?.kind === 'name' ? c.iocbs.addressOf(iocb.name) : c.arenas.bufferFor(iocb, c.thread, 64);
  const result = c.arenas.bufferFor(labelled(call.args, 'result'), c.thread, IO_EVENT_SIZE);
  const r = yield* sys(c, 'io_cancel', [handleOf(c, args[0]), address, result]);
  return r < 0 ? value(r) : yield* completionsAt(c, result, 1);
};

/** Where the time limit lies; 0 for none. */
function timeoutAt(c: Caller, ms: number, given: Arg | undefined): number {
  if (given?.kind === 'pointer') return pointerAddress(given.where);
  if (ms < 0) return 0;
  const address = c.arenas.of(c.thread) + TIMEOUT_AT;
  const sec = Math.floor(ms / 1000);
  const limit: Timespec = { sec, nsec: (ms - sec * 1000) * 1_000_000 };
  c.kernel.mm.store(address, limit);
  return address;
}

const ioGetevents: Marshal = function* (c, args, call) {
  const address = c.arenas.bufferFor(labelled(call.args, 'events'), c.thread, IO_EVENT_SIZE);
  const r = yield* sys(c, 'io_getevents', [
    handleOf(c, args[0]),
    intOf(args[1]),
    intOf(args[2]),
    address,
    timeoutAt(c, intOf(args[3]), labelled(call.args, 'tmo')),
  ]);
  return r < 0 ? value(r) : yield* completionsAt(c, address, r);
};

/** The ring mapped at a handle, if any. Where mappings can go meanwhile the page tables are looked at in steps. */
function* ringOf(c: Caller, arg: Arg | undefined): Kernel<AioRing | null> {
  if (!kernelConfig.contextsDie) return ringAt(handleOf(c, arg));
  yield* downRead(aio.mmapSem, 'user-ring');
  const ring = ringAt(handleOf(c, arg));
  yield* upRead(aio.mmapSem, 'user-ring');
  return ring;
}

const aioRing: Marshal = function* (c, args) {
  const ring = yield* ringOf(c, args[0]);
  if (ring === null) return value(-E.EFAULT);
  const word = fieldOf(args[1]);
  if (args[2] === undefined) return value(yield* userLoad(ring, word));
  yield* userStore(ring, word, intOf(args[2]));
  return value(0);
};

function fieldOf(arg: Arg | undefined): 'head' | 'tail' {
  const name = arg?.kind === 'name' ? arg.name : arg?.kind === 'flags' ? arg.names[0] : '';
  return name === 'tail' ? 'tail' : 'head';
}

const aioRingReap: Marshal = function* (c, args) {
  const ring = yield* ringOf(c, args[0]);
  if (ring === null) return value(-E.EFAULT);
  const event = yield* userReap(ring);
  return { kind: 'completions', events: event === null ? [] : [yield* completionOf(c, event)] };
};

const fork: Marshal = function* (c) {
  return value(yield* sys(c, 'fork', []));
};

/** Every other thread of the process dies on its way to user mode; so does the caller, which never returns. */
const exitGroup: Marshal = function* (c) {
  for (const task of tasks.slice(0, c.threads))
    if (task.slot !== c.thread) yield* sendSignal(task, 'SIGKILL', 'exit_group');
  return value(0);
};

const diskStat: Marshal = function* (c, args) {
  const address = c.arenas.of(c.thread);
  c.kernel.mm.store(address, args[0]?.kind === 'string' ? args[0].value : '');
  return value(yield* sys(c, 'disk_stat', [address]));
};

/** Rows of the AIO family, by name. */
export const AIO_MARSHAL: Readonly<Record<string, Marshal>> = {
  io_setup: ioSetup,
  io_destroy: ioDestroy,
  io_submit: ioSubmit,
  io_cancel: ioCancel,
  io_getevents: ioGetevents,
  aio_ring: aioRing,
  aio_ring_reap: aioRingReap,
  fork,
  exit_group: exitGroup,
  disk_stat: diskStat,
};

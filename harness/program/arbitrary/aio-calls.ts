/** Single generated calls of AIO. */

import type { Arg, Call, IocbArg, IocbOp } from '../program.ts';
import { CONTEXTS_MAX, pickContext, type AioActor } from './aio-world.ts';
import { close } from './calls.ts';
import { chance, pick, pickWeighted } from './draw.ts';
import { call, freshName, int, name, ofKind, pickHot, type Descriptor } from './world.ts';

/** A step makes some calls, or none where what it needs is not there. */
export type AioStep = (actor: AioActor) => readonly Call[];

/** Short enough that a second of the model's time is many of them. */
const WAITS = [-1, -1, -1, -1, 1, 1, 2, 5, 0];

function source(actor: AioActor): Descriptor | null {
  return pickHot(actor.world, ofKind(actor, 'pipe-read', 'socket', 'disk', 'other'));
}

function sink(actor: AioActor): Descriptor | null {
  return pickHot(actor.world, ofKind(actor, 'pipe-write', 'socket', 'disk'));
}

function length(actor: AioActor): Arg {
  return int(pick(actor.world.draw, actor.world.sizes));
}

function bytes(actor: AioActor): Arg {
  const { draw, sizes } = actor.world;
  return chance(draw, 30)
    ? { kind: 'string', value: pick(draw, ['x', 'ab', 'xyz']) }
    : int(pick(draw, sizes));
}

function segments(actor: AioActor, one: (actor: AioActor) => Arg): Arg {
  const count = actor.world.draw.int(1, 3);
  return { kind: 'iovec', segments: Array.from({ length: count }, () => one(actor)) };
}

/** A read request; of a block device whole sectors. */
function readOp(actor: AioActor): IocbOp | null {
  const from = source(actor);
  if (from === null) return null;
  if (from.kind === 'disk') return diskOp(actor, from, 'pread');
  return chance(actor.world.draw, 15)
    ? { name: 'preadv', args: [name(from.name), segments(actor, length)] }
    : { name: 'pread', args: [name(from.name), length(actor)] };
}

function writeOp(actor: AioActor): IocbOp | null {
  const to = sink(actor);
  if (to === null) return null;
  if (to.kind === 'disk') return diskOp(actor, to, 'pwrite');
  return chance(actor.world.draw, 15)
    ? { name: 'pwritev', args: [name(to.name), segments(actor, bytes)] }
    : { name: 'pwrite', args: [name(to.name), bytes(actor)] };
}

function diskOp(actor: AioActor, disk: Descriptor, kind: 'pread' | 'pwrite'): IocbOp {
  const { draw } = actor.world;
  const args: Arg[] = [name(disk.name), int(pick(draw, [512, 512, 4096]))];
  if (chance(draw, 60)) {
    const value = int(512 * draw.int(1, 4));
    args.push({ kind: 'labelled', label: 'offset', value });
  }
  return { name: kind, args };
}

function waitOp(actor: AioActor): IocbOp | null {
  const { draw } = actor.world;
  const sets = ofKind(actor, 'set');
  if (sets.length === 0 || actor.requests.timers >= actor.requests.timersMax) return null;
  actor.requests.timers++;
  const set = chance(draw, 90) ? sets[0] : pick(draw, sets);
  const max = chance(draw, 80) ? 8 : 1;
  return { name: 'epoll_wait', args: [name(set.name), int(max), int(pick(draw, WAITS))] };
}

/** Requests that are refused, or that few programs make. */
function oddOp(actor: AioActor): IocbOp | null {
  const { draw } = actor.world;
  const from = source(actor) ?? sink(actor);
  if (from === null) return null;
  const fd = name(from.name);
  const buf: Arg = { kind: 'labelled', label: 'buf', value: { kind: 'pointer', where: 'BAD' } };
  switch (draw.int(0, 4)) {
    case 0:
      return { name: 'pread', args: [int(-1), int(1)] };
    case 1:
      return { name: 'pread', args: [fd, length(actor), buf] };
    case 2:
      return { name: 'fsync', args: [fd] };
    case 3:
      return { name: 'opcode', args: [int(pick(draw, [4, 99])), fd] };
    default:
      return { name: 'noop', args: [fd] };
  }
}

function op(actor: AioActor): IocbOp | null {
  const { draw, profile } = actor.world;
  const [waits, moves] = profile.aio.epollWait ? [profile.aio.fallback ? 15 : 60, 40] : [2, 90];
  const make = pickWeighted(draw, [
    [profile.calls.has('epoll_wait') ? waits : 0, waitOp],
    [moves, readOp],
    [Math.ceil(moves * 0.7), writeOp],
    [4, oddOp],
  ]);
  return make(actor) ?? readOp(actor) ?? writeOp(actor);
}

/** One more element: most often a request of its own memory. */
function element(actor: AioActor, list: readonly IocbArg[]): IocbArg | null {
  const { world, requests } = actor;
  const { draw } = world;
  const old = requests.filled.filter(
    (iocb) => !list.some((e) => e.kind === 'iocb' && e.name === iocb),
  );
  // Again, as it stands; which may be a request with a timer.
  if (old.length > 0 && requests.timers < requests.timersMax && chance(draw, 5)) {
    requests.timers++;
    return { kind: 'iocb', name: pick(draw, old), op: null };
  }
  const made = op(actor);
  if (made === null) return null;
  const iocb = old.length > 0 && chance(draw, 6) ? pick(draw, old) : freshName(world, 'a');
  return { kind: 'iocb', name: iocb, op: made };
}

/** A descriptor that is none makes io_submit() stop before the end of its list. */
function badElement(actor: AioActor): IocbArg {
  if (chance(actor.world.draw, 15)) return { kind: 'pointer', where: 'BAD' };
  const iocb = freshName(actor.world, 'z');
  return { kind: 'iocb', name: iocb, op: { name: 'pread', args: [int(-1), int(1)] } };
}

/** io_submit() of one to three requests. */
export const submit: AioStep = (actor) => {
  const { world, requests } = actor;
  const { draw, profile } = world;
  const ctx = pickContext(actor);
  if (ctx === null) return [];
  const count = pickWeighted(draw, [
    [55, 1],
    [33, 2],
    [12, 3],
  ]);
  const entries: IocbArg[] = [];
  for (let i = 0; i < count; i++) {
    const entry = element(actor, entries);
    if (entry !== null) entries.push(entry);
  }
  if (entries.length === 0) return [];
  if (chance(draw, profile.aio.badElements)) {
    entries.splice(draw.int(chance(draw, 20) ? 0 : 1, entries.length), 0, badElement(actor));
  }
  for (const e of entries) {
    if (e.kind === 'iocb' && e.op !== null && !requests.filled.includes(e.name))
      requests.filled.push(e.name);
  }
  const args: Arg[] = [ctx, { kind: 'iocbs', entries }];
  if (chance(draw, 2)) {
    args.push({ kind: 'labelled', label: 'nr', value: int(pick(draw, [0, -1, 1, 2])) });
  }
  return [call([freshName(world, 'n')], 'io_submit', args)];
};

/** io_getevents(), most often for as long as it takes. */
export const reap: AioStep = (actor) => {
  const { world } = actor;
  const { draw } = world;
  const ctx = pickContext(actor);
  if (ctx === null) return [];
  const min = pickWeighted(draw, [
    [68, 1],
    [16, 2],
    [12, 0],
    [4, 3],
  ]);
  const nr = pickWeighted(draw, [
    [45, Math.max(1, min)],
    [20, Math.max(2, min)],
    [33, 8],
    [2, 0],
  ]);
  const timeout = pickWeighted(draw, [
    [77, -1],
    [12, 0],
    [7, 1],
    [4, 10],
  ]);
  const args: Arg[] = [ctx, int(min), int(nr), int(timeout)];
  if (chance(draw, 8)) {
    const value: Arg = chance(draw, 75)
      ? { kind: 'mapped', elements: draw.int(0, 2) }
      : { kind: 'pointer', where: 'BAD' };
    args.push({ kind: 'labelled', label: 'events', value });
  }
  return [call([freshName(world, 'g')], 'io_getevents', args)];
};

/** close(), of the set as likely as of what is in it: requests keep their files open. */
export const closeAny: AioStep = (actor) => {
  const { world } = actor;
  const [set] = ofKind(actor, 'set');
  if (set === undefined || chance(world.draw, 50)) return close(actor);
  return [call([freshName(world, 'q')], 'close', [name(set.name)])];
};

/** io_cancel() of a request of anybody. */
export const cancel: AioStep = (actor) => {
  const { world, requests } = actor;
  const { draw } = world;
  const ctx = pickContext(actor);
  if (ctx === null || requests.filled.length === 0) return [];
  const args: Arg[] = [ctx, name(pick(draw, requests.filled))];
  if (chance(draw, 4)) {
    args.push({ kind: 'labelled', label: 'result', value: { kind: 'pointer', where: 'BAD' } });
  }
  return [call([freshName(world, 'v')], 'io_cancel', args)];
};

export const destroy: AioStep = (actor) => {
  const ctx = pickContext(actor);
  return ctx === null ? [] : [call([freshName(actor.world, 'u')], 'io_destroy', [ctx])];
};

/** A context of the thread's own: others can only guess its handle. */
export const setup: AioStep = (actor) => {
  const { world, requests } = actor;
  if (requests.contexts >= CONTEXTS_MAX) return [];
  requests.contexts++;
  const ctx = freshName(world, 'c');
  actor.contexts.push(ctx);
  return [call([ctx], 'io_setup', [int(pick(world.draw, [1, 1, 2, 4, 4, 8]))])];
};

/** The end of the process with whatever is in flight. */
export const exit: AioStep = (actor) =>
  actor.world.profile.calls.has('exit_group') ? [call([], 'exit_group', [])] : [];

/** What a process does to the memory of its rings. */
export const userRing: AioStep = (actor) => {
  const { world } = actor;
  const ctx = pickContext(actor);
  if (ctx === null || !world.profile.calls.has('aio_ring')) return [];
  switch (world.draw.int(0, 3)) {
    case 0:
      return [call([freshName(world, 'j')], 'aio_ring_reap', [ctx])];
    case 1:
      return [call([], 'aio_ring', [ctx, name('head'), int(world.draw.int(0, 3))])];
    case 2:
      return [call([freshName(world, 'j')], 'aio_ring', [ctx, name('tail')])];
    default:
      return [call([], 'munmap', [ctx])];
  }
};

/** The sequential part of generated programs: sets, channels, what is in them, registrations. */

import type { Call } from '../program.ts';
import { chance, pick, pickWeighted, type Weighted } from './draw.ts';
import { ctl, duplicate } from './calls.ts';
import {
  call,
  flags,
  freshName,
  int,
  name,
  ofKind,
  type Actor,
  type Descriptor,
  type World,
} from './world.ts';

type Maker = (actor: Actor) => readonly Call[];

/** An epoll set by epoll_create(), or on kernels with the device by opening it. */
export function makeSet(actor: Actor): readonly Call[] {
  const { world } = actor;
  const set = freshName(world, ofKind(actor, 'set', 'device').length === 0 ? 'A' : 'B');
  const channel = world.channels++;
  if (!world.profile.device || !chance(world.draw, 12)) {
    actor.descriptors.push({ name: set, kind: 'set', channel, blocking: true });
    return [call([set], 'epoll_create', [int(10)])];
  }
  actor.descriptors.push({ name: set, kind: 'device', channel, blocking: true });
  const calls = [
    call([set], 'open', [{ kind: 'string', value: '/dev/epoll' }, flags('O_RDWR')]),
    call([], 'ioctl', [name(set), flags('EP_ALLOC'), int(pick(world.draw, [1, 100, 513]))]),
  ];
  if (!chance(world.draw, 70)) return calls;
  const map = freshName(world, 'm');
  actor.mappings.push(map);
  return [...calls, call([map], 'mmap', [name(set), int(2)])];
}

/** A pipe, both ends blocking or neither. */
function makePipe(actor: Actor): readonly Call[] {
  const { world } = actor;
  const [r, w] = [freshName(world, 'r'), freshName(world, 'w')];
  const channel = world.channels++;
  const blocking = chance(world.draw, 20);
  actor.descriptors.push(
    { name: r, kind: 'pipe-read', channel, blocking },
    { name: w, kind: 'pipe-write', channel, blocking },
  );
  const made = blocking ? call([r, w], 'pipe', []) : call([r, w], 'pipe2', [flags('O_NONBLOCK')]);
  return chance(world.draw, 60) ? [made, ...prefill(world, r, w, blocking)] : [made];
}

/** Writes and reads before the threads start. A blocking pipe is never brought to block. */
function prefill(world: World, r: string, w: string, blocking: boolean): readonly Call[] {
  const calls: Call[] = [];
  let held = 0;
  const steps = world.draw.int(1, 3);
  for (let i = 0; i < steps; i++) {
    const size = pick(world.draw, world.sizes);
    const writes = held === 0 || chance(world.draw, 60);
    if (writes) {
      if (blocking && held + size > Math.min(4096, world.profile.pipeCapacity)) continue;
      calls.push(call([], 'write', [name(w), int(size)]));
      held = Math.min(world.profile.pipeCapacity, held + size);
    } else {
      calls.push(call([], 'read', [name(r), int(size)]));
      held = Math.max(0, held - size);
    }
  }
  return calls;
}

function makePair(actor: Actor): readonly Call[] {
  const { world } = actor;
  const [s, t] = [freshName(world, 's'), freshName(world, 't')];
  const channel = world.channels++;
  const blocking = chance(world.draw, 20);
  for (const end of [s, t])
    actor.descriptors.push({ name: end, kind: 'socket', channel, blocking });
  const type = blocking ? flags('SOCK_STREAM') : flags('SOCK_STREAM', 'SOCK_NONBLOCK');
  const made = call([s, t], 'socketpair', [flags('AF_UNIX'), type]);
  return chance(world.draw, 20) ? [made, call([], 'write', [name(t), int(1)])] : [made];
}

/** A listener, and most often a connection that waits or is accepted. */
function makeListener(actor: Actor): readonly Call[] {
  const { world } = actor;
  const l = freshName(world, 'l');
  const channel = world.channels++;
  actor.descriptors.push({ name: l, kind: 'listener', channel, blocking: false });
  const calls = [call([l], 'listen', [flags('SOCK_NONBLOCK')])];
  if (!chance(world.draw, 60)) return calls;
  const c = freshName(world, 'c');
  actor.descriptors.push({ name: c, kind: 'socket', channel, blocking: false });
  calls.push(call([c], 'connect', [name(l), flags('SOCK_NONBLOCK')]));
  if (!chance(world.draw, 60)) return calls;
  const a = freshName(world, 'a');
  actor.descriptors.push({ name: a, kind: 'socket', channel, blocking: false });
  return [...calls, call([a], 'accept', [name(l), flags('SOCK_NONBLOCK')])];
}

function makeEventfd(actor: Actor): readonly Call[] {
  const { world } = actor;
  const e = freshName(world, 'e');
  actor.descriptors.push({ name: e, kind: 'eventfd', channel: world.channels++, blocking: false });
  return [call([e], 'eventfd', [int(pick(world.draw, [0, 0, 1])), flags('EFD_NONBLOCK')])];
}

/** A timer that may be set to fire at once, soon, or not yet. */
function makeTimerfd(actor: Actor): readonly Call[] {
  const { world } = actor;
  const v = freshName(world, 'v');
  actor.descriptors.push({ name: v, kind: 'timerfd', channel: world.channels++, blocking: false });
  const made = call([v], 'timerfd_create', [flags('CLOCK_MONOTONIC'), flags('TFD_NONBLOCK')]);
  if (!chance(world.draw, 60)) return [made];
  return [made, call([], 'timerfd_settime', [name(v), int(pick(world.draw, [1, 10]))])];
}

/** A file of a type that sets may refuse. */
function makeOther(actor: Actor): readonly Call[] {
  const { world } = actor;
  const f = freshName(world, 'f');
  actor.descriptors.push({ name: f, kind: 'other', channel: world.channels++, blocking: true });
  const value = pick(world.draw, ['/tmp/file', '/tmp', '/dev/zero']);
  return [call([f], 'open', [{ kind: 'string', value }])];
}

function makers(world: World): readonly Weighted<Maker>[] {
  return [
    [52, makePipe],
    [33, makePair],
    [10, makeListener],
    [world.profile.calls.has('eventfd') ? 12 : 0, makeEventfd],
    [world.profile.calls.has('timerfd_create') ? 5 : 0, makeTimerfd],
    [3, makeOther],
  ];
}

/** The calls of init: at least a set and a channel, at most `max` calls beyond what these need. */
export function generateInit(actor: Actor, bounds: { min: number; max: number }): readonly Call[] {
  const { draw } = actor.world;
  const calls: Call[] = [...makeSet(actor)];
  if (chance(draw, 20)) calls.push(...makeSet(actor));
  // Most programs are about the first channel; some have a second one that is.
  actor.world.hot = actor.world.channels + (chance(draw, 85) ? 0 : 1);
  const makerList = makers(actor.world);
  calls.push(...pickWeighted(draw, makerList)(actor));
  if (chance(draw, 30) && calls.length < bounds.max) {
    calls.push(...pickWeighted(draw, makerList)(actor));
  }
  if (chance(draw, 28) && calls.length < bounds.max) calls.push(...duplicate(actor));
  for (const target of registerable(actor)) {
    if (calls.length >= bounds.max) break;
    if (chance(draw, 75)) calls.push(...register(actor, target));
  }
  return calls;
}

function registerable(actor: Actor): readonly Descriptor[] {
  return ofKind(
    actor,
    'pipe-read',
    'pipe-write',
    'socket',
    'listener',
    'eventfd',
    'timerfd',
    'other',
  );
}

/** Registers with one set, now and then with both. */
function register(actor: Actor, target: Descriptor): readonly Call[] {
  const { world } = actor;
  const sets = ofKind(actor, 'set', 'device');
  const chosen = chance(world.draw, 35) ? sets : sets.slice(0, 1);
  const calls = chosen.flatMap((set) =>
    ctl(actor, { set, target, op: 'EPOLL_CTL_ADD', bound: false }),
  );
  if (calls.length > 0 && chance(world.draw, 4)) {
    const inner = sets[1];
    if (inner !== undefined) {
      calls.push(...ctl(actor, { set: sets[0], target: inner, op: 'EPOLL_CTL_ADD', bound: false }));
    }
  }
  return calls;
}

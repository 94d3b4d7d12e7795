/** The sequential part of AIO programs: contexts, channels, what is in them, sets, requests that wait. */

import type { Call } from '../program.ts';
import { setup, submit } from './aio-calls.ts';
import type { AioActor } from './aio-world.ts';
import { ctl, duplicate } from './calls.ts';
import { chance, pick, pickWeighted, type Weighted } from './draw.ts';
import { makeSet } from './init.ts';
import { call, flags, freshName, int, name, ofKind } from './world.ts';

type Maker = (actor: AioActor) => readonly Call[];

/** Whether an end may block: where requests wait on their own it matters little, elsewhere io_submit() does. */
function mayBlock(actor: AioActor): boolean {
  const { draw, profile } = actor.world;
  return chance(draw, profile.aio.fallback ? 60 : 10);
}

function makePipe(actor: AioActor): readonly Call[] {
  const { world } = actor;
  const [r, w] = [freshName(world, 'r'), freshName(world, 'w')];
  const channel = world.channels++;
  const blocking = mayBlock(actor);
  actor.descriptors.push(
    { name: r, kind: 'pipe-read', channel, blocking },
    { name: w, kind: 'pipe-write', channel, blocking },
  );
  const made = blocking ? call([r, w], 'pipe', []) : call([r, w], 'pipe2', [flags('O_NONBLOCK')]);
  return [made, ...fill(actor, w)];
}

function makePair(actor: AioActor): readonly Call[] {
  const { world } = actor;
  const [s, t] = [freshName(world, 's'), freshName(world, 't')];
  const channel = world.channels++;
  const blocking = mayBlock(actor);
  for (const end of [s, t])
    actor.descriptors.push({ name: end, kind: 'socket', channel, blocking });
  const type = blocking ? flags('SOCK_STREAM') : flags('SOCK_STREAM', 'SOCK_NONBLOCK');
  return [call([s, t], 'socketpair', [flags('AF_UNIX'), type]), ...fill(actor, t)];
}

/** A few bytes that requests can have at once. */
function fill(actor: AioActor, end: string): readonly Call[] {
  const { draw, sizes, profile } = actor.world;
  // Where a read blocks the submitter, most have something to read.
  if (!chance(draw, profile.aio.epollWait ? 20 : 45)) return [];
  const small = sizes.filter((size) => size <= 4096);
  return [call([], 'write', [name(end), int(pick(draw, small))])];
}

function makeDisk(actor: AioActor): readonly Call[] {
  const { world } = actor;
  const f = freshName(world, 'f');
  actor.descriptors.push({ name: f, kind: 'disk', channel: world.channels++, blocking: true });
  return [call([f], 'open', [{ kind: 'string', value: '/dev/sda' }, flags('O_RDWR', 'O_DIRECT')])];
}

function makeFile(actor: AioActor): readonly Call[] {
  const { world } = actor;
  const f = freshName(world, 'f');
  actor.descriptors.push({ name: f, kind: 'other', channel: world.channels++, blocking: true });
  return [call([f], 'open', [{ kind: 'string', value: '/tmp/file' }])];
}

function makers({ world }: AioActor): readonly Weighted<Maker>[] {
  return [
    [60, makePipe],
    [25, makePair],
    [world.profile.aio.disk ? 25 : 0, makeDisk],
    [3, makeFile],
  ];
}

/** Sets are what some kernels can wait on, and what any program has beside its requests. */
function makeWatched(actor: AioActor): readonly Call[] {
  const { draw, profile } = actor.world;
  if (!profile.calls.has('epoll_create')) return [];
  const wanted = !profile.aio.epollWait ? 8 : profile.aio.fallback ? 35 : 85;
  if (!chance(draw, wanted)) return [];
  const calls: Call[] = [...makeSet(actor)];
  const [set] = ofKind(actor, 'set');
  for (const target of ofKind(actor, 'pipe-read', 'socket')) {
    if (!chance(draw, 70)) continue;
    calls.push(...ctl(actor, { set, target, op: 'EPOLL_CTL_ADD', bound: false }));
  }
  return calls;
}

/** The calls of init: a context, a channel, and what the draw adds; at most `max` beyond what these need. */
export function generateAioInit(
  actor: AioActor,
  bounds: { min: number; max: number },
): readonly Call[] {
  const { draw, profile } = actor.world;
  const calls: Call[] = [...setup(actor)];
  actor.world.hot = actor.world.channels;
  calls.push(...pickWeighted(draw, makers(actor))(actor));
  if (chance(draw, 18) && calls.length < bounds.max)
    calls.push(...pickWeighted(draw, makers(actor))(actor));
  if (calls.length < bounds.max) calls.push(...makeWatched(actor));
  if (chance(draw, 8) && calls.length < bounds.max) calls.push(...setup(actor));
  if (chance(draw, 12) && calls.length < bounds.max) calls.push(...duplicate(actor));
  // A request that waits while the threads start; where it would block, or is done at once, there are fewer.
  if (chance(draw, profile.aio.epollWait ? 45 : 12) && calls.length < bounds.max)
    calls.push(...submit(actor));
  return calls;
}

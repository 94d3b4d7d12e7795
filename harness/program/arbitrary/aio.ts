/** Whole AIO programs: contexts, requests, whoever completes, reaps, cancels or destroys them. */

import type { Call, IocbOp, Program } from '../program.ts';
import { iocbsOf } from '../scope.ts';
import {
  cancel,
  closeAny,
  destroy,
  exit,
  reap,
  setup,
  submit,
  userRing,
  type AioStep,
} from './aio-calls.ts';
import { generateAioInit } from './aio-init.ts';
import { timersMax, type AioActor, type Requests } from './aio-world.ts';
import { add, duplicate, kill, modify, read, remove, shutdown, sleep } from './calls.ts';
import { waitStep, write } from './calls.ts';
import { chance, pick, pickWeighted, type Draw, type Weighted } from './draw.ts';
import type { Bounds, ProgramOptions } from './generate.ts';
import type { World } from './world.ts';

/** What a thread mostly does. */
type Role = readonly Weighted<AioStep>[];

/** Work for a sleeper, and a reason to give up: in either order they meet on the way. */
function submitAndSignal(actor: AioActor): readonly Call[] {
  const calls = [...submit(actor), ...kill(actor)];
  return chance(actor.world.draw, 30) ? calls.toReversed() : calls;
}

const submitter: Role = [
  [8, submit],
  [2, reap],
  [1, closeAny],
  [1, write],
];
const reaper: Role = [[1, reap]];
const canceller: Role = [
  [8, cancel],
  [1, reap],
];
const producer: Role = [
  [6, write],
  [2, read],
  [1, closeAny],
  [1, modify],
  [1, shutdown],
];
const destroyer: Role = [
  [8, destroy],
  [2, closeAny],
  [1, exit],
];
const signaller: Role = [
  [6, submitAndSignal],
  [2, kill],
  [1, submit],
  [1, write],
];
const mixed: Role = [
  [6, submit],
  [5, reap],
  [4, cancel],
  [4, write],
  [3, read],
  [3, closeAny],
  [2, destroy],
  [2, add],
  [2, modify],
  [2, remove],
  [1, waitStep],
  [1, setup],
  [1, kill],
  [1, sleep],
  [1, duplicate],
  [1, shutdown],
  [1, exit],
  [1, userRing],
];

/** Who meets whom; a cast for more threads is one for fewer as well. */
const casts: readonly Weighted<readonly Role[]>[] = [
  [4, [submitter, producer, canceller]],
  [3, [producer, canceller, reaper]],
  [3, [submitter, destroyer, reaper]],
  [3, [submitter, producer, reaper]],
  [3, [producer, producer, submitter]],
  [9, [reaper, signaller, reaper]],
  [2, [producer, destroyer, submitter]],
  [2, [submitter, submitter, canceller]],
  [1, [canceller, canceller, producer]],
  [1, [destroyer, canceller, submitter]],
  [3, [mixed, mixed, mixed]],
];

/** Lengths of requests: short ones that meet again, and what pipes and sockets change their minds at. */
const SIZES = [1, 2, 3, 10, 100, 4096, 4097, 65536];

const TRIES = 20;

/** A valid AIO program for a profile that has the calls; the same choices give the same program. */
export function generateAioProgram(draw: Draw, options: ProgramOptions): Program {
  const callBounds = options.callsPerThread ?? { min: 1, max: 3 };
  const threads = chooseThreads(draw, options.threads ?? { min: 1, max: 3 });
  const world: World = {
    draw,
    profile: options.profile,
    sizes: [1, 1, 2, pick(draw, SIZES), pick(draw, SIZES)],
    hot: 0,
    registered: new Set(),
    usedNames: new Set(),
    channels: 0,
    threads,
  };
  const requests: Requests = {
    filled: [],
    timers: 0,
    timersMax: timersMax(threads),
    contexts: 0,
  };
  const first = actorOf(world, requests, -1, null);
  const init = generateAioInit(first, options.initCalls ?? { min: 2, max: 10 });
  const cast = pickWeighted(draw, casts);
  const roles = Array.from({ length: threads }, (_, i) => cast[i % cast.length]);
  const lists: Call[][] = [];
  // Those who submit first, wherever they stand: the others can name their requests.
  for (const i of bySubmission(roles)) {
    const actor = actorOf(world, requests, i, first);
    lists[i] = generateThread(
      actor,
      roles[i],
      chooseLength(draw, callBounds, threads),
      callBounds.max,
    );
  }
  const meta = options.profile.aio.model ? generateMeta(draw, [init, ...lists].flat()) : [];
  return { name: '', meta, init, threads: lists, expect: [] };
}

/** A ring that is soon full, now and then; timers that do not wait for idleness where requests have some. */
function generateMeta(draw: Draw, calls: readonly Call[]): Program['meta'] {
  const meta = chance(draw, 10) ? [{ key: 'ring', value: String(draw.int(2, 4)) }] : [];
  const timed = calls.flatMap(iocbsOf).some((e) => e.kind === 'iocb' && isTimed(e.op));
  return timed && chance(draw, 70) ? [...meta, { key: 'timers', value: 'any' }] : meta;
}

function isTimed(op: IocbOp | null): boolean {
  const timeout = op?.name === 'epoll_wait' ? op.args[2] : undefined;
  return timeout?.kind === 'int' && timeout.value > 0;
}

function actorOf(
  world: World,
  requests: Requests,
  thread: number,
  init: AioActor | null,
): AioActor {
  return {
    world,
    requests,
    thread,
    descriptors: [...(init?.descriptors ?? [])],
    mappings: [],
    contexts: [...(init?.contexts ?? [])],
  };
}

/** Two threads mostly: with the kernel's own they are enough for most races. */
function chooseThreads(draw: Draw, bounds: Bounds): number {
  const wanted = pickWeighted(draw, [
    [10, 1],
    [43, 2],
    [44, 3],
    [3, 4],
  ]);
  return Math.max(bounds.min, Math.min(wanted, bounds.max, 4));
}

/** The more threads, the shorter. */
function chooseLength(draw: Draw, { min, max }: Bounds, threads: number): number {
  const length = draw.int(min, max);
  return threads > 2 && length > min && chance(draw, 60) ? length - 1 : length;
}

function bySubmission(roles: readonly Role[]): readonly number[] {
  const submits = (role: Role): boolean =>
    role.some(([weight, step]) => step === submit && weight > 0);
  return [...roles.keys()].sort((a, b) => Number(submits(roles[b])) - Number(submits(roles[a])));
}

/** Calls until there are so many; a step that makes two is not cut while there are at most `max`. */
function generateThread(actor: AioActor, role: Role, count: number, max: number): Call[] {
  const { draw } = actor.world;
  const calls: Call[] = [];
  for (let tries = 0; calls.length < count && tries < TRIES; tries++) {
    const step = pickWeighted(draw, chance(draw, 12) ? mixed : role);
    calls.push(...step(actor));
  }
  // A role that finds nothing to do.
  for (let tries = 0; calls.length === 0 && tries < TRIES; tries++)
    calls.push(...pickWeighted(draw, mixed)(actor));
  return calls.length === 0 ? [...sleep(actor)] : calls.slice(0, Math.max(1, max));
}

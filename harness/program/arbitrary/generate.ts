/** Whole programs from a source of choices. */

import type { Call, Program } from '../program.ts';
import { generateAioProgram } from './aio.ts';
import {
  accept,
  add,
  close,
  connect,
  createSet,
  duplicate,
  kill,
  modify,
  poll,
  probeThenWait,
  read,
  remove,
  reopen,
  setFlags,
  shutdown,
  sleep,
  waitStep,
  waitThenRead,
  write,
  type Step,
} from './calls.ts';
import { chance, pick, pickWeighted, type Draw, type Weighted } from './draw.ts';
import { generateInit } from './init.ts';
import { device, odd } from './odd-calls.ts';
import type { KernelProfile } from './profile.ts';
import type { Actor, World } from './world.ts';

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

export interface ProgramOptions {
  readonly profile: KernelProfile;
  /** How many threads: 1 to 4. Default 1 to 3. */
  readonly threads?: Bounds;
  /** Default 1 to 3. */
  readonly callsPerThread?: Bounds;
  /** Init can stay below `min` when nothing is left to set up. Default 2 to 10. */
  readonly initCalls?: Bounds;
}

type Role = readonly Weighted<Step>[];

const waiter: Role = [
  [6, waitStep],
  [7, probeThenWait],
  [3, waitThenRead],
  [3, add],
  [1, poll],
  [1, modify],
];
const controller: Role = [
  [4, add],
  [4, modify],
  [5, remove],
  [3, close],
  [1, duplicate],
  [1, createSet],
  [1, waitStep],
];
const mover: Role = [
  [6, write],
  [5, read],
  [3, close],
  [2, shutdown],
  [2, connect],
  [2, accept],
  [1, duplicate],
];
const mixed: Role = [
  [4, waitStep],
  [3, add],
  [2, modify],
  [2, remove],
  [3, write],
  [3, read],
  [2, close],
  [1, duplicate],
  [1, shutdown],
  [1, poll],
  [1, kill],
  [1, createSet],
  [1, sleep],
  [2, device],
  [1, odd],
  [1, reopen],
  [1, setFlags],
];
const roles: readonly Weighted<Role>[] = [
  [4, waiter],
  [4, controller],
  [4, mover],
  [3, mixed],
];

/** Sizes around which pipes and sockets change their minds. */
const SIZES = [1, 100, 4046, 4095, 4096, 4097, 65536];

/** Steps tried for one thread before it stays shorter than asked. */
const TRIES = 20;

/**
 * A valid program; the same choices give the same program. It is built of ordinary ingredients by
 * weight: nothing in it knows of particular bugs.
 */
export function generateProgram(draw: Draw, options: ProgramOptions): Program {
  const { share } = options.profile.aio;
  // No draw where there is no choice: the programs for other kernels stay as they were.
  if (share > 0 && (share === 100 || chance(draw, share))) return generateAioProgram(draw, options);
  const threadBounds = options.threads ?? { min: 1, max: 3 };
  const callBounds = options.callsPerThread ?? { min: 1, max: 3 };
  const threads = chooseThreads(draw, threadBounds);
  const world: World = {
    draw,
    profile: options.profile,
    sizes: choosePalette(draw, options.profile),
    hot: 0,
    registered: new Set(),
    usedNames: new Set(),
    channels: 0,
    threads,
  };
  const first: Actor = { world, thread: -1, descriptors: [], mappings: [] };
  const init = generateInit(first, options.initCalls ?? { min: 2, max: 10 });
  // Rivals do the same kind of thing; else one of them mostly waits, or little would be seen.
  const rivals = chance(draw, 25) ? pickWeighted(draw, roles) : null;
  const waiting = rivals === null && chance(draw, 75) ? draw.int(0, threads - 1) : -1;
  const lists = Array.from({ length: threads }, (_, thread) => {
    const actor: Actor = {
      world,
      thread,
      descriptors: [...first.descriptors],
      mappings: [...first.mappings],
    };
    const role = rivals ?? (thread === waiting ? waiter : pickWeighted(draw, roles));
    return generateThread(actor, role, draw.int(callBounds.min, callBounds.max));
  });
  return { name: '', meta: [], init, threads: lists, expect: [] };
}

/** Two threads, or the number nearest to it, are as likely as all others together. */
function chooseThreads(draw: Draw, bounds: Bounds): number {
  const max = Math.min(4, bounds.max);
  return chance(draw, 50) ? Math.max(bounds.min, Math.min(2, max)) : draw.int(bounds.min, max);
}

/** Two or three sizes for the whole program, one byte always among them. */
function choosePalette(draw: Draw, profile: KernelProfile): readonly number[] {
  const sizes = SIZES.filter((size) => size <= profile.pipeCapacity || chance(draw, 30));
  return [1, pick(draw, sizes), pick(draw, sizes), pick(draw, sizes)];
}

function generateThread(actor: Actor, role: Role, count: number): readonly Call[] {
  const { draw } = actor.world;
  const calls: Call[] = [];
  for (let tries = 0; calls.length < count && tries < TRIES; tries++) {
    const step = pickWeighted(draw, chance(draw, 12) ? mixed : role);
    calls.push(...step(actor));
  }
  return calls.slice(0, Math.max(1, count));
}

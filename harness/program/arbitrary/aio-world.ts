/** What a generated AIO program has made so far, beside what every program makes. */

import type { Arg } from '../program.ts';
import { chance, pick } from './draw.ts';
import { name, type Actor } from './world.ts';

/** State shared by init and all threads: iocbs are memory of the whole program. */
export interface Requests {
  /** Iocbs that some list fills; the generated threads before this one included. */
  readonly filled: string[];
  /** Submissions of waits on a set so far: each has a timer, and a kernel model has places for few. */
  timers: number;
  readonly timersMax: number;
  contexts: number;
}

/** A thread (or init) of an AIO program. */
export interface AioActor extends Actor {
  readonly requests: Requests;
  /** Contexts the thread can name. */
  readonly contexts: string[];
}

/** Contexts a program may have. */
export const CONTEXTS_MAX = 2;

/** Submissions with a timer that a program of so many threads may have: a model has 15 places for whatever runs. */
export function timersMax(threads: number): number {
  return Math.min(4, 15 - 2 * threads - 3 - CONTEXTS_MAX);
}

/** Mostly the first context of init. */
export function pickContext(actor: AioActor): Arg | null {
  const [first] = actor.contexts;
  if (first === undefined) return null;
  return name(chance(actor.world.draw, 85) ? first : pick(actor.world.draw, actor.contexts));
}

/**
 * Toy programs that exercise every class of operation and nothing else: what the explorers are proven on
 * (exploration.md 13.2). Not kernels.
 */

import type { Prng } from './prng.ts';

export type ToyOp =
  /** With skip: the next operation is left out if the value read is odd. */
  | { readonly op: 'read'; readonly word: number; readonly skip: boolean }
  /** A constant, or (copy) the value read last plus one. */
  | { readonly op: 'write'; readonly word: number; readonly value: number; readonly copy: boolean }
  | { readonly op: 'add'; readonly word: number; readonly value: number }
  | {
      readonly op: 'write2';
      readonly word: number;
      readonly other: number;
      readonly otherRead: boolean;
    }
  | { readonly op: 'lock' | 'unlock' | 'trylock'; readonly lock: number }
  | { readonly op: 'rlock' | 'wlock' | 'rwunlock'; readonly lock: number }
  | { readonly op: 'down-read' | 'down-write' | 'up'; readonly lock: number }
  /** On the state of a task; of the thread itself: sleep, await. */
  | { readonly op: 'set'; readonly thread: number; readonly state: number }
  | { readonly op: 'wake'; readonly thread: number; readonly mode: number }
  | { readonly op: 'sleep' | 'await' }
  /** On one counter: up, down, a loop that waits for another value, a wait for clear bits. */
  | { readonly op: 'post' | 'wait' }
  | { readonly op: 'relax'; readonly seen: number }
  | { readonly op: 'join'; readonly mask: number }
  /** Sleeps until woken by a `set` or a `wake`, or for that many ticks. */
  | { readonly op: 'nap'; readonly ticks: number }
  /** On the one timer that has a handler. */
  | { readonly op: 'arm'; readonly expires: number }
  | { readonly op: 'cancel' | 'cancel-sync' | 'now' }
  /** Raises the interrupt. */
  | { readonly op: 'raise' }
  /** Waits for the store buffer. */
  | { readonly op: 'barrier' }
  /** An allocation that may fail; the next operation is left out if it does. */
  | { readonly op: 'fault' }
  | { readonly op: 'choice'; readonly alternatives: number; readonly skipOn: number };

export interface ToyProgram {
  readonly threads: readonly (readonly ToyOp[])[];
  /** What the handler of the interrupt does each time; absent: there is none. */
  readonly interrupt?: readonly ToyOp[];
  /** What the handler of the timer does each time; absent: there is none. */
  readonly timer?: readonly ToyOp[];
  /** When timers may fire. */
  readonly timers: 'idle' | 'any';
  /** Failures that one thread may meet. */
  readonly faults: number;
  /** Stores of threads wait in buffers. */
  readonly storeBuffers: boolean;
}

export type Family = 'plain' | 'timers' | 'interrupts' | 'faults' | 'stores' | 'mixed';

export const FAMILIES: readonly Family[] = [
  'plain',
  'timers',
  'interrupts',
  'faults',
  'stores',
  'mixed',
];

/** A program of threads and nothing else. */
export function plainToy(threads: ToyProgram['threads']): ToyProgram {
  return { threads, timers: 'idle', faults: 0, storeBuffers: false };
}

type Make = (random: Prng, threads: number) => ToyOp;
type Table = readonly (readonly [number, Make])[];

const word = (random: Prng): number => random.below(3);
const coin = (random: Prng): boolean => random.below(2) === 0;

const MEMORY: Table = [
  [4, (r) => ({ op: 'read', word: word(r), skip: coin(r) })],
  [4, (r) => ({ op: 'write', word: word(r), value: r.below(3), copy: r.below(3) === 0 })],
  [1, (r) => ({ op: 'add', word: word(r), value: 1 + r.below(2) })],
  [
    1,
    (r) => {
      const first = word(r);
      return { op: 'write2', word: first, other: (first + 1 + r.below(2)) % 3, otherRead: coin(r) };
    },
  ],
];

const LOCKS: Table = [
  [4, (r) => ({ op: 'lock', lock: r.below(2) })],
  [2, (r) => ({ op: 'trylock', lock: r.below(2) })],
  [3, (r) => ({ op: 'unlock', lock: r.below(2) })],
  [2, (r) => ({ op: 'rlock', lock: r.below(2) })],
  [2, (r) => ({ op: 'wlock', lock: r.below(2) })],
  [2, (r) => ({ op: 'rwunlock', lock: r.below(2) })],
];

/** Operations on what tasks do; any context may run them. */
const WAKES: Table = [
  [1, (r, n) => ({ op: 'set', thread: r.below(n), state: r.below(2) })],
  [1, (r, n) => ({ op: 'wake', thread: r.below(n), mode: 1 + r.below(3) })],
  [1, () => ({ op: 'post' })],
];

/** Only tasks may sleep. */
const SLEEPS: Table = [
  [1, () => ({ op: 'sleep' })],
  [1, () => ({ op: 'await' })],
  [1, () => ({ op: 'wait' })],
  [1, (r) => ({ op: 'relax', seen: r.below(2) })],
  [1, (r) => ({ op: 'join', mask: coin(r) ? 1 : -1 })],
  [2, (r) => ({ op: (['down-read', 'down-write', 'up'] as const)[r.below(3)], lock: 0 })],
];

const CHOICE: Make = (r) => {
  const alternatives = 2 + r.below(2);
  return { op: 'choice', alternatives, skipOn: r.below(alternatives) };
};
const FAULT: Make = () => ({ op: 'fault' });
const NAP: Make = (r) => ({ op: 'nap', ticks: 1 + r.below(3) });
const ARM: Make = (r) => ({ op: 'arm', expires: r.below(3) });
const CANCEL: Make = (r) => ({ op: coin(r) ? 'cancel' : 'cancel-sync' });
const CLOCK: Make = () => ({ op: 'now' });
const RAISE: Make = () => ({ op: 'raise' });
const BARRIER: Make = () => ({ op: 'barrier' });

const TASK: Table = [...MEMORY, ...LOCKS, ...WAKES, ...SLEEPS, [2, CHOICE]];

/** What tasks do in a program of the family, and what handlers do. */
const TASKS: Readonly<Record<Family, Table>> = {
  plain: TASK,
  timers: [...TASK, [8, NAP], [5, ARM], [3, CANCEL], [2, CLOCK]],
  interrupts: [...TASK, [12, RAISE]],
  faults: [...TASK, [14, FAULT], [2, NAP]],
  stores: [...MEMORY, ...MEMORY, ...MEMORY, [3, BARRIER], ...LOCKS, ...WAKES, ...SLEEPS],
  mixed: [...TASK, [2, NAP], [4, ARM], [2, CANCEL], [6, RAISE], [3, FAULT], [3, BARRIER]],
};
const HANDLER: Table = [...MEMORY, ...LOCKS, ...WAKES, [2, CHOICE], [1, FAULT]];

/** Operations of one thread at most, by family, for 2, 3 and 4 threads; 0 for a number that it does not have. */
const MOST: Readonly<Record<Family, readonly [number, number, number]>> = {
  plain: [7, 4, 3],
  timers: [3, 2, 0],
  interrupts: [4, 3, 0],
  faults: [6, 4, 2],
  stores: [4, 2, 0],
  mixed: [3, 2, 0],
};

function draw(random: Prng, table: Table, threads: number): ToyOp {
  let left = random.below(table.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, make] of table) {
    if (left < weight) return make(random, threads);
    left -= weight;
  }
  return { op: 'await' };
}

function several(random: Prng, most: number, table: Table, threads: number): ToyOp[] {
  return Array.from({ length: 1 + random.below(most) }, () => draw(random, table, threads));
}

/** Acquisitions with their releases. */
const PAIRS = [
  ['lock', 'unlock'],
  ['trylock', 'unlock'],
  ['rlock', 'rwunlock'],
  ['wlock', 'rwunlock'],
  ['down-read', 'up'],
  ['down-write', 'up'],
] as const;

/** Has every other list take something and give it back: chance alone seldom releases what it took. */
function pair(random: Prng, ops: ToyOp[]): ToyOp[] {
  if (ops.length < 2 || coin(random)) return ops;
  const [take, giveBack] = PAIRS[random.below(PAIRS.length)];
  const lock = take === 'down-read' || take === 'down-write' ? 0 : random.below(2);
  const first = random.below(ops.length - 1);
  ops[first] = { op: take, lock };
  ops[first + 1 + random.below(ops.length - first - 1)] = { op: giveBack, lock };
  return ops;
}

/** A random program: 2 to 4 threads of 1 to 7 operations, fewer per thread the more threads. */
export function randomToy(random: Prng, family: Family): ToyProgram {
  const most = MOST[family];
  const threads = 2 + random.below(most[2] === 0 ? 2 : 3);
  const table = TASKS[family];
  const some = (): ToyOp[] => pair(random, several(random, most[threads - 2], table, threads));
  const handler = (): ToyOp[] => several(random, 2, HANDLER, threads);
  const isMixed = family === 'mixed';
  const bodies = Array.from({ length: threads }, some);
  const uses = (...names: readonly ToyOp['op'][]): boolean =>
    bodies.some((body) => body.some(({ op }) => names.includes(op)));
  return {
    threads: bodies,
    ...(uses('raise') ? { interrupt: handler() } : {}),
    ...(uses('arm', 'cancel', 'cancel-sync') ? { timer: handler() } : {}),
    timers: coin(random) ? 'idle' : 'any',
    faults: family === 'faults' || isMixed ? 1 + random.below(2) : 0,
    storeBuffers: family === 'stores' || (isMixed && random.below(3) === 0),
  };
}

/** The family of the n-th program: half of them plain. */
export function familyOf(n: number): Family {
  return n % 2 === 0 ? 'plain' : FAMILIES[((n - 1) / 2) % FAMILIES.length];
}

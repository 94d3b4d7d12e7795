/**
 * Toy programs that exercise every class of operation and nothing else: what the explorers are proven on
 * (exploration.md 13.2, 13.4). Not kernels.
 */

import {
  RwSem,
  downRead,
  downWrite,
  engine,
  newRwLock,
  newSpinLock,
  newWord,
  readLock,
  resetTasks,
  resetTimers,
  scheduleTimeout,
  setCurrentState,
  tasks,
  readUnlock,
  spinLock,
  spinTrylock,
  spinUnlock,
  upRead,
  upWrite,
  writeLock,
  writeUnlock,
  type Kernel,
  type OpObject,
  type RwLock,
  type Scenario,
  type SpinLock,
  type Word,
} from '../machine/index.ts';
import { Kind, TaskState } from '../machine/op.ts';
import { Prng } from './prng.ts';

export type ToyOp =
  /** With skip: the next operation is left out if the value read is odd. */
  | { readonly op: 'read'; readonly word: number; readonly skip: boolean }
  /** A constant, or (copy) the value read last plus one. */
  | { readonly op: 'write'; readonly word: number; readonly value: number; readonly copy: boolean }
  | {
      readonly op: 'write2';
      readonly word: number;
      readonly other: number;
      readonly otherRead: boolean;
    }
  | { readonly op: 'lock' | 'unlock' | 'trylock'; readonly lock: number }
  | { readonly op: 'rlock' | 'wlock' | 'rwunlock'; readonly lock: number }
  | { readonly op: 'down-read' | 'down-write' | 'up'; readonly lock: number }
  | { readonly op: 'sleep' }
  | { readonly op: 'set'; readonly thread: number; readonly state: number }
  | { readonly op: 'await' }
  /** Sleeps until woken by a `set` or for that many ticks. */
  | { readonly op: 'nap'; readonly ticks: number }
  | { readonly op: 'choice'; readonly alternatives: number; readonly skipOn: number };

export type ToyProgram = readonly (readonly ToyOp[])[];

interface ToyState {
  readonly words: Word[];
  readonly locks: SpinLock[];
  readonly rwlocks: RwLock[];
  readonly sems: RwSem[];
  readonly tasks: OpObject[];
  /** What a thread holds: its own business, so no operation. */
  readonly held: Set<string>[];
}

/** The scenario of a toy program, with words 0..2, two locks, two rwlocks and a fair semaphore. */
export function toyScenario(program: ToyProgram): Scenario {
  let state: ToyState | null = null;
  return {
    threads: program.length,
    *init(): Kernel<void> {
      resetTimers();
      resetTasks(program.length);
      state = {
        words: [0, 1, 2].map((n) => newWord(`w${n}`, 0)),
        locks: [0, 1].map((n) => newSpinLock(`l${n}`)),
        rwlocks: [0, 1].map((n) => newRwLock(`rw${n}`)),
        sems: [new RwSem('sem')],
        tasks: tasks.map((task) => task.state),
        held: program.map(() => new Set<string>()),
      };
    },
    *body(thread: number): Kernel<void> {
      if (state === null) return;
      let last = 0;
      let skip = false;
      for (const op of program[thread]) {
        if (skip) {
          skip = false;
          continue;
        }
        const value = yield* runOp(op, thread, state, last);
        if (op.op === 'read') {
          last = value;
          skip = op.skip && (value & 1) === 1;
        } else if (op.op === 'choice') skip = value === op.skipOn;
        else if (op.op === 'trylock') skip = value === 0;
      }
    },
  };
}

function* runOp(op: ToyOp, thread: number, s: ToyState, last: number): Kernel<number> {
  switch (op.op) {
    case 'read':
      return yield* engine.submit(Kind.READ, s.words[op.word], 0, 'read');
    case 'write':
      return yield* engine.submit(
        Kind.WRITE,
        s.words[op.word],
        op.copy ? (last + 1) & 3 : op.value,
        'write',
      );
    case 'write2':
      return yield* engine.submit2(
        Kind.WRITE,
        s.words[op.word],
        false,
        s.words[op.other],
        op.otherRead,
        'write2',
      );
    case 'sleep':
      return yield* engine.submit(Kind.SET, s.tasks[thread], TaskState.INTERRUPTIBLE, 'sleep');
    case 'set':
      return yield* engine.submit(Kind.SET, s.tasks[op.thread], op.state, 'set');
    case 'await':
      return yield* engine.submit(Kind.AWAIT, s.tasks[thread], 0, 'await');
    case 'nap':
      yield* setCurrentState(TaskState.INTERRUPTIBLE, 'nap');
      return yield* scheduleTimeout(op.ticks, 'nap');
    case 'choice':
      return yield* engine.submitChoice(op.alternatives, 'choice');
    default:
      return yield* runLock(op, s, s.held[thread]);
  }
}

type LockOp = Extract<ToyOp, { readonly lock: number }>;

/** Locks are only taken when not held and given up when held, so every program is well behaved. */
function* runLock(op: LockOp, s: ToyState, held: Set<string>): Kernel<number> {
  const spin = `l${op.lock}`;
  const rw = `rw${op.lock}`;
  switch (op.op) {
    case 'lock':
      if (held.has(spin)) return 0;
      held.add(spin);
      return yield* spinLock(s.locks[op.lock], 'lock');
    case 'trylock': {
      if (held.has(spin)) return 1;
      const got = yield* spinTrylock(s.locks[op.lock], 'trylock');
      if (got === 1) held.add(spin);
      return got;
    }
    case 'unlock':
      if (!held.delete(spin)) return 0;
      return yield* spinUnlock(s.locks[op.lock], 'unlock');
    case 'rlock':
      if (held.has(rw) || held.has(`${rw}w`)) return 0;
      held.add(rw);
      return yield* readLock(s.rwlocks[op.lock], 'rlock');
    case 'wlock':
      if (held.has(rw) || held.has(`${rw}w`)) return 0;
      held.add(`${rw}w`);
      return yield* writeLock(s.rwlocks[op.lock], 'wlock');
    case 'rwunlock':
      if (held.delete(rw)) return yield* readUnlock(s.rwlocks[op.lock], 'runlock');
      if (held.delete(`${rw}w`)) return yield* writeUnlock(s.rwlocks[op.lock], 'wunlock');
      return 0;
    default:
      return yield* runSem(op.op, s.sems[0], held);
  }
}

function* runSem(
  op: 'down-read' | 'down-write' | 'up',
  sem: RwSem,
  held: Set<string>,
): Kernel<number> {
  if (op === 'up') {
    if (held.delete('semr')) return yield* upRead(sem, 'up_read');
    if (held.delete('semw')) return yield* upWrite(sem, 'up_write');
    return 0;
  }
  if (held.has('semr') || held.has('semw')) return 0;
  held.add(op === 'down-read' ? 'semr' : 'semw');
  if (op === 'down-read') yield* downRead(sem, 'down_read');
  else yield* downWrite(sem, 'down_write');
  return 0;
}

/**
 * A random program: 2 to 4 threads of 1 to 7 operations, fewer per thread the more threads. With naps some sleep
 * with a time limit.
 */
export function randomToy(random: Prng, naps = false): ToyProgram {
  const threads = 2 + random.below(3);
  const most = threads === 2 ? 7 : threads === 3 ? 4 : 3;
  return Array.from({ length: threads }, () =>
    Array.from({ length: 1 + random.below(most) }, () =>
      naps && random.below(4) === 0
        ? { op: 'nap' as const, ticks: 1 + random.below(3) }
        : randomOp(random, threads),
    ),
  );
}

function randomOp(random: Prng, threads: number): ToyOp {
  switch (random.below(16)) {
    case 0:
    case 1:
      return { op: 'read', word: random.below(3), skip: random.below(2) === 0 };
    case 2:
    case 3:
      return {
        op: 'write',
        word: random.below(3),
        value: random.below(3),
        copy: random.below(3) === 0,
      };
    case 4: {
      const word = random.below(3);
      return {
        op: 'write2',
        word,
        other: (word + 1 + random.below(2)) % 3,
        otherRead: random.below(2) === 0,
      };
    }
    case 5:
    case 6:
      return { op: 'lock', lock: random.below(2) };
    case 7:
      return { op: 'trylock', lock: random.below(2) };
    case 8:
      return { op: 'unlock', lock: random.below(2) };
    case 9:
      return { op: 'rlock', lock: random.below(2) };
    case 10:
      return { op: 'wlock', lock: random.below(2) };
    case 11:
      return { op: 'rwunlock', lock: random.below(2) };
    case 12:
      return { op: (['down-read', 'down-write', 'up'] as const)[random.below(3)], lock: 0 };
    case 13:
      return { op: 'set', thread: random.below(threads), state: random.below(2) };
    case 14:
      return random.below(2) === 0 ? { op: 'await' } : { op: 'sleep' };
    default: {
      const alternatives = 2 + random.below(2);
      return { op: 'choice', alternatives, skipOn: random.below(alternatives) };
    }
  }
}

/** Toy programs on the machine. */

import {
  RwSem,
  StoreBuffers,
  STORE_BUFFER_TOP,
  add,
  armTimer,
  cancelTimer,
  cancelTimerSync,
  down,
  downRead,
  downWrite,
  engine,
  faults,
  injectFault,
  memoryBarrier,
  newInterrupt,
  newRwLock,
  newSemaphore,
  newSpinLock,
  newTimer,
  newWord,
  now,
  raiseInterrupt,
  read,
  readLock,
  readUnlock,
  resetTasks,
  resetTimers,
  scheduleTimeout,
  setCurrentState,
  spinLock,
  spinTrylock,
  spinUnlock,
  tasks,
  up,
  upRead,
  upWrite,
  wakeUpProcess,
  write,
  writeLock,
  writeUnlock,
  type Interrupt,
  type Kernel,
  type RwLock,
  type Scenario,
  type Semaphore,
  type SpinLock,
  type Timer,
  type Word,
} from '../machine/index.ts';
import { Kind, TaskState } from '../machine/op.ts';
import type { ToyOp, ToyProgram } from './toy-program.ts';

interface ToyState {
  readonly words: Word[];
  readonly locks: SpinLock[];
  readonly rwlocks: RwLock[];
  readonly sem: RwSem;
  readonly count: Semaphore;
  readonly interrupt: Interrupt | null;
  readonly timer: Timer | null;
  /** What a thread holds, by slot: its own business, so no operation. */
  readonly held: Set<string>[];
  /** What each slot has seen: a hash of the results of all its operations. */
  readonly seen: Int32Array;
}

export const WORDS = 3;

/** Slots of the pseudo-threads of a program with so many threads; those of naps are the threads' own plus `users`. */
export function timerSlot(users: number): number {
  return 2 * users;
}
export function interruptSlot(users: number): number {
  return 2 * users + 1;
}
const SLOTS = 16;

/** A scenario that can say what an execution came to. */
export interface ToyScenario extends Scenario {
  /** Hash of the values at the end and of everything that every thread has seen. */
  outcome(): number;
}

/** Takes a result in. */
export function mixResult(hash: number, value: number): number {
  return Math.imul(hash ^ (value + 1), 0x01000193) ^ (hash >>> 15);
}

/** The scenario of a toy program: three words, two locks, two rwlocks, a fair semaphore and a counter. */
export function toyScenario(program: ToyProgram): ToyScenario {
  const users = program.threads.length;
  let state: ToyState | null = null;
  return {
    threads: users,
    *init(): Kernel<void> {
      engine.timers = program.timers;
      faults.perThread = program.faults;
      faults.taken.fill(0);
      resetTimers();
      resetTasks(users);
      state = newState(program, () => state);
      engine.storeBuffers = program.storeBuffers
        ? new StoreBuffers(engine, users, STORE_BUFFER_TOP)
        : null;
    },
    *body(thread: number): Kernel<void> {
      if (state !== null) yield* runOps(program.threads[thread], thread, state);
    },
    outcome: () => (state === null ? 0 : outcomeOf(state)),
  };
}

/** What toy programs set on the machine is as it was. */
export function forgetToys(): void {
  engine.timers = 'idle';
  engine.storeBuffers = null;
  faults.perThread = 0;
}

function newState(program: ToyProgram, state: () => ToyState | null): ToyState {
  const users = program.threads.length;
  const handler = (ops: readonly ToyOp[], slot: number) =>
    function* (): Kernel<void> {
      const s = state();
      if (s !== null) yield* runOps(ops, slot, s);
    };
  const words = Array.from({ length: WORDS }, (_, n) => newWord(`w${n}`, 0));
  const [irqSlot, slot] = [interruptSlot(users), timerSlot(users)];
  return {
    words,
    locks: [0, 1].map((n) => newSpinLock(`l${n}`)),
    rwlocks: [0, 1].map((n) => newRwLock(`rw${n}`)),
    sem: new RwSem('sem'),
    count: newSemaphore('count', 0),
    interrupt:
      program.interrupt === undefined
        ? null
        : newInterrupt('toy', irqSlot, handler(program.interrupt, irqSlot)),
    timer: program.timer === undefined ? null : newTimer('toy', slot, handler(program.timer, slot)),
    held: Array.from({ length: SLOTS }, () => new Set<string>()),
    seen: new Int32Array(SLOTS),
  };
}

function outcomeOf(state: ToyState): number {
  let hash = 0;
  for (const { id } of state.words) hash = mixResult(hash, engine.state[id]);
  for (const seen of state.seen) hash = mixResult(hash, seen);
  return hash;
}

function* runOps(ops: readonly ToyOp[], slot: number, state: ToyState): Kernel<void> {
  let last = 0;
  let skip = false;
  for (const op of ops) {
    if (skip) {
      skip = false;
      continue;
    }
    const value = yield* runOp(op, slot, state, last);
    state.seen[slot] = mixResult(state.seen[slot], value);
    if (op.op === 'read') {
      last = value;
      skip = op.skip && (value & 1) === 1;
    } else if (op.op === 'choice') skip = value === op.skipOn;
    else if (op.op === 'trylock') skip = value === 0;
    else if (op.op === 'fault') skip = value === 1;
  }
}

function* runOp(op: ToyOp, slot: number, s: ToyState, last: number): Kernel<number> {
  switch (op.op) {
    case 'read':
      return yield* read(s.words[op.word], 'read');
    case 'write':
      yield* write(s.words[op.word], op.copy ? (last + 1) & 3 : op.value, 'write');
      return 0;
    case 'add':
      return yield* add(s.words[op.word], op.value, 'add');
    case 'write2': {
      const [word, other] = [s.words[op.word], s.words[op.other]];
      yield* engine.submit2(Kind.WRITE, word, false, other, op.otherRead, 'write2');
      return 0;
    }
    case 'choice':
      return yield* engine.submitChoice(op.alternatives, 'choice');
    case 'fault':
      return (yield* injectFault('fault')) ? 1 : 0;
    case 'barrier':
      yield* memoryBarrier('barrier');
      return 0;
    case 'lock':
    case 'trylock':
    case 'unlock':
    case 'rlock':
    case 'wlock':
    case 'rwunlock':
      return yield* runLock(op, s, s.held[slot]);
    case 'down-read':
    case 'down-write':
    case 'up':
      return yield* runSem(op.op, s.sem, s.held[slot]);
    default:
      return yield* runSleep(op, slot, s);
  }
}

type LockOp = Extract<
  ToyOp,
  { readonly op: 'lock' | 'trylock' | 'unlock' | 'rlock' | 'wlock' | 'rwunlock' }
>;

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

function* runSleep(op: ToyOp, slot: number, s: ToyState): Kernel<number> {
  switch (op.op) {
    case 'sleep':
      return yield* engine.submit(Kind.SET, tasks[slot].state, TaskState.INTERRUPTIBLE, 'sleep');
    case 'set':
      return yield* engine.submit(Kind.SET, tasks[op.thread].state, op.state, 'set');
    case 'wake':
      return yield* wakeUpProcess(tasks[op.thread], op.mode, 'wake');
    case 'await':
      return yield* engine.submit(Kind.AWAIT, tasks[slot].state, 0, 'await');
    case 'post':
      return yield* up(s.count, 'post');
    case 'wait':
      return yield* down(s.count, 'wait');
    case 'relax':
      return yield* engine.submit(Kind.RELAX, s.count, op.seen, 'relax');
    case 'join':
      return yield* engine.submit(Kind.JOIN, s.count, op.mask, 'join');
    case 'raise':
      return s.interrupt === null ? 0 : yield* raiseInterrupt(s.interrupt, 'raise');
    default:
      return yield* runTimer(op, s);
  }
}

function* runTimer(op: ToyOp, s: ToyState): Kernel<number> {
  if (op.op === 'now') return yield* now('now');
  if (op.op === 'nap') {
    yield* setCurrentState(TaskState.INTERRUPTIBLE, 'nap');
    return yield* scheduleTimeout(op.ticks, 'nap');
  }
  if (s.timer === null) return 0;
  if (op.op === 'arm') return yield* armTimer(s.timer, op.expires, 'arm');
  if (op.op === 'cancel') return yield* cancelTimer(s.timer, 'cancel');
  return yield* cancelTimerSync(s.timer, 'cancel-sync');
}

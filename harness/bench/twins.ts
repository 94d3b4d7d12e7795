/**
 * Litmus programs that exist twice: here on the bare machine, and as Promela in fixtures/bench. Both have the same
 * operations, so that they have the same number of interleavings, and the same verdict.
 */

import {
  engine,
  kfree,
  kmalloc,
  newSpinLock,
  newWord,
  read,
  resetMemory,
  spinLock,
  spinUnlock,
  write,
  type Kernel,
  type Mem,
  type OpObject,
  type Scenario,
  type SpinLock,
  type Word,
} from '../machine/index.ts';
import { Kind, TaskState } from '../machine/op.ts';

function scenario<S>(
  threads: number,
  make: () => S,
  body: (s: S, t: number) => Kernel<void>,
): Scenario {
  let state: S | null = null;
  return {
    threads,
    *init(): Kernel<void> {
      resetMemory();
      state = make();
    },
    *body(t: number): Kernel<void> {
      if (state !== null) yield* body(state, t);
    },
  };
}

interface Registration {
  readonly mem: Mem;
  readonly lock: SpinLock;
  readonly hash: Word;
  readonly events: Word;
}

/** MOD against DEL: finds under the lock and, if `late`, uses after it what the other frees. */
export function findAndUse(late: boolean): Scenario {
  return scenario<Registration>(
    2,
    () => {
      const mem = kmalloc('epitem', 'init');
      return {
        mem,
        lock: newSpinLock('ep.lock'),
        hash: newWord('hash', 1),
        events: newWord('events', 0, mem),
      };
    },
    function* (s, t) {
      yield* spinLock(s.lock, 'lock');
      const found = yield* read(s.hash, 'find');
      if (t === 1 && found !== 0) yield* write(s.hash, 0, 'unlink');
      if (t === 0 && found !== 0 && !late) yield* write(s.events, 1, 'use');
      yield* spinUnlock(s.lock, 'unlock');
      if (found === 0) return;
      if (t === 1) kfree(s.mem, 'free');
      else if (late) yield* write(s.events, 1, 'use');
    },
  );
}

interface Set {
  readonly pipe: SpinLock;
  readonly data: Word;
  readonly queued: Word;
  readonly set: SpinLock;
  readonly task: OpObject;
  // guarded by `set`
  ready: boolean;
  waiting: boolean;
}

/**
 * A registration, a write and a wait, each in a thread of its own. The registration queues itself on the pipe and
 * then looks whether there is something to read; `early`: the other way round, and the edge between is lost.
 */
export function registerWriteWait(early: boolean): Scenario {
  return scenario<Set>(
    3,
    () => ({
      pipe: newSpinLock('pipe'),
      data: newWord('data', 0),
      queued: newWord('queued', 0),
      set: newSpinLock('set'),
      task: { id: engine.newObject('task', TaskState.RUNNING), mem: null },
      ready: false,
      waiting: false,
    }),
    function* (s, t) {
      if (t === 0) yield* register(s, early);
      else if (t === 1) yield* produce(s);
      else yield* sleepUntilReady(s);
    },
  );
}

function* register(s: Set, early: boolean): Kernel<void> {
  let seen = early ? yield* read(s.data, 'poll') : 0;
  yield* spinLock(s.pipe, 'lock pipe');
  yield* write(s.queued, 1, 'queue');
  yield* spinUnlock(s.pipe, 'unlock pipe');
  if (!early) seen = yield* read(s.data, 'poll');
  if (seen !== 0) yield* deliver(s);
}

function* produce(s: Set): Kernel<void> {
  yield* write(s.data, 1, 'write');
  yield* spinLock(s.pipe, 'lock pipe');
  if ((yield* read(s.queued, 'queued')) !== 0) yield* deliver(s);
  yield* spinUnlock(s.pipe, 'unlock pipe');
}

/** Puts the registration on the ready list and wakes who waits. */
function* deliver(s: Set): Kernel<void> {
  yield* spinLock(s.set, 'lock set');
  s.ready = true;
  if (s.waiting) yield* engine.submit(Kind.SET, s.task, TaskState.RUNNING, 'wake');
  yield* spinUnlock(s.set, 'unlock set');
}

function* sleepUntilReady(s: Set): Kernel<void> {
  for (;;) {
    yield* spinLock(s.set, 'lock set');
    if (s.ready) break;
    s.waiting = true;
    yield* engine.submit(Kind.SET, s.task, TaskState.INTERRUPTIBLE, 'sleep');
    yield* spinUnlock(s.set, 'unlock set');
    yield* engine.submit(Kind.AWAIT, s.task, 0, 'await');
  }
  yield* spinUnlock(s.set, 'unlock set');
}

/**
 * The programs whose numbers of traces are known (exploration.md 13.4), for tests and benchmarks. All accesses
 * named there are operations.
 */

import {
  add,
  engine,
  newSpinLock,
  newWord,
  read,
  spinLock,
  spinUnlock,
  write,
  type Kernel,
  type OpObject,
  type Scenario,
  type SpinLock,
  type Word,
} from '../machine/index.ts';
import { Kind, TaskState } from '../machine/op.ts';

/** A scenario whose state is made by `make` in init and handed to every thread. */
function scenario<S>(
  threads: number,
  make: () => S,
  body: (s: S, t: number) => Kernel<void>,
): Scenario {
  let state: S | null = null;
  return {
    threads,
    *init(): Kernel<void> {
      state = make();
    },
    *body(t: number): Kernel<void> {
      if (state !== null) yield* body(state, t);
    },
  };
}

function words(count: number, initial: number): Word[] {
  return Array.from({ length: count }, (_, n) => newWord(`w${n}`, initial));
}

/** N threads, each K times a critical section on one lock: (NK)!/(K!)^N traces. */
export function criticalSections(threads: number, rounds: number): Scenario {
  return scenario(
    threads,
    () => newSpinLock('l'),
    function* (lock) {
      for (let k = 0; k < rounds; k++) {
        yield* spinLock(lock, 'lock');
        yield* spinUnlock(lock, 'unlock');
      }
    },
  );
}

/** N threads writing a variable of their own: one trace. */
export function ownVariables(threads: number): Scenario {
  return scenario(
    threads,
    () => words(threads, 0),
    function* (w, t) {
      yield* write(w[t], 1, 'write');
      yield* write(w[t], 2, 'write');
    },
  );
}

/** n readers and one writer of a word: 2^n traces. */
export function readersWriter(readers: number): Scenario {
  return scenario(
    readers + 1,
    () => newWord('x', 0),
    function* (x, t) {
      if (t === 0) yield* write(x, 1, 'write');
      else yield* read(x, 'read');
    },
  );
}

/** last zero(n): thread 0 looks for the last zero, thread j sets a[j] = a[j-1] + 1. */
export function lastZero(n: number): Scenario {
  return scenario(
    n + 1,
    () => words(n + 1, 0),
    function* (a, t) {
      if (t === 0) {
        let i = n;
        while ((yield* read(a[i], 'a[i]')) !== 0) i--;
      } else yield* write(a[t], (yield* read(a[t - 1], 'a[j-1]')) + 1, 'a[j]');
    },
  );
}

interface FileSystem {
  readonly inodeLock: SpinLock[];
  readonly blockLock: SpinLock[];
  readonly inode: number[];
  readonly busy: boolean[];
}

/** The file system benchmark: 32 inodes, 26 blocks; thread t allocates a block for inode t mod 32. */
export function fileSystem(threads: number): Scenario {
  return scenario<FileSystem>(
    threads,
    () => ({
      inodeLock: Array.from({ length: 32 }, (_, n) => newSpinLock(`inode${n}`)),
      blockLock: Array.from({ length: 26 }, (_, n) => newSpinLock(`block${n}`)),
      inode: new Array<number>(32).fill(0),
      busy: new Array<boolean>(26).fill(false),
    }),
    function* (s, t) {
      const i = t % 32;
      yield* spinLock(s.inodeLock[i], 'lock inode');
      if (s.inode[i] === 0) {
        let b = (2 * i) % 26;
        for (;;) {
          yield* spinLock(s.blockLock[b], 'lock block');
          const free = !s.busy[b];
          if (free) {
            s.busy[b] = true;
            s.inode[i] = b + 1;
          }
          yield* spinUnlock(s.blockLock[b], 'unlock block');
          if (free) break;
          b = (b + 1) % 26;
        }
      }
      yield* spinUnlock(s.inodeLock[i], 'unlock inode');
    },
  );
}

/** The indexer benchmark: a table of 128, thread t inserts 4 messages with compare-and-swap. */
export function indexer(threads: number): Scenario {
  return scenario(
    threads,
    () => words(128, 0),
    function* (table, t) {
      for (let m = 1; m <= 4; m++) {
        const w = 11 * m + t;
        let h = (7 * w) % 128;
        while ((yield* compareAndSwap(table[h], w)) !== 0) h = (h + 1) % 128;
      }
    },
  );
}

/** Sets a word that is zero; answers the old value. A write for the dependence relation in any case. */
function* compareAndSwap(word: Word, value: number): Kernel<number> {
  const old = yield* add(word, 0, 'cas');
  if (old === 0) engine.state[word.id] = value;
  return old;
}

/** Litmus: find under the lock, use after it (MOD), against find, unlink, free under the lock (DEL). */
export function modVersusDel(): Scenario {
  return scenario(
    2,
    () => ({ lock: newSpinLock('ep.lock'), hash: newWord('hash', 1), item: newWord('item', 0) }),
    function* (s, t) {
      yield* spinLock(s.lock, 'lock');
      if (t === 0) yield* read(s.hash, 'find');
      else yield* write(s.hash, 0, 'unlink');
      yield* spinUnlock(s.lock, 'unlock');
      yield* write(s.item, t, t === 0 ? 'use' : 'free');
    },
  );
}

interface WaitQueueLitmus {
  readonly q: SpinLock;
  readonly state: OpObject;
  readonly cond: Word;
  readonly cancelled: Word;
  readonly onQueue: Word;
}

/**
 * Wait-queue litmus of three threads: waiter with its loop, producer, canceller; 48 traces. With `checkFirst` the
 * waiter looks before it queues itself: 16 traces, 2 of them hang.
 */
export function waitQueue(checkFirst: boolean): Scenario {
  return scenario<WaitQueueLitmus>(
    3,
    () => ({
      q: newSpinLock('q'),
      state: { id: engine.newObject('state', TaskState.RUNNING), mem: null },
      cond: newWord('cond', 0),
      cancelled: newWord('cancelled', 0),
      onQueue: newWord('onq', 0),
    }),
    function* (s, t) {
      if (t === 0) yield* checkFirst ? checkingWaiter(s) : waiter(s);
      else yield* waker(s, t === 1 ? s.cond : s.cancelled);
    },
  );
}

function* enqueue(s: WaitQueueLitmus): Kernel<void> {
  yield* spinLock(s.q, 'lock q');
  yield* write(s.onQueue, 1, 'onq=1');
  yield* engine.submit(Kind.SET, s.state, TaskState.INTERRUPTIBLE, 'SET intr');
  yield* spinUnlock(s.q, 'unlock q');
}

function* dequeue(s: WaitQueueLitmus): Kernel<void> {
  yield* engine.submit(Kind.SET, s.state, TaskState.RUNNING, 'SET running');
  yield* spinLock(s.q, 'lock q');
  yield* write(s.onQueue, 0, 'onq=0');
  yield* spinUnlock(s.q, 'unlock q');
}

function* waiter(s: WaitQueueLitmus): Kernel<void> {
  for (;;) {
    yield* enqueue(s);
    if ((yield* read(s.cond, 'cond')) !== 0) break;
    if ((yield* read(s.cancelled, 'cancelled')) !== 0) break;
    yield* engine.submit(Kind.AWAIT, s.state, 0, 'AWAIT');
  }
  yield* dequeue(s);
}

function* checkingWaiter(s: WaitQueueLitmus): Kernel<void> {
  if ((yield* read(s.cond, 'cond')) !== 0) return;
  if ((yield* read(s.cancelled, 'cancelled')) !== 0) return;
  yield* enqueue(s);
  yield* engine.submit(Kind.AWAIT, s.state, 0, 'AWAIT');
  yield* dequeue(s);
}

function* waker(s: WaitQueueLitmus, flag: Word): Kernel<void> {
  yield* write(flag, 1, 'flag=1');
  yield* spinLock(s.q, 'lock q');
  if ((yield* read(s.onQueue, 'onq')) !== 0)
    yield* engine.submit(Kind.SET, s.state, TaskState.RUNNING, 'SET running(waiter)');
  yield* spinUnlock(s.q, 'unlock q');
}

import t from 'tap';
import {
  HarnessBug,
  RwSem,
  TaskState,
  WaitEntry,
  addWaitQueue,
  addWaitQueueExclusive,
  autoremoveWake,
  current,
  currentEntry,
  downRead,
  downWrite,
  engine,
  finishWait,
  isLinked,
  mutexLock,
  mutexUnlock,
  newCallback,
  newEntry,
  newMutex,
  newRwLock,
  newSpinLock,
  newWaitQueue,
  prepareToWait,
  prepareToWaitExclusive,
  readLock,
  readUnlock,
  schedule,
  setCurrentState,
  spinLock,
  spinTrylock,
  spinUnlock,
  tasks,
  upRead,
  upWrite,
  wakeUp,
  waitqueueActive,
  writeLock,
  writeUnlock,
  type Kernel,
  type WaitQueue,
} from './index.ts';
import { type Tiny } from './scripted.ts';
import { seen, run, step, steps } from './machine.test-kit.ts';

// ---- locks ----

t.test('a spin lock, a mutex and a writer keep others out; readers share', async (t) => {
  const takers: Record<string, (n: number) => [() => Kernel<unknown>, () => Kernel<unknown>]> = {
    spin: () => {
      const lock = newSpinLock('l');
      return [() => spinLock(lock, 'L'), () => spinUnlock(lock, 'U')];
    },
    mutex: () => {
      const lock = newMutex('l');
      return [() => mutexLock(lock, 'L'), () => mutexUnlock(lock, 'U')];
    },
    writer: () => {
      const lock = newRwLock('l');
      return [() => writeLock(lock, 'L'), () => writeUnlock(lock, 'U')];
    },
    reader: () => {
      const lock = newRwLock('l');
      return [() => readLock(lock, 'L'), () => readUnlock(lock, 'U')];
    },
  };
  for (const [name, make] of Object.entries(takers)) {
    let take: () => Kernel<unknown> = () => steps(0);
    let release: () => Kernel<unknown> = () => steps(0);
    let inside = 0;
    let most = 0;
    const body = function* (): Kernel<void> {
      yield* take();
      inside++;
      most = Math.max(most, inside);
      yield* step();
      inside--;
      yield* release();
    };
    const tiny: Tiny = {
      build() {
        [take, release] = make(0);
      },
      threads: [body, body, body],
    };

    const [end] = run(tiny, [0, 1, 2, 0, 1, 2, 0, 1, 2]);

    t.equal(end, 'done', name);
    t.equal(most, name === 'reader' ? 3 : 1, name);
  }
});

t.test('a trylock answers 0 while the lock is held and 1 when it took it', async (t) => {
  let lock = newSpinLock('unused');
  const tiny: Tiny = {
    build() {
      lock = newSpinLock('l');
    },
    threads: [
      function* () {
        yield* spinLock(lock, 'L');
        yield* spinUnlock(lock, 'U');
      },
      function* () {
        seen.push(String(yield* spinTrylock(lock, 'T')));
        seen.push(String(yield* spinTrylock(lock, 'T')));
      },
    ],
  };

  t.same(run(tiny, [0, 1, 0, 1]), ['done', ['0', '1']]);
});

t.test('a writer of a rwlock waits for every reader', async (t) => {
  let lock = newRwLock('unused');
  const reader = function* (): Kernel<void> {
    yield* readLock(lock, 'R');
    yield* step();
    seen.push('read');
    yield* readUnlock(lock, 'X');
  };
  const tiny: Tiny = {
    build() {
      lock = newRwLock('l');
    },
    threads: [
      reader,
      reader,
      function* () {
        yield* writeLock(lock, 'W');
        seen.push('write');
      },
    ],
  };

  t.same(run(tiny, [0, 1, 2, 2, 0, 0, 2]), ['done', ['read', 'read', 'write']]);
});

t.test(
  'an rw semaphore is first in, first out: a waiting writer holds new readers back',
  async (t) => {
    let sem = new RwSem('unused');
    const tiny: Tiny = {
      build() {
        sem = new RwSem('sem');
      },
      threads: [
        function* () {
          yield* downRead(sem, 'R1');
          yield* step();
          seen.push('T1');
          yield* upRead(sem, 'X1');
        },
        function* () {
          yield* downWrite(sem, 'W2');
          seen.push('T2');
          yield* upWrite(sem, 'X2');
        },
        function* () {
          yield* downRead(sem, 'R3');
          seen.push('T3');
          yield* upRead(sem, 'X3');
        },
        function* () {
          yield* downRead(sem, 'R4');
          seen.push('T4');
          yield* upRead(sem, 'X4');
        },
      ],
    };

    // T2, T4, T3 ask while T1 reads; both readers get in together after the writer.
    t.same(run(tiny, [0, 1, 3, 2, 2, 3, 1, 0, 0, 3, 2, 1, 1, 2, 3]), [
      'done',
      ['T1', 'T2', 'T3', 'T4'],
    ]);
    t.same(run(tiny, [0, 2, 1, 3, 3, 2]), ['done', ['T3', 'T1', 'T2', 'T4']]);
  },
);

// ---- wait queues, rules of 0.2 ----

/** A queue of callbacks: name, exclusive, what the function answers. */
function* wakeAmong(
  entries: readonly (readonly [string, boolean, boolean])[],
  nr: number,
): Kernel<void> {
  const queue = newWaitQueue('q');
  for (const [name, exclusive, answer] of entries) {
    const entry = newCallback(function* () {
      seen.push(name);
      return answer;
    });
    if (exclusive) yield* addWaitQueueExclusive(queue, entry, 'add');
    else yield* addWaitQueue(queue, entry, 'add');
  }
  yield* wakeUp(queue, nr, 0, 'wake');
}

t.test(
  'a wake-up calls every non-exclusive entry and nr exclusive ones that were really woken',
  async (t) => {
    const entries = [
      ['x1', true, true],
      ['n1', false, true],
      ['x2', true, true],
      ['n2', false, false],
      ['x3', true, true],
    ] as const;
    const dull = [
      ['x1', true, false],
      ['x2', true, true],
      ['x3', true, true],
      ['n1', false, true],
    ] as const;
    const rows: readonly (readonly [typeof entries | typeof dull, number, string])[] = [
      // non-exclusive entries go to the head, exclusive ones to the tail
      [entries, 1, 'n2 n1 x1'],
      [entries, 2, 'n2 n1 x1 x2'],
      [entries, 0, 'n2 n1 x1 x2 x3'],
      // an exclusive entry that was not woken does not count
      [dull, 1, 'n1 x1 x2'],
    ];

    for (const [list, nr, expected] of rows) {
      const [, names] = run({ threads: [() => wakeAmong(list, nr)] });
      t.equal(names.join(' '), expected, `nr ${nr}`);
    }
  },
);

t.test('the key and the mode reach the wake function', async (t) => {
  const tiny: Tiny = {
    threads: [
      function* () {
        const queue = newWaitQueue('q');
        const entry = newCallback(function* (_entry, mode, key) {
          seen.push(`${mode} ${key}`);
          return true;
        });
        yield* addWaitQueue(queue, entry, 'add');
        yield* wakeUp(queue, 1, 5, 'wake', TaskState.INTERRUPTIBLE);
      },
    ],
  };

  t.same(run(tiny)[1], ['1 5']);
});

t.test(
  'the default wake function leaves the entry queued, autoremove takes it off if it woke',
  async (t) => {
    let queue: WaitQueue = newWaitQueue('unused');
    const entries: WaitEntry[] = [];
    const tiny = (asleep: boolean): Tiny => ({
      build() {
        queue = newWaitQueue('q', null, true);
        entries.length = 0;
        entries.push(
          newEntry(tasks[0]),
          newEntry(tasks[0], autoremoveWake),
          newEntry(tasks[1], autoremoveWake),
        );
      },
      threads: [
        function* () {
          for (const entry of entries) yield* addWaitQueue(queue, entry, 'add');
          if (asleep) yield* setCurrentState(TaskState.INTERRUPTIBLE, 'S');
          yield* schedule('sleep');
        },
        function* () {
          yield* wakeUp(queue, 0, 0, 'wake');
          seen.push(entries.map((e) => (isLinked(e.link) ? 'on' : 'off')).join(' '));
          seen.push(String(yield* waitqueueActive(queue, 'look')));
        },
      ],
    });
    const first = new Array<number>(14).fill(0);

    // The head is the entry added last; the task is woken through the second one.
    t.same(run(tiny(true), first), ['done', ['on off on', 'true']]);
    t.same(run(tiny(false), first), ['done', ['on on on', 'true']]);
  },
);

t.test(
  'prepareToWait() queues once, clears exclusive and sets the state of a task only',
  async (t) => {
    const tiny: Tiny = {
      threads: [
        function* () {
          const queue = newWaitQueue('q');
          const own = currentEntry();
          yield* prepareToWaitExclusive(queue, own, TaskState.UNINTERRUPTIBLE, 'P');
          seen.push(`${queue.list.size} ${own.exclusive} ${engine.state[current().state.id]}`);
          yield* prepareToWait(queue, own, TaskState.INTERRUPTIBLE, 'P');
          seen.push(`${queue.list.size} ${own.exclusive} ${engine.state[current().state.id]}`);
          yield* finishWait(queue, own, 'F');
          seen.push(`${queue.list.size} ${engine.state[current().state.id]}`);
          const other = newCallback(function* () {
            return true;
          });
          yield* prepareToWait(queue, other, TaskState.INTERRUPTIBLE, 'P');
          seen.push(`${queue.list.size} ${engine.state[current().state.id]}`);
          yield* finishWait(queue, other, 'F');
          yield* finishWait(queue, other, 'F');
          seen.push(`${queue.list.size}`);
        },
      ],
    };

    t.same(run(tiny), ['done', ['1 true 2', '1 false 1', '0 0', '1 0', '0']]);
  },
);

t.test('waitqueueActive() refuses a queue that keeps no count', async (t) => {
  const tiny: Tiny = {
    threads: [
      function* () {
        yield* waitqueueActive(newWaitQueue('q'), 'look');
      },
    ],
  };

  t.throws(() => run(tiny), HarnessBug);
});

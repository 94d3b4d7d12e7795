import fc from 'fast-check';
import t from 'tap';
import {
  Class,
  Guarded,
  HarnessBug,
  Kind,
  List,
  ListLink,
  MAX_SCHEDULE_TIMEOUT,
  MAX_THREADS,
  NO_OBSERVER,
  Nondeterminism,
  Oops,
  PAGE_OFFSET,
  PAGE_SIZE,
  Ref,
  RwSem,
  TaskState,
  UserMemory,
  WaitEntry,
  add,
  addWaitQueue,
  addWaitQueueExclusive,
  armTimer,
  autoremoveWake,
  cancelTimer,
  cancelTimerSync,
  copyFromUser,
  copyToUser,
  current,
  currentEntry,
  downRead,
  downWrite,
  engine,
  faults,
  finishWait,
  handleSignals,
  injectFault,
  isLinked,
  listAdd,
  listAddTail,
  listDel,
  listDelInit,
  mutexLock,
  mutexUnlock,
  newCallback,
  newEntry,
  newMutex,
  newRwLock,
  newSpinLock,
  newTimer,
  newWaitQueue,
  newWord,
  now,
  oops,
  peek,
  plainWrite,
  prepareToWait,
  prepareToWaitExclusive,
  read,
  readLock,
  readRef,
  readUnlock,
  removeWaitQueue,
  schedule,
  scheduleTimeout,
  sendSignal,
  setCurrentState,
  setSigmask,
  signalPending,
  spinLock,
  spinTrylock,
  spinUnlock,
  tasks,
  upRead,
  upWrite,
  wakeUp,
  wakeUpProcess,
  waitqueueActive,
  write,
  writeLock,
  writeRef,
  writeUnlock,
  type Kernel,
  type Timer,
  type WaitQueue,
  type Word,
} from './index.ts';
import { EventLog } from './log.ts';
import { CLASS_OF, IS_READ } from './op.ts';
import { Scripted, runTiny, tinyScenario, type Tiny } from './scripted.ts';

/** Seed of the properties below; a found counterexample becomes a test of its own. */
const SEED = 20021029;

const seen: string[] = [];

/** Runs and answers the end and what the bodies pushed to `seen`. */
function run(
  tiny: Tiny,
  threads: readonly number[] = [],
  alternatives: readonly number[] = [],
): [string, string[]] {
  seen.length = 0;
  const end = runTiny(tiny, threads, NO_OBSERVER, alternatives);
  return [end, [...seen]];
}

function* step(site = 'step'): Kernel<void> {
  yield* write(newWord('private', 0), 1, site);
}

function* steps(n: number): Kernel<void> {
  for (let i = 0; i < n; i++) yield* step(`step ${i}`);
}

/** Sites of the recorded events, with the thread in front. */
function trace(): string[] {
  const { log } = engine;
  return Array.from({ length: engine.depth }, (_, d) => `${log.thr[d]}:${log.site[d]}`);
}

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

// ---- sleeping and time ----

t.test('a wake-up between setting the state and schedule() is not lost', async (t) => {
  const tiny: Tiny = {
    threads: [
      function* () {
        yield* setCurrentState(TaskState.INTERRUPTIBLE, 'S');
        yield* schedule('sleep');
        seen.push('awake');
      },
      function* () {
        seen.push(`woke ${yield* wakeUpProcess(tasks[0], TaskState.INTERRUPTIBLE, 'W')}`);
      },
    ],
  };

  t.same(run(tiny, [0, 1, 0]), ['done', ['woke 1', 'awake']]);
  t.same(run(tiny, [1, 0, 0]), ['blocked', ['woke 0']]);
});

t.test('a wake-up for another state does not wake', async (t) => {
  const tiny: Tiny = {
    threads: [
      function* () {
        yield* setCurrentState(TaskState.UNINTERRUPTIBLE, 'S');
        yield* schedule('sleep');
      },
      function* () {
        seen.push(`woke ${yield* wakeUpProcess(tasks[0], TaskState.INTERRUPTIBLE, 'W')}`);
      },
    ],
  };

  t.same(run(tiny, [0, 1]), ['blocked', ['woke 0']]);
});

/** Sleeps and says how many ticks were left and what time it is. */
function* nap(ticks: number): Kernel<void> {
  yield* setCurrentState(TaskState.INTERRUPTIBLE, 'S');
  const left = yield* scheduleTimeout(ticks, 'nap');
  seen.push(`left ${left} at ${yield* now('N')}`);
}

t.test(
  'scheduleTimeout() sleeps its ticks, answers the rest when woken, and is at once for a negative value',
  async (t) => {
    const wake = function* (): Kernel<void> {
      yield* setCurrentState(TaskState.INTERRUPTIBLE, 'S');
      yield* scheduleTimeout(4, 'short');
      yield* wakeUpProcess(tasks[0], TaskState.INTERRUPTIBLE, 'W');
    };
    const warnings: string[] = [];
    const observer = {
      ...NO_OBSERVER,
      report: (d: string, site: string) => void warnings.push(`${d} ${site}`),
    };

    t.same(run({ threads: [() => nap(10)] }), ['done', ['left 0 at 10']]);
    t.same(run({ threads: [() => nap(10), wake] }), ['done', ['left 6 at 4']]);
    t.same(run({ threads: [() => nap(0)] }), ['done', ['left 0 at 0']]);
    t.same(run({ threads: [() => nap(MAX_SCHEDULE_TIMEOUT)] }), ['blocked', []]);
    t.same(run({ threads: [() => nap(MAX_SCHEDULE_TIMEOUT), wake] }), [
      'done',
      ['left Infinity at 4'],
    ]);
    seen.length = 0;
    t.equal(runTiny({ threads: [() => nap(-5)] }, [], observer), 'done');
    t.same(seen, ['left 0 at 0']);
    t.same(warnings, ['WARN nap']);
  },
);

t.test(
  'in idle mode virtual time moves only when nothing else can run, to the next deadline',
  async (t) => {
    const busy = function* (): Kernel<void> {
      for (let i = 0; i < 20; i++) yield* step();
      seen.push(`busy until ${yield* now('N')}`);
    };

    // The schedule asks for the timers (slots 3 to 5) first at every step, and gets them only when all is quiet.
    const [end, said] = run(
      { threads: [() => nap(30), () => nap(10), busy] },
      new Array<number>(100).fill(4),
    );
    t.equal(end, 'done');
    t.same(said, ['busy until 0', 'left 0 at 10', 'left 0 at 30']);
  },
);

t.test(
  'a timer fires as a barrier in idle mode: what ran before it happens before it',
  async (t) => {
    run({ threads: [() => nap(10), () => steps(3)] });

    const { log } = engine;
    const fire = Array.from({ length: engine.depth }, (_, d) => d).filter(
      (d) => log.barrier[d] === 1,
    );
    t.equal(fire.length, 1);
    for (let d = 0; d < fire[0]; d++) t.ok(log.happensBefore(d, fire[0]));
  },
);

t.test('in any mode an armed timer may fire at any moment', async (t) => {
  const busy = function* (): Kernel<void> {
    yield* steps(3);
    seen.push(`busy until ${yield* now('N')}`);
  };
  const tiny: Tiny = { threads: [() => nap(10), busy] };
  seen.length = 0;
  engine.forget();
  engine.observer = NO_OBSERVER;
  engine.timers = 'any';

  const end = engine.execute(tinyScenario(tiny), new Scripted([0, 0, 0, 2]));
  engine.timers = 'idle';

  t.equal(end, 'done');
  t.same(seen.sort(), ['busy until 10', 'left 0 at 10']);
  t.equal(engine.log.barrier.subarray(0, engine.depth).indexOf(1), -1);
});

/** A timer whose handler takes two steps; T1 does what it is told once the timer is armed. */
function withTimer(body: (timer: Timer) => Kernel<void>): Tiny {
  let timer: Timer = { name: '', slot: 0, mem: null };
  return {
    build() {
      timer = newTimer('late', 5, function* () {
        yield* step('handler 1');
        yield* step('handler 2');
        seen.push('handled');
      });
    },
    threads: [
      function* () {
        seen.push(`armed ${yield* armTimer(timer, 0, 'arm')}`);
        yield* step('T1');
        yield* body(timer);
      },
    ],
  };
}

t.test('cancelTimerSync() waits for a running handler, cancelTimer() does not', async (t) => {
  const sync = withTimer(function* (timer) {
    seen.push(`pending ${yield* cancelTimerSync(timer, 'cancel')}`);
  });
  const plain = withTimer(function* (timer) {
    seen.push(`pending ${yield* cancelTimer(timer, 'cancel')}`);
  });

  // 5 is the timer: here it has fired but its handler has not taken its first step.
  t.same(run(sync, [0, 5, 0, 0, 0]), ['done', ['armed 0', 'handled', 'pending 0']]);
  t.same(run(plain, [0, 5, 0, 0]), ['done', ['armed 0', 'pending 0', 'handled']]);
  t.same(run(sync, [0, 5, 5, 0, 0, 0]), ['done', ['armed 0', 'handled', 'pending 0']]);
  t.same(run(sync, [0, 0, 0, 0]), ['done', ['armed 0', 'pending 1']]);
});

t.test(
  'a timer can be armed again while its handler runs, and moving a pending one answers 1',
  async (t) => {
    const again = withTimer(function* (timer) {
      seen.push(`armed ${yield* armTimer(timer, 7, 'again')}`);
    });

    t.same(run(again, [0, 5, 5, 0, 0]), ['done', ['armed 0', 'armed 0', 'handled', 'handled']]);
    t.same(run(again, [0, 0, 0]), ['done', ['armed 0', 'armed 1', 'handled']]);
    t.equal(engine.jiffies, 7);
  },
);

t.test('timers fire in order of their deadlines in idle mode', async (t) => {
  const [, said] = run(
    { threads: [() => nap(30), () => nap(20), () => nap(10)] },
    new Array<number>(60).fill(3),
  );

  t.same(said, ['left 0 at 10', 'left 0 at 20', 'left 0 at 30']);
});

// ---- signals ----

t.test(
  'a signal wakes an interruptible sleeper unless it is blocked, and is pending until handled',
  async (t) => {
    const tiny = (blocked: boolean, state: number): Tiny => ({
      threads: [
        function* () {
          if (blocked) yield* setSigmask(new Set(['SIGUSR1']), 'mask');
          yield* setCurrentState(state, 'S');
          if (!(yield* signalPending('look'))) yield* schedule('sleep');
          seen.push(`pending ${yield* signalPending('look')}`);
          if (blocked) {
            const old = yield* setSigmask(new Set(), 'mask');
            seen.push(`unblocked ${[...old].join()} ${yield* signalPending('look')}`);
          }
          seen.push(`handled ${(yield* handleSignals('handle')).join()}`);
          seen.push(`pending ${yield* signalPending('look')}`);
        },
        function* () {
          yield* sendSignal(tasks[0], 'SIGUSR1', 'kill');
        },
      ],
    });
    const asleep = new Array<number>(7).fill(0);

    const clean = ['pending true', 'handled SIGUSR1', 'pending false'];
    t.same(run(tiny(false, TaskState.INTERRUPTIBLE), asleep), ['done', clean]);
    t.same(run(tiny(false, TaskState.INTERRUPTIBLE), [1, 1, 1, 1]), ['done', clean]);
    t.same(run(tiny(false, TaskState.UNINTERRUPTIBLE), asleep)[0], 'blocked');
    t.same(run(tiny(true, TaskState.INTERRUPTIBLE), asleep)[0], 'blocked');
    t.same(run(tiny(true, TaskState.RUNNING), [0, 0, 0, 0, 1, 1, 1, 1]), [
      'done',
      ['pending false', 'unblocked SIGUSR1 true', 'handled SIGUSR1', 'pending false'],
    ]);
  },
);

// ---- memory ----

t.test('a copy faults outside of mapped, permitted memory and stores nothing', async (t) => {
  const mm = new UserMemory();
  const rw = mm.map(10, true, true);
  const ro = mm.map(PAGE_SIZE, true, false);
  mm.mapAt(0x1000, 16, true, true);
  const rows: readonly (readonly [string, number, number, boolean, boolean])[] = [
    ['inside', rw.start, 10, true, true],
    ['across the end', rw.start + 4, 12, false, false],
    ['read-only', ro.start, 4, false, true],
    ['NULL', 0, 4, false, false],
    ['between two mappings', rw.start + PAGE_SIZE, 4, false, false],
    ['exactly the rest', 0x1008, 8, true, true],
    ['one byte too many', 0x1004, 13, false, false],
  ];
  const results: boolean[][] = [];
  const tiny: Tiny = {
    threads: [
      function* () {
        for (const [, address, length] of rows)
          results.push([
            yield* copyToUser(mm, address, length, address, 'to'),
            yield* copyFromUser(mm, address, length, 'from'),
          ]);
      },
    ],
  };

  run(tiny);

  rows.forEach(([name, address, , writable, readable], i) => {
    t.same(results[i], [writable, readable], name);
    t.equal(mm.load(address), writable ? address : undefined, name);
  });
  t.equal(mm.accessOk(PAGE_OFFSET - 4, 4), true);
  t.equal(mm.accessOk(PAGE_OFFSET - 4, 5), false);
  mm.unmap(rw);
  t.equal(mm.permits(rw.start, 4, false), false);
});

t.test(
  'an injected failure is a choice, at most so many per thread, and none when faults are off',
  async (t) => {
    const tiny: Tiny = {
      threads: [
        function* () {
          for (let i = 0; i < 3; i++) {
            yield* step();
            seen.push(String(yield* injectFault('kmalloc')));
          }
        },
      ],
    };
    faults.perThread = 1;

    t.same(run(tiny, [], [0, 1]), ['done', ['false', 'true', 'false']]);
    t.equal(engine.depth, 5);
    faults.perThread = 0;
    t.same(run(tiny, [], [1]), ['done', ['false', 'false', 'false']]);
    t.equal(engine.depth, 3);
  },
);

t.test('words and references hold what was written last, and answer the old value', async (t) => {
  const tiny: Tiny = {
    threads: [
      function* () {
        const word = newWord('w', 3);
        seen.push(String(yield* write(word, 5, 'W')));
        seen.push(String(yield* add(word, -2, 'A')));
        seen.push(String(yield* read(word, 'R')), String(peek(word)));
        const ref = new Ref<string>('ref', 'a');
        yield* writeRef(ref, 'b', 'W');
        seen.push(yield* readRef(ref, 'R'));
      },
    ],
  };

  t.same(run(tiny)[1], ['3', '5', '3', '3', 'b']);
});

t.test(
  'a list keeps order, may lose the element in hand, and oopses when unlinked twice',
  async (t) => {
    const list = new List<string>();
    const [a, b, c] = ['a', 'b', 'c'].map((name) => new ListLink(name));
    listAddTail(b, list);
    listAddTail(c, list);
    listAdd(a, list);

    const walked: string[] = [];
    for (const name of list) {
      walked.push(name);
      if (name === 'b') listDel(b, 'del');
    }

    t.same(walked, ['a', 'b', 'c']);
    t.same([...list], ['a', 'c']);
    t.equal(list.size, 2);
    t.equal(list.first(), 'a');
    t.throws(
      () => listDel(b, 'RM3'),
      new Oops('RM3', 'list_del of an entry that is not on a list'),
    );
    listDelInit(a);
    listDelInit(a);
    listDelInit(c);
    t.ok(list.isEmpty());
    t.equal(list.first(), null);
  },
);

// ---- the engine ----

t.test('an oops kills only the task it happens in, and what it holds stays held', async (t) => {
  let lock = newSpinLock('unused');
  const tiny: Tiny = {
    build() {
      lock = newSpinLock('l');
    },
    threads: [
      function* () {
        yield* spinLock(lock, 'L1');
        oops('PO2', 'NULL dereference');
      },
      function* () {
        yield* steps(3);
        seen.push('alive');
        yield* spinLock(lock, 'L2');
      },
    ],
  };

  t.same(run(tiny), ['blocked', ['alive']]);
  t.equal(engine.oops[0]?.site, 'PO2');
  t.ok(engine.isDone(0));
  t.notOk(engine.isDone(1));
});

t.test('an oops of the only one who waits ends the run without exit', async (t) => {
  const tiny: Tiny = {
    threads: [
      function* () {
        yield* step();
        oops('PO2', 'NULL dereference');
      },
    ],
    *exit() {
      seen.push('exit');
    },
  };

  t.same(run(tiny), ['done', []]);
});

t.test('an init that blocks is reported and nothing runs', async (t) => {
  const tiny: Tiny = {
    *start() {
      const lock = newSpinLock('l');
      yield* spinLock(lock, 'L');
      yield* spinLock(lock, 'L');
    },
    threads: [
      function* () {
        yield* step();
        seen.push('ran');
      },
    ],
  };
  const sleepy: Tiny = {
    *start() {
      yield* setCurrentState(TaskState.INTERRUPTIBLE, 'S');
      yield* schedule('sleep');
    },
    threads: [],
  };

  t.same(run(tiny), ['init-blocked', []]);
  t.same(run(sleepy), ['init-blocked', []]);
  t.same(run({ threads: [() => step()] }), ['done', []], 'the engine works on');
});

t.test('exit runs after the threads, inline, and only if all of them ended', async (t) => {
  const tiny = (hang: boolean): Tiny => ({
    threads: [
      function* () {
        yield* setCurrentState(hang ? TaskState.INTERRUPTIBLE : TaskState.RUNNING, 'S');
        yield* schedule('sleep');
      },
    ],
    *exit() {
      yield* step();
      seen.push(`exit ${engine.exiting} ${engine.contextOf(engine.current)}`);
    },
  });

  t.same(run(tiny(false)), ['done', ['exit true task']]);
  t.same(run(tiny(true)), ['blocked', []]);
});

t.test('a run that reaches the step limit says so', async (t) => {
  const most = engine.maxSteps;
  engine.maxSteps = 50;

  t.equal(run({ threads: [() => steps(51)] })[0], 'steps');
  t.equal(run({ threads: [() => steps(50)] })[0], 'done');
  engine.maxSteps = engine.log.capacity;
  t.throws(
    () => run({ threads: [() => steps(1)] }),
    HarnessBug,
    'more steps than the log can hold',
  );
  engine.maxSteps = most;
});

t.test(
  'a replay that publishes something else is Nondeterminism, with both sites named',
  async (t) => {
    let odd = false;
    let word: Word = newWord('unused', 0);
    let other: Word = newWord('unused', 0);
    const tiny: Tiny = {
      build() {
        word = newWord('w', 0);
        other = newWord('v', 0);
      },
      threads: [
        function* () {
          yield* read(word, 'first');
          if (odd) yield* read(other, 'got');
          else yield* read(word, 'expected');
        },
      ],
    };
    run(tiny);

    t.equal(
      engine.execute(tinyScenario(tiny), new Scripted(), 2),
      'done',
      'the same again is fine',
    );
    odd = true;
    t.throws(
      () => engine.execute(tinyScenario(tiny), new Scripted(), 2),
      new Nondeterminism(
        'Nondeterminism at step 1: expected expected of thread 0, got got of thread 0',
      ),
    );
    engine.forget();
    t.equal(engine.execute(tinyScenario(tiny), new Scripted(), 0), 'done', 'the engine works on');
  },
);

t.test('the names of objects do not depend on the schedule', async (t) => {
  const ids = new Map<string, number>();
  const body = (n: number) =>
    function* (): Kernel<void> {
      for (let i = 0; i < 3; i++) {
        yield* step();
        ids.set(`T${n} object ${i}`, newWord('object', 0).id);
      }
    };
  const tiny: Tiny = {
    build() {
      newWord('object', 0);
    },
    threads: [body(1), body(2), body(3)],
  };
  run(tiny, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
  const first = [...ids].sort();
  ids.clear();

  run(tiny, [2, 1, 0, 2, 1, 0, 2, 1, 0]);

  t.same([...ids].sort(), first);
  t.equal(new Set(ids.values()).size, 9);
  t.equal(engine.nameOf(ids.get('T1 object 0') ?? -1), 'object#2', 'init has the first');
  t.equal(engine.nameOf(ids.get('T3 object 2') ?? -1), 'object#10');
});

t.test(
  'too many objects or a pseudo-thread in the last slot are bugs of the harness',
  async (t) => {
    const many: Tiny = {
      threads: [
        function* () {
          for (let i = 0; i < 2000; i++) newWord('w', 0);
          yield* step();
        },
      ],
    };

    t.throws(() => run(many), HarnessBug);
    t.throws(
      () => run({ build: () => void newTimer('t', MAX_THREADS - 1, () => steps(1)), threads: [] }),
      HarnessBug,
    );
  },
);

t.test('observers hear of an operation as its own thread, whoever ran before', async (t) => {
  const heard: string[] = [];
  const observer = {
    ...NO_OBSERVER,
    acquired: (_lock: number, _kind: number, site: string) =>
      void heard.push(
        `${engine.current} ${site} ${engine.position()} ${engine.contextOf(engine.current)}`,
      ),
  };
  let lock = newSpinLock('unused');
  const body = (n: number) =>
    function* (): Kernel<void> {
      yield* spinLock(lock, `L${n}`);
      yield* spinUnlock(lock, `U${n}`);
    };
  const tiny: Tiny = {
    build() {
      lock = newSpinLock('l');
    },
    threads: [body(1), body(2), body(3)],
  };

  runTiny(tiny, [2, 2, 0, 0, 1, 1], observer);

  t.same(heard, ['2 L3 0 task', '0 L1 2 task', '1 L2 4 task']);
});

t.test('plain data is announced without an operation', async (t) => {
  const tiny: Tiny = {
    threads: [
      function* () {
        const guard = new Guarded('fields');
        yield* step();
        plainWrite(guard, 'W');
        yield* step();
      },
    ],
  };

  run(tiny);

  t.same(trace(), ['0:step', '0:step']);
});

// ---- vector clocks ----

/** A thread of a random program: each number is one thing to do. */
interface RandomObjects {
  readonly words: readonly Word[];
  readonly lock: ReturnType<typeof newSpinLock>;
  readonly rw: ReturnType<typeof newRwLock>;
  readonly sem: RwSem;
}

const ACTIONS: readonly ((o: RandomObjects) => Kernel<unknown>)[] = [
  (o) => read(o.words[0], 'read'),
  (o) => write(o.words[0], 1, 'write'),
  (o) => read(o.words[1], 'read'),
  (o) => add(o.words[1], 1, 'add'),
  (o) => engine.submit2(Kind.READ, o.words[0], true, o.words[1], false, 'both'),
  function* (o) {
    yield* spinLock(o.lock, 'lock');
    yield* read(o.words[1], 'read');
    yield* spinUnlock(o.lock, 'unlock');
  },
  function* (o) {
    yield* readLock(o.rw, 'rlock');
    yield* read(o.words[0], 'read');
    yield* readUnlock(o.rw, 'runlock');
  },
  function* (o) {
    yield* writeLock(o.rw, 'wlock');
    yield* writeUnlock(o.rw, 'wunlock');
  },
  function* (o) {
    yield* downRead(o.sem, 'down');
    yield* upRead(o.sem, 'up');
  },
  function* (o) {
    yield* downWrite(o.sem, 'down');
    yield* upWrite(o.sem, 'up');
  },
  () => wakeUpProcess(tasks[0], TaskState.INTERRUPTIBLE, 'wake'),
  function* () {
    yield* setCurrentState(TaskState.INTERRUPTIBLE, 'set');
    yield* scheduleTimeout(3, 'nap');
  },
  () => engine.submitChoice(3, 'choice'),
];

function randomTiny(programs: readonly (readonly number[])[]): Tiny {
  let objects: RandomObjects | null = null;
  return {
    build() {
      objects = {
        words: [newWord('w', 0), newWord('v', 0)],
        lock: newSpinLock('l'),
        rw: newRwLock('rw'),
        sem: new RwSem('sem'),
      };
    },
    threads: programs.map(
      (program) =>
        function* () {
          for (const action of program) if (objects !== null) yield* ACTIONS[action](objects);
        },
    ),
  };
}

/** Whether the later event must be ordered after the earlier one, by sections 2 and 3, from the log alone. */
function dependent(log: EventLog, a: number, b: number): boolean {
  if (log.thr[a] === log.thr[b] || log.barrier[b] === 1) return true;
  const cls = CLASS_OF[log.kind[a]];
  if (cls === Class.NONE || cls !== CLASS_OF[log.kind[b]]) return false;
  if (cls === Class.SER) return log.obj[a] === log.obj[b];
  if (cls === Class.RW) {
    if (log.obj[a] !== log.obj[b]) return false;
    const [x, y] = [log.kind[a], log.kind[b]];
    return (
      (x === Kind.WUNLOCK && (y === Kind.RLOCK || y === Kind.WLOCK)) ||
      (x === Kind.RUNLOCK && y === Kind.WLOCK)
    );
  }
  const places = (d: number): readonly (readonly [number, number])[] => [
    [log.obj[d], log.rd[d]],
    ...(log.obj2[d] >= 0 ? [[log.obj2[d], log.rd2[d]] as const] : []),
  ];
  return places(a).some(([o, rd]) =>
    places(b).some(([p, rd2]) => o === p && !(rd === 1 && rd2 === 1)),
  );
}

/** The happens-before relation as the transitive closure of direct dependence. */
function closure(log: EventLog): boolean[][] {
  const n = log.length;
  const before = Array.from({ length: n }, () => new Array<boolean>(n).fill(false));
  for (let b = 0; b < n; b++) {
    for (let a = b - 1; a >= 0; a--) {
      if (before[a][b] || !dependent(log, a, b)) continue;
      before[a][b] = true;
      for (let c = 0; c < a; c++) if (before[c][a]) before[c][b] = true;
    }
  }
  return before;
}

const programs = fc.array(fc.array(fc.nat(ACTIONS.length - 1), { maxLength: 5 }), {
  minLength: 1,
  maxLength: 4,
});
const schedules = fc.array(fc.nat(7), { maxLength: 60 });

t.test(
  `vector clocks are the closure of direct dependence on random runs (seed ${SEED})`,
  async (t) => {
    let events = 0;
    let ordered = 0;
    const property = fc.property(programs, schedules, (threads, order) => {
      run(randomTiny(threads), order);
      const { log } = engine;
      const before = closure(log);
      events += log.length;
      for (let b = 0; b < log.length; b++)
        for (let a = 0; a < b; a++) {
          if (before[a][b]) ordered++;
          if (before[a][b] !== log.happensBefore(a, b)) return false;
        }
      return true;
    });

    fc.assert(property, { seed: SEED, numRuns: 1000 });
    t.ok(events > 10_000 && ordered > 10_000, `${events} events, ${ordered} ordered pairs`);
  },
);

t.test(`a replayed run repeats its events and clocks exactly (seed ${SEED})`, async (t) => {
  const property = fc.property(programs, schedules, fc.nat(40), (threads, order, keep) => {
    const tiny = randomTiny(threads);
    run(tiny, order);
    const [events, canonical, width] = [
      trace().join(' '),
      engine.log.canonical(),
      engine.log.width,
    ];
    const kept = Math.min(keep, engine.depth);

    engine.execute(tinyScenario(tiny), new Scripted(order), kept);

    return (
      trace().join(' ') === events &&
      engine.log.canonical() === canonical &&
      engine.log.width === width
    );
  });

  fc.assert(property, { seed: SEED, numRuns: 200 });
  t.pass();
});

// ---- the event log ----

interface LogEvent {
  readonly t: number;
  readonly kind: number;
  readonly o: number;
  readonly o2: number;
}

const KINDS = [
  Kind.READ,
  Kind.WRITE,
  Kind.LOCK,
  Kind.UNLOCK,
  Kind.RLOCK,
  Kind.RUNLOCK,
  Kind.WLOCK,
  Kind.WUNLOCK,
  Kind.CHOICE,
];

// Objects have one class each: 0 and 1 are words, 2 a lock, 3 a rwlock.
const logEvents = fc.array(
  fc
    .record({ t: fc.nat(2), kind: fc.constantFrom(...KINDS), word: fc.nat(1), two: fc.boolean() })
    .map(({ t: thread, kind, word, two }): LogEvent => {
      const cls = CLASS_OF[kind];
      const o = cls === Class.MEM ? word : cls === Class.SER ? 2 : cls === Class.RW ? 3 : -1;
      return { t: thread, kind, o, o2: cls === Class.MEM && two ? 1 - word : -1 };
    }),
  { maxLength: 30 },
);

function append(log: EventLog, event: LogEvent): void {
  log.loadPre(event.t);
  const isRead = IS_READ[event.kind] === 1;
  log.append(event.t, event.kind, event.o, isRead, event.o2, !isRead, 0, 1, 0, 'site', false);
}

/** Everything that a later event depends on. */
function tables(log: EventLog): unknown {
  const some = (table: Int32Array): number[] => [...table.subarray(0, 4 * MAX_THREADS)];
  return {
    length: log.length,
    last: [...log.last.subarray(0, 4)],
    lastUnlock: [...log.lastUnlock.subarray(0, 4)],
    lastRead: some(log.lastRead),
    lastReadUnlock: some(log.lastReadUnlock),
    clocks: [...log.clk.subarray(0, log.length * MAX_THREADS)],
    index: [...log.idx.subarray(0, log.length)],
  };
}

t.test(
  `truncating the log and going on is the same as never having been there (seed ${SEED})`,
  async (t) => {
    const property = fc.property(logEvents, logEvents, fc.nat(30), (first, second, at) => {
      const keep = Math.min(at, first.length);
      const log = new EventLog(64);
      log.width = 3;
      for (const event of first) append(log, event);

      log.truncate(keep);
      // As a new execution does while it replays what was kept.
      log.lastOf.fill(-1);
      for (let d = 0; d < keep; d++) log.lastOf[log.thr[d]] = d;
      for (const event of second) append(log, event);

      const fresh = new EventLog(64);
      fresh.width = 3;
      for (const event of [...first.slice(0, keep), ...second]) append(fresh, event);
      return JSON.stringify(tables(log)) === JSON.stringify(tables(fresh));
    });

    fc.assert(property, { seed: SEED, numRuns: 120 });
    t.pass();
  },
);

t.test('removing an entry from a queue leaves the others in order', async (t) => {
  const tiny: Tiny = {
    threads: [
      function* () {
        const queue = newWaitQueue('q', null, true);
        const entries = ['a', 'b', 'c'].map((name) =>
          newCallback(function* () {
            seen.push(name);
            return true;
          }),
        );
        for (const entry of entries) yield* addWaitQueueExclusive(queue, entry, 'add');
        yield* removeWaitQueue(queue, entries[1], 'remove');
        yield* removeWaitQueue(queue, entries[1], 'remove');
        yield* wakeUp(queue, 0, 0, 'wake');
        seen.push(String(yield* waitqueueActive(queue, 'look')));
      },
    ],
  };

  t.same(run(tiny), ['done', ['a', 'c', 'true']]);
});

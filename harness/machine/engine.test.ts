import fc from 'fast-check';
import t from 'tap';
import {
  Class,
  Guarded,
  HarnessBug,
  Kind,
  MAX_THREADS,
  Nondeterminism,
  RwSem,
  TaskState,
  add,
  addWaitQueueExclusive,
  downRead,
  downWrite,
  engine,
  newCallback,
  newRwLock,
  newSpinLock,
  newTimer,
  newWaitQueue,
  newWord,
  oops,
  plainWrite,
  read,
  readLock,
  readUnlock,
  removeWaitQueue,
  schedule,
  scheduleTimeout,
  setCurrentState,
  spinLock,
  spinUnlock,
  tasks,
  upRead,
  upWrite,
  wakeUp,
  wakeUpProcess,
  waitqueueActive,
  write,
  writeLock,
  writeUnlock,
  type Kernel,
  type Word,
  NO_OBSERVER,
} from './index.ts';
import type { EventLog } from './log.ts';
import { CLASS_OF, IS_READ } from './op.ts';
import { Scripted, runTiny, tinyScenario, type Tiny } from './scripted.ts';
import { SEED, seen, run, step, steps, trace } from './machine.test-kit.ts';

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
  const [rd, rd2] = isRead ? [1, 0] : [0, 1];
  log.append(event.t, event.kind, event.o, rd, event.o2, rd2, 0, 1, 0, 'site', 0);
}

function forgetAll(log: EventLog): void {
  log.forget();
  log.lastOf.fill(-1);
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
      const { log } = engine;
      forgetAll(log);
      log.width = 3;
      for (const event of first) append(log, event);

      log.truncate(keep);
      // As a new execution does while it replays what was kept.
      log.lastOf.fill(-1);
      for (let d = 0; d < keep; d++) log.lastOf[log.thr[d]] = d;
      for (const event of second) append(log, event);

      const afterwards = JSON.stringify(tables(log));
      forgetAll(log);

      log.width = 3;
      for (const event of [...first.slice(0, keep), ...second]) append(log, event);
      const fresh = JSON.stringify(tables(log));
      forgetAll(log);
      return afterwards === fresh;
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

import t from 'tap';
import { Dfs } from '../explore/dfs.ts';
import { explore } from '../explore/explore.ts';
import {
  List,
  ListLink,
  MAX_SCHEDULE_TIMEOUT,
  NO_OBSERVER,
  Oops,
  PAGE_OFFSET,
  PAGE_SIZE,
  Ref,
  TaskState,
  UserMemory,
  add,
  armTimer,
  cancelTimer,
  cancelTimerSync,
  copyFromUser,
  copyToUser,
  engine,
  faults,
  handleSignals,
  injectFault,
  listAdd,
  listAddTail,
  listDel,
  listDelInit,
  newTimer,
  newWord,
  now,
  peek,
  read,
  readRef,
  resetTasks,
  resetTimers,
  schedule,
  scheduleTimeout,
  sendSignal,
  setCurrentState,
  setSigmask,
  signalPending,
  tasks,
  wakeUpProcess,
  write,
  writeRef,
  type Kernel,
  type Timer,
} from './index.ts';
import { Scripted, runTiny, tinyScenario, type Tiny } from './scripted.ts';
import { seen, run, step, steps } from './machine.test-kit.ts';

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

t.test(
  'with failures on a signal comes at any look, and stays until the call is over',
  async (t) => {
    const seen = new Set<string>();
    faults.perThread = 1;
    explore(
      engine,
      {
        threads: 1,
        *init(): Kernel<void> {
          faults.taken.fill(0);
          resetTimers();
          resetTasks(1);
        },
        *body(): Kernel<void> {
          const looks = [];
          for (let n = 0; n < 3; n++) looks.push((yield* signalPending(`look ${n}`)) ? 1 : 0);
          seen.add(looks.join(''));
        },
      },
      new Dfs(engine),
      () => undefined,
    );
    faults.perThread = 0;
    t.strictSame([...seen].sort(), ['000', '001', '011', '111']);
  },
);

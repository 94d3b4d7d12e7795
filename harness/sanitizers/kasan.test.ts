import t from 'tap';
import {
  Guarded,
  TaskState,
  addWaitQueue,
  copyToUser,
  currentEntry,
  engine,
  faults,
  kfree,
  kmalloc,
  mutexLock,
  mutexUnlock,
  newMutex,
  newSpinLock,
  newWaitQueue,
  newWord,
  plainRead,
  plainWrite,
  read,
  removeWaitQueue,
  scheduleTimeout,
  setCurrentState,
  spinLock,
  spinUnlock,
  touch,
  UserMemory,
  wakeUp,
  write,
  MAX_THREADS,
  PAGE_OFFSET,
  type Kernel,
  type Mem,
  type SpinLock,
  type Mutex,
  type WaitQueue,
  type Word,
} from '../machine/index.ts';
import { Scripted, runTiny, tinyScenario, type Tiny } from '../machine/scripted.ts';
import { Sanitizers } from './index.ts';
import { found, details, nothing } from './sanitizers.test-kit.ts';

let lock: SpinLock;
let mutex: Mutex;
let word: Word;
let mem: Mem;
let guard: Guarded;
let queue: WaitQueue;

// ---- KASAN ----

/** T1 uses an object under the lock of another object; T2 frees it, under the lock or not. */
function useAndFree(withLock: boolean): Tiny {
  return {
    build() {
      lock = newSpinLock('set.lock');
      mem = kmalloc('epitem', 'alloc');
      guard = new Guarded('epitem fields', mem);
      word = newWord('epitem.word', 0, mem);
    },
    threads: [
      function* () {
        yield* spinLock(lock, 'L1');
        if (!mem.freed) yield* read(word, 'use');
        yield* spinUnlock(lock, 'U1');
      },
      function* () {
        if (withLock) yield* spinLock(lock, 'L2');
        else yield* write(newWord('private', 0), 1, 'W');
        kfree(mem, 'free');
        if (withLock) yield* spinUnlock(lock, 'U2');
      },
    ],
  };
}

t.test('KASAN predicts a use after free from a run in which the use came first', async (t) => {
  const [finding] = details(useAndFree(false), [0, 0, 0, 1]);

  t.equal(finding.detector, 'KASAN-UAF');
  t.equal(finding.site, 'use / free');
  t.match(
    finding.message,
    /^epitem#1 is used by T1 at use and freed by T2 at free, and nothing orders/,
  );
  t.same(finding.predicted, { afterEvent: 1, mustPrecede: 3 });
  t.same(finding.steps, [1, 3]);
});

t.test('KASAN sees a use after free directly', async (t) => {
  const direct: Tiny = {
    build: useAndFree(false).build ?? (() => {}),
    threads: [
      function* () {
        yield* read(word, 'use');
      },
      function* () {
        yield* write(newWord('private', 0), 1, 'W');
        kfree(mem, 'free');
      },
    ],
  };

  const [finding] = details(direct, [1, 0]);

  t.equal(finding.site, 'use / free');
  t.match(finding.message, /is used by T1 at use after T2 freed it at free \(allocated at alloc\)/);
  t.equal(finding.predicted, undefined);
  t.same(details(direct, [0, 1])[0].predicted, { afterEvent: 0, mustPrecede: 1 });
});

t.test(
  'the run that a prediction promises exists and shows the same signature directly',
  async (t) => {
    const tiny: Tiny = {
      build: useAndFree(false).build ?? (() => {}),
      threads: [
        function* () {
          yield* write(newWord('first', 0), 1, 'A');
          yield* read(word, 'use');
        },
        function* () {
          yield* write(newWord('second', 0), 1, 'B');
          kfree(mem, 'free');
        },
      ],
    };

    const [predicted] = details(tiny, [0, 0, 1]);
    const [direct] = details(tiny, [0, 1, 0]);

    t.ok(predicted.predicted);
    t.notOk(direct.predicted);
    t.equal(predicted.site, direct.site);
  },
);

t.test('KASAN is silent if a lock orders use and free, whichever came first', async (t) => {
  t.same(found(useAndFree(true), [0, 0, 0, 1]), []);
  t.same(found(useAndFree(true), [1, 1, 0]), []);
});

t.test('KASAN takes the lock of a freed object for a use of it', async (t) => {
  const tiny = (free: boolean): Tiny => ({
    build() {
      mem = kmalloc('eventpoll', 'alloc');
      lock = newSpinLock('ep.lock', mem);
    },
    threads: [
      function* () {
        yield* spinLock(lock, 'L1');
        if (free) kfree(mem, 'free');
        yield* spinUnlock(lock, 'U1');
        if (!free) kfree(mem, 'free');
      },
    ],
  });

  t.same(found(tiny(true)), ['KASAN-UAF U1 / free']);
  t.same(found(tiny(false)), []);
});

t.test('KASAN reports who waits for ever for the lock of a freed object', async (t) => {
  const tiny: Tiny = {
    build() {
      mem = kmalloc('eventpoll', 'alloc');
      lock = newSpinLock('ep.lock', mem);
    },
    threads: [
      function* () {
        yield* spinLock(lock, 'L1');
        kfree(mem, 'free');
      },
      function* () {
        yield* spinLock(lock, 'L2');
      },
    ],
  };

  t.ok(found(tiny, [0, 1]).includes('KASAN-UAF L2 / free'));
});

t.test('KASAN judges a touch between two operations by the event that ends it', async (t) => {
  const tiny = (inside: boolean): Tiny => ({
    build() {
      lock = newSpinLock('set.lock');
      mem = kmalloc('epitem', 'alloc');
    },
    threads: [
      function* () {
        yield* spinLock(lock, 'L1');
        if (inside && !mem.freed) touch(mem, 'touch');
        yield* spinUnlock(lock, 'U1');
        if (!inside && !mem.freed) touch(mem, 'touch');
      },
      function* () {
        yield* spinLock(lock, 'L2');
        kfree(mem, 'free');
        yield* spinUnlock(lock, 'U2');
      },
    ],
  });

  const [finding] = details(tiny(false), [0, 0, 1]);

  t.equal(finding.site, 'touch / free');
  t.match(finding.message, /outside of what keeps T2 from freeing it/);
  t.equal(finding.predicted, undefined);
  t.same(found(tiny(true), [0, 0, 1]), []);
});

t.test('KASAN lets init and exit touch and free what they like, in order', async (t) => {
  const tiny = (late: boolean): Tiny => ({
    build() {
      mem = kmalloc('epitem', 'alloc');
      word = newWord('epitem.word', 0, mem);
    },
    *start() {
      yield* write(word, 1, 'init');
    },
    threads: [
      function* () {
        yield* read(word, 'use');
      },
    ],
    *exit() {
      kfree(mem, 'exit');
      if (late) yield* read(word, 'late');
    },
  });

  t.same(found(tiny(false)), []);
  t.same(found(tiny(true)), ['KASAN-UAF late / exit']);
});

t.test('KASAN reports a double free with both places', async (t) => {
  const tiny = (twice: boolean): Tiny => ({
    build() {
      mem = kmalloc('epitem', 'alloc');
    },
    threads: [
      function* () {
        yield* write(newWord('private', 0), 1, 'W');
        kfree(mem, 'RM6');
        if (twice) kfree(mem, 'RM6b');
      },
    ],
  });

  t.same(found(tiny(true)), ['DOUBLE-FREE RM6 / RM6b']);
  t.match(
    details(tiny(true))[0].message,
    /epitem#1 is freed by T1 at RM6b, but T1 freed it at RM6/,
  );
  t.same(found(tiny(false)), []);
});

t.test('KASAN numbers objects by kind', async (t) => {
  const tiny: Tiny = {
    build() {
      kmalloc('file', 'a').permanent = true;
      kmalloc('epitem', 'b').permanent = true;
      kmalloc('file', 'c').permanent = true;
      mem = kmalloc('epitem', 'd');
    },
    threads: [
      function* () {
        kfree(mem, 'f');
        yield* write(newWord('private', 0), 1, 'W');
        touch(mem, 'u');
      },
    ],
  };

  t.match(details(tiny)[0].message, /^epitem#2 is used by T1/);
});

t.test('a store through a kernel address is KASAN-WILD, one into user memory is not', async (t) => {
  const tiny = (address: number): Tiny => ({
    threads: [
      function* () {
        const mm = new UserMemory();
        mm.mapAt(4096, 4096, true, true);
        yield* copyToUser(mm, address, 12, {}, 'SE5');
      },
    ],
  });

  t.same(found(tiny(PAGE_OFFSET)), ['KASAN-WILD SE5']);
  t.same(found(tiny(4096)), []);
});

t.test('what kernel code complains about comes through as it is, once per run', async (t) => {
  for (const detector of [
    'KASAN-OOB',
    'WARN',
    'INFOLEAK',
    'STALE',
    'COUNT',
    'SOFT-LOCKUP',
    'LEAK',
  ]) {
    const tiny = (complain: boolean): Tiny => ({
      threads: [
        function* () {
          for (let i = 0; i < 2; i++) {
            yield* write(newWord('private', 0), 1, 'W');
            if (complain) engine.observer.report(detector, 'IN3', `round ${i}`);
          }
        },
      ],
    });

    const findings = details(tiny(true));

    t.same(findings, [{ detector, site: 'IN3', message: 'round 0', steps: [0] }]);
    t.same(found(tiny(false)), []);
  }
});

// ---- KCSAN ----

/** Both threads touch the guarded data; each says whether it writes and whether it takes the lock. */
function conflict(a: 'read' | 'write', b: 'read' | 'write', locked: boolean): Tiny {
  const body = (how: 'read' | 'write', n: number, take: boolean) =>
    function* (): Kernel<void> {
      if (take) yield* spinLock(lock, `L${n}`);
      else yield* write(newWord('private', 0), 1, `W${n}`);
      if (how === 'read') plainRead(guard, `S${n}`);
      else plainWrite(guard, `S${n}`);
      if (take) yield* spinUnlock(lock, `U${n}`);
    };
  return {
    build() {
      lock = newSpinLock('set.lock');
      guard = new Guarded('set.list');
    },
    threads: [body(a, 1, true), body(b, 2, locked)],
  };
}

t.test(
  'KCSAN reports unordered accesses of which one writes, under one name in both orders',
  async (t) => {
    for (const order of [
      [0, 0, 1],
      [1, 0, 0],
    ]) {
      t.same(found(conflict('write', 'write', false), order), ['KCSAN S1 / S2']);
      t.same(found(conflict('read', 'write', false), order), ['KCSAN S1 / S2']);
      t.same(found(conflict('write', 'read', false), order), ['KCSAN S1 / S2']);
      t.same(found(conflict('read', 'read', false), order), []);
    }
    t.match(
      details(conflict('read', 'write', false), [0, 0, 1])[0].message,
      /^set.list is read by T1 at S1 and written by T2 at S2, and nothing orders the two$/,
    );
  },
);

t.test('KCSAN is silent if both sides hold the lock', async (t) => {
  t.same(found(conflict('write', 'write', true), [0, 0, 1]), []);
  t.same(found(conflict('write', 'write', true), [1, 1, 0]), []);
});

t.test('KCSAN sees an access that stands just behind the unlock', async (t) => {
  const tiny = (behind: boolean): Tiny => ({
    build() {
      lock = newSpinLock('set.lock');
      guard = new Guarded('set.list');
    },
    threads: [
      function* () {
        yield* spinLock(lock, 'L1');
        if (!behind) plainWrite(guard, 'S1');
        yield* spinUnlock(lock, 'U1');
        if (behind) plainWrite(guard, 'S1');
      },
      function* () {
        yield* spinLock(lock, 'L2');
        plainRead(guard, 'S2');
        yield* spinUnlock(lock, 'U2');
      },
    ],
  });

  t.same(found(tiny(true), [0, 0, 1]), ['KCSAN S1 / S2']);
  t.same(found(tiny(false), [0, 0, 1]), []);
});

t.test('KCSAN sees data that is touched before the first operation of a thread', async (t) => {
  const early = function* (): Kernel<void> {
    plainWrite(guard, 'S1');
    yield* write(newWord('private', 0), 1, 'W');
  };
  const tiny: Tiny = {
    build() {
      guard = new Guarded('set.list');
    },
    threads: [early, early],
  };

  t.same(found(tiny), ['KCSAN S1 / S1']);
});

t.test('KCSAN judges a racy word if the access is announced before the operation', async (t) => {
  const body = (n: number) =>
    function* (): Kernel<void> {
      plainWrite(guard, `S${n}`);
      yield* write(word, n, `W${n}`);
    };
  const tiny: Tiny = {
    build() {
      guard = new Guarded('events');
      word = newWord('events', 0);
    },
    threads: [nothing, body(1), body(2)],
  };

  t.same(found(tiny, [1, 2]), ['KCSAN S1 / S2']);
  t.same(found(tiny, [2, 1]), ['KCSAN S1 / S2']);
});

t.test('KCSAN keeps apart hundreds of locations', async (t) => {
  const guards: Guarded[] = [];
  const tiny: Tiny = {
    build() {
      guards.length = 0;
      for (let i = 0; i < 600; i++) guards.push(new Guarded(`field ${i}`));
    },
    threads: [
      function* () {
        yield* write(newWord('private', 0), 1, 'W1');
        for (const g of guards.slice(0, 400)) plainWrite(g, 'S1');
      },
      function* () {
        yield* write(newWord('private', 0), 1, 'W2');
        for (const g of guards.slice(399)) plainWrite(g, 'S2');
      },
    ],
  };

  t.match(
    details(tiny).map((f) => f.message),
    [/^field 399 is written by T1/],
  );
});

// ---- together ----

t.test(
  'findings of one execution do not show up in the next, and a list handed out stays',
  async (t) => {
    const sanitizers = new Sanitizers();

    runTiny(useAndFree(false), [0, 0, 0, 1], sanitizers);
    const first = sanitizers.findings();
    runTiny(useAndFree(true), [0, 0, 0, 1], sanitizers);

    t.equal(first.length, 1);
    t.same(sanitizers.findings(), []);
  },
);

t.test('a replayed prefix gives the same findings as the first run', async (t) => {
  const sanitizers = new Sanitizers();
  runTiny(useAndFree(false), [0, 0, 0, 1], sanitizers);
  const first = sanitizers.findings();

  for (const keep of [1, 2, 3]) {
    const end = engine.execute(tinyScenario(useAndFree(false)), new Scripted([0, 0, 0, 1]), keep);
    t.equal(end, 'done');
    t.same(sanitizers.findings(), first);
  }
});

t.test(
  'a clean program with locks, sleep, timers and memory is silent in every order tried',
  async (t) => {
    const condition = { holds: () => false, describe: () => '' };
    const tiny: Tiny = {
      build() {
        queue = newWaitQueue('q');
        mutex = newMutex('mtx');
        word = newWord('flag', 0);
      },
      threads: [
        function* () {
          const own = kmalloc('buffer', 'alloc');
          const entry = currentEntry();
          yield* mutexLock(mutex, 'M1');
          yield* addWaitQueue(queue, entry, 'add');
          yield* setCurrentState(TaskState.INTERRUPTIBLE, 'S');
          yield* mutexUnlock(mutex, 'M2');
          if ((yield* read(word, 'look')) === 0) yield* scheduleTimeout(10, 'sleep', condition);
          yield* setCurrentState(TaskState.RUNNING, 'R');
          yield* removeWaitQueue(queue, entry, 'remove');
          kfree(own, 'free');
        },
        function* () {
          yield* mutexLock(mutex, 'M3');
          yield* mutexUnlock(mutex, 'M4');
          yield* write(word, 1, 'set');
          yield* wakeUp(queue, 1, 0, 'wake');
        },
      ],
    };
    faults.perThread = 0;

    const sanitizers = new Sanitizers();
    let seed = 12345;
    for (let run = 0; run < 200; run++) {
      const order: number[] = [];
      for (let i = 0; i < 30; i++) {
        seed = (seed * 1103515245 + 12345) % 2147483648;
        order.push((seed >> 16) % 3);
      }
      runTiny(tiny, order, sanitizers);
      if (sanitizers.findings().length > 0) break;
    }

    t.same(sanitizers.findings(), []);
    t.ok(MAX_THREADS >= 16);
  },
);

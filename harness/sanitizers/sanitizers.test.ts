import t from 'tap';
import {
  Guarded,
  IRQ,
  List,
  ListLink,
  RwSem,
  TaskState,
  addWaitQueue,
  allowNesting,
  armTimer,
  autoremoveWake,
  cancelTimerSync,
  copyToUser,
  currentEntry,
  downRead,
  downWrite,
  engine,
  faults,
  finishWait,
  kfree,
  kmalloc,
  listAdd,
  listDel,
  mutexLock,
  mutexUnlock,
  nestedClasses,
  newMutex,
  newRwLock,
  newSpinLock,
  newTimer,
  newWaitQueue,
  newWord,
  oops,
  plainRead,
  plainWrite,
  peek,
  prepareToWait,
  read,
  readLock,
  readUnlock,
  removeWaitQueue,
  schedule,
  scheduleTimeout,
  setCurrentState,
  spinLock,
  spinLockIrqsave,
  spinTrylock,
  spinUnlock,
  touch,
  upRead,
  upWrite,
  UserMemory,
  wakeUp,
  wakeUpProcess,
  tasks,
  write,
  writeLock,
  writeUnlock,
  Kind,
  MAX_THREADS,
  PAGE_OFFSET,
  type Kernel,
  type Mem,
  type RwLock,
  type SpinLock,
  type Mutex,
  type Timer,
  type WaitQueue,
  type Word,
} from '../machine/index.ts';
import { Scripted, runTiny, tinyScenario, type Tiny } from '../machine/scripted.ts';
import { Sanitizers } from './index.ts';

/** What a fresh set of sanitizers finds in one run. */
function found(tiny: Tiny, threads: readonly number[] = []): string[] {
  const sanitizers = new Sanitizers();
  runTiny(tiny, threads, sanitizers);
  return sanitizers.findings().map((f) => `${f.detector} ${f.site}`);
}

function details(tiny: Tiny, threads: readonly number[] = []): ReturnType<Sanitizers['findings']> {
  const sanitizers = new Sanitizers();
  runTiny(tiny, threads, sanitizers);
  return sanitizers.findings();
}

function* nothing(): Kernel<void> {}

// Everything a scenario shares; `build` fills what it needs.
let lock: SpinLock;
let other: SpinLock;
let third: SpinLock;
let rw: RwLock;
let rw2: RwLock;
let mutex: Mutex;
let sem: RwSem;
let word: Word;
let mem: Mem;
let guard: Guarded;
let queue: WaitQueue;
let timer: Timer;

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

// ---- lockdep ----

function* nest(a: SpinLock, b: SpinLock, n: string): Kernel<void> {
  yield* spinLock(a, `${n}a`);
  yield* spinLock(b, `${n}b`);
  yield* spinUnlock(b, `${n}c`);
  yield* spinUnlock(a, `${n}d`);
}

function inversion(turned: boolean): Tiny {
  return {
    build() {
      lock = newSpinLock('A');
      other = newSpinLock('B');
    },
    threads: [
      () => nest(lock, other, 'x'),
      () => (turned ? nest(other, lock, 'y') : nest(lock, other, 'y')),
    ],
  };
}

t.test('lockdep reports an inversion in a run that does not deadlock', async (t) => {
  const [finding] = details(inversion(true), [0, 0, 0, 0]);

  t.equal(finding.detector, 'LOCKDEP');
  t.equal(finding.site, 'A / B');
  t.equal(
    finding.message,
    'locks are taken in a circle: A (xa) before B (xb) in T1; B (ya) before A (yb) in T2',
  );
  t.equal(finding.acrossRuns, undefined);
  t.same(found(inversion(true), [1, 1, 1, 1]), ['LOCKDEP A / B']);
  t.same(found(inversion(false)), []);
});

t.test('lockdep and the hung-task detector report the run that does deadlock', async (t) => {
  const findings = details(inversion(true), [0, 1]);

  t.same(
    findings.map((f) => `${f.detector} ${f.site}`),
    ['LOCKDEP A / B', 'HUNG xb / yb'],
  );
  t.match(
    findings[1].message,
    /^deadlock: T1 waits for B#1 at xb, held by T2 \(ya\); T2 waits for A#1 at yb, held by T1 \(xa\)$/,
  );
});

t.test('lockdep finds a circle of three classes', async (t) => {
  const tiny = (close: boolean): Tiny => ({
    build() {
      lock = newSpinLock('A');
      other = newSpinLock('B');
      third = newSpinLock('C');
    },
    threads: [
      () => nest(lock, other, 'x'),
      () => nest(other, third, 'y'),
      () => (close ? nest(third, lock, 'z') : nest(lock, third, 'z')),
    ],
  });

  t.same(found(tiny(true)), ['LOCKDEP A / B / C']);
  t.same(found(tiny(false)), []);
});

t.test('lockdep remembers order over executions until it is told to forget', async (t) => {
  const only = (turned: boolean): Tiny => ({
    build() {
      lock = newSpinLock('A');
      other = newSpinLock('B');
    },
    threads: [() => (turned ? nest(other, lock, 'y') : nest(lock, other, 'x'))],
  });
  const sanitizers = new Sanitizers();

  runTiny(only(false), [], sanitizers);
  t.same(sanitizers.findings(), []);
  runTiny(only(true), [], sanitizers);
  t.equal(sanitizers.findings()[0].acrossRuns, true);
  runTiny(only(true), [], sanitizers);
  t.same(sanitizers.findings(), []);

  sanitizers.forget();
  runTiny(only(true), [], sanitizers);
  t.same(sanitizers.findings(), []);
});

t.test('lockdep reports an inversion in every execution that shows it whole', async (t) => {
  const sanitizers = new Sanitizers();

  for (let i = 0; i < 3; i++) {
    runTiny(inversion(true), [0, 0, 0, 0], sanitizers);
    t.equal(sanitizers.findings().length, 1);
    t.equal(sanitizers.findings()[0].site, 'A / B');
  }
});

t.test('lockdep knows that readers of a rwlock do not wait for readers', async (t) => {
  const tiny = (writer: boolean): Tiny => ({
    build() {
      rw = newRwLock('A');
      rw2 = newRwLock('B');
    },
    threads: [
      function* () {
        yield* readLock(rw, 'xa');
        yield* readLock(rw2, 'xb');
        yield* readUnlock(rw2, 'xc');
        yield* readUnlock(rw, 'xd');
      },
      function* () {
        yield* readLock(rw2, 'ya');
        if (writer) yield* writeLock(rw, 'yb');
        else yield* readLock(rw, 'yb');
        if (writer) yield* writeUnlock(rw, 'yc');
        else yield* readUnlock(rw, 'yc');
        yield* readUnlock(rw2, 'yd');
      },
    ],
  });

  t.same(found(tiny(false)), []);
  // A writer of A waits for the reader of A, but nobody keeps a reader of B waiting.
  t.same(found(tiny(true)), []);
});

t.test('lockdep ignores the order of a trylock, which waits for nobody', async (t) => {
  const tiny = (trylock: boolean): Tiny => ({
    build() {
      lock = newSpinLock('A');
      other = newSpinLock('B');
    },
    threads: [
      () => nest(lock, other, 'x'),
      function* () {
        yield* spinLock(other, 'ya');
        if (trylock) yield* spinTrylock(lock, 'yb');
        else yield* spinLock(lock, 'yb');
        yield* spinUnlock(lock, 'yc');
        yield* spinUnlock(other, 'yd');
      },
    ],
  });

  t.same(found(tiny(true)), []);
  t.same(found(tiny(false)), ['LOCKDEP A / B']);
});

t.test('lockdep reports an unlock of what the thread does not hold', async (t) => {
  const tiny = (fault: 'nobody' | 'other' | 'mode' | 'none'): Tiny => ({
    build() {
      lock = newSpinLock('ep.lock');
      rw = newRwLock('f_cblock');
    },
    threads: [
      function* () {
        if (fault !== 'nobody') yield* spinLock(lock, 'L1');
        if (fault !== 'other') yield* spinUnlock(lock, 'U1');
        yield* readLock(rw, 'R1');
        if (fault === 'mode') yield* writeUnlock(rw, 'W1');
        else yield* readUnlock(rw, 'R2');
      },
      function* () {
        if (fault === 'other') yield* spinUnlock(lock, 'U2');
      },
    ],
  });

  t.match(details(tiny('nobody'))[0], {
    detector: 'LOCKDEP',
    site: 'U1',
    message: /ep.lock#1 at U1, which nobody holds/,
  });
  t.match(
    details(tiny('other'), [0, 0, 0, 1]).find((f) => f.site === 'U2'),
    { message: /^T2 unlocks ep.lock#1 at U2, which T1 holds \(L1\)/ },
  );
  t.match(details(tiny('mode'))[0], { site: 'W1', message: /holds in the other mode \(R1\)/ });
  t.same(found(tiny('none')), []);
});

t.test('lockdep reports a second acquisition by the holder', async (t) => {
  const tiny = (flavour: 'spin' | 'rwlock' | 'rwsem'): Tiny => ({
    build() {
      lock = newSpinLock('A');
      rw = newRwLock('B');
      sem = new RwSem('C');
    },
    threads: [
      function* () {
        if (flavour === 'spin') {
          yield* spinLock(lock, 'L1');
          yield* spinLock(lock, 'L2');
        } else if (flavour === 'rwlock') {
          yield* readLock(rw, 'L1');
          yield* readLock(rw, 'L2');
          yield* readUnlock(rw, 'U1');
          yield* readUnlock(rw, 'U2');
        } else {
          yield* downRead(sem, 'L1');
          yield* downRead(sem, 'L2');
          yield* upRead(sem, 'U1');
          yield* upRead(sem, 'U2');
        }
      },
    ],
  });

  const spin = details(tiny('spin'));
  t.same(
    spin.map((f) => `${f.detector} ${f.site}`),
    ['LOCKDEP L1 / L2', 'HUNG L2'],
  );
  t.match(spin[1].message, /^deadlock: T1 waits for A#1 at L2, which it holds itself \(L1\)$/);
  t.same(found(tiny('rwlock')), []);
  t.same(found(tiny('rwsem')), ['LOCKDEP L1 / L2']);
});

t.test('lockdep wants a word about two locks of one class', async (t) => {
  const build = (): void => {
    lock = newSpinLock('poll_wait.lock');
    other = newSpinLock('poll_wait.lock');
  };
  const oneWay: Tiny = {
    build,
    threads: [() => nest(lock, other, 'x'), () => nest(lock, other, 'y')],
  };
  const crossed: Tiny = {
    build,
    threads: [() => nest(lock, other, 'x'), () => nest(other, lock, 'y')],
  };

  t.match(details(oneWay)[0], {
    detector: 'LOCKDEP',
    site: 'xa / xb',
    message:
      /poll_wait.lock#2 at xb while it holds poll_wait.lock#1 \(xa\): two locks of one class/,
  });

  allowNesting('poll_wait.lock', 'wake-ups run from the inner set to the outer');
  t.same(found(oneWay), []);
  t.same(found(crossed), ['LOCKDEP poll_wait.lock#1 / poll_wait.lock#2']);
  t.match(
    details(crossed, [0, 1])[0].message,
    /poll_wait.lock#1 \(xa\) before poll_wait.lock#2 \(xb\) in T1; poll_wait.lock#2 \(ya\) before poll_wait.lock#1/,
  );
  nestedClasses.delete('poll_wait.lock');
});

t.test('lockdep reports what may sleep while it spins on a lock, and in a softirq', async (t) => {
  const sleepers: Record<string, () => Kernel<unknown>> = {
    mutex: () => mutexLock(mutex, 'S'),
    rwsem: () => downRead(sem, 'S'),
    schedule: () => schedule('S'),
    copy: () => copyToUser(new UserMemory(), 0, 4, 0, 'S'),
  };
  for (const [name, sleep] of Object.entries(sleepers)) {
    const tiny = (atomic: boolean): Tiny => ({
      build() {
        lock = newSpinLock('ep.lock');
        mutex = newMutex('mtx');
        sem = new RwSem('sem');
      },
      threads: [
        function* () {
          yield* spinLock(lock, 'L');
          if (!atomic) yield* spinUnlock(lock, 'U');
          yield* sleep();
          if (atomic) yield* spinUnlock(lock, 'U');
          if (name === 'mutex') yield* mutexUnlock(mutex, 'U');
          if (name === 'rwsem') yield* upRead(sem, 'U');
        },
      ],
    });

    t.match(
      details(tiny(true))[0],
      { site: 'S', message: /^T1 may sleep at S while it holds ep.lock#1 \(L\)/ },
      name,
    );
    t.same(found(tiny(false)), [], name);
  }

  const handler = (sleep: boolean): Tiny => ({
    build() {
      mutex = newMutex('mtx');
      timer = newTimer('late', 4, function* () {
        if (sleep) yield* mutexLock(mutex, 'S');
        if (sleep) yield* mutexUnlock(mutex, 'U');
      });
    },
    threads: [
      function* () {
        yield* armTimer(timer, 5, 'arm');
      },
    ],
  });
  t.match(details(handler(true))[0], {
    detector: 'LOCKDEP',
    message: /^timer:late may sleep at S in softirq context/,
  });
  t.same(found(handler(false)), []);
});

t.test('lockdep wants interrupts off where an interrupt takes the lock too', async (t) => {
  const tiny = (safe: boolean, nested = false): Tiny => ({
    build() {
      lock = newSpinLock('ep.lock');
      other = newSpinLock('outer');
      timer = newTimer('late', 4, function* () {
        yield* spinLock(lock, 'softirq');
        yield* spinUnlock(lock, 'softirq end');
      });
    },
    threads: [
      function* () {
        yield* armTimer(timer, 5, 'arm');
        if (nested) yield* spinLockIrqsave(other, 'O');
        if (safe) yield* spinLockIrqsave(lock, 'task');
        else yield* spinLock(lock, 'task');
        yield* spinUnlock(lock, 'U');
        if (nested) yield* spinUnlock(other, 'P');
      },
    ],
  });

  t.match(details(tiny(false))[0], {
    detector: 'LOCKDEP',
    site: 'ep.lock',
    message:
      /^ep.lock is taken in softirq context by timer:late at softirq and with interrupts on in task context by T1/,
  });
  t.same(found(tiny(true)), []);
  t.same(found(tiny(false, true)), []);
  t.equal(IRQ, 1);
});

t.test('lockdep reports a lock that is held on return to user space', async (t) => {
  const tiny = (release: boolean): Tiny => ({
    build() {
      mutex = newMutex('PIPE_SEM');
    },
    threads: [
      function* () {
        yield* mutexLock(mutex, 'L');
        if (release) yield* mutexUnlock(mutex, 'U');
      },
    ],
  });

  t.match(details(tiny(false)), [
    { detector: 'LOCKDEP', site: 'L', message: /T1 returns to user space with PIPE_SEM#1/ },
  ]);
  t.same(found(tiny(true)), []);
});

// ---- hung task, soft lockup ----

/** T1 sleeps until the flag is set; T2 sets it and wakes T1, unless it forgets to. */
function sleeper(fault: 'no wake' | 'look first' | 'none'): Tiny {
  const condition = { holds: () => peek(word) === 1, describe: () => 'the flag is set' };
  return {
    build() {
      word = newWord('flag', 0);
      queue = newWaitQueue('q');
    },
    threads: [
      function* () {
        const entry = currentEntry(autoremoveWake);
        for (;;) {
          if (fault === 'look first' && (yield* read(word, 'look')) === 1) return;
          yield* prepareToWait(queue, entry, TaskState.INTERRUPTIBLE, 'prepare');
          if (fault !== 'look first' && (yield* read(word, 'look')) === 1) break;
          yield* schedule('SW5', condition);
        }
        yield* finishWait(queue, entry, 'finish');
      },
      function* () {
        yield* write(word, 1, 'set');
        if (fault !== 'no wake') yield* wakeUp(queue, 1, 0, 'wake');
      },
    ],
  };
}

t.test('a task that sleeps although its condition holds is HUNG', async (t) => {
  const order = [0, 1, 1, 1];

  const [late] = details(sleeper('look first'), order);
  t.match(late, {
    detector: 'HUNG',
    site: 'SW5',
    message: /^T1 sleeps at SW5 for ever although the flag is set; nobody woke it$/,
  });
  const [never] = details(sleeper('no wake'), [0, 0, 0, 0, 1]);
  t.match(never, { detector: 'HUNG', message: /although the flag is set; nobody woke it$/ });
  for (const o of [order, [0, 0, 0, 0, 1], [1, 1, 1], [0, 0, 1, 1, 1]])
    t.same(found(sleeper('none'), o), []);
});

t.test('the report of a lost wake-up names the wake-up that came too early', async (t) => {
  const tiny: Tiny = {
    build() {
      word = newWord('flag', 0);
    },
    threads: [
      function* () {
        yield* setCurrentState(TaskState.INTERRUPTIBLE, 'S');
        yield* schedule('SW5', {
          holds: () => peek(word) === 1,
          describe: () => 'the flag is set',
        });
      },
      function* () {
        yield* write(word, 1, 'set');
        yield* wakeUpProcess(tasks[0], TaskState.INTERRUPTIBLE, 'CB7');
      },
    ],
  };

  const [finding] = details(tiny, [1, 1, 0]);
  t.match(finding.message, /; the last wake-up for it came at CB7 by T2, too early$/);
  t.same(finding.steps, [1, 2]);
  t.same(found(tiny, [0, 1, 1]), []);
});

t.test('a task that sleeps for what never comes is no finding', async (t) => {
  const tiny: Tiny = {
    threads: [
      function* () {
        yield* setCurrentState(TaskState.INTERRUPTIBLE, 'S');
        yield* schedule('SW5', { holds: () => false, describe: () => 'never' });
      },
    ],
  };

  t.same(found(tiny), []);
});

t.test('whoever waits for a lock that is never let go is HUNG, with the owner named', async (t) => {
  const tiny = (dies: boolean, release = false): Tiny => ({
    build() {
      mutex = newMutex('mtx');
    },
    threads: [
      function* () {
        yield* mutexLock(mutex, 'L1');
        if (dies) oops('PO2', 'NULL dereference');
        if (release) yield* mutexUnlock(mutex, 'U1');
      },
      function* () {
        yield* mutexLock(mutex, 'L2');
        yield* mutexUnlock(mutex, 'U2');
      },
    ],
  });

  t.match(details(tiny(true)), [
    { detector: 'OOPS', site: 'PO2', message: /^T1 dies at PO2: NULL dereference$/ },
    {
      detector: 'HUNG',
      site: 'L2 / L1',
      message: /^T2 waits for mtx#1 at L2, which T1 took at L1 before it died$/,
    },
  ]);
  t.match(
    details(tiny(false)).find((f) => f.detector === 'HUNG')?.message,
    /which T1 took at L1 and never let go/,
  );
  t.same(found(tiny(false, true)), []);
});

t.test(
  'a deadlock over a fair rw semaphore is HUNG: a reader behind a writer behind the reader',
  async (t) => {
    const tiny: Tiny = {
      build() {
        sem = new RwSem('epsem');
      },
      threads: [
        function* () {
          yield* downRead(sem, 'R1');
          yield* downRead(sem, 'R2');
        },
        function* () {
          yield* downWrite(sem, 'W');
          yield* upWrite(sem, 'X');
        },
      ],
    };

    const findings = details(tiny, [0, 1, 0]);
    t.same(
      findings.map((f) => `${f.detector} ${f.site}`),
      ['LOCKDEP R1 / R2', 'HUNG R2', 'HUNG W'],
    );
    t.match(findings[2].message, /^T2 waits for epsem#1 at W, held by T1 \(R1\)$/);
  },
);

t.test('del_timer_sync from under a lock that the handler wants is HUNG', async (t) => {
  const tiny = (under: boolean): Tiny => ({
    build() {
      lock = newSpinLock('ctx_lock');
      timer = newTimer('aio', 4, function* () {
        yield* spinLockIrqsave(lock, 'H1');
        yield* spinUnlock(lock, 'H2');
      });
    },
    threads: [
      function* () {
        yield* armTimer(timer, 0, 'arm');
        yield* write(newWord('private', 0), 1, 'W');
        if (under) yield* spinLockIrqsave(lock, 'L1');
        yield* cancelTimerSync(timer, 'sync');
        if (under) yield* spinUnlock(lock, 'L2');
      },
    ],
  });

  const hung = found(tiny(true), [0, 0, 0, 4]);
  t.ok(hung.includes('HUNG H1') && hung.includes('HUNG sync'), hung.join());
  t.same(found(tiny(false), [0, 0, 4, 4]), []);
});

t.test('a loop that nothing will ever end is a soft lockup', async (t) => {
  const tiny = (released: boolean): Tiny => ({
    build() {
      word = newWord('version', 0);
    },
    threads: [
      function* () {
        while ((yield* read(word, 'look')) === 0) yield* engine.submit(Kind.RELAX, word, 0, 'spin');
      },
      function* () {
        if (released) yield* write(word, 1, 'release');
      },
    ],
  });

  t.match(details(tiny(false)), [
    {
      detector: 'SOFT-LOCKUP',
      site: 'spin',
      message: /^T1 spins at spin for ever: nothing will change version#1$/,
    },
  ]);
  t.same(found(tiny(true)), []);
});

// ---- oops, leaks ----

t.test('unlinking twice is an OOPS, once is not', async (t) => {
  const tiny = (twice: boolean): Tiny => ({
    threads: [
      function* () {
        const list = new List<number>();
        const link = new ListLink<number>(1);
        listAdd(link, list);
        yield* write(newWord('private', 0), 1, 'W');
        listDel(link, 'RM3');
        if (twice) listDel(link, 'RM3');
      },
    ],
  });

  t.same(found(tiny(true)), ['OOPS RM3']);
  t.same(found(tiny(false)), []);
});

t.test('kmemleak reports what is left after exit by its place of birth', async (t) => {
  const tiny = (leak: boolean): Tiny => ({
    build() {
      kmalloc('inode', 'boot').permanent = true;
      mem = kmalloc('dentry', 'EC7');
    },
    threads: [
      function* () {
        yield* write(newWord('private', 0), 1, 'W');
        if (leak) for (let i = 0; i < 2; i++) kmalloc('epitem', 'IN2');
      },
    ],
    *exit() {
      kfree(mem, 'exit');
    },
  });

  t.match(details(tiny(true)), [
    {
      detector: 'LEAK',
      site: 'IN2',
      message: /^epitem#1, allocated at IN2, and 1 more from there is never freed/,
    },
  ]);
  t.same(found(tiny(false)), []);
});

t.test(
  'kmemleak does not speak after an oops or a hang: nobody could have cleaned up',
  async (t) => {
    const tiny: Tiny = {
      build() {
        kmalloc('dentry', 'EC7');
      },
      threads: [
        function* () {
          yield* write(newWord('private', 0), 1, 'W');
          oops('PO2', 'NULL dereference');
        },
      ],
    };

    t.same(found(tiny), ['OOPS PO2']);
  },
);

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

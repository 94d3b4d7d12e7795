import t from 'tap';
import {
  IRQ,
  RwSem,
  allowNesting,
  armTimer,
  copyToUser,
  downRead,
  mutexLock,
  mutexUnlock,
  nestedClasses,
  newMutex,
  newRwLock,
  newSpinLock,
  newTimer,
  readLock,
  readUnlock,
  schedule,
  spinLock,
  spinLockIrqsave,
  spinTrylock,
  spinLockBh,
  spinUnlock,
  spinUnlockBh,
  upRead,
  UserMemory,
  writeLock,
  writeUnlock,
  type Kernel,
  type RwLock,
  type SpinLock,
  type Mutex,
  type Timer,
} from '../machine/index.ts';
import { runTiny, type Tiny } from '../machine/scripted.ts';
import { Sanitizers } from './index.ts';
import { found, details } from './sanitizers.test-kit.ts';

let lock: SpinLock;
let other: SpinLock;
let third: SpinLock;
let rw: RwLock;
let rw2: RwLock;
let mutex: Mutex;
let sem: RwSem;

let timer: Timer;

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

/** A task that locks one way, unlocks the other, and may then sleep. */
function softirqs(locksBh: boolean, unlocksBh: boolean, sleeps: boolean): Tiny {
  return {
    build() {
      lock = newSpinLock('A');
      mutex = newMutex('M');
    },
    threads: [
      function* () {
        yield* locksBh ? spinLockBh(lock, 'L') : spinLock(lock, 'L');
        yield* unlocksBh ? spinUnlockBh(lock, 'U') : spinUnlock(lock, 'U');
        if (!sleeps) return;
        yield* mutexLock(mutex, 'ML');
        yield* mutexUnlock(mutex, 'MU');
      },
    ],
  };
}

t.test('softirqs are enabled exactly as often as they are disabled', async (t) => {
  t.same(found(softirqs(true, true, true)), []);
  t.same(found(softirqs(false, false, true)), []);
  t.same(found(softirqs(false, true, false)), ['LOCKDEP U']);
  t.same(found(softirqs(false, true, true)), ['WARN U', 'LOCKDEP U']);
  t.same(found(softirqs(true, false, true)), ['WARN L', 'LOCKDEP L']);
  const [warning] = details(softirqs(false, true, true));
  t.equal(
    warning.message,
    'scheduling while atomic: T1 may sleep at ML with a softirq-disable count of -1 (since U)',
  );
});

import t from 'tap';
import {
  List,
  ListLink,
  RwSem,
  TaskState,
  armTimer,
  autoremoveWake,
  cancelTimerSync,
  currentEntry,
  downRead,
  downWrite,
  engine,
  finishWait,
  kfree,
  kmalloc,
  listAdd,
  listDel,
  mutexLock,
  mutexUnlock,
  newMutex,
  newSpinLock,
  newTimer,
  newWaitQueue,
  newWord,
  oops,
  peek,
  prepareToWait,
  read,
  schedule,
  setCurrentState,
  spinLockIrqsave,
  spinUnlock,
  upWrite,
  wakeUp,
  wakeUpProcess,
  tasks,
  write,
  Kind,
  type Mem,
  type SpinLock,
  type Mutex,
  type Timer,
  type WaitQueue,
  type Word,
} from '../machine/index.ts';
import { type Tiny } from '../machine/scripted.ts';
import { found, details } from './sanitizers.test-kit.ts';

let lock: SpinLock;

let mutex: Mutex;
let sem: RwSem;
let word: Word;
let mem: Mem;
let queue: WaitQueue;
let timer: Timer;

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
  // The look at signals before the sleep is the sleeper's last event.
  t.same(finding.steps, [1, 3]);
  t.same(found(tiny, [0, 1, 1]), []);
});

t.test(
  'a task that sleeps for what never comes is HUNG only if no signal can wake it',
  async (t) => {
    const tiny = (state: number): Tiny => ({
      threads: [
        function* () {
          yield* setCurrentState(state, 'S');
          yield* schedule('SW5', { holds: () => false, describe: () => 'the moon is blue' });
        },
      ],
    });

    t.same(found(tiny(TaskState.INTERRUPTIBLE)), []);
    const [finding] = details(tiny(TaskState.UNINTERRUPTIBLE));
    t.match(finding, { detector: 'HUNG', site: 'SW5' });
    t.match(finding.message, /^T1 sleeps at SW5, where no signal wakes it, until the moon is blue/);
  },
);

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

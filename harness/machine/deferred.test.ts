import t from 'tap';
import { Dpor } from '../explore/dpor.ts';
import { explore } from '../explore/explore.ts';
import { Sanitizers } from '../sanitizers/index.ts';
import {
  NO_OBSERVER,
  cancelDelayedWork,
  cancelWorkSync,
  complete,
  down,
  engine,
  flushWorkQueue,
  newCompletion,
  newDelayedWork,
  newInterrupt,
  newSemaphore,
  newWork,
  newWorkQueue,
  queueDelayedWork,
  queueWork,
  raiseInterrupt,
  setCurrentState,
  touch,
  kfree,
  kmalloc,
  up,
  waitForCompletion,
  type DelayedWork,
  type Interrupt,
  type Kernel,
  type Mem,
  type Semaphore,
  type Work,
  type WorkQueue,
} from './index.ts';
import { tinyScenario, type Tiny } from './scripted.ts';

/** Sorted endings and notes over all interleavings, and the signatures of findings. */
function everything(
  tiny: Tiny,
  note: () => string,
): { readonly seen: string[]; readonly found: string[] } {
  const seen = new Set<string>();
  const found = new Set<string>();
  const sanitizers = new Sanitizers();
  engine.observer = sanitizers;
  explore(engine, tinyScenario(tiny), new Dpor(engine), (end) => {
    seen.add(`${end} ${note()}`);
    for (const f of sanitizers.findings()) found.add(f.detector);
  });
  engine.observer = NO_OBSERVER;
  return { seen: [...seen].sort(), found: [...found].sort() };
}

const WORKER_SLOT = 4;

t.test('work runs once per queueing, in a worker, and a flush waits for it', (t) => {
  let ran = 0;
  let afterFlush = -1;
  let context = '';
  let queue: WorkQueue;
  let work: Work;
  const tiny: Tiny = {
    build: () => {
      ran = 0;
      queue = newWorkQueue('events', WORKER_SLOT);
      work = newWork('work', function* (): Kernel<void> {
        ran++;
        context = engine.contextOf(engine.current);
      });
    },
    threads: [
      function* () {
        yield* queueWork(queue, work, 'a');
        yield* queueWork(queue, work, 'b');
        yield* flushWorkQueue(queue, 'flush');
        afterFlush = ran;
      },
    ],
  };

  const { seen, found } = everything(tiny, () => `${ran} ${afterFlush}`);

  t.same(
    seen,
    ['done 1 1', 'done 2 2'],
    'the second queueing counts only when the first has begun',
  );
  t.equal(context, 'worker');
  t.same(found, []);
  t.end();
});

t.test('delayed work is queued by its timer, unless it is cancelled in time', (t) => {
  let ran = 0;
  let cancelled = -1;
  let ignored = false;
  let queue: WorkQueue;
  let delayed: DelayedWork;
  const tiny: Tiny = {
    build: () => {
      ran = 0;
      queue = newWorkQueue('events', WORKER_SLOT);
      delayed = newDelayedWork(queue, WORKER_SLOT + 1, function* (): Kernel<void> {
        ran++;
      });
    },
    threads: [
      function* () {
        yield* queueDelayedWork(delayed, 3, 'queue');
        ignored = yield* queueDelayedWork(delayed, 0, 'queue again');
        cancelled = yield* cancelDelayedWork(delayed, 'cancel');
      },
    ],
  };
  engine.timers = 'any';

  const { seen } = everything(
    tiny,
    () => `ran ${ran} cancelled ${cancelled}${ignored ? ' queued again' : ''}`,
  );
  engine.timers = 'idle';

  t.same(
    seen,
    ['done ran 0 cancelled 1', 'done ran 1 cancelled 0', 'done ran 2 cancelled 0 queued again'],
    'a request without a delay is not looked at while the delay lasts',
  );
  t.end();
});

t.test('cancel_work_sync() takes the work off, or waits for its end', (t) => {
  let log = '';
  let queue: WorkQueue;
  let delayed: DelayedWork;
  const tiny = (ticks: number): Tiny => ({
    build: () => {
      log = '';
      queue = newWorkQueue('events', WORKER_SLOT);
      delayed = newDelayedWork(queue, WORKER_SLOT + 1, function* (): Kernel<void> {
        log += 'begin ';
        yield* setState('work');
        if (log === 'begin ' && (yield* queueDelayedWork(delayed, 0, 'again'))) log += 'again ';
        log += 'end ';
      });
    },
    threads: [
      function* () {
        yield* queueDelayedWork(delayed, ticks, 'queue');
        yield* cancelWorkSync(delayed, 'cancel');
        log += 'cancelled';
      },
    ],
  });
  const everyEnding = [
    'done begin again end begin end cancelled',
    'done begin again end cancelled',
    'done begin end cancelled',
    'done cancelled',
  ];

  const queued = everything(tiny(0), () => log);
  t.same(queued.seen, everyEnding);
  t.same(queued.found, []);

  engine.timers = 'any';
  const armed = everything(tiny(1), () => log);
  engine.timers = 'idle';
  t.same(armed.seen, everyEnding);
  t.same(armed.found, []);
  t.end();
});

t.test('an interrupt runs its handler in hardirq context, where sleeping is reported', (t) => {
  const run = (sleeps: boolean): ReturnType<typeof everything> => {
    let irq: Interrupt;
    let semaphore: Semaphore;
    let context = '';
    return everything(
      {
        build: () => {
          semaphore = newSemaphore('sem', 1);
          irq = newInterrupt('disk', WORKER_SLOT, function* (): Kernel<void> {
            context = engine.contextOf(engine.current);
            if (sleeps) yield* down(semaphore, 'handler');
            else yield* up(semaphore, 'handler');
          });
        },
        threads: [
          function* () {
            yield* raiseInterrupt(irq, 'raise');
          },
        ],
      },
      () => context,
    );
  };

  t.same(run(true), { seen: ['done hardirq'], found: ['LOCKDEP'] });
  t.same(run(false), { seen: ['done hardirq'], found: [] });
  t.end();
});

t.test('wait_for_completion() goes on once complete() was called, before or after', (t) => {
  let order = '';
  let done: Semaphore;
  const tiny: Tiny = {
    build: () => {
      order = '';
      done = newCompletion('done');
    },
    threads: [
      function* () {
        yield* waitForCompletion(done, 'wait');
        order += 'w';
      },
      function* () {
        yield* setCurrentState(0, 'work');
        order += 'c';
        yield* complete(done, 'complete');
      },
    ],
  };

  t.same(everything(tiny, () => order).seen, ['done cw']);
  t.end();
});

t.test(
  'work that outlives what it touches is a use after free; a flush before the free is clean',
  (t) => {
    const run = (flush: boolean): readonly string[] => {
      let queue: WorkQueue;
      let work: Work;
      let mem: Mem;
      return everything(
        {
          build: () => {
            mem = kmalloc('thing', 'alloc');
            queue = newWorkQueue('events', WORKER_SLOT);
            work = newWork('work', function* (): Kernel<void> {
              yield* setState('work');
              touch(mem, 'work');
            });
          },
          threads: [
            function* () {
              yield* queueWork(queue, work, 'queue');
              if (flush) yield* flushWorkQueue(queue, 'flush');
              kfree(mem, 'free');
            },
          ],
        },
        () => '',
      ).found;
    };

    t.same(run(false), ['KASAN-UAF']);
    t.same(run(true), []);
    t.end();
  },
);

/** A step of a context that has no task. */
function* setState(site: string): Kernel<void> {
  yield* engine.submitChoice(1, site);
}

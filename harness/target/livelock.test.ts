import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Dpor } from '../explore/dpor.ts';
import { explore } from '../explore/explore.ts';
import { Replay } from '../explore/replay.ts';
import { formatSchedule, parseSchedule, scheduleOf } from '../explore/token.ts';
import { signatureOf } from '../history/history.ts';
import {
  add,
  armTimer,
  engine,
  newSpinLock,
  newTimer,
  newWord,
  newWork,
  newWorkQueue,
  now,
  queueWork,
  read,
  resetTasks,
  resetTimers,
  spinLock,
  spinTrylock,
  spinUnlock,
  spins,
  write,
  type Kernel,
} from '../machine/index.ts';
import { parseProgram } from '../program/text.ts';
import { packageRoot } from '../runner/case-index.ts';
import { cycleFinding, scheduleOfCycle, type Endless } from './livelock.ts';
import { modelTarget } from './model.ts';

const STEPS = engine.maxSteps;
t.afterEach(() => {
  engine.maxSteps = STEPS;
  spins.recognised = true;
});

/** Threads over a state that init makes anew. */
function scenario<S>(
  threads: number,
  make: () => S,
  body: (s: S, t: number) => Kernel<void>,
): Endless {
  let state: S | null = null;
  return {
    threads,
    *init(): Kernel<void> {
      resetTimers();
      resetTasks(threads);
      state = make();
    },
    *body(thread: number): Kernel<void> {
      if (state !== null) yield* body(state, thread);
    },
    returned: () => 0,
  };
}

/** What the first execution that does not end comes to: its signature and message; '' if it is no circle. */
function verdict(toy: Endless): string {
  engine.maxSteps = 400;
  let token = '';
  explore(
    engine,
    toy,
    new Dpor(engine),
    (end) => {
      if (end === 'steps') token ||= formatSchedule(scheduleOf(engine.log, 'ab'));
    },
    { executions: 60, stop: () => token !== '' },
  );
  if (token === '') return 'every execution ends';
  const schedule = scheduleOfCycle(toy, token, () => false);
  if (schedule === null) return '';
  const seen = [0, 1].map(() => {
    const replay = new Replay(engine, parseSchedule(schedule), {
      mode: 'strict',
      returned: toy.returned,
    });
    explore(engine, toy, replay, () => undefined);
    if (replay.cycle === null) return 'does not replay';
    const finding = cycleFinding(replay.cycle);
    return `${signatureOf(finding)}: ${finding.message}`;
  });
  if (seen[0] !== seen[1]) t.fail(`two replays differ: ${seen.join(' and ')}`);
  return seen[0];
}

/** Takes its own lock, and the other's if that is free; gives its own back and tries again if not. */
function* takeBoth(
  locks: ReturnType<typeof newSpinLock>[],
  mine: number,
  polite: boolean,
): Kernel<void> {
  const [first, second] = polite ? [0, 1] : [mine, 1 - mine];
  for (;;) {
    yield* spinLock(locks[first], `take ${mine}`);
    if ((yield* spinTrylock(locks[second], `try ${mine}`)) === 1) break;
    yield* spinUnlock(locks[first], `back off ${mine}`);
  }
  yield* spinUnlock(locks[second], 'done');
  yield* spinUnlock(locks[first], 'done');
}

const twoLocks = (): ReturnType<typeof newSpinLock>[] =>
  ['a', 'b'].map((name) => newSpinLock(name));

t.test('two threads that make way for each other for ever are a livelock', (t) => {
  const rude = scenario(2, twoLocks, (locks, thread) => takeBoth(locks, thread, false));
  t.match(verdict(rude), /^LIVELOCK back off 0 \/ back off 1: T1 .*T2 .*for ever/);
  const polite = scenario(2, twoLocks, (locks, thread) => takeBoth(locks, thread, true));
  t.equal(verdict(polite), 'every execution ends', 'in one order there is nothing to try again');
  t.end();
});

function* poll(flag: ReturnType<typeof newWord>): Kernel<void> {
  while ((yield* read(flag, 'poll')) === 0);
}

t.test(
  'a loop that waits for what nobody does is a livelock, for what others do a soft lockup',
  (t) => {
    const never = scenario(
      2,
      () => newWord('flag', 0),
      function* (flag, thread) {
        if (thread === 0) yield* poll(flag);
        else yield* read(flag, 'look');
      },
    );
    t.match(verdict(never), /^LIVELOCK poll: T1 1 step \(poll\): goes round for ever/);
    const later = scenario(
      2,
      () => newWord('flag', 0),
      function* (flag, thread) {
        if (thread === 0) yield* poll(flag);
        else yield* write(flag, 1, 'set');
      },
    );
    t.match(verdict(later), /^SOFT-LOCKUP poll: .* until T2 has changed something/);
    t.end();
  },
);

t.test('a loop that waits for a timer is no livelock: time goes on', (t) => {
  const timed = scenario(
    1,
    () => {
      const flag = newWord('flag', 0);
      const timer = newTimer('t', 3, function* () {
        yield* write(flag, 1, 'expired');
      });
      return { flag, timer };
    },
    function* ({ flag, timer }) {
      yield* armTimer(timer, (yield* now('now')) + 1, 'arm');
      yield* poll(flag);
    },
  );
  t.match(verdict(timed), /^SOFT-LOCKUP poll: .* until a timer goes off/);
  t.end();
});

/** Work that queues itself again until the count is at `times`. */
function requeueing(times: number): Endless {
  return scenario(
    1,
    () => {
      const queue = newWorkQueue('events', 3);
      const count = newWord('count', 0);
      const work = newWork('work', function* () {
        const runs = times === Infinity ? 0 : (yield* add(count, 1, 'count')) + 1;
        if (runs < times) yield* queueWork(queue, work, 'again');
      });
      return { queue, work };
    },
    function* ({ queue, work }) {
      yield* queueWork(queue, work, 'queue');
    },
  );
}

t.test('work that queues itself for ever is a livelock, work that stops is not', (t) => {
  t.match(verdict(requeueing(Infinity)), /^LIVELOCK .*worker:events.* for ever/);
  t.equal(verdict(requeueing(3)), 'every execution ends');
  t.end();
});

t.test('a loop that gets on is out of steps, and nothing more is said of it', (t) => {
  const counting = scenario(
    1,
    () => newWord('count', 0),
    function* (count) {
      for (let n = 0; n < 1000; n++) yield* add(count, 1, 'count');
    },
  );
  t.equal(verdict(counting), '');
  t.equal(verdict(requeueing(1000)), '');
  t.end();
});

const FALLBACK = '2.6.20+fs-aio+aio-epoll-wait+aio-fallback-nonblock';
/** Bug, kernel, what the kernel code itself says, what is found without that. */
const KNOWN: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'E-B47',
    '2.6.20',
    'SOFT-LOCKUP 2.6-LP11',
    /^SOFT-LOCKUP 2.6-\w+: T\d .*2.6-CO1.* until T\d has/,
  ],
  [
    'A-B61',
    FALLBACK,
    'LIVELOCK aio_rw_vect_retry-4',
    /^LIVELOCK \S+: T1 .*unix_sendmsg.* for ever/,
  ],
  ['A-B62', FALLBACK, 'LIVELOCK aio_rw_vect_retry-4', /^LIVELOCK \S+: T1 .*queue_proc.* for ever/],
];

t.test('endless loops of the kernels are found with and without the kernel saying so', (t) => {
  for (const [bug, kernel, signature, circle] of KNOWN) {
    const path = join(packageRoot(), 'cases', 'bugs', `${bug}.prog`);
    const program = parseProgram(readFileSync(path, 'utf8'), path);
    const findings = (): string[] => {
      const seen = modelTarget(kernel).run(program, { maxSteps: 1000 });
      t.equal(seen.broken, undefined, bug);
      t.equal(seen.complete, spins.recognised, `${bug}: what goes round is not complete`);
      return seen.findings.map(({ finding }) => `${signatureOf(finding)}: ${finding.message}`);
    };
    spins.recognised = true;
    t.ok(
      findings().some((f) => f.startsWith(`${signature}: `)),
      `${bug} by itself`,
    );
    spins.recognised = false;
    const found = findings();
    t.ok(
      found.some((f) => circle.test(f)),
      `${bug} by its circle: ${found.join('; ')}`,
    );
  }
  t.end();
});

t.test('a loop over many descriptors that a small bound cuts is no circle', (t) => {
  const polled = Array.from({ length: 24 }, () => 'r:POLLIN').join(', ');
  const text = `init:\n  r, w = pipe()\nT1:\n  p = poll([${polled}], -1)\nT2:\n  y = write(w, "a")\n`;
  const run = (maxSteps: number) =>
    modelTarget('2.6.20').run(parseProgram(text, 'many'), { maxSteps });

  t.match(run(22), { complete: false, findings: [] });
  t.match(run(1000), { complete: true, findings: [] });
  t.end();
});

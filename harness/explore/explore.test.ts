import t from 'tap';
import { KIND_NAMES, engine } from '../machine/index.ts';
import type { EndReason, Scenario, Strategy } from '../machine/index.ts';
import { Dfs } from './dfs.ts';
import { Dpor, type DporMutation } from './dpor.ts';
import { defect, examine, toyNumber } from './exactness.ts';
import { explore } from './explore.ts';
import {
  criticalSections,
  fileSystem,
  indexer,
  lastZero,
  modVersusDel,
  ownVariables,
  readersWriter,
  waitQueue,
} from './known-programs.ts';
import { countSwitches, fewestSwitches, switchesAtLeast, witnessOrder } from './minimise.ts';
import { Pct } from './pct.ts';
import { Portfolio } from './portfolio.ts';
import { Pos } from './pos.ts';
import { Prng } from './prng.ts';
import { RandomWalk } from './random.ts';
import { referenceTraces } from './reference.ts';
import { Replay } from './replay.ts';
import { formatSchedule, parseSchedule, scheduleOf, type Schedule } from './token.ts';
import { forgetToys, toyScenario } from './toy.ts';
import { plainToy, type ToyOp, type ToyProgram } from './toy-program.ts';
import { LaneTable, traceLanes } from './trace-key.ts';

const SEED = 20_261_120;
const programs = Number(process.env['LOSTWAKE_TOY_PROGRAMS'] ?? 2500);

t.teardown(forgetToys);

/** Canonical traces with how each ended, by brute force on the machine itself; null above the limit. */
function bruteForce(scenario: Scenario, limit = 20_000): Map<string, EndReason> | null {
  const traces = new Map<string, EndReason>();
  const end = explore(
    engine,
    scenario,
    new Dfs(engine),
    (e) => traces.set(engine.log.canonical(), e),
    { executions: limit },
  );
  return end === 'exhausted' ? traces : null;
}

/** exploration.md 4.5: only the later "unrelated" events show that something asleep does not cover v. */
const REDUCED = plainToy([
  [
    { op: 'lock', lock: 0 },
    { op: 'unlock', lock: 0 },
  ],
  [
    { op: 'trylock', lock: 0 },
    { op: 'unlock', lock: 0 },
    { op: 'lock', lock: 0 },
  ],
  [
    { op: 'write', word: 0, value: 1, copy: false },
    { op: 'choice', alternatives: 2, skipOn: 1 },
    { op: 'lock', lock: 0 },
    { op: 'unlock', lock: 0 },
  ],
]);

/** A writer overtakes both readers or neither. */
const OVERTAKEN = plainToy([
  [{ op: 'rlock', lock: 0 }],
  [{ op: 'wlock', lock: 0 }],
  [{ op: 'rlock', lock: 0 }],
]);

/** A choice whose alternatives are all in the tree covers a reversal that says nothing of its thread. */
const COVERED: ToyProgram = {
  threads: [
    [{ op: 'nap', ticks: 1 }],
    [{ op: 'post' }],
    [{ op: 'relax', seen: 1 }, { op: 'fault' }],
  ],
  timers: 'any',
  faults: 2,
  storeBuffers: false,
};

/** Two threads make the objects that tell of their stores in one order, and in the other. */
const NAMED: ToyProgram = {
  ...plainToy([
    [
      { op: 'read', word: 0, skip: false },
      { op: 'write', word: 1, value: 1, copy: false },
    ],
    [{ op: 'write', word: 0, value: 1, copy: false }],
    [
      { op: 'read', word: 2, skip: false },
      { op: 'write', word: 2, value: 1, copy: false },
    ],
  ]),
  storeBuffers: true,
};

t.test(
  'dpor visits every trace of random programs exactly once, with the end that it has (13.1, 13.2)',
  (t) => {
    t.comment(`seed ${SEED}, ${programs} programs; npm run test:long takes a million`);
    const kinds = new Float64Array(KIND_NAMES.length);
    let [traces, over, walked] = [0, 0, 0];
    for (let n = 0; n < programs; n++) {
      const one = examine(toyNumber(SEED, n), n % 10 === 0, 6000);
      if (one.wrong !== '') t.fail(`${n}: ${one.wrong}: ${JSON.stringify(toyNumber(SEED, n))}`);
      traces += one.traces;
      over += one.isOver ? 1 : 0;
      walked += one.isWalked ? 1 : 0;
      one.kinds.forEach((times, kind) => (kinds[kind] += times));
    }
    t.comment(`${traces} traces; ${over} programs too large; ${walked} without merging`);
    t.ok(traces > programs * 3, 'the programs have traces to tell apart');
    t.ok(over * 25 < programs, 'few programs are too large');
    t.same(
      KIND_NAMES.filter((_, kind) => kinds[kind] === 0),
      ['LOCAL'],
      'every kind of operation that primitives submit is among them',
    );
    t.end();
  },
);

t.test('the reference and the machine take the same interleavings to the same traces', (t) => {
  let compared = 0;
  for (let n = 0; compared < 60; n++) {
    const program = toyNumber(SEED + 1, n);
    const all = referenceTraces(program, { merge: false, limit: 700 });
    if (all === null) continue;
    compared++;
    const texts = new Set<string>();
    const keys = new Set<string>();
    let interleavings = 0;
    explore(engine, toyScenario(program), new Dfs(engine), () => {
      interleavings++;
      texts.add(engine.log.canonical());
      const [a, b] = traceLanes(engine.log);
      keys.add(`${a} ${b}`);
      if (all.traces.get(a, b) === undefined) t.fail(`${n}: a trace that the reference lacks`);
    });
    const seen = [interleavings, texts.size, keys.size];
    const { size } = all.traces;
    if (seen.join() !== [all.interleavings, size, size].join())
      t.fail(`${n}: ${seen.join()} on the machine, ${all.interleavings} and ${size}`);
  }
  t.equal(compared, 60, 'one by one');
  t.end();
});

t.test('a machine that means something else is told from the reference', (t) => {
  const all = (threads: ToyProgram['threads']): LaneTable =>
    referenceTraces(plainToy(threads), { merge: true, limit: 1000 })?.traces ?? new LaneTable();
  const write: ToyOp = { op: 'write', word: 0, value: 1, copy: false };
  const read: ToyOp = { op: 'read', word: 0, skip: false };
  const planted: readonly (readonly [RegExp, ToyProgram['threads'], ToyProgram['threads']])[] = [
    [/another end/, [[write], [read]], [[{ ...write, value: 2 }], [read]]],
    [/does not have/, [[write], [read]], [[write], [{ ...read, word: 1 }]]],
    [
      /missing/,
      [[write], [{ op: 'choice', alternatives: 3, skipOn: 0 }]],
      [[write], [{ op: 'choice', alternatives: 2, skipOn: 0 }]],
    ],
  ];
  for (const [message, meant, done] of planted) {
    t.equal(defect(plainToy(meant), all(meant)), '', 'a twin without the fault is clean');
    t.match(defect(plainToy(done), all(meant)), message);
  }
  t.end();
});

t.test('dpor counts the known programs as the literature does (13.4)', (t) => {
  const table: readonly (readonly [string, Scenario, number, number])[] = [
    ['2 threads x 8 critical sections', criticalSections(2, 8), 12_870, 0],
    ['3 x 3', criticalSections(3, 3), 1_680, 0],
    ['3 x 4', criticalSections(3, 4), 34_650, 0],
    ['4 x 2', criticalSections(4, 2), 2_520, 0],
    ['5 threads writing their own variable', ownVariables(5), 1, 0],
    ['8 readers, one writer', readersWriter(8), 256, 0],
    ['last zero 5', lastZero(5), 64, 0],
    ['last zero 10', lastZero(10), 3_328, 0],
    ['file system 14', fileSystem(14), 2, 0],
    ['indexer 12', indexer(12), 8, 0],
    ['MOD versus DEL', modVersusDel(), 4, 0],
    ['wait queue', waitQueue(false), 48, 0],
    ['wait queue, checking first', waitQueue(true), 16, 2],
  ];
  for (const [name, scenario, traces, hangs] of table) {
    const dpor = new Dpor(engine);
    let hung = 0;
    explore(engine, scenario, dpor, (end) => (hung += end === 'blocked' ? 1 : 0));
    t.same([dpor.executions, hung, dpor.sleepSetBlocked], [traces, hangs, 0], name);
  }
  t.end();
});

t.test('brute force counts the interleavings of the litmus programs (13.4)', (t) => {
  const table: readonly (readonly [string, Scenario, number, number])[] = [
    ['MOD versus DEL', modVersusDel(), 10, 0],
    ['wait queue', waitQueue(false), 14_829, 0],
    ['wait queue, checking first', waitQueue(true), 3_427, 21],
  ];
  for (const [name, scenario, interleavings, hangs] of table) {
    let n = 0;
    let hung = 0;
    explore(engine, scenario, new Dfs(engine), (end) => {
      n++;
      hung += end === 'blocked' ? 1 : 0;
    });
    t.same([n, hung], [interleavings, hangs], name);
  }
  t.end();
});

/** A program with all its traces. */
interface Sample {
  readonly program: ToyProgram;
  readonly traces: LaneTable;
}

function sample(program: ToyProgram): Sample | null {
  const all = referenceTraces(program, { merge: true, limit: 20_000 });
  if (all === null) return null;
  return { program, traces: all.traces.copy() };
}

/** What kills a mutant: the first of the samples that shows it, and how. */
function killer(list: readonly Sample[], mutation: DporMutation): string {
  for (const [n, { program, traces }] of list.entries()) {
    const wrong = defect(program, traces, mutation);
    if (wrong !== '') return `${wrong} (sample ${n})`;
  }
  return '';
}

t.test('every mutant of the exact explorer is killed (13.3)', (t) => {
  const list: Sample[] = [];
  const keep = (one: Sample | null): void => void (one !== null && list.push(one));
  for (const program of [REDUCED, OVERTAKEN, COVERED, NAMED]) keep(sample(program));
  t.same(
    list.map(({ traces }) => traces.size),
    [21, 2, 27, 2],
    'the reduced programs have as many traces',
  );
  for (let n = 0; n < 300; n++) keep(sample(toyNumber(SEED + 2, n)));
  const mutants: readonly (readonly [string, DporMutation])[] = [
    ['no reversal for threads blocked at the end', { ignoreBlocked: true }],
    ['a blocking operation races only with the last event on the object', { lastEventOnly: true }],
    ['only races with new events reconsidered', { onlyNewRaces: true }],
    ['wakeup sequence cut to what the later event needs', { cutToNeeded: true }],
    ['wakeup sequence stops at the later event', { stopAtLater: true }],
    ['no sleep-set test on insertion', { noSleepTest: true }],
    ['write lock reversal without the exclusion set', { noExclusionSet: true }],
    ['a choice child never counts as covering', { choiceNeverCovers: true }],
  ];
  for (const [name, mutation] of mutants) {
    const killed = killer(list, mutation);
    t.ok(killed, `${name}: ${killed || 'survived'}`);
  }
  t.match(killerOfGlobalNames(list), /cannot follow/i, 'object ids from a global counter');
  t.equal(killer(list.slice(0, 50), {}), '', 'the explorer itself is not');
  t.end();
});

/** The last mutant of 13.3: objects that threads make are numbered in the order of the execution. */
function killerOfGlobalNames(list: readonly Sample[]): string {
  const make = engine.newObject.bind(engine);
  engine.newObject = (name, initial) => {
    const { inline } = engine;
    engine.inline = true;
    const id = make(name, initial);
    engine.inline = inline;
    return id;
  };
  try {
    return killer(list, {});
  } finally {
    engine.newObject = make;
  }
}

t.test('preemption-bounded search visits what the bound allows and says when it cut', (t) => {
  const count = (preemptions: number): readonly [number, boolean] => {
    const dfs = new Dfs(engine, { preemptions });
    let n = 0;
    explore(engine, waitQueue(false), dfs, () => n++);
    return [n, dfs.bounded];
  };

  t.same(
    [0, 1, 2, 3].map((k) => count(k)[0]),
    [8, 130, 772, 3068],
    'the counts of section 11',
  );
  t.equal(count(1)[1], true, 'a bound that cuts says so');
  t.equal(count(100)[1], false, 'a bound that does not cut says nothing');
  t.end();
});

const SAMPLERS: readonly (readonly [string, (seed: number) => Strategy])[] = [
  ['random', (seed) => new RandomWalk(engine, { seed })],
  ['pct', (seed) => new Pct(engine, { seed, depth: 4 })],
  ['pos', (seed) => new Pos(engine, { seed })],
  ['portfolio', (seed) => new Portfolio(engine, { seed })],
];

t.test(
  'sampling strategies reach every trace of a small program and depend on the seed alone',
  (t) => {
    const scenario = modVersusDel();
    const all = bruteForce(scenario) ?? new Map<string, EndReason>();
    for (const [name, make] of SAMPLERS) {
      const sample = (seed: number, runs: number): string[] => {
        const seen: string[] = [];
        explore(engine, scenario, make(seed), () => seen.push(engine.log.canonical()), {
          executions: runs,
        });
        return seen;
      };

      t.equal(new Set(sample(1, 2000)).size, all.size, `${name} reaches all ${all.size} traces`);
      t.same(sample(7, 50), sample(7, 50), `${name}: same seed, same runs`);
      t.notSame(sample(7, 50), sample(8, 50), `${name}: another seed, other runs`);
    }
    t.end();
  },
);

t.test('of twenty runs of the portfolio its members make twelve, three, three and two', (t) => {
  const runs = (strategy: Strategy, executions: number): string[] => {
    const tokens: string[] = [];
    const note = (): number => tokens.push(formatSchedule(scheduleOf(engine.log, '0')));
    explore(engine, modVersusDel(), strategy, note, { executions });
    return tokens;
  };
  for (const rounds of [1, 3]) {
    const members = [
      ...runs(new Pos(engine, { seed: 7 }), 12 * rounds),
      ...runs(new Pct(engine, { seed: 7, depth: 3 }), 3 * rounds),
      ...runs(new Pct(engine, { seed: 7, depth: 5 }), 3 * rounds),
      ...runs(new RandomWalk(engine, { seed: 7 }), 2 * rounds),
    ];
    const all = runs(new Portfolio(engine, { seed: 7 }), 20 * rounds);
    t.same(all.toSorted(), members.toSorted());
  }
  t.end();
});

t.test('sampling strategies find the hang of the buggy wait queue', (t) => {
  for (const [name, make] of SAMPLERS) {
    let hangs = 0;
    explore(engine, waitQueue(true), make(3), (end) => (hangs += end === 'blocked' ? 1 : 0), {
      executions: 5000,
    });
    t.ok(hangs > 0, `${name}: ${hangs} of 5000`);
    let clean = 0;
    explore(engine, waitQueue(false), make(3), (end) => (clean += end === 'blocked' ? 1 : 0), {
      executions: 5000,
    });
    t.equal(clean, 0, `${name}: none in the correct one`);
  }
  t.end();
});

function scheduleWith(threads: readonly number[], choices: readonly number[]): Schedule {
  return { programHash: '9f31c2', threads, choices, check: null };
}

t.test('a schedule is one line of text that reads back', (t) => {
  const golden = 'x1:9f31c2:0*7,1*4,2,1*2,0*9:c=1,0:h=0000b51e';
  t.equal(formatSchedule(parseSchedule(golden)), golden, 'version x1 stays readable');
  const random = new Prng(5);
  for (let i = 0; i < 200; i++) {
    const threads = Array.from({ length: random.below(40) }, () => random.below(4));
    const schedule = scheduleWith(threads, [random.below(3)]);
    const back = parseSchedule(formatSchedule(schedule));
    if (JSON.stringify(back) !== JSON.stringify(schedule))
      t.fail(`${formatSchedule(schedule)} changed`);
  }
  t.equal(
    formatSchedule(scheduleWith([], [])),
    'x1:9f31c2::c=',
    'an empty schedule has a text too',
  );
  t.end();
});

t.test('malformed schedules are refused with one line each', (t) => {
  const table: readonly (readonly [string, RegExp])[] = [
    ['', /does not begin with "x1:"/],
    ['x0:ab:0:c=', /version x0, this build reads x1/],
    ['x1:ab:0', /3 fields, expected 4 or 5/],
    ['x1:zz:0:c=', /program hash "zz" is not hexadecimal/],
    ['x1:ab:0*x:c=', /thread run "0\*x" is not THREAD/],
    ['x1:ab:0*0:c=', /has no steps/],
    ['x1:ab:99:c=', /thread 99 is beyond 15/],
    ['x1:ab:0*99999999:c=', /more than 1000000 steps/],
    ['x1:ab:0:1', /field 4 is "1", expected "c=..."/],
    ['x1:ab:0:c=q', /choice "q" is not a number/],
    ['x1:ab:0:c=:g=1', /field 5 is "g=1"/],
    ['x1:ab:0:c=:h=1:z', /6 fields/],
  ];
  for (const [text, message] of table) {
    try {
      parseSchedule(text);
      t.fail(`accepted "${text}"`);
    } catch (error) {
      t.match(String(error), message, `"${text}"`);
      t.notMatch(String(error), /\n/, 'one line');
    }
  }
  t.end();
});

t.test('a replayed schedule repeats the run, and one that does not fit says where', (t) => {
  const scenario = waitQueue(true);
  let token = '';
  let canonical = '';
  explore(engine, scenario, new Dpor(engine), (end) => {
    if (end !== 'blocked' || token !== '') return;
    token = formatSchedule(scheduleOf(engine.log, 'ab'));
    canonical = engine.log.canonical();
  });

  for (let i = 0; i < 2; i++) {
    let end = '';
    explore(engine, scenario, new Replay(engine, parseSchedule(token)), (e) => (end = e));
    t.same([end, engine.log.canonical()], ['blocked', canonical], 'strict replay');
  }
  const replay = (schedule: Schedule): void => {
    explore(engine, scenario, new Replay(engine, schedule), () => undefined);
  };
  const schedule = parseSchedule(token);
  t.throws(
    () => replay({ ...schedule, check: '00000000' }),
    /operations hash to/,
    'other operations',
  );
  t.throws(
    () => replay({ ...schedule, threads: schedule.threads.slice(0, -1) }),
    /could go on/,
    'too short',
  );
  t.throws(
    () => replay({ ...schedule, threads: [9, ...schedule.threads] }),
    /step 1 is for thread 9/,
    'no thread',
  );
  t.throws(
    () => replay({ ...schedule, threads: [...schedule.threads, 0] }),
    /hash|step|ends/,
    'too long',
  );
  t.end();
});

t.test(
  'fewestSwitches() finds the linearisation with the fewest switches, which runs alike',
  (t) => {
    let checked = 0;
    let tight = 0;
    for (let n = 0; checked < 150; n++) {
      const program = toyNumber(SEED + 3, n);
      const best = new Map<string, number>();
      const all = referenceTraces(program, {
        merge: false,
        limit: 5000,
        each: (a, b, threads, length) => {
          const cost = countSwitches([...threads.subarray(0, length)]);
          best.set(`${a} ${b}`, Math.min(cost, best.get(`${a} ${b}`) ?? Infinity));
        },
      });
      if (all === null) continue;
      checked++;
      const scenario = toyScenario(program);
      explore(engine, scenario, new Pos(engine, { seed: checked }), () => undefined, {
        executions: 1,
      });
      const key = engine.log.canonical();
      const least = switchesAtLeast(engine.log);
      const found = fewestSwitches(engine.log);
      const order = found?.order ?? [];
      const threads = order.map((d) => engine.log.thr[d]);
      const choices = order.filter((d) => engine.log.alts[d] > 1).map((d) => engine.log.alt[d]);
      explore(
        engine,
        scenario,
        new Replay(engine, scheduleWith(threads, choices)),
        () => undefined,
      );
      if (engine.log.canonical() !== key) t.fail('another trace');
      const fewest = best.get(traceLanes(engine.log).join(' ')) ?? 0;
      if (found?.exact !== true || found.switches !== fewest || countSwitches(threads) !== fewest)
        t.fail(`${countSwitches(threads)} switches, the reference has ${fewest}`);
      if (least > fewest) t.fail(`at least ${least} switches, the reference has ${fewest}`);
      if (least === fewest) tight++;
      // The run in another order is the same trace: the same answer, whichever of them was found.
      t.strictSame(
        fewestSwitches(engine.log)?.order.map((d) => engine.log.thr[d]),
        threads,
      );
      if (fewest > 0 && fewestSwitches(engine.log, null, fewest - 1) !== null)
        t.fail('fewer than the fewest');
    }
    t.ok(tight > checked * 0.6, `the cheap bound is met in ${tight} of ${checked}`);
    t.end();
  },
);

t.test('fewestSwitches() meets a demand that the trace does not make', (t) => {
  let checked = 0;
  for (let n = 0; checked < 60; n++) {
    const program = toyNumber(SEED + 4, n);
    explore(engine, toyScenario(program), new Pos(engine, { seed: checked }), () => undefined, {
      executions: 1,
    });
    const { log } = engine;
    const second = 0;
    const first = Array.from({ length: log.length }, (_, d) => d).find(
      (d) => d > 0 && !log.happensBefore(0, d),
    );
    if (first === undefined) continue;
    const [laneA, laneB] = traceLanes(log);
    const name = (thread: number, index: number): string => `${thread}.${index}`;
    const [a, b] = [first, second].map((d) => name(log.thr[d], log.idx[d]));
    const answer = fewestSwitches(log, { first, second })?.switches;
    let best = Infinity;
    const all = referenceTraces(program, {
      merge: false,
      limit: 5000,
      each: (oneA, oneB, list, length) => {
        if (oneA !== laneA || oneB !== laneB) return;
        const threads = [...list.subarray(0, length)];
        const events = threads.map((t, d) =>
          name(t, threads.slice(0, d + 1).filter((u) => u === t).length),
        );
        if (events.indexOf(a) < events.indexOf(b)) best = Math.min(best, countSwitches(threads));
      },
    });
    if (all === null) continue;
    if (answer !== best) t.fail(`${n}: ${answer} switches, the reference has ${best}`);
    checked++;
  }
  t.equal(checked, 60, 'compared with every interleaving');
  t.end();
});

t.test('witnessOrder() brings an event forward within its trace', (t) => {
  explore(engine, modVersusDel(), new Dpor(engine), () => undefined, { executions: 1 });
  const { log } = engine;
  const key = log.canonical();
  const last = log.length - 1;
  const order = witnessOrder(log, last);
  t.equal(order.length, log.length);
  const threads = order.map((d) => log.thr[d]);
  explore(engine, modVersusDel(), new Replay(engine, scheduleWith(threads, [])), () => undefined);
  t.equal(engine.log.canonical(), key);
  t.end();
});

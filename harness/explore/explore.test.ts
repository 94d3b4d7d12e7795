import t from 'tap';
import { engine } from '../machine/index.ts';
import type { EndReason, Scenario, Strategy } from '../machine/index.ts';
import { Dfs } from './dfs.ts';
import { Dpor, type DporMutation } from './dpor.ts';
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
import { Replay } from './replay.ts';
import { formatSchedule, parseSchedule, scheduleOf, type Schedule } from './token.ts';
import { randomToy, toyScenario, type ToyProgram } from './toy.ts';

const BRUTE_FORCE_LIMIT = 20_000;
const SEED = 20_261_120;

/** Canonical traces with how each ended, by brute force; null above the limit. */
function bruteForce(scenario: Scenario, limit = BRUTE_FORCE_LIMIT): Map<string, EndReason> | null {
  const traces = new Map<string, EndReason>();
  const end = explore(
    engine,
    scenario,
    new Dfs(engine),
    (e) => traces.set(engine.log.canonical(), e),
    {
      executions: limit,
    },
  );
  return end === 'exhausted' ? traces : null;
}

/** What is wrong with the exact explorer on this scenario; '' if nothing. */
function defect(
  scenario: Scenario,
  all: Map<string, EndReason>,
  mutation: DporMutation = {},
): string {
  const dpor = new Dpor(engine, mutation);
  const seen = new Set<string>();
  let wrong = '';
  const see = (end: EndReason): void => {
    if (end === 'abandoned') wrong ||= 'abandoned';
    const trace = engine.log.canonical();
    if (seen.has(trace)) wrong ||= 'a trace twice';
    if (all.get(trace) !== end) wrong ||= 'another verdict';
    seen.add(trace);
  };
  try {
    const end = explore(engine, scenario, dpor, see, { executions: all.size * 4 + 100 });
    if (end !== 'exhausted') wrong ||= 'does not terminate';
  } catch (error) {
    return `throws ${String(error)}`;
  }
  if (seen.size !== all.size) wrong ||= `${all.size - seen.size} of ${all.size} traces missing`;
  if (dpor.sleepSetBlocked > 0) wrong ||= 'sleep-set blocked';
  if (wrong === '' && dpor.tree.size !== 0) wrong = 'tree not empty';
  return wrong;
}

interface Sample {
  readonly program: ToyProgram;
  readonly traces: Map<string, EndReason>;
}

function samples(count: number, seed: number, naps = false): Sample[] {
  const random = new Prng(seed);
  const list: Sample[] = [];
  while (list.length < count) {
    const program = randomToy(random, naps);
    const traces = bruteForce(toyScenario(program), naps ? 2000 : BRUTE_FORCE_LIMIT);
    if (traces !== null) list.push({ program, traces });
  }
  return list;
}

/** exploration.md 4.5: only the later "unrelated" events show that something asleep does not cover v. */
const REDUCED: ToyProgram = [
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
];

const NAPS = 100;
const programs = Number(process.env['LOSTWAKE_TOY_PROGRAMS'] ?? 1000);

t.test(
  'dpor visits every trace of random programs exactly once and abandons none (13.1, 13.2)',
  (t) => {
    t.comment(`seed ${SEED}, ${programs} programs`);
    let traces = 0;
    const list = samples(programs, SEED);
    for (const { program, traces: all } of list) {
      traces += all.size;
      const wrong = defect(toyScenario(program), all);
      if (wrong !== '') t.fail(`${wrong}: ${JSON.stringify(program)}`);
    }
    t.ok(traces > programs * 3, `${traces} traces in ${programs} programs`);
    t.end();
  },
);

t.test('dpor is exact with timers in both modes', (t) => {
  for (const mode of ['idle', 'any'] as const) {
    engine.timers = mode;
    const list = samples(NAPS, SEED + 1, true);
    for (const { program, traces } of list) {
      const wrong = defect(toyScenario(program), traces);
      if (wrong !== '') t.fail(`${mode}: ${wrong}: ${JSON.stringify(program)}`);
    }
    t.ok(
      list.some(({ traces }) => traces.size > 10),
      `${mode}: some programs have many traces`,
    );
  }
  engine.timers = 'idle';
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

t.test('every mutant of the exact explorer is killed (13.3)', (t) => {
  const list = samples(600, SEED + 2);
  const reduced = bruteForce(toyScenario(REDUCED)) ?? new Map<string, EndReason>();
  t.equal(reduced.size, 21, 'the reduced program has 21 traces');
  list.push({ program: REDUCED, traces: reduced });
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
    const killedBy = list
      .map((s) => defect(toyScenario(s.program), s.traces, mutation))
      .find((w) => w !== '');
    t.ok(killedBy, `${name}: ${killedBy ?? 'survived'}`);
  }
  t.end();
});

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
    const random = new Prng(SEED + 3);
    let checked = 0;
    let tight = 0;
    while (checked < 150) {
      const scenario = toyScenario(randomToy(random));
      const best = new Map<string, number>();
      const end = explore(
        engine,
        scenario,
        new Dfs(engine),
        () => {
          const key = engine.log.canonical();
          const cost = countSwitches([...engine.log.thr.subarray(0, engine.log.length)]);
          best.set(key, Math.min(cost, best.get(key) ?? Infinity));
        },
        { executions: 3000 },
      );
      if (end !== 'exhausted') continue;
      checked++;
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
      const fewest = best.get(key) ?? 0;
      if (found?.exact !== true || found.switches !== fewest || countSwitches(threads) !== fewest)
        t.fail(`${countSwitches(threads)} switches, brute force has ${fewest}`);
      if (least > fewest) t.fail(`at least ${least} switches, brute force has ${fewest}`);
      if (least === fewest) tight++;
      // The run in another order is the same trace: the same answer, whichever of them was found.
      t.strictSame(
        fewestSwitches(engine.log)?.order.map((d) => engine.log.thr[d]),
        threads,
      );
      if (fewestSwitches(engine.log, null, fewest - 1) !== null) t.fail('fewer than the fewest');
    }
    t.ok(tight > checked * 0.6, `the cheap bound is met in ${tight} of ${checked}`);
    t.end();
  },
);

t.test('fewestSwitches() meets a demand that the trace does not make', (t) => {
  const random = new Prng(SEED + 4);
  let checked = 0;
  while (checked < 60) {
    const scenario = toyScenario(randomToy(random));
    explore(engine, scenario, new Pos(engine, { seed: checked }), () => undefined, {
      executions: 1,
    });
    const { log } = engine;
    const second = 0;
    const first = Array.from({ length: log.length }, (_, d) => d).find(
      (d) => d > 0 && !log.happensBefore(0, d),
    );
    if (first === undefined) continue;
    const name = (d: number) => `${log.thr[d]}.${log.idx[d]}`;
    const [a, b, key] = [name(first), name(second), log.canonical()];
    const answer = fewestSwitches(log, { first, second })?.switches;
    const end = explore(engine, scenario, new Dfs(engine), () => undefined, { executions: 3000 });
    if (end !== 'exhausted') continue;
    let best = Infinity;
    explore(engine, scenario, new Dfs(engine), () => {
      if (log.canonical() !== key) return;
      const events = Array.from({ length: log.length }, (_, d) => name(d));
      if (events.indexOf(a) > events.indexOf(b)) return;
      best = Math.min(best, countSwitches([...log.thr.subarray(0, log.length)]));
    });
    if (answer !== best) t.fail(`${answer} switches, brute force has ${best}`);
    checked++;
  }
  t.equal(checked, 60, 'compared with brute force');
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

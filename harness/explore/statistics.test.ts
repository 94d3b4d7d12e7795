import t from 'tap';
import { engine, type Scenario } from '../machine/index.ts';
import { Dpor } from './dpor.ts';
import { explore } from './explore.ts';
import { Frontier, type Lease } from './frontier.ts';
import {
  criticalSections,
  indexer,
  lastZero,
  modVersusDel,
  readersWriter,
  waitQueue,
} from './known-programs.ts';
import { Pos } from './pos.ts';
import { Prng } from './prng.ts';
import { RandomWalk } from './random.ts';
import { TraceTally, leastTraces, magnitude, sampleText, unseenMass } from './statistics.ts';

const SEED = 20_261_121;

/** What a sampler meets that draws trace k with a probability in proportion to weight[k]. */
function drawn(weights: readonly number[], executions: number, random: Prng): TraceTally {
  const tally = new TraceTally();
  const sum = weights.reduce((a, b) => a + b, 0);
  for (let n = 0; n < executions; n++) {
    let at = (random.below(2 ** 30) / 2 ** 30) * sum;
    let k = 0;
    while (k < weights.length - 1 && at >= weights[k]) at -= weights[k++];
    tally.add(k);
  }
  return tally;
}

t.test('singletons and doubletons are counted as they come', (t) => {
  const tally = new TraceTally();
  for (const trace of [7, 7, 7, 8, 8, 9, 10]) tally.add(trace);
  t.strictSame(tally.sample(), { executions: 7, distinct: 4, once: 2, twice: 1 });
  t.equal(unseenMass(tally.sample()), 2 / 7);
  t.equal(leastTraces(tally.sample()), 6, '4 + 2 * 2 / (2 * 1)');
  t.end();
});

t.test(
  'planted distributions: the chance of something new is about right, the bound is one',
  (t) => {
    const random = new Prng(SEED);
    const planted: readonly (readonly [string, number[]])[] = [
      ['uniform', Array.from({ length: 300 }, () => 1)],
      ['skewed', Array.from({ length: 300 }, (_, k) => 1 / (k + 1))],
      ['many rare ones', [1000, ...Array.from({ length: 300 }, () => 1)]],
    ];
    for (const [name, weights] of planted) {
      const sum = weights.reduce((a, b) => a + b, 0);
      let errors = 0;
      let above = 0;
      const rounds = 40;
      for (let round = 0; round < rounds; round++) {
        const sample = drawn(weights, 400, random).sample();
        const guess = unseenMass(sample) ?? 1;
        errors += guess;
        if ((leastTraces(sample) ?? 0) > weights.length * 1.25) above++;
      }
      // What 400 draws leave unseen on average.
      const mass = weights.reduce((a, w) => a + (w / sum) * (1 - w / sum) ** 400, 0);
      t.ok(
        Math.abs(errors / rounds - mass) < 0.02,
        `${name}: ${errors / rounds}, in truth ${mass}`,
      );
      t.ok(above < rounds / 3, `${name}: above the truth in ${above} of ${rounds}`);
    }
    t.end();
  },
);

/** All traces of a small program. */
function count(scenario: Scenario): number {
  const dpor = new Dpor(engine);
  explore(engine, scenario, dpor, () => undefined);
  return dpor.executions;
}

t.test(
  'samples of small programs: the bound holds, and the chance of a new trace is borne out',
  (t) => {
    const programs: readonly (readonly [string, Scenario])[] = [
      ['wait queue', waitQueue(false)],
      ['three threads of three', criticalSections(3, 3)],
      ['last zero', lastZero(7)],
    ];
    for (const [name, scenario] of programs) {
      const all = count(scenario);
      for (const Sampler of [Pos, RandomWalk]) {
        const tally = new TraceTally();
        const strategy = new Sampler(engine, { seed: SEED });
        let fresh = 0;
        let guess = 1;
        const half = Math.min(400, all * 2);
        let n = 0;
        const before = new Set<number>();
        explore(
          engine,
          scenario,
          strategy,
          () => {
            const trace = engine.log.traceHash();
            if (n < half) {
              before.add(trace);
              tally.add(trace);
            } else if (!before.has(trace)) fresh++;
            if (++n === half) guess = unseenMass(tally.sample()) ?? 1;
          },
          { executions: half * 5 },
        );
        const truth = fresh / (half * 4);
        t.ok(
          Math.abs(truth - guess) < 0.07,
          `${name}, ${Sampler.name}: ${guess}, in truth ${truth}`,
        );
        const least = leastTraces(tally.sample()) ?? 0;
        t.ok(least <= all * 1.1, `${name}, ${Sampler.name}: at least ${least} of ${all}`);
      }
    }
    t.end();
  },
);

t.test('the words say what is known, and no share of the traces', (t) => {
  const texts: readonly (readonly [string, readonly number[]])[] = [
    ['no execution, so nothing is known', []],
    [
      '1 execution, 1 distinct trace: none was met twice, so there is no estimate of the others',
      [1],
    ],
    [
      '3 executions, 3 distinct traces: none was met twice, so there is no estimate of the others',
      [1, 2, 3],
    ],
    [
      '4 executions, 2 distinct traces, at least 2 exist (Chao1); the chance that one more execution is new is about 0.25 (Good-Turing)',
      [1, 1, 1, 2],
    ],
    [
      '5 executions, 2 distinct traces, at least 2 exist (Chao1); the chance that one more execution is new is below about 0.2 (Good-Turing)',
      [1, 1, 2, 2, 2],
    ],
    [
      '6 executions, 4 distinct traces, at least 7 exist (Chao1); the chance that one more execution is new is about 0.5 (Good-Turing)',
      [1, 1, 1, 2, 3, 4],
    ],
  ];
  for (const [text, traces] of texts) {
    const tally = new TraceTally();
    for (const trace of traces) tally.add(trace);
    t.equal(sampleText(tally.sample()), text);
    t.notMatch(text, /%|cover/);
  }
  t.strictSame([3, 80, 120_000].map(magnitude), ['fewer than 10', 'about 10^2', 'about 10^5']);
  t.end();
});

/** Programs whose trees are of different shapes. */
const TREES: readonly (readonly [string, () => Scenario])[] = [
  ['3 x 3', () => criticalSections(3, 3)],
  ['4 x 2', () => criticalSections(4, 2)],
  ['2 x 6', () => criticalSections(2, 6)],
  ['readers', () => readersWriter(8)],
  ['last zero', () => lastZero(8)],
  ['indexer', () => indexer(13)],
  ['wait queue', () => waitQueue(false)],
];

t.test('the tree that is known tells how much is left, within a factor of four for most', (t) => {
  const within = { tenth: 0, quarter: 0 };
  for (const [name, make] of TREES) {
    const all = count(make());
    const dpor = new Dpor(engine);
    const guesses = new Map<number, number>();
    explore(engine, make(), dpor, () => undefined, {
      stop: (n) => {
        const done = dpor.done();
        if (done > 1 || done <= 0) t.fail(`${name}: ${done} after ${n}`);
        guesses.set(n, n / done / all);
        return false;
      },
    });
    t.equal(dpor.done(), 1, `${name}: exactly 1 at the end`);
    const isNear = (share: number): boolean => {
      const ratio = guesses.get(Math.max(1, Math.floor(all * share))) ?? 0;
      return ratio >= 1 / 4 && ratio <= 4;
    };
    if (isNear(0.1)) within.tenth++;
    if (isNear(0.25)) within.quarter++;
  }
  t.ok(within.tenth >= TREES.length - 2, `after 10 %: ${within.tenth} of ${TREES.length}`);
  t.equal(within.quarter, TREES.length, 'after 25 %: all');
  const one = new Dpor(engine);
  t.equal(one.done(), 0, 'nothing is done before it begins');
  explore(engine, modVersusDel(), one, () => undefined, { executions: 2 });
  t.equal(one.done(), 1 / 2);
  t.end();
});

t.test('a tree that is shared tells the same', (t) => {
  const scenario = criticalSections(3, 3);
  const all = count(scenario);
  const frontier = new Frontier();
  let executions = 0;
  let last = 0;
  let far = 0;
  let looks = 0;
  t.equal(
    frontier.done([], () => 0),
    0,
  );
  while (!frontier.finished) {
    const lease: Lease | null = frontier.take();
    if (lease === null) break;
    const dpor = new Dpor(engine, {}, lease.branch);
    explore(engine, scenario, dpor, () => executions++, {
      stop: (n) => {
        for (const reversal of dpor.takeAbove()) frontier.insert(lease, reversal);
        // Half of what is left is given away now and then.
        const levels = n % 7 === 0 ? dpor.share() : null;
        if (levels !== null) frontier.share(lease, levels);
        last = frontier.done([lease], () => dpor.done());
        if (last <= 0 || last > 1) t.fail(`${last} after ${executions}`);
        if (executions > all / 4) {
          looks++;
          const ratio = executions / last / all;
          if (ratio > 4 || ratio < 1 / 4) far++;
        }
        return false;
      },
    });
    frontier.finish(lease);
  }
  t.equal(executions, all);
  t.ok(
    far < looks / 10,
    `${far} of ${looks} looks after a quarter were further off than a factor of four`,
  );
  t.equal(
    frontier.done([], () => 0),
    1,
    'exactly 1 at the end',
  );
  t.end();
});

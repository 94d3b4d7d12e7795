import t from 'tap';
import { engine, type EndReason, type Scenario, type Strategy } from '../machine/index.ts';
import { Dfs } from './dfs.ts';
import { explore } from './explore.ts';
import {
  criticalSections,
  fileSystem,
  lastZero,
  modVersusDel,
  readersWriter,
  waitQueue,
} from './known-programs.ts';
import { Prng } from './prng.ts';
import { SleepSets } from './sleep-sets.ts';
import { SourceDpor } from './source-dpor.ts';
import { STRATEGIES, strategyNamed } from './strategies.ts';
import { randomToy, toyScenario } from './toy.ts';

const SEED = 20_261_122;

/** What both have: executions that come to nothing are counted. */
interface Reduction extends Strategy {
  readonly executions: number;
  readonly abandoned: number;
}

type Making = () => Reduction;
const sleepSets: Making = () => new SleepSets(engine);
const sourceDpor: Making = () => new SourceDpor(engine);

/** Traces with how each ended, by brute force; null if there are too many interleavings. */
function bruteForce(scenario: Scenario, limit: number): Map<string, EndReason> | null {
  const traces = new Map<string, EndReason>();
  const see = (end: EndReason): void => void traces.set(engine.log.canonical(), end);
  const end = explore(engine, scenario, new Dfs(engine), see, { executions: limit });
  return end === 'exhausted' ? traces : null;
}

/** What is wrong with the traces that were completed; '' if nothing. */
function defect(scenario: Scenario, all: ReadonlyMap<string, EndReason>, make: Making): string {
  const strategy = make();
  const seen = new Set<string>();
  let [completed, abandoned] = [0, 0];
  let wrong = '';
  const see = (end: EndReason): void => {
    if (end === 'abandoned') {
      abandoned++;
      return;
    }
    completed++;
    const trace = engine.log.canonical();
    if (seen.has(trace)) wrong ||= 'a trace twice';
    if (all.get(trace) !== end) wrong ||= 'another verdict';
    seen.add(trace);
  };
  const end = explore(engine, scenario, strategy, see, { executions: 100_000 });
  if (end !== 'exhausted') wrong ||= 'does not terminate';
  if (seen.size !== all.size) wrong ||= `${all.size - seen.size} of ${all.size} traces missing`;
  if (strategy.abandoned !== abandoned || strategy.executions !== completed + abandoned)
    wrong ||= 'counts itself wrongly';
  return wrong;
}

interface Sample {
  readonly scenario: Scenario;
  readonly traces: ReadonlyMap<string, EndReason>;
}

function samples(count: number, naps: boolean): Sample[] {
  const random = new Prng(SEED);
  const list: Sample[] = [];
  while (list.length < count) {
    const scenario = toyScenario(randomToy(random, naps));
    const traces = bruteForce(scenario, naps ? 300 : 2000);
    if (traces !== null) list.push({ scenario, traces });
  }
  return list;
}

t.test('sleep sets and source-DPOR complete every trace of random programs once', (t) => {
  const damaged: readonly (readonly [string, Making])[] = [
    ['sleep sets that nothing wakes', () => new SleepSets(engine, { deaf: true })],
    ['no sleep', () => new SleepSets(engine, { sleepless: true })],
    ['blocked operations ignored', () => new SourceDpor(engine, { ignoreBlocked: true })],
    ['the later event only', () => new SourceDpor(engine, { laterOnly: true })],
  ];
  const list = samples(150, false);
  for (const [name, make] of [['sleep-sets', sleepSets] as const, ['source', sourceDpor] as const])
    t.same(list.map((s) => defect(s.scenario, s.traces, make)).filter(Boolean), [], name);
  for (const [name, make] of damaged) {
    const shown = list.map((s) => defect(s.scenario, s.traces, make)).find(Boolean);
    t.ok(shown, `${name}: ${shown ?? 'not noticed'}`);
  }
  t.end();
});

t.test('sleep sets and source-DPOR complete every trace with timers in both modes', (t) => {
  for (const mode of ['idle', 'any'] as const) {
    engine.timers = mode;
    for (const { scenario, traces } of samples(25, true))
      for (const make of [sleepSets, sourceDpor]) {
        const wrong = defect(scenario, traces, make);
        if (wrong !== '') t.fail(`${mode}: ${wrong}`);
      }
  }
  engine.timers = 'idle';
  t.pass('all are the same as by brute force');
  t.end();
});

t.test('what sleep sets and source-DPOR abandon is pinned', (t) => {
  const count = (scenario: Scenario, make: Making): readonly [number, number] => {
    const strategy = make();
    explore(engine, scenario, strategy, () => undefined, { executions: 50_000 });
    return [strategy.executions - strategy.abandoned, strategy.abandoned];
  };
  // The 16,867 of the literature's tools are those of "lowest thread first".
  t.same(count(lastZero(10), sourceDpor), [3_328, 16_867], 'last zero 10');
  t.same(count(lastZero(5), sleepSets), [64, 466], 'last zero 5, sleep sets');
  t.same(count(criticalSections(3, 3), sourceDpor), [1_680, 0], '3 x 3 critical sections');
  t.same(count(readersWriter(8), sleepSets), [256, 3_025], '8 readers and a writer');
  t.same(count(fileSystem(14), sourceDpor), [2, 0], 'file system 14');
  t.same(count(modVersusDel(), sleepSets), [4, 0], 'MOD against DEL');
  t.same(count(waitQueue(false), sleepSets), [48, 79], 'wait queue');
  t.end();
});

t.test('strategies that end by themselves see the same traces', (t) => {
  for (const { name, make } of STRATEGIES.filter((s) => s.exhaustive)) {
    const traces = new Set<string>();
    explore(engine, waitQueue(true), make(engine, { seed: 1, programHash: 1 }), (end) => {
      if (end !== 'abandoned') traces.add(engine.log.canonical());
    });
    t.equal(traces.size, 16, name);
  }
  t.throws(() => strategyNamed('sleep-set'), /there are: .*source-dpor, sleep-sets/);
  t.end();
});

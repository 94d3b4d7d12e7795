import t from 'tap';
import { engine, type Scenario, type Strategy } from '../machine/index.ts';
import { defectOf, toyNumber } from './exactness.ts';
import { explore } from './explore.ts';
import {
  criticalSections,
  fileSystem,
  lastZero,
  modVersusDel,
  readersWriter,
  waitQueue,
} from './known-programs.ts';
import { referenceTraces } from './reference.ts';
import { SleepSets } from './sleep-sets.ts';
import { SourceDpor } from './source-dpor.ts';
import { STRATEGIES, strategyNamed } from './strategies.ts';
import { forgetToys } from './toy.ts';
import type { ToyProgram } from './toy-program.ts';
import type { LaneTable } from './trace-key.ts';

const SEED = 20_261_122;

t.teardown(forgetToys);

/** What both have: executions that come to nothing are counted. */
interface Reduction extends Strategy {
  readonly executions: number;
  readonly abandoned: number;
}

type Making = () => Reduction;
const sleepSets: Making = () => new SleepSets(engine);
const sourceDpor: Making = () => new SourceDpor(engine);

/** What is wrong with the traces that were completed; '' if nothing. */
function defect({ program, traces }: Sample, make: Making): string {
  const strategy = make();
  const wrong = defectOf(program, traces, strategy);
  if (wrong !== '') return wrong;
  const isCounted = strategy.executions - strategy.abandoned === traces.size;
  return isCounted ? '' : 'counts itself wrongly';
}

interface Sample {
  readonly program: ToyProgram;
  readonly traces: LaneTable;
}

/** Random programs of all families, by number. */
function samples(count: number): Sample[] {
  const list: Sample[] = [];
  for (let n = 0; list.length < count; n++) {
    const program = toyNumber(SEED, n);
    const all = referenceTraces(program, { merge: true, limit: 2000 });
    if (all !== null) list.push({ program, traces: all.traces.copy() });
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
  const list = samples(300);
  for (const [name, make] of [['sleep-sets', sleepSets] as const, ['source', sourceDpor] as const])
    t.same(list.map((s) => defect(s, make)).filter(Boolean), [], name);
  for (const [name, make] of damaged) {
    const shown = list.map((s) => defect(s, make)).find(Boolean);
    t.ok(shown, `${name}: ${shown ?? 'not noticed'}`);
  }
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

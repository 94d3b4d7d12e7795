/** Time and executions until fuzzing without a hint reports each bug of a list. */

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { STRATEGIES } from '../explore/strategies.ts';
import { packageRoot } from '../runner/case-index.ts';
import type { Bench, Section } from './bench.ts';
import type { BugRun } from './bug-run.ts';
import type { Value } from './report.ts';

/** A catalogued bug and a kernel that has it. */
export interface Bug {
  readonly kernel: string;
  readonly id: string;
}

/** The list of fixtures/bench/bugs.json. */
export function readBugs(): readonly Bug[] {
  const path = join(packageRoot(), 'fixtures', 'bench', 'bugs.json');
  // Our own file; the test of the sections reads it too.
  return JSON.parse(readFileSync(path, 'utf8')) as readonly Bug[];
}

/** Those that find bugs in what they were not made for; brute force and its like only measure others. */
const NOT_FOR_BUGS = new Set(['dfs', 'source-dpor', 'sleep-sets']);
const SEEDS = 11;
const SECONDS = 60;
/** What a run may take when all sections are measured. */
const SURVEY_SECONDS = 12;

/** What one run did, by seed. */
interface Runs {
  readonly strategy: string;
  readonly kernel: string;
  readonly bugs: readonly Bug[];
  readonly runs: (BugRun & { readonly peak: number })[];
}

function strategiesOf(bench: Bench): readonly string[] {
  const { strategies } = bench.options;
  if (strategies.length > 0) return strategies;
  if (bench.isSurvey) return ['dpor'];
  return STRATEGIES.map((s) => s.name).filter((name) => !NOT_FOR_BUGS.has(name));
}

/** The middle one; of an even number the later. Infinity stands for "not found". */
export function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[list.length >> 1];
}

/** A time that may be "not within the limit". */
function timeOf(n: number, limit: number): Value {
  return Number.isFinite(n) ? n : { atLeast: limit };
}

function bugRow(bug: Bug, { strategy, kernel, runs }: Runs, limit: number) {
  const hits = runs.map((run) => run.hits.find((hit) => hit.id === bug.id));
  const seconds = hits.map((hit) => hit?.seconds ?? Infinity);
  const executions = hits.map((hit) => hit?.executions ?? Infinity);
  const spent = Math.max(...runs.map((run) => run.executions));
  return {
    id: `${bug.id} on ${kernel}, ${strategy}`,
    values: {
      kernel,
      bug: bug.id,
      strategy,
      found: `${hits.filter(Boolean).length} of ${runs.length}`,
      median: timeOf(median(seconds), limit),
      worst: timeOf(Math.max(...seconds), limit),
      'median executions': timeOf(median(executions), spent),
      'worst executions': timeOf(Math.max(...executions), spent),
      peak: Math.max(...runs.map((run) => run.peak)),
    },
  };
}

/** Rows for what was run so far, bug by bug, strategies beside each other. */
function enter(bench: Bench, bugs: readonly Bug[], all: readonly Runs[], limit: number): void {
  bench.rows.length = 0;
  for (const bug of bugs)
    for (const runs of all)
      if (runs.kernel === bug.kernel && runs.runs.length > 0) bench.add(bugRow(bug, runs, limit));
}

function summarise(bench: Bench, strategies: readonly string[], all: readonly Runs[]): void {
  for (const strategy of strategies) {
    const mine = all.filter((runs) => runs.strategy === strategy);
    const wanted = mine.flatMap(({ bugs, runs }) => bugs.map(() => runs.length));
    const found = mine.flatMap(({ runs }) => runs.map((run) => run.hits.length));
    const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
    bench.note(`${strategy}: ${sum(found)} of ${sum(wanted)} found`);
  }
}

export const bugsSection: Section = {
  name: 'bugs',
  title: 'time until fuzzing reports each bug, no hint given',
  reading:
    'A run is "lostwake fuzz --kernel K --seed S" on all cores; it ends when all bugs of its kernel are reported, shrunk\n' +
    'and replayed, or the time is up ("> N"). Median and worst are over the seeds.',
  columns: [
    { title: 'kernel', key: 'kernel', format: 'text' },
    { title: 'bug', key: 'bug', format: 'text' },
    { title: 'strategy', key: 'strategy', format: 'text' },
    { title: 'found', key: 'found', format: 'text' },
    { title: 'median s', key: 'median', format: 's' },
    { title: 'worst s', key: 'worst', format: 's' },
    { title: 'median executions', key: 'median executions', format: 'count' },
    { title: 'worst executions', key: 'worst executions', format: 'count' },
    { title: 'MB', key: 'peak', format: 'MB' },
  ],
  main: { key: 'median', better: 'less' },
  async measure(bench) {
    const seconds = bench.options.seconds ?? (bench.isSurvey ? SURVEY_SECONDS : SECONDS);
    const seeds = bench.options.seeds ?? (bench.isSurvey ? 1 : SEEDS);
    const bugs = readBugs();
    const strategies = strategiesOf(bench);
    const kernels = [...new Set(bugs.map((bug) => bug.kernel))];
    const all: Runs[] = kernels.flatMap((kernel) =>
      strategies.map((strategy) => ({
        strategy,
        kernel,
        bugs: bugs.filter((bug) => bug.kernel === kernel),
        runs: [],
      })),
    );
    for (let seed = 1; seed <= seeds; seed++)
      for (const { kernel, strategy, bugs: here, runs } of all) {
        const label = `seed ${seed} of ${seeds}, ${kernel}, ${strategy}`;
        const ids = here.map((bug) => bug.id);
        const jobs = availableParallelism();
        runs.push(
          await bench.ask(label, { kind: 'bugs', kernel, strategy, seed, ids, jobs, seconds }),
        );
        enter(bench, bugs, all, seconds);
      }
    summarise(bench, strategies, all);
  },
};

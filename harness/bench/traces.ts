/** Executions of the exact explorer beside its alternatives: what each spends on a trace. */

import type { Bench, Section } from './bench.ts';
import type { Answer, CountOrder } from './orders.ts';
import { quotient, type Value } from './report.ts';
import { MACHINE, type Subject } from './subjects.ts';

/** A subject with what is known of it. */
interface Known extends Subject {
  /** Traces, where the literature or arithmetic says so. */
  readonly traces?: number;
}

type Row = Answer<CountOrder>;

/** Brute force ends here. */
const MOST = 200_000;
const SECONDS = 3;
/** For what must come to its end. */
const FOR_EVER = 3600;

const V11 = '2.5.44+sys_epoll-v11';

/** exploration.md 13.4: the first are known from the literature or by arithmetic. */
const PROGRAMS: readonly Known[] = [
  { program: 'critical sections 2 8', kernel: MACHINE, traces: 12_870 },
  { program: 'critical sections 3 4', kernel: MACHINE, traces: 34_650 },
  { program: 'critical sections 4 2', kernel: MACHINE, traces: 2_520 },
  { program: 'readers and a writer 8', kernel: MACHINE, traces: 256 },
  { program: 'readers and a writer 13', kernel: MACHINE, traces: 8_192 },
  { program: 'last zero 5', kernel: MACHINE, traces: 64 },
  { program: 'last zero 10', kernel: MACHINE, traces: 3_328 },
  { program: 'file system 14', kernel: MACHINE, traces: 2 },
  { program: 'file system 15', kernel: MACHINE, traces: 4 },
  { program: 'indexer 12', kernel: MACHINE, traces: 8 },
  { program: 'indexer 14', kernel: MACHINE, traces: 512 },
  { program: 'mod-versus-del', kernel: MACHINE, traces: 4 },
  { program: 'wait-queue', kernel: MACHINE, traces: 48 },
  { program: 'wait-queue, checking first', kernel: MACHINE, traces: 16 },
  { program: 'mod-versus-del', kernel: V11 },
  { program: 'mod-versus-del', kernel: '2.6.20' },
  { program: 'pipe-epoll', kernel: V11 },
  { program: 'pipe-epoll', kernel: '2.6.20' },
];

/** Families whose sizes grow: threads first, calls (or rounds) second. */
const FAMILIES: readonly {
  readonly family: string;
  readonly kernel: string;
  readonly sizes: readonly (readonly [threads: number, calls: number])[];
}[] = [
  {
    family: 'critical sections',
    kernel: MACHINE,
    sizes: [
      [2, 1],
      [2, 2],
      [2, 4],
      [3, 1],
      [3, 2],
      [3, 3],
      [3, 4],
      [4, 1],
      [4, 2],
    ],
  },
  {
    family: 'writers',
    kernel: '2.6.20',
    sizes: [
      [2, 1],
      [2, 2],
      [2, 3],
      [3, 1],
      [3, 2],
      [4, 1],
    ],
  },
  {
    family: 'mods',
    kernel: V11,
    sizes: [
      [2, 1],
      [2, 2],
      [2, 3],
      [3, 1],
      [4, 1],
    ],
  },
];

async function explored(
  bench: Bench,
  { program, kernel }: Subject,
  strategy: string,
  most: number,
): Promise<Row> {
  const seconds = bench.options.seconds ?? SECONDS;
  return await bench.ask(`${program} on ${kernel}, ${strategy}`, {
    kind: 'count',
    program,
    kernel,
    strategy,
    sanitize: false,
    most,
    seconds: strategy === 'dpor' ? FOR_EVER : seconds,
  });
}

/** Executions, those that were abandoned included. */
function executionsOf({ isComplete, completed, abandoned }: Row): Value {
  const n = completed + abandoned;
  return isComplete ? n : { atLeast: n };
}

/** Explores a subject in four ways and adds the row. Throws if they do not agree. */
export async function exploredInFourWays(
  bench: Bench,
  subject: Known,
  named: Readonly<Record<string, Value>>,
): Promise<void> {
  const { program, kernel } = subject;
  const what = `${program} on ${kernel}`;
  const dpor = await explored(bench, subject, 'dpor', 2 ** 31);
  bench.check(`${what}, dpor is complete`, dpor.isComplete, true);
  bench.check(`${what}, dpor abandons`, dpor.abandoned, 0);
  const traces = dpor.completed;
  bench.check(`${what}, traces`, traces, subject.traces ?? traces);
  const others: Row[] = [];
  for (const strategy of ['source-dpor', 'sleep-sets', 'dfs']) {
    const other = await explored(bench, subject, strategy, MOST);
    others.push(other);
    if (!other.isComplete) continue;
    if (strategy !== 'dfs') bench.check(`${what}, ${strategy}`, other.completed, traces);
    bench.check(`${what}, ${strategy} hangs`, other.hung > 0, dpor.hung > 0);
  }
  const [source, sleep, brute] = others;
  bench.add({
    id: what,
    values: {
      ...named,
      kernel,
      traces,
      dpor: quotient(executionsOf(dpor), traces),
      'dpor seconds': dpor.seconds,
      ...valuesOf('source', source, traces),
      ...valuesOf('sleep', sleep, traces),
      ...valuesOf('brute', brute, traces),
      peak: Math.max(dpor.peak, ...others.map((o) => o.peak)),
    },
  });
}

function valuesOf(name: string, row: Row, traces: number): Record<string, Value> {
  const executions = executionsOf(row);
  return {
    [name]: quotient(executions, traces),
    [`${name} executions`]: executions,
    [`${name} abandoned`]: row.isComplete ? row.abandoned : { atLeast: row.abandoned },
    [`${name} seconds`]: row.isComplete ? row.seconds : { atLeast: row.seconds },
  };
}

export const tracesSection: Section = {
  name: 'traces',
  title: 'executions per Mazurkiewicz trace',
  reading:
    'Executions per trace of dpor, source-dpor and sleep-sets, abandoned ones included, each with its time: 1.00 is the\n' +
    `least there is. Brute force in executions. "> N": given up after ${MOST.toLocaleString('en')} or ${SECONDS} s. MB is memory at the peak.`,
  columns: [
    { title: 'program', key: 'program', format: 'text' },
    { title: 'kernel', key: 'kernel', format: 'text' },
    { title: 'traces', key: 'traces', format: 'count' },
    { title: 'dpor', key: 'dpor', format: 'per' },
    { title: 'ms', key: 'dpor seconds', format: 'ms' },
    { title: 'source', key: 'source', format: 'per' },
    { title: 'aband.', key: 'source abandoned', format: 'count' },
    { title: 'ms', key: 'source seconds', format: 'ms' },
    { title: 'sleep', key: 'sleep', format: 'per' },
    { title: 'ms', key: 'sleep seconds', format: 'ms' },
    { title: 'brute force', key: 'brute executions', format: 'count' },
    { title: 'ms', key: 'brute seconds', format: 'ms' },
    { title: 'MB', key: 'peak', format: 'MB' },
  ],
  main: { key: 'dpor seconds', better: 'less' },
  async measure(bench) {
    for (const subject of PROGRAMS)
      await exploredInFourWays(bench, subject, { program: subject.program });
  },
};

export const growthSection: Section = {
  name: 'growth',
  title: 'executions by threads and calls',
  reading: 'Executions of each strategy as programs grow; dpor needs as many as there are traces.',
  columns: [
    { title: 'family', key: 'family', format: 'text' },
    { title: 'kernel', key: 'kernel', format: 'text' },
    { title: 'threads', key: 'threads', format: 'count' },
    { title: 'calls', key: 'calls', format: 'count' },
    { title: 'dpor', key: 'traces', format: 'count' },
    { title: 'source-dpor', key: 'source executions', format: 'count' },
    { title: 'sleep-sets', key: 'sleep executions', format: 'count' },
    { title: 'brute force', key: 'brute executions', format: 'count' },
    { title: 'dpor ms', key: 'dpor seconds', format: 'ms' },
    { title: 'sleep-sets ms', key: 'sleep seconds', format: 'ms' },
    { title: 'brute force ms', key: 'brute seconds', format: 'ms' },
    { title: 'MB', key: 'peak', format: 'MB' },
  ],
  main: { key: 'dpor seconds', better: 'less' },
  async measure(bench) {
    for (const { family, kernel, sizes } of FAMILIES)
      for (const [threads, calls] of sizes) {
        const subject = { program: `${family} ${threads} ${calls}`, kernel };
        await exploredInFourWays(bench, subject, { family, threads, calls });
      }
  },
};

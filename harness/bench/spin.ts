/**
 * Spin on Promela twins of litmus programs. Spin visits states, and joins those that are equal; here every trace is
 * run to its end, because checks judge histories. So there are three counts of Spin: states, states with its partial
 * order reduction, and states that remember their history, whose leaves are the interleavings of brute force.
 */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { $ } from 'zx';
import { packageRoot } from '../runner/case-index.ts';
import type { Bench, Section } from './bench.ts';
import type { Value } from './report.ts';
import { MACHINE } from './subjects.ts';

/** What both say of a program. */
export type Opinion = 'clean' | 'hangs' | 'use after free';

/** A program in both languages. */
export interface Twin {
  /** The file in fixtures/bench, and whether its bug is in it. */
  readonly model: string;
  readonly bug: boolean;
  /** The same for us. */
  readonly program: string;
  readonly opinion: Opinion;
}

export const TWINS: readonly Twin[] = [
  {
    model: 'critical-sections',
    bug: false,
    program: 'critical sections 3 4',
    opinion: 'clean',
  },
  { model: 'wait-queue', bug: false, program: 'wait-queue', opinion: 'clean' },
  { model: 'wait-queue', bug: true, program: 'wait-queue, checking first', opinion: 'hangs' },
  { model: 'find-and-use', bug: false, program: 'find-and-use', opinion: 'clean' },
  {
    model: 'find-and-use',
    bug: true,
    program: 'find-and-use, too late',
    opinion: 'use after free',
  },
  { model: 'register-write-wait', bug: false, program: 'register-write-wait', opinion: 'clean' },
  {
    model: 'register-write-wait',
    bug: true,
    program: 'register-write-wait, looking first',
    opinion: 'hangs',
  },
];

/** How Spin is asked to look. */
export interface SpinMode {
  readonly name: string;
  readonly spin: readonly string[];
  readonly gcc: readonly string[];
}

export const SPIN_MODES = {
  full: { name: 'spin', spin: [], gcc: ['-DNOREDUCE'] },
  reduced: { name: 'spin, reduced', spin: [], gcc: [] },
  histories: { name: 'spin, histories', spin: ['-DHISTORY'], gcc: ['-DNOREDUCE'] },
} as const;

/** What Spin did. */
export interface SpinRun {
  readonly opinion: Opinion;
  readonly states: number;
  readonly transitions: number;
  readonly errors: number;
  /** Interleavings, when histories are kept apart. */
  readonly leaves: number | undefined;
  /** Of its search and bytes of memory, as it says itself: hundredths of a second, 0 for less. */
  readonly seconds: number;
  readonly peak: number;
}

/** Why Spin cannot be used here; null if it can. */
export async function whyNoSpin(): Promise<string | null> {
  for (const [tool, flag] of [
    ['spin', '-V'],
    ['gcc', '--version'],
  ] as const) {
    const { exitCode } = await $({ quiet: true, nothrow: true })`${tool} ${flag}`;
    if (exitCode !== 0) return `there is no ${tool} here`;
  }
  return null;
}

/** Verifies a model exhaustively; all errors are counted. Throws if a tool fails. `optimise` is for the compiler. */
export async function runSpin(
  { model, bug }: Twin,
  mode: SpinMode,
  optimise = '-O2',
): Promise<SpinRun> {
  const folder = mkdtempSync(join(tmpdir(), 'lostwake-spin-'));
  try {
    const source = join(packageRoot(), 'fixtures', 'bench', `${model}.pml`);
    const flags = [...mode.spin, ...(bug ? ['-DBUG'] : [])];
    const shell = $({ quiet: true, cwd: folder });
    await shell`spin ${flags} -a ${source}`;
    await shell`gcc ${optimise} -w -DSAFETY ${mode.gcc} -o pan pan.c`;
    const { stdout } = await promisify(execFile)(join(folder, 'pan'), PAN_FLAGS, { cwd: folder });
    return spinRun(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All errors, any depth, a table of 2^20 slots, no list of what was not reached. */
const PAN_FLAGS = ['-c0', '-m100000', '-w20', '-n'];

/** Reads what pan prints. Throws if it did not come to its end, or says something unknown. */
export function spinRun(text: string): SpinRun {
  const number = (pattern: RegExp): number => {
    const found = pattern.exec(text)?.[1];
    if (found === undefined) throw new Error(`Cannot find ${String(pattern)} in the words of Spin`);
    return Number(found);
  };
  if (/Search not completed|max search depth too small/.test(text))
    throw new Error('Spin did not come to the end of its search');
  const errors = number(/errors: (\d+)/);
  const isAssertion = /assertion violated/.test(text);
  const leaves = /(\d+) leaves/.exec(text)?.[1];
  return {
    opinion: errors === 0 ? 'clean' : isAssertion ? 'use after free' : 'hangs',
    states: number(/(\d+(?:\.\d+e\+\d+)?) states, stored/),
    transitions: number(/(\d+(?:\.\d+e\+\d+)?) transitions/),
    errors,
    leaves: leaves === undefined ? undefined : Number(leaves),
    seconds: number(/elapsed time ([\d.]+)/),
    peak: number(/([\d.]+)\s+total actual memory usage/) * 1e6,
  };
}

async function ourRow(bench: Bench, twin: Twin): Promise<number> {
  const answer = await bench.ask(`${twin.program}, dpor`, {
    kind: 'count',
    program: twin.program,
    kernel: MACHINE,
    strategy: 'dpor',
    sanitize: true,
    most: 2 ** 31,
    seconds: 3600,
  });
  bench.check(`${twin.program}, is complete`, answer.isComplete, true);
  bench.check(`${twin.program}, verdict`, ourOpinion(answer), twin.opinion);
  bench.add({
    id: `${twin.program}, dpor`,
    values: {
      ...names(twin),
      tool: 'dpor, sanitizers on',
      verdict: twin.opinion,
      traces: answer.completed,
      executions: answer.completed + answer.abandoned,
      seconds: answer.seconds,
      times: 1,
      peak: answer.peak,
    },
  });
  return answer.seconds;
}

/** What an exploration says. */
export function ourOpinion(answer: {
  readonly hung: number;
  readonly findings: readonly string[];
}): Opinion {
  if (answer.findings.some((signature) => signature.startsWith('KASAN-UAF')))
    return 'use after free';
  return answer.hung > 0 ? 'hangs' : 'clean';
}

function names({ model, bug }: Twin): Record<string, Value> {
  return { model: bug ? `${model}, with the bug` : model };
}

async function spinRow(bench: Bench, twin: Twin, mode: SpinMode, ours: number): Promise<void> {
  const label = `${twin.model}${twin.bug ? ' -DBUG' : ''}, ${mode.name}`;
  bench.tell(label);
  const run = await runSpin(twin, mode);
  bench.check(`${label}, verdict`, run.opinion, twin.opinion);
  bench.add({
    id: label,
    values: {
      ...names(twin),
      tool: mode.name,
      verdict: run.opinion,
      states: run.states,
      transitions: run.transitions,
      ...(run.leaves === undefined ? {} : { executions: run.leaves }),
      seconds: run.seconds === 0 ? '< 10' : run.seconds,
      times: run.seconds === 0 ? '-' : run.seconds / ours,
      peak: run.peak,
    },
  });
}

export const spinSection: Section = {
  name: 'spin',
  title: 'the same litmus programs in Spin',
  reading:
    'Spin visits states and joins equal ones; dpor runs every trace to its end, for checks that judge histories. "spin,\n' +
    'histories" lets states remember who took which step: its executions are the interleavings. Times are of the\n' +
    'search alone, of Spin as it says itself in hundredths of a second; "x dpor" is of the time.',
  columns: [
    { title: 'model', key: 'model', format: 'text' },
    { title: 'tool', key: 'tool', format: 'text' },
    { title: 'verdict', key: 'verdict', format: 'text' },
    { title: 'states', key: 'states', format: 'count' },
    { title: 'transitions', key: 'transitions', format: 'count' },
    { title: 'traces', key: 'traces', format: 'count' },
    { title: 'executions', key: 'executions', format: 'count' },
    { title: 'ms', key: 'seconds', format: 'ms' },
    { title: 'x dpor', key: 'times', format: 'per' },
    { title: 'MB', key: 'peak', format: 'MB' },
  ],
  main: { key: 'seconds', better: 'less' },
  async measure(bench) {
    const why = await whyNoSpin();
    if (why !== null) bench.note(`spin: skipped, ${why}`);
    for (const twin of TWINS) {
      const ours = await ourRow(bench, twin);
      if (why !== null) continue;
      for (const mode of Object.values(SPIN_MODES)) await spinRow(bench, twin, mode, ours);
    }
  },
};

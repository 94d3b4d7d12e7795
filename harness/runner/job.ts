/** One unit of work: one program on one target. Plain data, so that a worker thread can be given it. */

import type { Program } from '../program/program.ts';
import type { Overrides } from './run-options.ts';

export interface Job {
  readonly caseId: string;
  readonly row: string;
  /** What the `replay` verb is given: a case's name, or the path of a file that no list has. */
  readonly replayName: string;
  readonly program: Program;
  readonly target: string;
  readonly overrides: Overrides;
  /** Only a complete exploration passes. */
  readonly prove: boolean;
}

/** Asked now and then while a job runs. */
export interface JobControl {
  /** True once everything shall stop. */
  stopped(): boolean;
  progress?(executions: number): void;
}

/** The command that shows a run again. */
export function replayCommand(job: Job, schedule: string | undefined): string {
  if (schedule === undefined) {
    const prove = job.prove ? ' --prove' : '';
    return `npx lostwake run ${quoted(job.replayName)} ${where(job)}${prove}`;
  }
  const { overrides } = job;
  const words = ['npx lostwake replay', quoted(job.replayName), where(job)];
  if (overrides.hz !== undefined) words.push(`--hz ${overrides.hz}`);
  if (overrides.timers !== undefined) words.push(`--timers ${overrides.timers}`);
  if (overrides.memory !== undefined) words.push(`--memory ${overrides.memory}`);
  if (overrides.faults !== undefined) words.push(`--faults ${overrides.faults}`);
  if (overrides.maxSteps !== undefined) words.push(`--max-steps ${overrides.maxSteps}`);
  return [...words, `--schedule ${quoted(schedule)}`].join(' ');
}

function where(job: Job): string {
  return job.target === 'host'
    ? '--target host'
    : `--kernel ${quoted(job.target.replace(/^model:/, ''))}`;
}

/** The word as a shell takes it. */
export function quoted(word: string): string {
  return /^[\w./:+=,@%-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

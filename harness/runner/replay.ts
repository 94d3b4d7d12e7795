/** Replays one schedule of a program on a kernel, twice, and tells the run. */

import { checkHistory } from '../check/checks.ts';
import { parseSchedule } from '../explore/token.ts';
import { signatureOf, type Finding } from '../history/history.ts';
import type { CounterexampleView } from '../history/counterexample.ts';
import { Nondeterminism } from '../machine/index.ts';
import type { Program } from '../program/program.ts';
import { programHash } from '../program/print.ts';
import { outcomeText } from '../program/values.ts';
import { Sanitizers } from '../sanitizers/index.ts';
import { replayOnce } from '../target/confirm.ts';
import { modelTarget } from '../target/model.ts';
import type { MemoryModel } from '../target/target.ts';
import { UsageError } from './usage-error.ts';

export interface ReplayOptions {
  readonly kernel: string;
  readonly schedule: string;
  readonly hz?: number;
  readonly timers?: 'idle' | 'any';
  readonly memory?: MemoryModel;
  readonly faults?: number;
  readonly maxSteps?: number;
  /** What is printed as the command that shows this again. */
  readonly command: string;
}

export interface ReplayResult {
  readonly outcome: string;
  readonly findings: readonly Finding[];
  readonly view: CounterexampleView;
}

/** Throws a UsageError with one line if the schedule does not belong to the program, or does not fit it. */
export function replay(program: Program, options: ReplayOptions): ReplayResult {
  const schedule = readSchedule(options.schedule);
  const hash = programHash(program);
  if (schedule.programHash !== hash)
    throw new UsageError(
      `Cannot replay the schedule: it is of program ${schedule.programHash}, and this is ${hash}; give the program it was made with`,
    );
  const target = modelTarget(options.kernel, options.hz === undefined ? {} : { hz: options.hz });
  const refusal = target.refuses(program);
  if (refusal !== null) throw new UsageError(`Cannot replay on ${options.kernel}: ${refusal}`);
  const run = target.modelRun(program, options);
  try {
    const sanitizers = new Sanitizers();
    const first = replayOnce(run, program, schedule, sanitizers, checkHistory);
    const second = replayOnce(run, program, schedule, sanitizers, checkHistory);
    const signatures = [first, second].map((r) => r.findings.map(signatureOf).join('\n'));
    if (signatures[0] !== signatures[1])
      throw new Nondeterminism('Two replays of one schedule differ');
    const finding = first.findings.find((f) => isExpected(program, f)) ?? first.findings[0];
    const outcome = outcomeText(program, first.history.calls);
    const view = target.explain(program, {
      schedule: options.schedule,
      sentence:
        finding?.message ?? `No finding; the outcome is ${outcome === '' ? 'empty' : outcome}.`,
      ...(finding === undefined ? {} : { finding: signatureOf(finding) }),
      search: 'replayed twice, the same both times',
      replay: options.command,
      options: { ...options, checks: checkHistory },
    });
    return { outcome, findings: first.findings, view };
  } catch (error) {
    if (error instanceof Nondeterminism) throw new UsageError(error.message);
    throw error;
  }
}

/** A saved counterexample expects the finding that it was saved for. */
function isExpected(program: Program, finding: Finding): boolean {
  return program.expect
    .flatMap((block) => block.expectations)
    .some(
      (e) => e.kind === 'finding' && e.detector === finding.detector && e.site === finding.site,
    );
}

function readSchedule(text: string): ReturnType<typeof parseSchedule> {
  try {
    return parseSchedule(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(error.message);
    throw error;
  }
}

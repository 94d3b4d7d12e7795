/** Runs one job and judges it. */

import { checkHistory } from '../check/checks.ts';
import { judge, type Judgement } from '../check/expect.ts';
import { leastTraces, unseenMass, type Sample } from '../explore/statistics.ts';
import { signatureOf } from '../history/history.ts';
import type { CounterexampleView } from '../history/counterexample.ts';
import type { Behaviour } from '../target/target.ts';
import { searchText } from './coverage-text.ts';
import { replayCommand, type Job, type JobControl } from './job.ts';
import {
  settle,
  type Coverage,
  type ResultLine,
  type RunResult,
  type SampleEstimate,
} from './result.ts';
import { hzFor, optionsFor, timeLimitFor } from './run-options.ts';
import { identityOf, type ExplainingTarget, type TargetCatalog } from './targets.ts';
import { messageOf, UsageError } from './usage-error.ts';

/** The judged result; null if the job was stopped before it was done. Whatever goes wrong in the harness is BROK. */
export async function execute(
  job: Job,
  catalog: TargetCatalog,
  control: JobControl,
): Promise<RunResult | null> {
  const started = performance.now();
  try {
    const hz = hzFor(job.program, job.overrides);
    const target = await catalog.open(job.target, hz === undefined ? {} : { hz });
    const refusal = target.refuses(job.program);
    if (refusal !== null) return confResult(job, refusal);
    const { behaviour, exploring } = await observe(job, target, control);
    if (control.stopped()) return null;
    const result = judged(job, target, behaviour);
    const milliseconds = Math.round(performance.now() - started);
    return { ...result, milliseconds, ...(exploring === undefined ? {} : { exploring }) };
  } catch (thrown) {
    return brokenResult(job, thrown);
  }
}

/** A run that was not made, and why. */
export function confResult(job: Pick<Job, 'caseId' | 'row' | 'target'>, reason: string): RunResult {
  return { ...named(job), verdict: 'CONF', lines: [{ status: 'CONF', message: reason }] };
}

/** A run in which the harness failed. */
export function brokenResult(job: Job, thrown: unknown): RunResult {
  const lines: ResultLine[] = [{ status: 'BROK', message: messageOf(thrown) }];
  // Where it broke is wanted for bugs of ours only: bad input has said so already.
  const isOurs = thrown instanceof Error && !(thrown instanceof UsageError);
  const frame = isOurs ? /\n\s+at .*/.exec(thrown.stack ?? '')?.[0].trim() : undefined;
  if (frame !== undefined && !(thrown instanceof RangeError)) {
    lines.push({
      status: 'INFO',
      message: frame.replace(/\(?file:\/\/.*\/(build|node_modules)\//, '($1/'),
    });
  }
  return { ...named(job), verdict: 'BROK', lines, replay: replayCommand(job, undefined) };
}

async function observe(
  job: Job,
  target: ExplainingTarget,
  control: JobControl,
): Promise<{ readonly behaviour: Behaviour; readonly exploring?: number }> {
  const limit = timeLimitFor(job.overrides);
  const started = performance.now();
  const deadline = started + limit;
  let late = false;
  let last = started;
  const inTime = (seen: Behaviour): Behaviour =>
    late ? { ...seen, complete: false, incomplete: `time ${limit / 1000} s` } : seen;
  const behaviour = await target.run(job.program, {
    ...optionsFor(job.program, job.overrides, job.target === 'host'),
    checks: checkHistory,
    interrupted: (executions) => {
      control.progress?.(executions);
      last = performance.now();
      late ||= last > deadline;
      return late || control.stopped();
    },
  });
  if (job.target === 'host') return { behaviour: inTime(behaviour) };
  return { behaviour: inTime(behaviour), exploring: Math.round((last - started) * 10) / 10 };
}

function judged(job: Job, target: ExplainingTarget, behaviour: Behaviour): RunResult {
  const identity = identityOf(job.target);
  const judgements = judge(job.program, behaviour, identity.selector, identity.release);
  const proof = job.prove ? [proofLine(behaviour)] : [];
  const { verdict, lines } = settle([...judgements.map(lineOf), ...proof]);
  const result: RunResult = {
    ...named(job),
    verdict,
    lines,
    coverage: coverageOf(behaviour, job.overrides.strategy ?? 'dpor'),
    ...(job.prove ? { proof: true } : {}),
  };
  if (verdict !== 'FAIL') return result;
  const failure = judgements.find((one) => one.status === 'FAIL');
  const schedule = failure === undefined ? undefined : scheduleOf(failure);
  const replay = replayCommand(job, schedule);
  const counterexample = explained(job, target, behaviour, failure, replay);
  return counterexample === undefined
    ? { ...result, replay }
    : { ...result, replay, counterexample };
}

function lineOf(judgement: Judgement): ResultLine {
  const line: { -readonly [Key in keyof ResultLine]: ResultLine[Key] } = {
    status: judgement.status,
    message: messageOf(judgement.message),
  };
  if (judgement.expectation !== '') line.expected = judgement.expectation;
  if (judgement.observation !== undefined) line.actual = judgement.observation.text;
  if (judgement.finding !== undefined) line.finding = signatureOf(judgement.finding.finding);
  const schedule = scheduleOf(judgement);
  if (schedule !== undefined) line.schedule = schedule;
  const since = judgement.finding?.since ?? judgement.observation?.since;
  if (since !== undefined) line.since = since;
  return line;
}

/** What a proof needs beside what is expected: that nothing was left out. */
function proofLine(behaviour: Behaviour): ResultLine {
  const { complete, incomplete = 'stopped', traces } = behaviour;
  return complete
    ? { status: 'PASS', message: `Explored to the end: ${traces} traces`, expected: 'complete' }
    : {
        status: 'FAIL',
        message: `No proof: a bound was met (${incomplete})`,
        expected: 'complete',
      };
}

function scheduleOf(judgement: Judgement): string | undefined {
  return judgement.finding?.schedule ?? judgement.observation?.schedule;
}

function explained(
  job: Job,
  target: ExplainingTarget,
  behaviour: Behaviour,
  failure: Judgement | undefined,
  replay: string,
): CounterexampleView | undefined {
  const schedule = failure === undefined ? undefined : scheduleOf(failure);
  if (failure === undefined || schedule === undefined) return undefined;
  const sentence = failure.finding?.finding.message ?? `${failure.expectation}: ${failure.message}`;
  const finding = failure.finding;
  return target.explain?.(job.program, {
    schedule,
    sentence,
    search: searchText(behaviour, job.overrides.strategy ?? 'dpor'),
    replay,
    ...(finding === undefined ? {} : { finding: signatureOf(finding.finding) }),
    ...(finding?.fewest === undefined ? {} : { fewest: finding.fewest }),
    options: { ...optionsFor(job.program, job.overrides, false), checks: checkHistory },
  });
}

/** The numbers of a behaviour, without its runs. */
export function coverageOf(behaviour: Behaviour, strategy: string): Coverage {
  const { executions, traces, complete, incomplete, sample } = behaviour;
  const statement = searchText(behaviour, strategy);
  const coverage = { executions, traces, outcomes: behaviour.outcomes.length, complete, statement };
  return {
    ...coverage,
    ...(incomplete === undefined ? {} : { incomplete }),
    ...(sample === undefined ? {} : { sample: estimateOf(sample) }),
  };
}

function estimateOf(sample: Sample): SampleEstimate {
  const [atLeast, unseen] = [leastTraces(sample), unseenMass(sample)];
  return { once: sample.once, twice: sample.twice, atLeast, unseen };
}

function named(job: Pick<Job, 'caseId' | 'row' | 'target'>) {
  return { caseId: job.caseId, row: job.row, target: job.target };
}

/**
 * A finding is believed when its replay shows it: turned into a run that goes wrong by itself if it was only
 * predicted, given the fewest context switches, and replayed twice.
 */

import { explore } from '../explore/explore.ts';
import { fewestSwitches, witnessOrder } from '../explore/minimise.ts';
import { Replay } from '../explore/replay.ts';
import { formatSchedule, parseSchedule, scheduleOf, type Schedule } from '../explore/token.ts';
import { signatureOf, type Finding, type History } from '../history/history.ts';
import { Nondeterminism, engine, type EndReason } from '../machine/index.ts';
import type { Program } from '../program/program.ts';
import type { Sanitizers, SanitizerFinding } from '../sanitizers/index.ts';
import type { ModelRun } from './model-run.ts';

export type Checks = ((history: History, program: Program) => readonly Finding[]) | undefined;

export interface Found {
  readonly finding: SanitizerFinding;
  readonly schedule: string;
  readonly history: History;
}

/** One replayed run: what it showed. The event log is left as the run made it. */
export interface Replayed {
  readonly end: EndReason;
  readonly findings: readonly SanitizerFinding[];
  readonly history: History;
}

/** Replays a schedule; strictly throws Nondeterminism if it does not fit. */
export function replayOnce(
  run: ModelRun,
  program: Program,
  schedule: Schedule,
  sanitizers: Sanitizers,
  checks: Checks,
  mode: 'strict' | 'prefix' = 'strict',
): Replayed {
  let end: EndReason = 'abandoned';
  engine.observer = sanitizers;
  explore(engine, run, new Replay(engine, schedule, { mode }), (reason) => (end = reason));
  const history = run.history(run.records());
  const findings: SanitizerFinding[] = [...sanitizers.findings()];
  if (checks !== undefined) findings.push(...checks(history, program));
  return { end, findings, history };
}

/** The schedule of the run whose log it is. */
function tokenOf(hash: string): string {
  return formatSchedule(scheduleOf(engine.log, hash));
}

/** The schedule of the log's events in another order of the same trace. */
function reordered(order: readonly number[], programHash: string): Schedule {
  const { log } = engine;
  return {
    programHash,
    threads: order.map((d) => log.thr[d]),
    choices: order.filter((d) => log.alts[d] > 1).map((d) => log.alt[d]),
    check: null,
  };
}

/** What says that steps of a run are in no order that the log knows of. */
const TEARING = new Set(['LOCKDEP', 'KCSAN']);

/**
 * The finding with the schedule to show it by; null if it was a prediction that no run bears out; a sentence if the
 * harness contradicts itself.
 */
export function confirm(
  run: ModelRun,
  program: Program,
  found: Found,
  sanitizers: Sanitizers,
  checks: Checks,
): Found | null | string {
  const signature = signatureOf(found.finding);
  const hash = parseSchedule(found.schedule).programHash;
  let isTorn = false;
  const replay = (schedule: Schedule, mode?: 'prefix'): SanitizerFinding | undefined => {
    const { findings } = replayOnce(run, program, schedule, sanitizers, checks, mode);
    isTorn ||= findings.some((f) => f.predicted !== undefined || TEARING.has(f.detector));
    return findings.find((f) => signatureOf(f) === signature);
  };
  // Where threads meet in memory that no lock or lifetime keeps apart, another order of the same steps may take
  // another turn: that is the kernel's fault and not the harness's, and what it shows counts all the same.
  const replayOther = (schedule: Schedule): SanitizerFinding | undefined =>
    replay(schedule, isTorn ? 'prefix' : undefined);
  try {
    let shown = replay(parseSchedule(found.schedule));
    if (shown === undefined) {
      // Lock order is learnt from several runs: no single one needs to show it.
      return found.finding.acrossRuns === true
        ? found
        : `${signature} did not show again in its own replay`;
    }
    // The same trace in an order that depends on nothing but the trace.
    const least = replayOther(reordered(fewestSwitches(engine.log), hash));
    if (least !== undefined && least.predicted === undefined)
      return showTwice(run, program, signature, tokenOf(hash), sanitizers, checks);
    if (least === undefined) shown = replay(parseSchedule(found.schedule));
    else shown = least;
    if (shown?.predicted !== undefined) {
      shown = replayOther(reordered(witnessOrder(engine.log, shown.predicted.mustPrecede), hash));
      if (shown === undefined || shown.predicted !== undefined) return null;
    }
    const asFound = tokenOf(hash);
    const shorter = replayOther(reordered(fewestSwitches(engine.log), hash));
    const isShown = shorter !== undefined && shorter.predicted === undefined;
    const schedule = isShown ? tokenOf(hash) : asFound;
    return showTwice(run, program, signature, schedule, sanitizers, checks);
  } catch (error) {
    if (!(error instanceof Nondeterminism)) throw error;
    return `${signature}: ${error.message}`;
  }
}

function showTwice(
  run: ModelRun,
  program: Program,
  signature: string,
  schedule: string,
  sanitizers: Sanitizers,
  checks: Checks,
): Found | string {
  let last: Found | string = '';
  for (let i = 0; i < 2; i++) {
    const { findings, history } = replayOnce(
      run,
      program,
      parseSchedule(schedule),
      sanitizers,
      checks,
    );
    const finding = findings.find((f) => signatureOf(f) === signature);
    if (finding === undefined)
      return `${signature} did not show in replay ${i + 1} of its schedule`;
    last = { finding, schedule, history };
  }
  return last;
}

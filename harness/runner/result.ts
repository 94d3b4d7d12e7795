/**
 * The one result model that every report is printed from, and the only place where results are counted.
 *
 * A run of the tool has cases, a case has runs (one row on one target), a run has results (one per expectation).
 * The words are LTP's: PASS and FAIL are about the kernel, BROK is about the harness or the set-up, CONF is
 * "does not apply here", WARN is something that a reader should see though it decides nothing, INFO is talk.
 */

import type { CounterexampleView } from '../history/counterexample.ts';

export const statuses = ['PASS', 'FAIL', 'BROK', 'CONF', 'WARN', 'INFO'] as const;

/** What one result says. */
export type Status = (typeof statuses)[number];

/** A run's or a case's verdict: one of the five that decide something. */
export type Verdict = Exclude<Status, 'INFO'>;

/** One line: what was expected and what was seen. */
export interface ResultLine {
  readonly status: Status;
  /** One line of text. */
  readonly message: string;
  readonly expected?: string;
  readonly actual?: string;
  /** `KASAN-UAF v11-MO1 / v11-RM6`, when a finding is behind it. */
  readonly finding?: string;
  /** Replays the run that shows it, on a model. */
  readonly schedule?: string;
  /** Number of the execution that showed it first. */
  readonly since?: number;
}

/** How much was explored in one run. */
export interface Coverage {
  readonly executions: number;
  readonly traces: number;
  readonly outcomes: number;
  readonly complete: boolean;
  /** Which bound was met; absent if complete. */
  readonly incomplete?: string;
  /** What was covered, in words. */
  readonly statement: string;
  /** Of samples: what they say of the traces that were not met. */
  readonly sample?: SampleEstimate;
}

export interface SampleEstimate {
  /** Traces that were met exactly once, and exactly twice. */
  readonly once: number;
  readonly twice: number;
  /** Chao1: traces that exist at least, as far as the sample tells; null if no trace was met again. */
  readonly atLeast: number | null;
  /** Good-Turing: the chance that one more execution is a new trace; null for no execution. */
  readonly unseen: number | null;
}

/** One row of a case on one target. */
export interface RunResult {
  /** `epoll_ctl02`. */
  readonly caseId: string;
  /** `epfd-is-closed`; empty for a case of one row without a name. */
  readonly row: string;
  /** `model:2.6.20`, `host`. */
  readonly target: string;
  readonly verdict: Verdict;
  readonly lines: readonly ResultLine[];
  readonly coverage?: Coverage;
  /** It was to be a proof: what is not complete has failed. */
  readonly proof?: true;
  /** Id of the known failure that this failure is. */
  readonly known?: string;
  /** Id of the known failure that was expected here and did not come. */
  readonly fixed?: string;
  /** The command that shows the first failure again. */
  readonly replay?: string;
  readonly counterexample?: CounterexampleView;
  /** Wall clock; never part of TAP. */
  readonly milliseconds?: number;
  /** The part of it that was spent on exploring: without opening the kernel, confirming findings, judging. */
  readonly exploring?: number;
}

/** All runs of one case. */
export interface CaseResult {
  readonly id: string;
  readonly about: string;
  readonly docs: readonly string[];
  /** Path below the folder of cases, or as given on the command line. */
  readonly file: string;
  readonly verdict: Verdict;
  /** True if every failed run is a known failure. */
  readonly known: boolean;
  readonly runs: readonly RunResult[];
}

/** One invocation. */
export interface RunReport {
  readonly cases: readonly CaseResult[];
  readonly summary: Summary;
  /** Why it ended early: `interrupted by SIGINT`, `--bail after 1 failure`. */
  readonly stopped?: string;
  /** Facts of the machine and the command; not part of TAP's points. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Numbers by status. `known` counts failures on the list of known failures, which are not in FAIL. */
export interface Counts {
  readonly PASS: number;
  readonly FAIL: number;
  readonly BROK: number;
  readonly CONF: number;
  readonly WARN: number;
  readonly known: number;
}

/** The same counts at the three levels. */
export interface Summary {
  readonly cases: Counts;
  readonly runs: Counts;
  readonly results: Counts;
  /** Runs on a model that met a bound; a host is never explored to the end. */
  readonly incomplete: number;
}

/**
 * The verdict of a list of statuses, LTP's rule: broken before failed; a pass beside a skip is a pass; a skip alone
 * is a skip; nothing reported at all is broken.
 */
export function verdictOf(all: readonly Status[]): Verdict {
  for (const status of ['BROK', 'FAIL', 'WARN', 'PASS', 'CONF'] as const) {
    if (all.includes(status)) return status;
  }
  return 'BROK';
}

/** Adds the line that makes an empty pass impossible, and decides. */
export function settle(lines: readonly ResultLine[]): { verdict: Verdict; lines: ResultLine[] } {
  const decided = lines.some((line) => line.status !== 'INFO');
  const all = decided
    ? [...lines]
    : [...lines, { status: 'BROK' as const, message: 'Reported no result' }];
  return { verdict: verdictOf(all.map((line) => line.status)), lines: all };
}

/** Gathers the runs of one case. */
export function caseResult(
  of: Pick<CaseResult, 'id' | 'about' | 'docs' | 'file'>,
  runs: readonly RunResult[],
): CaseResult {
  const verdict = verdictOf(runs.map((run) => run.verdict));
  const failed = runs.filter((run) => run.verdict === 'FAIL');
  const known = verdict === 'FAIL' && failed.every((run) => run.known !== undefined);
  return { id: of.id, about: of.about, docs: of.docs, file: of.file, verdict, known, runs };
}

/** Counts everything at all three levels. */
export function summarise(cases: readonly CaseResult[]): Summary {
  const runs = cases.flatMap((result) => result.runs);
  return {
    cases: countsOf(cases.map((result) => tagOf(result.verdict, result.known))),
    runs: countsOf(runs.map((run) => tagOf(run.verdict, run.known !== undefined))),
    results: countsOf(
      runs.flatMap((run) => run.lines.map((line) => tagOf(line.status, run.known !== undefined))),
    ),
    incomplete: runs.filter((run) => run.target !== 'host' && run.coverage?.complete === false)
      .length,
  };
}

function tagOf(status: Status, known: boolean): Status | 'known' {
  return status === 'FAIL' && known ? 'known' : status;
}

function countsOf(tags: readonly (Status | 'known')[]): Counts {
  const counts = { PASS: 0, FAIL: 0, BROK: 0, CONF: 0, WARN: 0, known: 0 };
  for (const tag of tags) if (tag !== 'INFO') counts[tag] += 1;
  return counts;
}

/** What the exit code is made of: the worst that happened. */
export function outcomeOf(report: RunReport): 'ok' | 'failed' | 'broken' | 'nothing' {
  const { runs } = report.summary;
  if (runs.BROK > 0) return 'broken';
  if (runs.FAIL > 0) return 'failed';
  return report.cases.length === 0 && report.stopped === undefined ? 'nothing' : 'ok';
}

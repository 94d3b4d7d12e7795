/** Holds what was seen of a program against what its file expects. */

import type { CallRecord, Finding, History } from '../history/history.ts';
import { signatureOf } from '../history/history.ts';
import { printConjunction, printExpectation } from '../program/print.ts';
import type { Conjunction, Expectation, Program } from '../program/program.ts';
import { satisfies } from '../program/values.ts';
import { blockFor, type TargetIdentity } from './selector.ts';

/** LTP's result kinds: see `tst_res_flags.h` there. */
export type Status = 'PASS' | 'FAIL' | 'BROK' | 'CONF' | 'WARN' | 'INFO';

/** One distinct outcome and a run that shows it. */
export interface SeenOutcome {
  readonly text: string;
  readonly records: readonly CallRecord[];
  readonly history: History;
  readonly times: number;
  /** Number of the first run that ended so. */
  readonly since?: number;
  readonly schedule?: string;
}

export interface SeenFinding {
  readonly finding: Finding;
  readonly times: number;
  readonly since?: number;
  readonly schedule?: string;
  readonly fewest?: 'proven' | 'found';
  readonly history: History;
}

/** What judging needs to know of a target's behaviour. */
export interface Seen {
  readonly target: string;
  readonly complete: boolean;
  readonly incomplete?: string;
  readonly executions: number;
  readonly outcomes: readonly SeenOutcome[];
  readonly findings: readonly SeenFinding[];
  readonly broken?: string;
}

export interface Judgement {
  readonly status: Status;
  /** One sentence. */
  readonly message: string;
  /** The line of the expect block, as written. */
  readonly expectation: string;
  /** The run that decided it. */
  readonly observation?: SeenOutcome;
  readonly finding?: SeenFinding;
}

interface Case {
  readonly program: Program;
  readonly seen: Seen;
  /** Only samples of what the target can do: nothing unseen is proved or refuted. */
  readonly sampled: boolean;
}

/**
 * One judgement per expectation of the block that speaks for the target.
 *
 * What must hold for all runs passes only on a complete exploration: `WARN` if a model was not explored to the
 * end, while a target that can only be sampled passes over what was seen. Without a block for the target: `CONF`.
 */
export function judge(
  program: Program,
  seen: Seen,
  selector: string,
  release?: string,
): Judgement[] {
  if (seen.broken !== undefined) return [verdict('BROK', `Set-up failed: ${seen.broken}`, '')];
  const identity: TargetIdentity = release === undefined ? { selector } : { selector, release };
  const block = blockFor(program.expect, identity);
  if (block === undefined) return [verdict('CONF', `Nothing is expected on ${selector}`, '')];
  if (seen.outcomes.length === 0 && seen.findings.length === 0) {
    return [verdict('BROK', `No run came to an end on ${seen.target}`, '')];
  }
  const subject: Case = {
    program,
    seen,
    sampled: !seen.target.startsWith('model:'),
  };
  const judgements = block.expectations.map((expectation) => judgeOne(subject, expectation));
  return [
    ...judgements,
    ...otherFindings(subject, block.expectations),
    ...nothingSaid(subject, judgements),
  ];
}

/** A block that decides nothing is no pass. */
function nothingSaid(subject: Case, judgements: readonly Judgement[]): Judgement[] {
  if (judgements.length === 0) return [verdict('BROK', 'The expect block is empty', '')];
  if (judgements.some((judgement) => judgement.status !== 'INFO')) return [];
  return [verdict('CONF', `Nothing could be decided in ${subject.seen.executions} runs`, '')];
}

function judgeOne(subject: Case, expectation: Expectation): Judgement {
  const text = printExpectation(expectation).join(' or ');
  switch (expectation.kind) {
    case 'always':
      return judgeAlways(subject, expectation.outcome, text);
    case 'never':
      return judgeNever(subject, expectation.outcome, text);
    case 'sometimes':
      return judgeSometimes(subject, expectation.outcome, text);
    case 'exactly':
      return judgeExactly(subject, expectation.outcomes, text);
    case 'finding':
      return judgeFinding(subject, expectation.detector, expectation.site, text);
    case 'absent':
      return judgeAbsent(subject, text, (finding) => isOf(finding, expectation));
    case 'clean':
      return judgeAbsent(subject, text, () => true);
    default:
      return expectation satisfies never;
  }
}

function judgeAlways(subject: Case, outcome: Conjunction, text: string): Judgement {
  const other = subject.seen.outcomes.find((one) => !isLike(subject, one, outcome));
  return other === undefined
    ? nothingAgainst(subject, text)
    : ofOutcome('FAIL', 'Seen', other, text);
}

function judgeNever(subject: Case, outcome: Conjunction, text: string): Judgement {
  const seen = subject.seen.outcomes.find((one) => isLike(subject, one, outcome));
  return seen === undefined ? nothingAgainst(subject, text) : ofOutcome('FAIL', 'Seen', seen, text);
}

function judgeSometimes(subject: Case, outcome: Conjunction, text: string): Judgement {
  const seen = subject.seen.outcomes.find((one) => isLike(subject, one, outcome));
  if (seen !== undefined) return ofOutcome('PASS', 'Seen', seen, text);
  return unseen(subject, text, `Not seen in ${runsOf(subject)}`);
}

function judgeExactly(subject: Case, outcomes: readonly Conjunction[], text: string): Judgement {
  const foreign = subject.seen.outcomes.find(
    (one) => !outcomes.some((outcome) => isLike(subject, one, outcome)),
  );
  if (foreign !== undefined) return ofOutcome('FAIL', 'Seen but not listed', foreign, text);
  const missing = outcomes.filter(
    (outcome) => !subject.seen.outcomes.some((one) => isLike(subject, one, outcome)),
  );
  if (missing.length === 0 || subject.sampled) return nothingAgainst(subject, text);
  const list = missing.map(printConjunction).join(', ');
  return unseen(subject, text, `Listed but not seen in ${runsOf(subject)}: ${list}`);
}

function judgeFinding(
  subject: Case,
  detector: string,
  site: string | undefined,
  text: string,
): Judgement {
  const found = subject.seen.findings.find((one) => isOf(one.finding, { detector, site }));
  if (found !== undefined) return ofFinding('PASS', found, text);
  // A sampled target has no sanitizers; on a model a bug that is not found is a failure, bound or no bound.
  const status = subject.sampled ? 'INFO' : 'FAIL';
  return verdict(status, `Not found in ${runsOf(subject)}`, text);
}

function judgeAbsent(
  subject: Case,
  text: string,
  isUnwanted: (finding: Finding) => boolean,
): Judgement {
  const found = subject.seen.findings.find((one) => isUnwanted(one.finding));
  return found === undefined ? nothingAgainst(subject, text) : ofFinding('FAIL', found, text);
}

/** The detector, and the site if one is named; a site may be the beginning of the finding's, up to a slash. */
function isOf(
  finding: Finding,
  wanted: { readonly detector: string; readonly site?: string | undefined },
): boolean {
  if (finding.detector !== wanted.detector) return false;
  if (wanted.site === undefined || finding.site === wanted.site) return true;
  return finding.site.split(' / ').includes(wanted.site);
}

/** Findings nobody mentioned are told, not judged: a block that minds them says `clean` or `absent`. */
function otherFindings(subject: Case, expectations: readonly Expectation[]): Judgement[] {
  if (expectations.some((expectation) => expectation.kind === 'clean')) return [];
  const mentioned = expectations.filter((one) => one.kind === 'finding' || one.kind === 'absent');
  const signatures = new Map<string, SeenFinding>();
  for (const found of subject.seen.findings) {
    if (mentioned.some((one) => isOf(found.finding, one))) continue;
    signatures.set(signatureOf(found.finding), found);
  }
  return [...signatures].map(([signature, found]) => ({
    status: 'INFO',
    message: `Also found: ${signature}: ${found.finding.message}`,
    expectation: '',
    finding: found,
  }));
}

function nothingAgainst(subject: Case, text: string): Judgement {
  if (subject.seen.complete) return verdict('PASS', `Holds in all ${runsOf(subject)}`, text);
  if (subject.sampled) return verdict('PASS', `Holds in ${runsOf(subject)}`, text);
  return verdict('WARN', `Not proved: exploration incomplete (${boundOf(subject)})`, text);
}

function unseen(subject: Case, text: string, message: string): Judgement {
  if (subject.sampled) return verdict('INFO', message, text);
  if (subject.seen.complete) return verdict('FAIL', message, text);
  return verdict('WARN', `${message}: exploration incomplete (${boundOf(subject)})`, text);
}

function boundOf(subject: Case): string {
  return subject.seen.incomplete ?? 'stopped';
}

function runsOf(subject: Case): string {
  const count = subject.seen.executions;
  return count === 1 ? '1 run' : `${count} runs`;
}

function isLike(subject: Case, seen: SeenOutcome, outcome: Conjunction): boolean {
  return satisfies(subject.program, outcome, seen.records);
}

function verdict(status: Status, message: string, expectation: string): Judgement {
  return { status, message, expectation };
}

function ofOutcome(
  status: Status,
  what: string,
  observation: SeenOutcome,
  expectation: string,
): Judgement {
  const text = observation.text === '' ? '(no results)' : observation.text;
  return { status, message: `${what}: ${text}`, expectation, observation };
}

function ofFinding(status: Status, found: SeenFinding, expectation: string): Judgement {
  const message = `${signatureOf(found.finding)}: ${found.finding.message}`;
  return { status, message, expectation, finding: found };
}

/**
 * TAP 14, and 13 for readers that refuse it: one point a case, its runs as a subtest, YAML diagnostics.
 *
 * The same run gives the same bytes: no times, no paths of the machine.
 */

import { stringify } from 'yaml';
import type { CaseResult, RunReport, RunResult } from '../runner/result.ts';
import { counterexampleLines } from './counterexample.ts';
import { plain } from './plain.ts';
import type { Reporter, ReporterOptions, Write } from './reporter.ts';

/** Lines of a counterexample in a diagnostic; the rest is in the text and json reports. */
const INTERLEAVING_LINES = 80;

/** A TAP reporter: the whole document at the end, so that the plan stands first. */
export function tapReporter(write: Write, _options: ReporterOptions, version: 13 | 14): Reporter {
  return { end: (report) => write(tapText(report, version)) };
}

/** The document. */
export function tapText(report: RunReport, version: 13 | 14): string {
  const lines = [`TAP version ${version}`, `1..${report.cases.length}`];
  for (const [at, result] of report.cases.entries()) lines.push(...caseLines(result, at + 1));
  if (report.stopped !== undefined) lines.push(...stopLines(report.stopped));
  const { PASS, FAIL, BROK, CONF, WARN, known } = report.summary.runs;
  lines.push(
    `# runs: pass ${PASS}, fail ${FAIL}, broken ${BROK}, skip ${CONF}, warn ${WARN}, known ${known}`,
  );
  return `${lines.join('\n')}\n`;
}

function stopLines(stopped: string): string[] {
  return stopped.startsWith('--bail')
    ? [`# Stopped early: ${ascii(stopped)}`]
    : [`Bail out! ${ascii(stopped)}`];
}

function caseLines(result: CaseResult, number: number): string[] {
  const name = description(result.id);
  const inner = [`1..${result.runs.length}`];
  for (const [at, run] of result.runs.entries()) inner.push(...runLines(result, run, at + 1));
  const good = result.known || !isNotOk(result.verdict);
  const directive = result.verdict === 'CONF' ? skip(result.runs) : '';
  return [
    `# Subtest: ${name}`,
    ...inner.map((line) => `    ${line}`.trimEnd()),
    `${good ? 'ok' : 'not ok'} ${number} - ${name}${directive}`,
  ];
}

function isNotOk(verdict: RunResult['verdict']): boolean {
  return verdict === 'FAIL' || verdict === 'BROK';
}

function runLines(result: CaseResult, run: RunResult, number: number): string[] {
  const name = description(run.row === '' ? `on ${run.target}` : `${run.row} on ${run.target}`);
  const word = isNotOk(run.verdict) ? 'not ok' : 'ok';
  const directive =
    run.verdict === 'CONF'
      ? skip([run])
      : run.known === undefined
        ? ''
        : ` # TODO ${ascii(run.known)}`;
  const point = `${word} ${number} - ${name}${directive}`;
  const details = diagnostic(result, run);
  if (details === null) return [point];
  const yaml = stringify(details, { lineWidth: 0 }).trimEnd().split('\n');
  return [point, '  ---', ...yaml.map((line) => `  ${line}`.trimEnd()), '  ...'];
}

function skip(runs: readonly RunResult[]): string {
  const reasons = runs.flatMap((run) => run.lines).filter((line) => line.status === 'CONF');
  return ` # SKIP ${ascii(reasons[0]?.message ?? 'not applicable')}`;
}

/** What a reader needs to see; null for a plain pass or skip. Keys in one order. */
function diagnostic(result: CaseResult, run: RunResult): object | null {
  if (run.verdict === 'CONF') return null;
  if (run.verdict === 'PASS') {
    const all = { ...coverageOf(run), ...proofOf(run) };
    return Object.keys(all).length > 0 ? all : null;
  }
  const details: Record<string, unknown> = {
    status: run.verdict,
    at: {
      case: plain(run.caseId),
      ...(run.row === '' ? {} : { row: plain(run.row) }),
      target: run.target,
    },
  };
  if (result.about !== '') details['about'] = plain(result.about);
  if (result.docs.length > 0) details['docs'] = result.docs;
  if (run.fixed !== undefined) details['fixed'] = run.fixed;
  details['results'] = run.lines.map((line) => ({
    status: line.status,
    ...(line.expected === undefined ? {} : { expected: plain(line.expected) }),
    ...(line.actual === undefined ? {} : { actual: plain(line.actual) }),
    message: plain(line.message),
    ...(line.finding === undefined ? {} : { finding: plain(line.finding) }),
  }));
  Object.assign(details, coverageOf(run), proofOf(run));
  if (run.counterexample !== undefined) {
    const lines = counterexampleLines(run.counterexample, 100).map((line) => plain(line).slice(2));
    const left = lines.length - INTERLEAVING_LINES;
    const cut = left > 0 ? [`... ${left} more lines: see the text or json report`] : [];
    details['interleaving'] = [...lines.slice(0, INTERLEAVING_LINES), ...cut, ''].join('\n');
  }
  if (run.replay !== undefined) details['replay'] = plain(run.replay);
  return details;
}

/** What was covered where a model was not explored to the end: a sample passes, and proves nothing. */
function coverageOf(run: RunResult): { readonly coverage: string } | null {
  if (run.target === 'host' || run.coverage === undefined || run.coverage.complete) return null;
  return { coverage: plain(run.coverage.statement) };
}

/** What a proof covers, and the execution that met each finding first; null for what is none. */
function proofOf(run: RunResult): { readonly proof: object } | null {
  if (run.proof === undefined || run.coverage === undefined) return null;
  const { complete, traces } = run.coverage;
  const found = run.lines.flatMap((line) =>
    line.finding === undefined || line.since === undefined
      ? []
      : [{ finding: plain(line.finding), execution: line.since }],
  );
  return { proof: { complete, traces, ...(found.length === 0 ? {} : { found }) } };
}

/** A point's name: ASCII, one line, `#` and `\` escaped, no digit first. */
function description(text: string): string {
  const escaped = ascii(text).replace(/[\\#]/g, '\\$&');
  return /^[0-9]/.test(escaped) ? `case ${escaped}` : escaped;
}

function ascii(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/[^\x20-\x7e]/gu, (char) => `<U+${char.codePointAt(0)?.toString(16).toUpperCase()}>`)
    .trim();
}

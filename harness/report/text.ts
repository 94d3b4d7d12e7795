/** The report for people: one line a case, failures in full at the end, numbers last. */

import { outcomeWords } from './words.ts';
import { counterexampleLines } from './counterexample.ts';
import { plain } from './plain.ts';
import { painter, styleOf, type Paint } from './paint.ts';
import type { Reporter, ReporterOptions, Write } from './reporter.ts';
import type { CaseResult, Counts, RunReport, RunResult, Verdict } from '../runner/result.ts';

/** Failures that are shown in full; the rest is one line each. */
const SHOWN_IN_FULL = 20;

/** A text reporter. Nothing in it depends on time, so two runs can be compared. */
export function textReporter(write: Write, options: ReporterOptions): Reporter {
  const paint = painter(options.color);
  return {
    caseDone: (result) => {
      if (!options.quiet || isBad(result)) write(`${caseLine(result, paint)}\n`);
    },
    end: (report) => {
      for (const section of [failures(report, options, paint), remarks(report, paint)]) {
        if (section.length > 0) write(`\n${section.join('\n')}\n`);
      }
      write(`\n${summaryLines(report, paint).join('\n')}\n`);
    },
  };
}

/** `PASS  epoll_ctl02  2.6.20 9/9, host 9/9`. */
function caseLine(result: CaseResult, paint: Paint): string {
  const shown = result.known ? 'known' : result.verdict;
  const targets = [...new Set(result.runs.map((run) => run.target))];
  const cells = targets.map((target) => {
    const runs = result.runs.filter((run) => run.target === target);
    return targetCell(target, runs);
  });
  const traces = result.runs.reduce((sum, run) => sum + (run.coverage?.traces ?? 0), 0);
  const proved = isProof(result.runs) ? ', complete' : '';
  const covered = traces > 0 ? ` (${counted(traces, 'trace')}${proved})` : '';
  const status = paint(styleOf(shown), shown.padEnd(5));
  return `${status} ${result.id.padEnd(24)} ${cells.join(', ')}${covered}`;
}

/** Whether all runs that could be proofs are. */
function isProof(runs: readonly RunResult[]): boolean {
  const meant = runs.filter((run) => run.proof === true);
  return meant.length > 0 && meant.every((run) => run.coverage?.complete === true);
}

function targetCell(target: string, runs: readonly RunResult[]): string {
  const name = target.replace(/^model:/, '');
  const passed = runs.filter((run) => run.verdict === 'PASS').length;
  const count = runs.length > 1 ? ` ${passed}/${runs.length}` : '';
  if (passed === runs.length) return `${name}${count}`;
  const others = [...new Set(runs.map(wordOf))].filter((word) => word !== 'PASS');
  return `${name}${count} ${others.join(' ')}`;
}

function wordOf(run: RunResult): Verdict | 'known' {
  return run.known === undefined ? run.verdict : 'known';
}

function isBad(result: CaseResult): boolean {
  return result.verdict === 'BROK' || (result.verdict === 'FAIL' && !result.known);
}

function failures(report: RunReport, options: ReporterOptions, paint: Paint): string[] {
  const bad = report.cases.flatMap((result) =>
    result.runs
      .filter(
        (run) => run.verdict === 'BROK' || (run.verdict === 'FAIL' && run.known === undefined),
      )
      .map((run) => ({ result, run })),
  );
  const lines = bad
    .slice(0, SHOWN_IN_FULL)
    .flatMap(({ result, run }) => [...failureLines(result, run, options, paint), '']);
  for (const { run } of bad.slice(SHOWN_IN_FULL)) lines.push(headLine(run, paint));
  if (bad.length > SHOWN_IN_FULL) {
    lines.push(
      `${bad.length - SHOWN_IN_FULL} failures above in one line each; the json report has them in full`,
    );
  } else lines.pop();
  return lines;
}

function failureLines(
  result: CaseResult,
  run: RunResult,
  options: ReporterOptions,
  paint: Paint,
): string[] {
  const lines = [headLine(run, paint)];
  if (result.about !== '') lines.push(`  ${plain(result.about)}`);
  if (result.docs.length > 0) lines.push(`  ${result.docs.join(' ')}`);
  for (const line of run.lines) {
    const expected = line.expected === undefined ? '' : `${oneLine(line.expected)}: `;
    lines.push(
      `  ${paint(styleOf(line.status), line.status)} ${plain(`${expected}${line.message}`)}`,
    );
  }
  if (run.counterexample !== undefined) {
    lines.push('', ...counterexampleLines(run.counterexample, options.width));
  } else if (run.replay !== undefined) lines.push(`  replay  ${plain(run.replay)}`);
  return lines;
}

function headLine(run: RunResult, paint: Paint): string {
  const row = run.row === '' ? '' : `/${plain(run.row)}`;
  return `${paint(styleOf(run.verdict), run.verdict)} ${paint('bold', `${run.caseId}${row}`)} on ${run.target}`;
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, '; ');
}

/** Warnings, known failures, what was covered in part, and reasons of runs that were not made. */
function remarks(report: RunReport, paint: Paint): string[] {
  const lines: string[] = [];
  const reasons = new Map<string, number>();
  for (const run of report.cases.flatMap((result) => result.runs)) {
    const name = plain(`${run.caseId}${run.row === '' ? '' : `/${run.row}`} on ${run.target}`);
    if (run.known !== undefined) {
      lines.push(`${paint(styleOf('known'), 'known')} ${name}: ${run.known}`);
    }
    for (const line of run.lines) {
      if (line.status === 'WARN') {
        const expected = line.expected === undefined ? '' : `${oneLine(line.expected)}: `;
        lines.push(
          `${paint(styleOf('WARN'), 'WARN')} ${name}: ${plain(`${expected}${line.message}`)}`,
        );
      } else if (line.status === 'CONF') {
        reasons.set(line.message, (reasons.get(line.message) ?? 0) + 1);
      }
    }
  }
  lines.push(...partly(report));
  for (const [reason, times] of reasons) {
    lines.push(`${paint(styleOf('CONF'), 'CONF')} ${counted(times, 'run')}: ${plain(reason)}`);
  }
  return lines;
}

/** What is said of explorations that were no complete ones, as far as there is room. */
function partly(report: RunReport): string[] {
  const lines = report.cases.flatMap(({ runs }) =>
    runs.flatMap(({ caseId, row, target, coverage }) =>
      target === 'host' || coverage === undefined || coverage.complete
        ? []
        : [
            plain(
              `cover ${caseId}${row === '' ? '' : `/${row}`} on ${target}: ${coverage.statement}`,
            ),
          ],
    ),
  );
  const left = lines.length - SHOWN_IN_FULL;
  return left <= 0
    ? lines
    : [...lines.slice(0, SHOWN_IN_FULL), `cover ${counted(left, 'more run')}: see the json report`];
}

function summaryLines(report: RunReport, paint: Paint): string[] {
  const { summary } = report;
  const words = ['PASS', 'FAIL', 'BROK', 'CONF', 'WARN', 'known'] as const;
  const row = (name: string, counts: Counts) =>
    name.padEnd(8) + words.map((word) => cell(word, counts[word], paint)).join('');
  const lines = [
    'Summary'.padEnd(8) + words.map((word) => word.padStart(7)).join(''),
    row('cases', summary.cases),
    row('runs', summary.runs),
    row('results', summary.results),
  ];
  if (summary.incomplete > 0) {
    lines.push(
      `${counted(summary.incomplete, 'run')} incomplete: a bound was met, nothing is proved there`,
    );
  }
  const proofs = report.cases.flatMap(({ runs }) => runs.filter((run) => run.proof === true));
  if (proofs.length > 0) lines.push(proofLine(proofs));
  if (report.stopped !== undefined) lines.push(`Stopped early: ${report.stopped}`);
  lines.push(outcomeWords(report));
  return lines;
}

function proofLine(proofs: readonly RunResult[]): string {
  const done = proofs.filter((run) => run.coverage?.complete === true);
  const traces = done.reduce((sum, run) => sum + (run.coverage?.traces ?? 0), 0);
  return `${done.length} of ${counted(proofs.length, 'run')} explored to the end: ${counted(traces, 'trace')}`;
}

function cell(
  word: 'PASS' | 'FAIL' | 'BROK' | 'CONF' | 'WARN' | 'known',
  count: number,
  paint: Paint,
): string {
  const text = String(count).padStart(7);
  return count === 0 ? text : paint(styleOf(word), text);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

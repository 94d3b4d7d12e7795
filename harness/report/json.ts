/** The report for programs; the schema is described in reports/README.md. */

import { printProgram } from '../program/print.ts';
import { counterexampleText } from './counterexample.ts';
import type { Reporter, ReporterOptions, Write } from './reporter.ts';
import type { RunReport, RunResult } from '../runner/result.ts';

/** Changes when a reader of the report would have to. */
export const JSON_SCHEMA = 'lostwake-report/1';

/** A JSON reporter: one document at the end. */
export function jsonReporter(write: Write, options: ReporterOptions): Reporter {
  return { end: (report) => write(`${JSON.stringify(document(report, options), null, 2)}\n`) };
}

function document(report: RunReport, options: ReporterOptions) {
  return {
    schema: JSON_SCHEMA,
    environment: report.environment,
    stopped: report.stopped ?? null,
    summary: report.summary,
    cases: report.cases.map((result) => ({
      id: result.id,
      file: result.file,
      about: result.about,
      docs: result.docs,
      verdict: result.verdict,
      known: result.known,
      runs: result.runs.map((run) => runDocument(run, options)),
    })),
  };
}

function runDocument(run: RunResult, options: ReporterOptions) {
  const { counterexample, caseId: _caseId, ...rest } = run;
  if (counterexample === undefined) return rest;
  return {
    ...rest,
    counterexample: {
      ...counterexample,
      program: printProgram(counterexample.program),
      text: counterexampleText(counterexample, options.width),
    },
  };
}

/** What every report format is: a writer of one result model. */

import type { CaseResult, RunReport } from '../runner/result.ts';

/** Prints one report. Pieces are given to `write` in order and are whole lines. */
export interface Reporter {
  /** A case is done; the cases come in the order of the selection. */
  caseDone?(result: CaseResult): void;
  /** The run has ended. */
  end(report: RunReport): void;
}

/** How a report is written. */
export interface ReporterOptions {
  readonly color: boolean;
  readonly quiet: boolean;
  /** Width of a counterexample's table, in characters. */
  readonly width: number;
}

/** Takes whole lines, each with its newline. */
export type Write = (text: string) => void;

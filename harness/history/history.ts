/** What any target can produce: calls, results, threads, order. Model-only detail is a separate section. */

import type { Call } from '../program/program.ts';
import type { Result } from '../program/result.ts';

export type { ReportedEvent, Result } from '../program/result.ts';

export interface CallRecord {
  /** Position in the program: thread -1 is init. */
  readonly thread: number;
  readonly index: number;
  readonly call: Call;
  readonly result: Result;
  /** Positions in one total order of call starts and returns (returns of hung calls: Infinity). */
  readonly start: number;
  readonly end: number;
  /** How long the call took, and the length of a clock tick, in milliseconds: virtual time on a model. */
  readonly elapsed?: { readonly ms: number; readonly tickMs: number };
}

export interface History {
  readonly target: string;
  /** Calls that were reached, in order of start. */
  readonly calls: readonly CallRecord[];
  /**
   * True if a returned before b began in this run. Model: the positions of their first and last steps.
   * Host: program order and what the observer saw.
   */
  readonly before: (a: CallRecord, b: CallRecord) => boolean;
  /** Signals, faults and failed allocations may have been injected that no call of the program explains. */
  readonly hasFaults?: boolean;
  readonly model?: ModelDetail;
}

/** Only the model target fills this in. */
export interface ModelDetail {
  readonly kernel: string;
  readonly steps: number;
  readonly findings: readonly Finding[];
}

/** What a sanitizer or check saw in a run. */
export interface Finding {
  /** As kernel engineers know it: KASAN-UAF, LOCKDEP, LOST-EDGE, HUNG, COUNT, STALE ... (detector table, 0.3). */
  readonly detector: string;
  /** Step label(s) of the document, e.g. `v11-MO1 / v11-RM6`; the place where it went wrong. */
  readonly site: string;
  /** One sentence: class, object, consequence. */
  readonly message: string;
  /** Event positions in the run that decide it, the decisive one last. */
  readonly steps: readonly number[];
}

/** Detector and site: what must stay the same while a failure is shrunk. */
export function signatureOf(finding: Finding): string {
  return `${finding.detector} ${finding.site}`;
}

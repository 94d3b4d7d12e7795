/** What parent and child say to each other: one JSON value a line. */

import type { Result } from '../history/history.ts';
import type { HostPlan } from './host-plan.ts';

/** To the child. */
export interface HostJob {
  readonly id: number;
  readonly plan: HostPlan;
  /** Iterations at most. */
  readonly runs: number;
  /** No new iteration begins after that many milliseconds. */
  readonly budgetMs: number;
  readonly seed: number;
}

/** One call that was reached. */
export interface HostRecord {
  /** -1 is init. */
  readonly thread: number;
  readonly index: number;
  readonly result: Result;
  readonly start: number;
  /** -1 for a call that never returned. */
  readonly end: number;
  /** How long it took; for a call that hung, how long it was watched. */
  readonly ms: number;
}

export interface HostOutcome {
  readonly times: number;
  readonly records: readonly HostRecord[];
}

/** From the child. */
export type HostAnswer =
  /** Once, when it is up. */
  | { readonly kind: 'ready'; readonly release: string }
  /** Once, instead: it cannot work here. */
  | { readonly kind: 'unable'; readonly why: string }
  | {
      readonly kind: 'done';
      readonly id: number;
      readonly executions: number;
      readonly outcomes: readonly HostOutcome[];
    }
  | { readonly kind: 'broken'; readonly id: number; readonly why: string };

/** Reads a line of the child's. Null if it is nothing the child says. */
export function parseAnswer(line: string): HostAnswer | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || !('kind' in value)) return null;
  const known = ['ready', 'unable', 'done', 'broken'];
  // Parent and child are of one build: the kind tells the shape.
  return known.includes(String(value.kind)) ? (value as HostAnswer) : null;
}

/** What a process of its own is asked to measure, and what it answers: plain data, one line of JSON each way. */

import type { Counted } from './count.ts';
import type { CoverageUse } from '../runner/fuzz-order.ts';
import type { BugRun } from './bug-run.ts';
import type { CoverageRun } from './coverage-run.ts';
import type { Measured } from './drive.ts';
import type { BugTime } from './proof.ts';
import type { FuzzRate } from './fuzz-rate.ts';
import type { Explored } from './jobs-run.ts';

/** Explores a subject to its end, or until a limit is met. */
export interface CountOrder {
  readonly kind: 'count';
  readonly program: string;
  readonly kernel: string;
  readonly strategy: string;
  /** With sanitizers, to have their findings. */
  readonly sanitize: boolean;
  /** Executions at most, and seconds. */
  readonly most: number;
  readonly seconds: number;
}

/** Executions of one way of driving, for so many seconds. */
export interface DriveOrder {
  readonly kind: 'drive';
  readonly program: string;
  readonly kernel: string;
  readonly driver: string;
  readonly sanitize: boolean;
  readonly seconds: number;
}

/** Generated programs of one shape, each explored to its end, for so many seconds. */
export interface FuzzOrder {
  readonly kind: 'fuzz';
  readonly kernel: string;
  readonly threads: number;
  readonly calls: number;
  readonly seconds: number;
}

/** A fuzzing run that ends when all these bugs are found, or after so many seconds. */
export interface BugsOrder {
  readonly kind: 'bugs';
  readonly kernel: string;
  readonly strategy: string;
  readonly seed: number;
  readonly ids: readonly string[];
  readonly jobs: number;
  readonly seconds: number;
}

/** One exploration, as `lostwake explore --jobs N` does it. */
export interface JobsOrder {
  readonly kind: 'jobs';
  readonly program: string;
  readonly kernel: string;
  readonly jobs: number;
}

/** Fuzzing for its coverage, for so many seconds. */
export interface CoverageOrder {
  readonly kind: 'coverage';
  readonly kernel: string;
  readonly use: CoverageUse;
  readonly seed: number;
  /** Per program, and calls per thread, at most. */
  readonly threads: number;
  readonly calls: number;
  readonly seconds: number;
  /** Programs at most. */
  readonly programs?: number;
}

/** Catalogued bugs, by name or pattern, with milliseconds for each. */
export interface ProofOrder {
  readonly kind: 'proof';
  readonly words: readonly string[];
  readonly warmUp: number;
  readonly measure: number;
}

export type Order =
  ProofOrder | CountOrder | DriveOrder | FuzzOrder | CoverageOrder | BugsOrder | JobsOrder;

interface Answers {
  readonly count: Counted;
  readonly drive: Measured;
  readonly fuzz: FuzzRate;
  readonly coverage: CoverageRun;
  readonly proof: { readonly rows: readonly BugTime[] };
  readonly bugs: BugRun;
  readonly jobs: Explored;
}

/** What is answered to an order, with the largest resident set of its process in bytes. */
export type Answer<O extends Order> = Answers[O['kind']] & { readonly peak: number };

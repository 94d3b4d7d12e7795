/** Runs what was selected: every row of every case on every target that it is for. */

import { confResult } from './execute.ts';
import type { Job } from './job.ts';
import { withKnown, type KnownFailure } from './known.ts';
import type { LoadedCase } from './load-case.ts';
import { Pool } from './pool.ts';
import {
  caseResult,
  summarise,
  type CaseResult,
  type RunReport,
  type RunResult,
} from './result.ts';
import type { Overrides } from './run-options.ts';
import { placements, type Chosen, type TargetCatalog } from './targets.ts';

/** How to run. */
export interface RunRequest {
  readonly cases: readonly LoadedCase[];
  readonly chosen: Chosen;
  readonly overrides: Overrides;
  readonly jobs: number;
  /** Stop after the first failed or broken run. */
  readonly bail: boolean;
  /** Only a complete exploration passes; a case may ask for that as well. */
  readonly prove: boolean;
  readonly known: readonly KnownFailure[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Where the run happens; the tests have a place of their own. */
export interface RunPlace {
  readonly catalog: TargetCatalog;
  /** URL of the module that gives worker threads the same catalogue. */
  readonly catalogUrl: string;
}

/** Who watches. */
export interface RunWatcher {
  /** Cases in the order of the selection, each as soon as it and all before it are done. */
  caseDone?(result: CaseResult): void;
  /** How far it is. */
  progress?(state: Progress): void;
  /** Called at the start with a function that ends the run early. */
  stopper?(stop: (reason: string) => void): void;
}

/** How far a run is. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly failed: number;
  /** What was heard of last: `bugs/E-B2 on model:2.6.20, 12000 executions`. */
  readonly now: string;
}

/** A run that is planned: with a job, or decided without one. */
interface Slot {
  readonly caseAt: number;
  readonly row: string;
  readonly target: string;
  readonly conf?: string;
  readonly job?: Job;
}

const NO_PROOF_ON_A_HOST = 'A host proves nothing: its interleavings cannot be chosen';

/** Runs the cases and gives the report, in the order of the selection however the work was spread. */
export async function runCases(
  request: RunRequest,
  place: RunPlace,
  watcher: RunWatcher = {},
): Promise<RunReport> {
  const slots = plan(request, place.catalog);
  const session = new Session(request, slots, watcher);
  const jobs = slots.flatMap((slot) => (slot.job === undefined ? [] : [slot.job]));
  const slotOfJob = slots.flatMap((slot, at) => (slot.job === undefined ? [] : [at]));
  const pool = new Pool(jobs, {
    size: request.jobs,
    catalog: place.catalogUrl,
    done: (index, result) => {
      session.done(slotOfJob[index], result);
      if (session.stopped !== undefined) pool.stop();
    },
    progress: (index, executions) => session.progress(jobs[index], executions),
  });
  watcher.stopper?.((reason) => {
    session.stopped ??= reason;
    pool.stop();
  });
  await pool.run();
  return session.report();
}

function plan(request: RunRequest, catalog: TargetCatalog): Slot[] {
  return request.cases.flatMap((loaded, caseAt) =>
    loaded.rows.flatMap((row) =>
      placements(row.program, catalog, request.chosen).map(({ target, conf }) => {
        const slot = { caseAt, row: row.name, target };
        const prove = request.prove || loaded.prove;
        if (conf !== undefined) return { ...slot, conf };
        if (prove && target === 'host') return { ...slot, conf: NO_PROOF_ON_A_HOST };
        const job: Job = {
          caseId: loaded.id,
          row: row.name,
          replayName: row.name === '' ? loaded.replayName : `${loaded.replayName}/${row.name}`,
          program: row.program,
          target,
          overrides: request.overrides,
          prove,
        };
        return { ...slot, job };
      }),
    ),
  );
}

/** Keeps the results until their turn has come. */
class Session {
  stopped: string | undefined;
  readonly #request: RunRequest;
  readonly #watcher: RunWatcher;
  readonly #slots: readonly Slot[];
  readonly #results: (RunResult | undefined)[];
  readonly #open: number[];
  readonly #cases: CaseResult[] = [];
  #nextCase = 0;
  #done = 0;
  #failed = 0;

  constructor(request: RunRequest, slots: readonly Slot[], watcher: RunWatcher) {
    this.#request = request;
    this.#slots = slots;
    this.#watcher = watcher;
    this.#open = request.cases.map(() => 0);
    this.#results = slots.map((slot) => {
      if (slot.conf === undefined) {
        this.#open[slot.caseAt] += 1;
        return undefined;
      }
      const caseId = request.cases[slot.caseAt].id;
      return confResult({ caseId, row: slot.row, target: slot.target }, slot.conf);
    });
    this.#emitFinished();
  }

  done(at: number, result: RunResult | null): void {
    const slot = this.#slots[at];
    if (result === null) return;
    const settled = withKnown(result, this.#request.known);
    this.#results[at] = settled;
    this.#open[slot.caseAt] -= 1;
    this.#done += 1;
    const bad =
      settled.verdict === 'BROK' || (settled.verdict === 'FAIL' && settled.known === undefined);
    if (bad) this.#failed += 1;
    if (bad && this.#request.bail) this.stopped ??= '--bail after the first failure';
    this.#tell(`${settled.caseId} on ${settled.target}`);
    this.#emitFinished();
  }

  progress(job: Job, executions: number): void {
    this.#tell(`${job.caseId} on ${job.target}, ${executions} executions`);
  }

  report(): RunReport {
    // Stopped early: cases that have some of their runs are told with what they have.
    for (; this.#nextCase < this.#open.length; this.#nextCase += 1) this.#emit(this.#nextCase);
    const report = {
      cases: this.#cases,
      summary: summarise(this.#cases),
      environment: this.#request.environment,
    };
    return this.stopped === undefined ? report : { ...report, stopped: this.stopped };
  }

  #tell(now: string): void {
    const total = this.#slots.filter((slot) => slot.job !== undefined).length;
    this.#watcher.progress?.({ done: this.#done, total, failed: this.#failed, now });
  }

  #emitFinished(): void {
    while (this.#nextCase < this.#open.length && this.#open[this.#nextCase] === 0) {
      this.#emit(this.#nextCase);
      this.#nextCase += 1;
    }
  }

  #emit(caseAt: number): void {
    const runs = this.#results.filter(
      (result, at): result is RunResult =>
        result !== undefined && this.#slots[at].caseAt === caseAt,
    );
    const unmade = this.#slots.some((slot) => slot.caseAt === caseAt) && runs.length === 0;
    if (unmade) return;
    const result = caseResult(this.#request.cases[caseAt], runs);
    this.#cases.push(result);
    this.#watcher.caseDone?.(result);
  }
}

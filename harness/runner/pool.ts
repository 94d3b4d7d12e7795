/** Worker threads that run jobs. Results come as they come; who wants an order makes one of the jobs' numbers. */

import { Worker } from 'node:worker_threads';
import { brokenResult } from './execute.ts';
import type { Job } from './job.ts';
import type { RunResult } from './result.ts';
import { timeLimitFor } from './run-options.ts';
import type { WorkerMessage, WorkerStart } from './worker.ts';

/** Beyond its time limit a job has this long to notice, in milliseconds, before its thread is ended. */
const GRACE = 15_000;

export interface PoolOptions {
  readonly size: number;
  /** URL of a module that exports `openCatalog`. */
  readonly catalog: string;
  /** A job is done; null if it was stopped before that. */
  done(index: number, result: RunResult | null): void;
  progress?(index: number, executions: number): void;
}

/** Which jobs a lane takes. */
type Takes = 'host' | 'model' | 'all';

interface Lane {
  readonly takes: Takes;
  worker: Worker | null;
  ready: boolean;
  job: number | null;
  watchdog: NodeJS.Timeout | undefined;
}

/**
 * Runs a list of jobs. Host jobs are run one at a time, so that they do not disturb each other; they wait more than they
 * compute, so they have a lane beside the others.
 */
export class Pool {
  readonly #jobs: readonly Job[];
  readonly #options: PoolOptions;
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #waiting: number[];
  readonly #lanes: Lane[] = [];
  #finish: () => void = () => undefined;
  #fail: (reason: Error) => void = () => undefined;
  #stopping = false;

  constructor(jobs: readonly Job[], options: PoolOptions) {
    this.#jobs = jobs;
    this.#options = options;
    this.#waiting = jobs.map((_, index) => index);
  }

  /** Resolves when every job is done or, after `stop`, when those that were running have ended. */
  async run(): Promise<void> {
    if (this.#jobs.length === 0) return;
    await new Promise<void>((resolve, reject) => {
      this.#finish = resolve;
      this.#fail = reject;
      for (const takes of this.#lanesWanted()) this.#lanes.push(this.#startLane(takes));
    });
  }

  #lanesWanted(): Takes[] {
    const host = this.#jobs.filter(({ target }) => target === 'host').length;
    const model = this.#jobs.length - host;
    if (this.#options.size <= 1) return ['all'];
    const lanes = Array.from(
      { length: Math.min(this.#options.size, model) },
      () => 'model' as const,
    );
    return host > 0 ? [...lanes, 'host'] : lanes;
  }

  /** No more jobs; running ones are told to end. */
  stop(): void {
    this.#stopping = true;
    this.#waiting.length = 0;
    Atomics.store(this.#stop, 0, 1);
    if (this.#lanes.every((lane) => lane.job === null)) this.#end();
  }

  #startLane(takes: Takes): Lane {
    const lane: Lane = { takes, worker: null, ready: false, job: null, watchdog: undefined };
    this.#startWorker(lane);
    return lane;
  }

  #startWorker(lane: Lane): void {
    const start: WorkerStart = { catalog: this.#options.catalog, stop: this.#stop };
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: start });
    lane.worker = worker;
    lane.ready = false;
    worker.on('message', (message: WorkerMessage) => this.#hear(lane, message));
    worker.on('error', (thrown) => this.#lost(lane, thrown));
    worker.on('exit', (code) => {
      if (lane.worker === worker)
        this.#lost(lane, new Error(`The worker thread ended with ${code}`));
    });
  }

  #hear(lane: Lane, message: WorkerMessage): void {
    if (message.kind === 'dead') {
      this.#end(new Error(message.message));
      return;
    }
    if (message.kind === 'progress') {
      if (lane.job !== null) this.#options.progress?.(lane.job, message.executions);
      return;
    }
    if (message.kind === 'result') this.#jobDone(lane, message.result);
    lane.ready = true;
    this.#feedAll();
  }

  #jobDone(lane: Lane, result: RunResult | null): void {
    clearTimeout(lane.watchdog);
    const index = lane.job;
    lane.job = null;
    if (index !== null) this.#options.done(index, result);
  }

  /** A thread that ended by itself: its job is broken, the others go on in a new one. */
  #lost(lane: Lane, thrown: unknown): void {
    const worker = lane.worker;
    lane.worker = null;
    void worker?.terminate();
    const index = lane.job;
    if (index === null && !lane.ready) {
      this.#end(thrown instanceof Error ? thrown : new Error(String(thrown)));
      return;
    }
    if (index !== null) this.#jobDone(lane, brokenResult(this.#jobs[index], thrown));
    if (this.#waiting.length > 0) this.#startWorker(lane);
    else this.#feedAll();
  }

  #feedAll(): void {
    for (const lane of this.#lanes) {
      if (!lane.ready || lane.job !== null || lane.worker === null) continue;
      const index = this.#next(lane.takes);
      if (index === undefined) continue;
      lane.job = index;
      lane.worker.postMessage(this.#jobs[index]);
      this.#watch(lane, this.#jobs[index]);
    }
    const idle = this.#lanes.every((lane) => lane.job === null);
    if (idle && (this.#waiting.length === 0 || this.#stopping)) this.#end();
  }

  #next(takes: Takes): number | undefined {
    const at = this.#waiting.findIndex(
      (index) => takes === 'all' || (this.#jobs[index].target === 'host') === (takes === 'host'),
    );
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0];
  }

  #watch(lane: Lane, job: Job): void {
    const limit = timeLimitFor(job.overrides);
    lane.watchdog = setTimeout(() => {
      this.#lost(
        lane,
        new Error(`No answer ${GRACE / 1000} s after the time limit of ${limit / 1000} s`),
      );
    }, limit + GRACE);
  }

  #end(reason?: Error): void {
    for (const lane of this.#lanes) {
      clearTimeout(lane.watchdog);
      const worker = lane.worker;
      lane.worker = null;
      void worker?.terminate();
    }
    if (reason === undefined) this.#finish();
    else this.#fail(reason);
  }
}

/** What runs in each worker thread: takes a job, answers with its result. */

import { parentPort, workerData } from 'node:worker_threads';
import { execute } from './execute.ts';
import type { Job } from './job.ts';
import type { RunResult } from './result.ts';
import type { TargetCatalog } from './targets.ts';

/** What a worker is started with. */
export interface WorkerStart {
  /** URL of a module that exports `openCatalog`. */
  readonly catalog: string;
  /** One integer; not zero: stop. */
  readonly stop: Int32Array;
}

/** What a worker says. */
export type WorkerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly executions: number }
  | { readonly kind: 'result'; readonly result: RunResult | null }
  /** The targets could not be opened at all. */
  | { readonly kind: 'dead'; readonly message: string };

const PROGRESS_EVERY = 500;

if (parentPort !== null) await serve(parentPort);

async function serve(port: NonNullable<typeof parentPort>): Promise<void> {
  // The pool is the only one that starts this file, and with a WorkerStart.
  const start = workerData as WorkerStart;
  const say = (message: WorkerMessage) => port.postMessage(message);
  let catalog: TargetCatalog;
  try {
    // The default is ./catalog.ts: the type of the export is the contract of the option.
    const module = (await import(start.catalog)) as { openCatalog(): Promise<TargetCatalog> };
    catalog = await module.openCatalog();
  } catch (thrown) {
    say({ kind: 'dead', message: thrown instanceof Error ? thrown.message : String(thrown) });
    return;
  }
  port.on('message', (job: Job) => void work(job, catalog, start, say));
  say({ kind: 'ready' });
}

async function work(
  job: Job,
  catalog: TargetCatalog,
  start: WorkerStart,
  say: (message: WorkerMessage) => void,
): Promise<void> {
  let said = performance.now();
  const result = await execute(job, catalog, {
    stopped: () => Atomics.load(start.stop, 0) !== 0,
    progress: (executions) => {
      if (performance.now() - said < PROGRESS_EVERY) return;
      said = performance.now();
      say({ kind: 'progress', executions });
    },
  });
  say({ kind: 'result', result });
}

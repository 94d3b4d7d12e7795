/** How long a fuzzing run without any hint takes until it reports each of a list of bugs. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXECUTIONS_PER_PROGRAM, STEPS_PER_EXECUTION } from '../cli/fuzz-limits.ts';
import { loadKnownBugs } from '../runner/bug-index.ts';
import { fuzz, type FuzzOptions } from '../runner/fuzz.ts';
import type { BugsOrder } from './orders.ts';

/** A bug that was reported, shrunk and replayed. */
export interface Hit {
  readonly id: string;
  /** Seconds since the start of the run, and executions of all threads until then. */
  readonly seconds: number;
  readonly executions: number;
}

/** One run. */
export interface BugRun {
  readonly hits: readonly Hit[];
  readonly programs: number;
  readonly executions: number;
  readonly seconds: number;
}

/** What `lostwake fuzz` takes if nothing is said. */
const SIZE = { min: 1, max: 3 };
const DEFAULTS = {
  threads: SIZE,
  calls: SIZE,
  runs: EXECUTIONS_PER_PROGRAM,
  maxSteps: STEPS_PER_EXECUTION,
  hz: 1000,
  faults: 0,
};

/** Fuzzes until every bug of the order is reported or the time is up. Throws if the harness contradicts itself. */
export async function runForBugs(order: BugsOrder): Promise<BugRun> {
  const folder = mkdtempSync(join(tmpdir(), 'lostwake-bench-'));
  const hits: Hit[] = [];
  let executions = 0;
  const known = await loadKnownBugs();
  const options: FuzzOptions = {
    ...DEFAULTS,
    kernel: order.kernel,
    seed: order.seed,
    strategy: order.strategy,
    timeMs: order.seconds * 1000,
    programs: Infinity,
    until: Infinity,
    jobs: order.jobs,
    ignore: [],
    coverage: 'steer',
    folder,
  };
  const started = performance.now();
  const clock = (): number => performance.now() - started;
  try {
    const result = await fuzz(
      options,
      {
        found({ ids, foundAfter }) {
          for (const id of order.ids)
            if (ids.includes(id) && !hits.some((hit) => hit.id === id))
              hits.push({ id, seconds: foundAfter / 1000, executions });
        },
        progress: (state) => (executions = state.executions),
        stopped: () => hits.length === order.ids.length,
        clock,
      },
      known,
    );
    if (result.broken !== undefined) throw new Error(result.broken);
    return {
      hits,
      programs: result.programs,
      executions: result.executions,
      seconds: clock() / 1000,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

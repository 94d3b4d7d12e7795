/** Generated programs of one shape per second, each explored to its end. */

import * as fc from 'fast-check';
import { checkHistory } from '../check/checks.ts';
import { signatureOf } from '../history/history.ts';
import { EXECUTIONS_PER_PROGRAM, STEPS_PER_EXECUTION } from '../cli/fuzz-limits.ts';
import { arbitraryProgram, profileOf } from '../program/arbitrary/index.ts';
import { effortFor, search } from '../runner/fuzz-search.ts';
import { modelTarget } from '../target/model.ts';
import type { FuzzOrder } from './orders.ts';
import { Budget, processorSeconds } from './processor.ts';

/** What one thread did in that time. */
export interface FuzzRate {
  readonly programs: number;
  /** Programs of which every trace was visited. */
  readonly complete: number;
  readonly executions: number;
  /** Signatures that were found, while the code was warmed up included. */
  readonly findings: number;
  /** Of processor time. */
  readonly seconds: number;
}

/** Explores programs of exactly that shape, a third of the time to warm up and then for that many seconds. */
export function fuzzRate(order: FuzzOrder): FuzzRate {
  const known = new Set<string>();
  measure(order, order.seconds / 3, 1, known);
  return measure(order, order.seconds, 2, known);
}

function measure(order: FuzzOrder, seconds: number, seed: number, known: Set<string>): FuzzRate {
  const target = modelTarget(order.kernel);
  const arbitrary = arbitraryProgram({
    profile: profileOf(target.selector),
    threads: { min: order.threads, max: order.threads },
    callsPerThread: { min: order.calls, max: order.calls },
  });
  let [programs, complete, executions] = [0, 0, 0];
  const started = processorSeconds();
  const budget = new Budget(seconds);
  for (let round = 0; !budget.isSpent(); round++) {
    const property = fc.property(arbitrary, (program) => {
      if (budget.isSpent()) return;
      const behaviour = search(target, program, effortFor(EXECUTIONS_PER_PROGRAM), {
        checks: checkHistory,
        timers: 'idle',
        maxSteps: STEPS_PER_EXECUTION,
        strategy: 'dpor',
        ignore: [],
        // As in a fuzzing run: a signature is confirmed by replays when it is new.
        uninteresting: (signature) => known.has(signature),
      });
      programs++;
      executions += behaviour.executions;
      if (behaviour.complete) complete++;
      for (const { finding } of behaviour.findings) known.add(signatureOf(finding));
    });
    fc.assert(property, { seed: seed * 1000 + round, numRuns: 50 });
  }
  const elapsed = processorSeconds() - started;
  return { programs, complete, executions, findings: known.size, seconds: elapsed };
}

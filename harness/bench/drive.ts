/** Ways of driving one and the same kernel program, each measured over a fixed number of executions. */

import * as fc from 'fast-check';
import { explore } from '../explore/explore.ts';
import { strategyNamed } from '../explore/strategies.ts';
import { NO_OBSERVER, engine, type Scenario } from '../machine/index.ts';
import { Budget, processorSeconds } from './processor.ts';
import { Sanitizers } from '../sanitizers/index.ts';

/** What one way of driving did. */
export interface Measured {
  readonly executions: number;
  readonly steps: number;
  /** Steps, and the operations of init and exit. */
  readonly operations: number;
  /** Of processor time. */
  readonly seconds: number;
}

/** Executions of a strategy until the time is up, restarted as often as it ends. */
export function driveStrategy(
  scenario: Scenario,
  name: string,
  sanitize: boolean,
  seconds: number,
): Measured {
  engine.observer = sanitize ? new Sanitizers() : NO_OBSERVER;
  const options = { seed: 1, programHash: 1 };
  let executions = 0;
  let steps = 0;
  const before = engine.operations;
  const started = processorSeconds();
  const budget = new Budget(seconds);
  do {
    explore(
      engine,
      scenario,
      strategyNamed(name).make(engine, options),
      () => {
        executions++;
        steps += engine.depth;
      },
      { stop: (n) => n % 64 === 0 && budget.isSpent() },
    );
  } while (!budget.isSpent());
  const operations = engine.operations - before;
  return { executions, steps, operations, seconds: processorSeconds() - started };
}

/**
 * The same program with fast-check's scheduler() choosing who takes the next step. Every run builds its state anew, as
 * there is no other way to start from a known one with it.
 */
export async function driveFastCheck(scenario: Scenario, seconds: number): Promise<Measured> {
  engine.observer = NO_OBSERVER;
  let executions = 0;
  let steps = 0;
  const before = engine.operations;
  const started = processorSeconds();
  const property = fc.asyncProperty(fc.scheduler(), async (s) => {
    engine.open(scenario);
    const thread = async (t: number): Promise<void> => {
      while (engine.isLive(t)) {
        await s.schedule(Promise.resolve());
        if (engine.isLive(t) && engine.isEnabled(t)) engine.stepThread(t);
        else if (!anyEnabled()) return;
      }
    };
    const all = Array.from({ length: scenario.threads }, (_, t) => thread(t));
    await s.waitFor(Promise.all(all));
    executions++;
    steps += engine.depth;
  });
  const budget = new Budget(seconds);
  for (let seed = 1; !budget.isSpent(); seed++) await fc.check(property, { seed, numRuns: 50 });
  const operations = engine.operations - before;
  return { executions, steps, operations, seconds: processorSeconds() - started };
}

function anyEnabled(): boolean {
  for (let t = 0; t < engine.width; t++) if (engine.isLive(t) && engine.isEnabled(t)) return true;
  return false;
}

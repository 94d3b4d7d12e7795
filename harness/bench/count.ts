/** How many executions a strategy needs for a program, and how long they take. */

import { explore } from '../explore/explore.ts';
import { strategyNamed } from '../explore/strategies.ts';
import { signatureOf } from '../history/history.ts';
import { NO_OBSERVER, engine, type Scenario } from '../machine/index.ts';
import { Sanitizers } from '../sanitizers/index.ts';
import type { CountOrder } from './orders.ts';
import { Budget, processorSeconds } from './processor.ts';

/** What a strategy did until it had nothing left to do, or met a limit. */
export interface Counted {
  /** Nothing was left to explore. */
  readonly isComplete: boolean;
  /** Executions that ran to their end, and those that were given up on the way. */
  readonly completed: number;
  readonly abandoned: number;
  /** Of the completed ones, those in which a thread is left that cannot go on. */
  readonly hung: number;
  /** Signatures of what the sanitizers found. */
  readonly findings: readonly string[];
  /** Of processor time. */
  readonly seconds: number;
}

/** A program that is done sooner is explored again and again for so many seconds: the mean counts. */
const ENOUGH = 0.15;

/** Explores the scenario as ordered. */
export function count(scenario: Scenario, order: CountOrder): Counted {
  const counted = countOnce(scenario, order);
  if (!counted.isComplete || counted.seconds > ENOUGH) return counted;
  // The first time is that of code that is not compiled yet.
  let rounds = 0;
  const started = processorSeconds();
  while (rounds === 0 || processorSeconds() - started < ENOUGH) {
    countOnce(scenario, order);
    rounds++;
  }
  return { ...counted, seconds: (processorSeconds() - started) / rounds };
}

/** Explores it once. */
export function countOnce(scenario: Scenario, order: CountOrder): Counted {
  const sanitizers = order.sanitize ? new Sanitizers() : null;
  engine.observer = sanitizers ?? NO_OBSERVER;
  const findings = new Set<string>();
  let [completed, abandoned, hung] = [0, 0, 0];
  const started = processorSeconds();
  const budget = new Budget(order.seconds);
  const end = explore(
    engine,
    scenario,
    strategyNamed(order.strategy).make(engine, { seed: 1, programHash: 1 }),
    (reason) => {
      if (reason === 'abandoned') abandoned++;
      else completed++;
      if (reason === 'blocked') hung++;
      for (const finding of sanitizers?.findings() ?? []) findings.add(signatureOf(finding));
    },
    { executions: order.most, stop: (n) => n % 64 === 0 && budget.isSpent() },
  );
  const seconds = processorSeconds() - started;
  const isComplete = end === 'exhausted';
  return { isComplete, completed, abandoned, hung, findings: [...findings], seconds };
}

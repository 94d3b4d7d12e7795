/** The loop that every strategy shares. */

import type { EndReason, Engine, Scenario, Strategy } from '../machine/engine.ts';

export interface ExploreLimits {
  /** Executions at most. */
  readonly executions?: number;
  /** Asked after each execution; true ends the exploration. */
  readonly stop?: (executions: number) => boolean;
}

export type ExploreEnd = 'exhausted' | 'executions' | 'stopped';

/** Runs the scenario under the strategy until nothing is left or a limit is met; `each` sees every execution. */
export function explore(
  engine: Engine,
  scenario: Scenario,
  strategy: Strategy,
  each: (end: EndReason) => void,
  limits: ExploreLimits = {},
): ExploreEnd {
  const most = limits.executions ?? Infinity;
  engine.forget();
  let n = 0;
  while (strategy.begin()) {
    if (n >= most) return 'executions';
    const end = engine.execute(scenario, strategy, strategy.keep ?? 0);
    n++;
    each(end);
    strategy.end();
    if (limits.stop !== undefined && limits.stop(n)) return 'stopped';
  }
  return 'exhausted';
}

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
  const whole = new Exploring(engine, scenario, strategy, each, limits);
  for (;;) {
    const end = whole.go(Infinity);
    if (end !== 'paused') return end;
  }
}

/** Executions between two pauses: some milliseconds. */
const SLICE = 32;

/** The same, for who must see to other things now and then: each `next` is some executions. */
export function* exploreInSlices(
  engine: Engine,
  scenario: Scenario,
  strategy: Strategy,
  each: (end: EndReason) => void,
  limits: ExploreLimits,
): Generator<undefined, ExploreEnd> {
  const whole = new Exploring(engine, scenario, strategy, each, limits);
  for (;;) {
    const end = whole.go(SLICE);
    if (end !== 'paused') return end;
    yield;
  }
}

/** An exploration and how far it is. */
class Exploring {
  private n = 0;
  private readonly engine: Engine;
  private readonly scenario: Scenario;
  private readonly strategy: Strategy;
  private readonly each: (end: EndReason) => void;
  private readonly limits: ExploreLimits;

  constructor(
    engine: Engine,
    scenario: Scenario,
    strategy: Strategy,
    each: (end: EndReason) => void,
    limits: ExploreLimits,
  ) {
    engine.forget();
    this.engine = engine;
    this.scenario = scenario;
    this.strategy = strategy;
    this.each = each;
    this.limits = limits;
  }

  /** So many executions at most. */
  go(slice: number): ExploreEnd | 'paused' {
    const { engine, scenario, strategy, each, limits } = this;
    const most = limits.executions ?? Infinity;
    const until = this.n + slice;
    while (this.n < until) {
      if (!strategy.begin()) return 'exhausted';
      if (this.n >= most) return 'executions';
      const end = engine.execute(scenario, strategy, strategy.keep ?? 0);
      this.n++;
      each(end);
      strategy.end();
      if (limits.stop !== undefined && limits.stop(this.n)) return 'stopped';
    }
    return 'paused';
  }
}

/** The strategies by name: one table for the command line, the lists and the targets. */

import type { Engine, Strategy } from '../machine/engine.ts';
import { Dfs } from './dfs.ts';
import { Dpor } from './dpor.ts';
import { Pct } from './pct.ts';
import { Portfolio } from './portfolio.ts';
import { Pos } from './pos.ts';
import { RandomWalk } from './random.ts';
import { SleepSets } from './sleep-sets.ts';
import { SourceDpor } from './source-dpor.ts';

export interface StrategyOptions {
  readonly seed: number;
  readonly programHash: number;
  /** Preemption bound, for dfs. */
  readonly preemptions?: number;
}

export interface StrategyEntry {
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  /** Ends by itself when everything was visited. */
  readonly exhaustive: boolean;
  readonly make: (engine: Engine, options: StrategyOptions) => Strategy;
}

export const STRATEGIES: readonly StrategyEntry[] = [
  {
    name: 'dpor',
    title: 'optimal DPOR with wakeup trees: every Mazurkiewicz trace exactly once (the default)',
    exhaustive: true,
    make: (engine) => new Dpor(engine),
  },
  {
    name: 'dfs',
    title: 'every interleaving, or those within --preemptions: no reduction',
    exhaustive: true,
    make: (engine, { preemptions }) =>
      new Dfs(engine, preemptions === undefined ? {} : { preemptions }),
  },
  {
    name: 'source-dpor',
    title: 'source-DPOR: every trace once as well, and some executions that are abandoned',
    exhaustive: true,
    make: (engine) => new SourceDpor(engine),
  },
  {
    name: 'sleep-sets',
    title: 'sleep sets alone: every trace once, and many executions that are abandoned',
    exhaustive: true,
    make: (engine) => new SleepSets(engine),
  },
  {
    name: 'random',
    title: 'random walk: uniform among the enabled threads',
    exhaustive: false,
    make: (engine, { seed, programHash }) => new RandomWalk(engine, { seed, programHash }),
  },
  {
    name: 'pct',
    title: 'PCT(3): random priorities with two change points',
    exhaustive: false,
    make: (engine, { seed, programHash }) => new Pct(engine, { seed, programHash, depth: 3 }),
  },
  {
    name: 'pos',
    title: 'partial order sampling: random priorities of operations, redrawn where they conflict',
    exhaustive: false,
    make: (engine, { seed, programHash }) => new Pos(engine, { seed, programHash }),
  },
  {
    name: 'portfolio',
    title: 'of ten runs six by pos, three by PCT(3) or PCT(5), one random walk',
    exhaustive: false,
    make: (engine, { seed, programHash }) => new Portfolio(engine, { seed, programHash }),
  },
];

/** The strategy of that name; throws a RangeError that lists the names. */
export function strategyNamed(name: string): StrategyEntry {
  const entry = STRATEGIES.find((s) => s.name === name);
  if (entry !== undefined) return entry;
  const names = STRATEGIES.map((s) => s.name).join(', ');
  throw new RangeError(`Cannot use strategy "${name}"; there are: ${names}`);
}

/**
 * A portfolio of random strategies: no single one is best on every program, so runs are dealt out to several of them
 * (exploration.md 10).
 */

import type { Engine, Strategy } from '../machine/engine.ts';
import { Pct } from './pct.ts';
import { Pos } from './pos.ts';
import { RandomWalk, type SamplingOptions } from './random.ts';

/** Of twenty runs: POS twelve, PCT(3) and PCT(5) three each, the random walk two. */
const SHARES: readonly number[] = [12, 3, 3, 2];

/** Partial order sampling 60 %, PCT(3) and PCT(5) 15 % each, random walk 10 %, spread evenly over the runs. */
export class Portfolio implements Strategy {
  private readonly engine: Engine;
  private readonly members: readonly Strategy[];
  private readonly pcts: readonly Pct[];
  private readonly turns = turnsOf(SHARES);
  private current: Strategy;
  private run = 0;

  constructor(engine: Engine, options: SamplingOptions) {
    this.engine = engine;
    this.pcts = [3, 5].map((depth) => new Pct(engine, { ...options, depth }));
    this.members = [new Pos(engine, options), ...this.pcts, new RandomWalk(engine, options)];
    this.current = this.members[0];
  }

  begin(): boolean {
    this.current = this.members[this.turns[this.run++ % this.turns.length]];
    return this.current.begin();
  }

  pick(): number {
    return this.current.pick();
  }

  alternative(t: number, n: number): number {
    return this.current.alternative(t, n);
  }

  recorded(d: number): void {
    this.current.recorded?.(d);
  }

  end(): void {
    this.current.end();
    // How long runs are is worth knowing for those whose turn it was not.
    for (const pct of this.pcts) pct.noteLength(this.engine.depth);
  }
}

/** Whose turn it is, by run: at every time each has had its share to within one run. */
function turnsOf(shares: readonly number[]): readonly number[] {
  const total = shares.reduce((a, b) => a + b, 0);
  const credit = shares.map(() => 0);
  return Array.from({ length: total }, () => {
    for (const [i, share] of shares.entries()) credit[i] += share;
    const turn = credit.indexOf(Math.max(...credit));
    credit[turn] -= total;
    return turn;
  });
}

/**
 * Which of several failing traces is told (exploration.md 12.2): the one with the fewest switches, then events, then
 * threads. A rank depends on the trace alone, so whoever comes to it, by whatever strategy, takes the same one.
 */

import type { EventLog } from '../machine/log.ts';
import {
  fewestSwitches,
  switchesAtLeast,
  threadsInvolved,
  type Demand,
  type Linearisation,
} from './minimise.ts';

export interface Rank {
  /** The fewest over the orders of the trace. */
  readonly switches: number;
  readonly events: number;
  readonly threads: number;
  /** Hash of the trace: decides between equals. */
  readonly trace: number;
  /** False if the switches are only the fewest that were found. */
  readonly exact: boolean;
}

/** Negative if a is better. */
export function compareRanks(a: Omit<Rank, 'exact'>, b: Omit<Rank, 'exact'>): number {
  return (
    a.switches - b.switches || a.events - b.events || a.threads - b.threads || a.trace - b.trace
  );
}

/** Ranks of the execution in the log; what several findings of one execution need is computed once. */
export class Ranker {
  private readonly log: EventLog;
  private trace = 0;
  private threads = 0;
  /** No order has fewer. */
  private least = -1;
  private fewest: Linearisation | null = null;
  /** Whether there was too much to look at, so that a rank was only guessed. */
  guessed = false;

  constructor(log: EventLog) {
    this.log = log;
  }

  /** To be called for every execution, before it is ranked. */
  begin(trace: number): void {
    this.trace = trace;
    this.least = -1;
    this.fewest = null;
    this.guessed = false;
  }

  /** The rank of the execution if it is below that one, else null. */
  below(best: Rank | null, demand: Demand | null): Rank | null {
    const { log, trace } = this;
    if (this.least < 0) {
      this.least = switchesAtLeast(log);
      this.threads = threadsInvolved(log);
    }
    const of = { events: log.length, threads: this.threads, trace };
    if (best !== null && compareRanks({ ...of, switches: this.least }, best) >= 0) return null;
    const found = this.search(best?.switches ?? Infinity, demand);
    if (found === null) return null;
    this.guessed ||= !found.exact;
    const rank = { ...of, switches: found.switches, exact: found.exact };
    return best === null || compareRanks(rank, best) < 0 ? rank : null;
  }

  private search(most: number, demand: Demand | null): Linearisation | null {
    if (demand !== null) return fewestSwitches(this.log, demand, most);
    this.fewest ??= fewestSwitches(this.log, null, most);
    if (this.fewest === null) this.least = most + 1;
    else if (this.fewest.exact) this.least = this.fewest.switches;
    return this.fewest;
  }
}

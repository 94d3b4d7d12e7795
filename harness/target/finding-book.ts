/** The findings of an exploration: of each signature the best trace that shows it, and how often it was seen. */

import { compareRanks, type Rank, type Ranker } from '../explore/rank.ts';
import { signatureOf, type History } from '../history/history.ts';
import type { SanitizerFinding } from '../sanitizers/index.ts';
import { sum, type FindingSighting } from './part.ts';

/** A finding in one trace. */
export interface Noted {
  readonly finding: SanitizerFinding;
  readonly schedule: string;
  readonly history: History;
  readonly rank: Rank;
}

interface Entry {
  /** Nobody wants to hear of it: it is counted, and that is all. */
  readonly muted: boolean;
  times: number;
  /** Number of the execution that met it first; 0 where there were several explorers, who have no common order. */
  since: number;
  /** The best trace that goes wrong by itself in the order in which it was run. */
  shown: Noted | null;
  /** The best trace in which another order would. */
  predicted: Noted | null;
  /** Whether no trace could have been better without being noticed. */
  exact: boolean;
}

/** A signature with what is to be confirmed, the best first. */
export interface Candidates {
  readonly signature: string;
  readonly times: number;
  readonly since: number;
  readonly noted: readonly Noted[];
  readonly exact: boolean;
}

export class FindingBook {
  private readonly entries = new Map<string, Entry>();
  private readonly ranker: Ranker;
  private readonly mute: (signature: string) => boolean;

  /** `mute` says of a signature, once, that nobody wants to hear of it. */
  constructor(ranker: Ranker, mute: (signature: string) => boolean = () => false) {
    this.ranker = ranker;
    this.mute = mute;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Enters a finding of the execution that the ranker was begun for; true if its signature is new. */
  note(
    finding: SanitizerFinding,
    history: History,
    execution: number,
    token: () => string,
  ): boolean {
    const signature = signatureOf(finding);
    const known = this.entries.get(signature);
    const entry = known ?? {
      muted: this.mute(signature),
      times: 0,
      since: execution,
      shown: null,
      predicted: null,
      exact: true,
    };
    if (known === undefined) this.entries.set(signature, entry);
    entry.times++;
    if (entry.muted) return known === undefined;
    const place = finding.predicted === undefined ? 'shown' : 'predicted';
    const rank = this.ranker.below(entry[place]?.rank ?? null, finding.demand ?? null);
    if (this.ranker.guessed) entry.exact = false;
    if (rank !== null) entry[place] = { finding, schedule: token(), history, rank };
    return known === undefined;
  }

  /** In order of discovery. */
  signatures(): string[] {
    return [...this.entries.keys()];
  }

  /** By signature. */
  candidates(): Candidates[] {
    const heard = [...this.entries].filter(([, { muted }]) => !muted);
    const all = heard.sort(([a], [b]) => (a < b ? -1 : 1));
    return all.map(([signature, { times, since, shown, predicted, exact }]) => {
      const noted = [shown, predicted].filter((one) => one !== null);
      noted.sort((a, b) => compareRanks(a.rank, b.rank));
      return { signature, times, since, noted, exact };
    });
  }

  sightings(): FindingSighting[] {
    return [...this.entries].flatMap(([key, { times, shown, predicted, exact }]) => {
      const all: FindingSighting[] = [];
      for (const [one, isPredicted] of [
        [shown, false],
        [predicted, true],
      ] as const)
        if (one !== null)
          all.push({
            key,
            times: all.length === 0 ? times : 0,
            schedule: one.schedule,
            rank: { ...one.rank, exact },
            predicted: isPredicted,
          });
      return all;
    });
  }

  /** How often each was seen, and how well looked at, by all explorers together. */
  recount(sightings: readonly FindingSighting[]): void {
    for (const [key, entry] of this.entries) {
      const own = sightings.filter((one) => one.key === key);
      entry.since = 0;
      entry.times = Math.max(1, sum(own.map((one) => one.times)));
      entry.exact &&= own.every((one) => one.rank.exact);
    }
  }
}

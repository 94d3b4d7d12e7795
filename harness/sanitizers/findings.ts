/** What a sanitizer hands over, and the list of one execution. */

import type { Finding } from '../history/history.ts';

/** A finding of a sanitizer, with what an explorer needs to make the best of it. */
export interface SanitizerFinding extends Finding {
  /**
   * The run went well, but an equivalent order of its events goes wrong: `afterEvent` is the position of the
   * event that touches the object, `mustPrecede` that of the event after which the object is freed. Neither
   * happens before the other, so a run in which the second (and what it needs) stands before the first exists.
   */
  readonly predicted?: { readonly afterEvent: number; readonly mustPrecede: number };
  /** Events that come in this order in every run that goes wrong by itself, though nothing may order them. */
  readonly demand?: { readonly first: number; readonly second: number };
  /** Lock order and usage only: part of the evidence is from earlier executions, so no single run shows it. */
  readonly acrossRuns?: true;
}

/** Details of a finding beyond its signature and sentence. */
export type FindingDetail = Pick<SanitizerFinding, 'predicted' | 'demand' | 'acrossRuns'>;

/** The findings of one execution: one per detector and site, the first to come. */
export class FindingList {
  private list: SanitizerFinding[] = [];

  /** Starts a new list; a list that was handed out stays as it is. */
  clear(): void {
    if (this.list.length > 0) this.list = [];
  }

  has(detector: string, site: string): boolean {
    return this.list.some((f) => f.detector === detector && f.site === site);
  }

  /** Adds a finding unless its signature is there. `steps` are event positions, the decisive one last. */
  add(
    detector: string,
    site: string,
    message: string,
    steps: readonly number[],
    detail: FindingDetail = {},
  ): void {
    if (this.has(detector, site)) return;
    this.list.push({ detector, site, message, steps: steps.filter((d) => d >= 0), ...detail });
  }

  all(): readonly SanitizerFinding[] {
    return this.list;
  }
}

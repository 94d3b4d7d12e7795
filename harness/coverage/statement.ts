/** What was covered, in numbers. */

import { FEATURE_KINDS, kindOf, reversed, type FeatureKind } from './feature.ts';

/** How many features of each kind, of how many pairs both orders, and how many different sets of outcomes. */
export interface CoverageCounts {
  readonly features: Readonly<Record<FeatureKind, number>>;
  /** Racing pairs of which both orders were seen; a pair counts once. */
  readonly bothOrders: number;
  readonly outcomeSets: number;
}

/** Counts features; two ways round of one pair are two racing pairs, and one of `bothOrders`. */
export function countFeatures(features: ReadonlySet<string>, outcomeSets: number): CoverageCounts {
  const counts = { ...NOTHING };
  let both = 0;
  for (const feature of features) {
    const kind = kindOf(feature);
    if (kind === null) continue;
    counts[kind] += 1;
    if (kind !== 'race') continue;
    const other = reversed(feature);
    // One of the two counts for both; a place that races with itself is its own other way round.
    if (other !== null && other <= feature && features.has(other)) both += 1;
  }
  return { features: counts, bothOrders: both, outcomeSets };
}

const NOTHING: Readonly<Record<FeatureKind, number>> = {
  site: 0,
  race: 0,
  order: 0,
  blocked: 0,
  sleep: 0,
  wake: 0,
  timer: 0,
  result: 0,
  finding: 0,
};

/** `sites 143, racing pairs 87 (both orders 61), lock-order edges 12, ...; outcome sets 411`. */
export function coverageText({ features, bothOrders, outcomeSets }: CoverageCounts): string {
  const parts = Object.entries(FEATURE_KINDS).map(([kind, name]) => {
    // The keys of the table are the kinds.
    const count = features[kind as FeatureKind];
    return `${name} ${count}${kind === 'race' ? ` (both orders ${bothOrders})` : ''}`;
  });
  return `${parts.join(', ')}, outcome sets ${outcomeSets}`;
}

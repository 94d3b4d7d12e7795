/** What one of several explorers of a program saw, as plain data: it goes between threads, and to disk. */

import { compareRanks, type Rank } from '../explore/rank.ts';

/** An outcome that was seen, how often, and the schedule of the least trace that shows it. */
export interface Sighting {
  readonly key: string;
  readonly times: number;
  readonly schedule: string;
  readonly order: number;
}

/** A finding: the best trace that shows it by itself, or (another sighting) the best from which it follows. */
export interface FindingSighting {
  readonly key: string;
  readonly times: number;
  readonly schedule: string;
  readonly rank: Rank;
  readonly predicted: boolean;
}

export interface Part {
  readonly executions: number;
  readonly outOfSteps: number;
  readonly outcomes: readonly Sighting[];
  readonly findings: readonly FindingSighting[];
  /** Schedules of runs in which lockdep learnt something: a circle can have links from several explorers. */
  readonly lessons: readonly string[];
  /** Schedules of executions that did not come to an end. */
  readonly endless?: readonly string[];
  readonly broken?: string;
}

/** Endless executions that are looked into. */
const ENDLESS = 3;

/** Those of several that are looked into: which they are does not depend on who met them. */
export function leastOf(endless: readonly string[]): string[] {
  return [...new Set(endless)]
    .sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
    .slice(0, ENDLESS);
}

/** What several parts say together. */
export function mergeParts(parts: readonly Part[]): Part {
  const broken = parts.find((part) => part.broken !== undefined)?.broken;
  return {
    executions: sum(parts.map((part) => part.executions)),
    outOfSteps: sum(parts.map((part) => part.outOfSteps)),
    outcomes: mergeSightings(
      parts.flatMap((part) => part.outcomes),
      (one) => one.key,
      (one, other) => (one.order < other.order ? one : other),
    ),
    findings: mergeSightings(
      parts.flatMap((part) => part.findings),
      (one) => `${one.predicted ? '?' : '!'}${one.key}`,
      betterOf,
    ),
    lessons: [...new Set(parts.flatMap((part) => part.lessons))],
    endless: leastOf(parts.flatMap((part) => part.endless ?? [])),
    ...(broken === undefined ? {} : { broken }),
  };
}

/** A trace whose order was only guessed casts its doubt on what is kept instead of it. */
function betterOf(one: FindingSighting, other: FindingSighting): FindingSighting {
  const best = compareRanks(one.rank, other.rank) <= 0 ? one : other;
  return { ...best, rank: { ...best.rank, exact: one.rank.exact && other.rank.exact } };
}

function mergeSightings<T extends { readonly times: number }>(
  all: readonly T[],
  keyOf: (one: T) => string,
  choose: (one: T, other: T) => T,
): T[] {
  const byKey = new Map<string, T>();
  for (const one of all) {
    const other = byKey.get(keyOf(one));
    byKey.set(
      keyOf(one),
      other === undefined ? one : { ...choose(one, other), times: one.times + other.times },
    );
  }
  return [...byKey.values()];
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

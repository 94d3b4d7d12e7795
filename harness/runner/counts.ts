/**
 * Pinned numbers of traces: how many each case has on each model kernel when it is explored to the end. A change in
 * the steps of a model shows up here, whether or not it changes what the cases expect.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { RunReport } from './result.ts';
import { messageOf, UsageError } from './usage-error.ts';

/** Traces by case, row and target: `bugs/E-B02 model:2.6.20`. */
export type Counts = Readonly<Record<string, number>>;

/** The numbers of every complete exploration in a report, in the order of their names. */
export function countsOf(report: RunReport): Counts {
  const found: [string, number][] = [];
  for (const { runs } of report.cases)
    for (const { caseId, row, target, coverage } of runs) {
      if (coverage === undefined || !coverage.complete || target === 'host') continue;
      const name = row === '' ? caseId : `${caseId}/${row}`;
      found.push([`${name} ${target.replace(/^model:/, '')}`, coverage.traces]);
    }
  found.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(found);
}

/** Reads a file of counts; throws a UsageError of one line. */
export function readCounts(path: string): Counts {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const isCounts =
      typeof value === 'object' &&
      value !== null &&
      Object.values(value).every((count) => Number.isInteger(count));
    // Every value has been looked at.
    if (isCounts) return value as Counts;
  } catch (thrown) {
    throw new UsageError(`Cannot read counts from ${path}: ${messageOf(thrown)}`);
  }
  throw new UsageError(`Cannot read counts from ${path}: an object of whole numbers is wanted`);
}

/** One line for each number that is not what was pinned, and how many are not pinned at all. */
export function compareCounts(
  now: Counts,
  pinned: Counts,
): { readonly changed: readonly string[]; readonly unpinned: number } {
  const changed: string[] = [];
  let unpinned = 0;
  for (const [name, count] of Object.entries(now)) {
    const was = pinned[name];
    if (was === undefined) unpinned += 1;
    else if (was !== count) changed.push(`${name}: ${count} traces, ${was} are pinned`);
  }
  return { changed, unpinned };
}

/** Pins what a report has; what it does not speak of stays as it was. */
export function pinCounts(path: string, now: Counts, before: Counts): void {
  const all = Object.entries({ ...before, ...now }).sort(([a], [b]) => (a < b ? -1 : 1));
  const next = `${path}.next`;
  writeFileSync(next, `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`);
  renameSync(next, path);
}

/**
 * Pinned numbers of traces: how many each case has on each model kernel when it is explored to the end. A change in
 * the steps of a model shows up here, whether or not it changes what the cases expect.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Coverage, RunReport } from './result.ts';
import { messageOf, UsageError } from './usage-error.ts';

/** Traces by case, row and target: `bugs/E-B02 model:2.6.20`. */
export type Counts = Readonly<Record<string, number>>;

/** The numbers of every complete exploration in a report, in the order of their names. */
export function countsOf(report: RunReport): Counts {
  const complete = explored(report).filter(([, coverage]) => coverage.complete);
  return Object.fromEntries(complete.map(([name, { traces }]) => [name, traces]));
}

/** The explorations of a report, in the order of their names. */
function explored(report: RunReport): [string, Coverage][] {
  const found: [string, Coverage][] = [];
  for (const { runs } of report.cases)
    for (const { caseId, row, target, coverage } of runs) {
      if (coverage === undefined || target === 'host') continue;
      const name = row === '' ? caseId : `${caseId}/${row}`;
      found.push([`${name} ${target.replace(/^model:/, '')}`, coverage]);
    }
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
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

/**
 * One line for each number that is not what was pinned, or is not known any more because the exploration met a bound,
 * and how many are not pinned at all.
 */
export function compareCounts(
  report: RunReport,
  pinned: Counts,
): { readonly changed: readonly string[]; readonly unpinned: number } {
  const changed: string[] = [];
  let unpinned = 0;
  for (const [name, { complete, traces }] of explored(report)) {
    const was = pinned[name];
    if (was === undefined) unpinned += complete ? 1 : 0;
    else if (!complete) changed.push(`${name}: not explored to the end, ${was} traces are pinned`);
    else if (was !== traces) changed.push(`${name}: ${traces} traces, ${was} are pinned`);
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

/** Arbitraries of schedules, as who runs for how long; their text form is another's. */

import * as fc from 'fast-check';

/** Thread (from 0) and how many steps it runs, at least 1. */
export type ScheduleRun = readonly [thread: number, steps: number];

/** Up to `runs` stretches over that many threads; neighbours are different threads. They shrink to fewer switches. */
export function arbitrarySchedule(options: {
  readonly threads: number;
  readonly runs?: number;
  readonly stepsPerRun?: number;
}): fc.Arbitrary<readonly ScheduleRun[]> {
  const { threads, runs = 12, stepsPerRun = 30 } = options;
  const run = fc.tuple(fc.nat({ max: threads - 1 }), fc.integer({ min: 1, max: stepsPerRun }));
  return fc.array(run, { maxLength: runs }).map(joinNeighbours);
}

function joinNeighbours(runs: readonly ScheduleRun[]): readonly ScheduleRun[] {
  const joined: ScheduleRun[] = [];
  for (const [thread, steps] of runs) {
    const last = joined.at(-1);
    if (last !== undefined && last[0] === thread)
      joined[joined.length - 1] = [thread, last[1] + steps];
    else joined.push([thread, steps]);
  }
  return joined;
}

/**
 * What becomes of an execution that did not come to an end: if it goes round in a circle, that is a finding with a
 * schedule that shows the circle a few times.
 *
 * A circle that every thread takes part in, or can do nothing about, is a livelock: nothing ends it. Where others could
 * have gone on, threads are made to take turns from several places of the execution on: if that goes round in a circle
 * too, it is the livelock that is shown; if not, the loop is one that never sleeps while it waits for others, a soft
 * lockup.
 */

import { explore } from '../explore/explore.ts';
import { FairTail } from '../explore/fair-tail.ts';
import { formatSchedule, parseSchedule, scheduleOf, type Schedule } from '../explore/token.ts';
import type { Cycle } from '../machine/cycle.ts';
import { NO_OBSERVER, engine, type Scenario } from '../machine/index.ts';
import type { SanitizerFinding } from '../sanitizers/index.ts';

/** A scenario that counts the calls that have returned: getting something done is no circle. */
export interface Endless extends Scenario {
  returned(): number;
}

/** Rounds that a schedule shows: what its replay asks for. */
const SHOWN_ROUNDS = 3;

/** Steps that a thread goes on for when all take turns: each makes another rhythm. */
const QUANTA = [1, 2, 3, 5];

/** Places up to the second round at which taking turns is tried to begin. */
const TURNS = 12;

/**
 * The schedule of a circle that the endless execution of this schedule comes to; null if it comes to none, or to one at
 * a site that is `known`.
 */
export function scheduleOfCycle(
  run: Endless,
  token: string,
  known: (site: string) => boolean,
): string | null {
  const schedule = parseSchedule(token);
  const found = follow(run, schedule, schedule.threads.length - 1, 1);
  // Which of the two detectors it is takes far longer to find out than that there is a circle.
  if (found === null || known(siteOf(found))) return null;
  const first = cut(schedule.programHash, found);
  if (!isUnfair(found)) return first;
  const most = found.start + 2 * found.length;
  for (let steps = 0; steps <= most; steps += Math.max(1, Math.ceil(most / TURNS)))
    for (const quantum of QUANTA) {
      const other = follow(run, schedule, steps, quantum);
      if (other !== null && !isUnfair(other)) return cut(schedule.programHash, other);
    }
  return first;
}

function follow(run: Endless, schedule: Schedule, steps: number, quantum: number): Cycle | null {
  const tail = new FairTail(engine, schedule, steps, quantum, () => run.returned());
  const { observer } = engine;
  engine.observer = NO_OBSERVER;
  explore(engine, run, tail, () => undefined);
  engine.observer = observer;
  return tail.cycle;
}

/** The log up to so many rounds of the circle at its end. */
function cut(hash: string, cycle: Cycle): string {
  const { threads, choices } = scheduleOf(engine.log, hash);
  const length = cycle.start + SHOWN_ROUNDS * cycle.length;
  const made = engine.log.alts.subarray(0, length).filter((alts) => alts > 1).length;
  return formatSchedule({
    programHash: hash,
    threads: threads.slice(0, length),
    choices: choices.slice(0, made),
    check: null,
  });
}

/** Somebody else could go on, or time could: a timer goes off when nothing else can. */
function isUnfair(cycle: Cycle): boolean {
  return cycle.waiting.length > 0 || cycle.isTimed;
}

function siteOf({ threads }: Cycle): string {
  return [...new Set(threads.map(({ sites }) => [...sites].sort()[0]))].sort().join(' / ');
}

/** The circle at the end of a replayed run as a finding. */
export function cycleFinding(cycle: Cycle): SanitizerFinding {
  const name = (t: number): string => engine.threadName[t];
  const rounds = cycle.threads.map(({ thread, sites }) => {
    const kinds = `${sites.length} step${sites.length === 1 ? '' : 's'}`;
    return `${name(thread)} ${kinds} (${[...new Set(sites)].join(', ')})`;
  });
  const others = cycle.waiting.map(name).join(' and ');
  const until = others === '' ? 'a timer goes off' : `${others} has changed something`;
  const unfair = isUnfair(cycle);
  const what = unfair
    ? `goes round without sleeping until ${until}`
    : 'goes round for ever, and nothing ends it';
  return {
    detector: unfair ? 'SOFT-LOCKUP' : 'LIVELOCK',
    site: siteOf(cycle),
    message: `${rounds.join(', ')}: ${what}; a round of ${cycle.length} steps leaves the state as it was`,
    steps: Array.from({ length: cycle.length }, (_, i) => engine.log.length - cycle.length + i),
  };
}

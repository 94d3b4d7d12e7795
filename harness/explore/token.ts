/**
 * Schedules as one line of text (exploration.md 12.1):
 *
 *     x1:<program hash>:<thread runs>:c=<choices>:h=<check>
 *
 * Thread runs are run-length encoded decisions (`0*7,1,0*2`), choices the alternatives taken in order, check a
 * rolling hash of the operations published. The text does not depend on how the schedule was found.
 */

import type { EventLog } from '../machine/log.ts';
import { MAX_THREADS } from '../machine/op.ts';

export const SCHEDULE_VERSION = 'x1';

export interface Schedule {
  readonly programHash: string;
  /** Thread slot of each step. */
  readonly threads: readonly number[];
  /** Alternatives of the choice points met, in order. */
  readonly choices: readonly number[];
  /** Hash of the operations; null to go without the check. */
  readonly check: string | null;
}

/** The schedule of the execution in the log. */
export function scheduleOf(log: EventLog, programHash: string): Schedule {
  const threads: number[] = [];
  const choices: number[] = [];
  for (let d = 0; d < log.length; d++) {
    threads.push(log.thr[d]);
    if (log.alts[d] > 1) choices.push(log.alt[d]);
  }
  return { programHash, threads, choices, check: hashOperations(log, log.length) };
}

/** Rolling hash of the first n operations, hexadecimal. */
export function hashOperations(log: EventLog, n: number): string {
  let h = 0x811c9dc5;
  for (let d = 0; d < n; d++) {
    h = Math.imul(h ^ log.thr[d], 0x01000193);
    h = Math.imul(h ^ log.kind[d], 0x01000193);
    h = Math.imul(h ^ (log.obj[d] + 1), 0x01000193);
    h = Math.imul(h ^ (log.obj2[d] + 1), 0x01000193);
  }
  return (h >>> 0).toString(16).padStart(8, '0');
}

export function formatSchedule(schedule: Schedule): string {
  const runs: string[] = [];
  const { threads } = schedule;
  for (let i = 0; i < threads.length;) {
    let n = 1;
    while (i + n < threads.length && threads[i + n] === threads[i]) n++;
    runs.push(n === 1 ? String(threads[i]) : `${threads[i]}*${n}`);
    i += n;
  }
  const check = schedule.check === null ? '' : `:h=${schedule.check}`;
  return `${SCHEDULE_VERSION}:${schedule.programHash}:${runs.join(',')}:c=${schedule.choices.join(',')}${check}`;
}

const MAX_STEPS_IN_TEXT = 1_000_000;

/** Reads a schedule; throws SyntaxError with one line that says what is wrong and where. */
export function parseSchedule(text: string): Schedule {
  const fail = (what: string): never => {
    throw new SyntaxError(`Cannot read schedule "${clip(text)}": ${what}`);
  };
  const parts = text.trim().split(':');
  if (parts[0] !== SCHEDULE_VERSION) {
    return fail(
      /^x\d+$/.test(parts[0])
        ? `version ${parts[0]}, this build reads ${SCHEDULE_VERSION}`
        : `it does not begin with "${SCHEDULE_VERSION}:"`,
    );
  }
  if (parts.length < 4 || parts.length > 5) return fail(`${parts.length} fields, expected 4 or 5`);
  const [, programHash, runs, choiceText, checkText] = parts;
  if (!/^[0-9a-f]+$/.test(programHash))
    return fail(`program hash "${programHash}" is not hexadecimal`);
  if (!choiceText.startsWith('c=')) return fail(`field 4 is "${choiceText}", expected "c=..."`);
  if (checkText !== undefined && !/^h=[0-9a-f]+$/.test(checkText))
    return fail(`field 5 is "${checkText}", expected "h=" and a hexadecimal hash`);
  return {
    programHash,
    threads: parseRuns(runs, fail),
    choices: parseChoices(choiceText.slice(2), fail),
    check: checkText === undefined ? null : checkText.slice(2),
  };
}

function parseRuns(text: string, fail: (what: string) => never): number[] {
  const threads: number[] = [];
  if (text === '') return threads;
  for (const run of text.split(',')) {
    const m = /^(\d+)(?:\*(\d+))?$/.exec(run);
    if (m === null) return fail(`thread run "${run}" is not THREAD or THREAD*COUNT`);
    const thread = Number(m[1]);
    const count = m[2] === undefined ? 1 : Number(m[2]);
    if (thread >= MAX_THREADS) return fail(`thread ${m[1]} is beyond ${MAX_THREADS - 1}`);
    if (count === 0) return fail(`thread run "${run}" has no steps`);
    if (threads.length + count > MAX_STEPS_IN_TEXT)
      return fail(`more than ${MAX_STEPS_IN_TEXT} steps`);
    for (let i = 0; i < count; i++) threads.push(thread);
  }
  return threads;
}

function parseChoices(text: string, fail: (what: string) => never): number[] {
  if (text === '') return [];
  return text
    .split(',')
    .map((c) => (/^\d{1,3}$/.test(c) ? Number(c) : fail(`choice "${c}" is not a number`)));
}

function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

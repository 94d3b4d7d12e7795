/**
 * Fewest context switches over the linearisations of one trace (exploration.md 12.2): all of them behave alike,
 * so none has to be run. 0-1 breadth-first search over (events done per thread, last thread).
 */

import type { EventLog } from '../machine/log.ts';
import { MAX_THREADS } from '../machine/op.ts';

const MAX_STATES = 200_000;

/** The events of each thread, in order. */
function perThread(log: EventLog): number[][] {
  const events: number[][] = [];
  for (let t = 0; t < log.width; t++) events.push([]);
  for (let d = 0; d < log.length; d++) events[log.thr[d]].push(d);
  return events;
}

interface State {
  readonly done: readonly number[];
  readonly last: number;
  readonly from: State | null;
}

/** Positions of the log's events in an order of the same trace with the fewest switches that could be found. */
export function fewestSwitches(log: EventLog): number[] {
  const events = perThread(log);
  const total = log.length;
  let now: State[] = [{ done: events.map(() => 0), last: -1, from: null }];
  const seen = new Set<string>();
  let states = 0;
  while (now.length > 0) {
    const later: State[] = [];
    while (now.length > 0) {
      const s = now.pop();
      if (s === undefined) break;
      const key = `${s.last}|${s.done.join(',')}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (++states > MAX_STATES) return greedy(log, events);
      if (s.done.reduce((a, b) => a + b, 0) === total) return orderOf(s, events);
      for (let t = 0; t < events.length; t++) {
        if (!isReady(log, events, s.done, t)) continue;
        const next = advance(s, t);
        if (t === s.last) now.push(next);
        else later.push(next);
      }
    }
    now = later;
  }
  return greedy(log, events);
}

function advance(s: State, t: number): State {
  const done = s.done.slice();
  done[t]++;
  return { done, last: t, from: s };
}

/** Whether everything that happens before the next event of thread t is done. */
function isReady(
  log: EventLog,
  events: readonly number[][],
  done: readonly number[],
  t: number,
): boolean {
  const e = events[t][done[t]];
  if (e === undefined) return false;
  for (let u = 0; u < events.length; u++)
    if (u !== t && log.clk[e * MAX_THREADS + u] > done[u]) return false;
  return true;
}

function orderOf(end: State, events: readonly number[][]): number[] {
  const order: number[] = [];
  for (let s: State | null = end; s !== null && s.from !== null; s = s.from)
    order.push(events[s.last][s.done[s.last] - 1]);
  return order.reverse();
}

/** Stays on a thread as long as its next event is ready. */
function greedy(log: EventLog, events: readonly number[][]): number[] {
  const done = events.map(() => 0);
  const order: number[] = [];
  let t = 0;
  while (order.length < log.length) {
    let turns = 0;
    while (!isReady(log, events, done, t) && turns++ <= events.length) t = (t + 1) % events.length;
    order.push(events[t][done[t]]);
    done[t]++;
  }
  return order;
}

/**
 * An order of the same trace in which event `first` (and what must come before it) runs before everything else:
 * the witness for "this could also have happened before that".
 */
export function witnessOrder(log: EventLog, first: number): number[] {
  const before: number[] = [];
  const after: number[] = [];
  for (let d = 0; d < log.length; d++) {
    if (d === first || (d < first && log.happensBefore(d, first))) before.push(d);
    else after.push(d);
  }
  return [...before, ...after];
}

/** Switches in a list of thread slots. */
export function countSwitches(threads: readonly number[]): number {
  let n = 0;
  for (let i = 1; i < threads.length; i++) if (threads[i] !== threads[i - 1]) n++;
  return n;
}

/**
 * Fewest context switches over the linearisations of one trace (exploration.md 12.2): all of them behave alike, so
 * none has to be run.
 *
 * Who runs may as well run on for as long as its next event is ready: an event that comes earlier in its own thread
 * keeps nobody waiting and costs no switch. So it is only to be decided who comes next, and the search goes over
 * those decisions, breadth first: by number of runs, over (events done per thread).
 */

import type { EventLog } from '../machine/log.ts';
import { MAX_THREADS } from '../machine/op.ts';

/** Two events, by position, that are to come in this order although nothing in the trace demands it. */
export interface Demand {
  readonly first: number;
  readonly second: number;
}

/** An order of the events of one trace. */
export interface Linearisation {
  /** Positions of the log's events. */
  readonly order: readonly number[];
  readonly switches: number;
  /** Whether no order has fewer; false if there was too much to look at. */
  readonly exact: boolean;
}

/** States looked at per number of switches; more are cut, and the answer is only the best that was found. */
const WIDEST = 512;

/** The events of each thread, in order. */
const start = new Int32Array(MAX_THREADS);
const count = new Int32Array(MAX_THREADS);
let at = new Int32Array(1024);
/** Threads that have events, in order. */
const busy = new Int32Array(MAX_THREADS);
let busyCount = 0;

function load(log: EventLog): void {
  if (at.length < log.length) at = new Int32Array(log.length * 2);
  count.fill(0);
  for (let d = 0; d < log.length; d++) count[log.thr[d]]++;
  busyCount = 0;
  let from = 0;
  for (let t = 0; t < log.width; t++) {
    start[t] = from;
    from += count[t];
    if (count[t] > 0) busy[busyCount++] = t;
  }
  for (let d = 0; d < log.length; d++) at[start[log.thr[d]] + log.idx[d] - 1] = d;
}

/** Threads that had a part in the execution in the log. */
export function threadsInvolved(log: EventLog): number {
  let mask = 0;
  for (let d = 0; d < log.length; d++) mask |= 1 << log.thr[d];
  let n = 0;
  for (; mask !== 0; mask &= mask - 1) n++;
  return n;
}

/**
 * Switches that every order of the trace has, cheaply: a run of a thread ends where its next event needs another
 * thread's that needs the first event of the run.
 */
export function switchesAtLeast(log: EventLog): number {
  load(log);
  let runs = 0;
  for (let i = 0; i < busyCount; i++) {
    const t = busy[i];
    runs++;
    let first = 1;
    for (let j = 1; j <= count[t]; j++) {
      const row = at[start[t] + j - 1] * MAX_THREADS;
      for (let k = 0; k < busyCount; k++) {
        const u = busy[k];
        const needed = u === t ? 0 : log.clk[row + u];
        if (needed === 0 || log.clk[at[start[u] + needed - 1] * MAX_THREADS + t] < first) continue;
        runs++;
        first = j;
        break;
      }
    }
  }
  return Math.max(0, runs - 1);
}

// States of the search: events done per thread, the state before, and who ran between them.
let done = new Int32Array(1024 * MAX_THREADS);
let from = new Int32Array(1024);
let who = new Uint8Array(1024);
let states = 0;

function room(): void {
  if (states + 1 < from.length) return;
  const moreDone = new Int32Array(done.length * 2);
  moreDone.set(done);
  done = moreDone;
  const moreFrom = new Int32Array(from.length * 2);
  moreFrom.set(from);
  from = moreFrom;
  const moreWho = new Uint8Array(who.length * 2);
  moreWho.set(who);
  who = moreWho;
}

/**
 * The order of the log's trace with the fewest switches, among those that meet the demand; null if that certainly
 * takes more than `most`. A function of the trace alone: whichever of its orders is in the log, the answer is the same one.
 */
export function fewestSwitches(
  log: EventLog,
  demand: Demand | null = null,
  most = Infinity,
): Linearisation | null {
  load(log);
  const wanted = demand !== null && isOpen(log, demand) ? demand : null;
  states = 1;
  room();
  done.fill(0, 0, MAX_THREADS);
  from[0] = -1;
  let exact = true;
  let layer = 0;
  for (let switches = -1; ; switches++) {
    if (switches >= 0 && isAll(log, states - 1))
      return { order: orderTo(states - 1), switches, exact };
    if (log.length === 0) return { order: [], switches: 0, exact };
    if (switches >= most && exact) return null;
    const end = states;
    exact = expand(log, layer, end, wanted) && exact;
    // What nobody can go on with was never an execution.
    if (states === end) return null;
    layer = end;
  }
}

/** Whether some orders of the trace meet the demand and some may not. */
function isOpen(log: EventLog, { first, second }: Demand): boolean {
  return log.thr[first] !== log.thr[second] && !log.happensBefore(second, first);
}

/** Adds the states one run further than those from `layer` to `end`; false if there were too many. */
function expand(log: EventLog, layer: number, end: number, demand: Demand | null): boolean {
  for (let s = layer; s < end; s++) {
    for (let i = 0; i < busyCount; i++) {
      const t = busy[i];
      if (!runOn(log, s, t, demand)) continue;
      if (isAll(log, states)) {
        states++;
        return true;
      }
      if (!isCovered(end, states)) states++;
      if (states - end >= WIDEST) return false;
    }
  }
  return true;
}

/** Writes behind the last state what thread t comes to if it runs from s; false if it cannot. */
function runOn(log: EventLog, s: number, t: number, demand: Demand | null): boolean {
  let n = done[s * MAX_THREADS + t];
  const before = n;
  while (n < count[t] && isReady(log, s, t, at[start[t] + n], demand)) n++;
  if (n === before) return false;
  room();
  const to = states * MAX_THREADS;
  for (let i = 0; i < busyCount; i++) done[to + busy[i]] = done[s * MAX_THREADS + busy[i]];
  done[to + t] = n;
  from[states] = s;
  who[states] = t;
  return true;
}

/** Whether everything that must come before event e of thread t is done in state s. */
function isReady(log: EventLog, s: number, t: number, e: number, demand: Demand | null): boolean {
  const row = s * MAX_THREADS;
  for (let i = 0; i < busyCount; i++) {
    const u = busy[i];
    if (u !== t && log.clk[e * MAX_THREADS + u] > done[row + u]) return false;
  }
  if (demand === null || e !== demand.second) return true;
  return done[row + log.thr[demand.first]] >= log.idx[demand.first];
}

/** Whether some state from `first` on is at least as far with every thread. */
function isCovered(first: number, s: number): boolean {
  const row = s * MAX_THREADS;
  for (let other = first; other < s; other++) {
    let i = 0;
    while (i < busyCount && done[other * MAX_THREADS + busy[i]] >= done[row + busy[i]]) i++;
    if (i === busyCount) return true;
  }
  return false;
}

function isAll(log: EventLog, s: number): boolean {
  let n = 0;
  for (let i = 0; i < busyCount; i++) n += done[s * MAX_THREADS + busy[i]];
  return n === log.length;
}

function orderTo(end: number): number[] {
  const order: number[] = [];
  for (let s = end; from[s] >= 0; s = from[s]) {
    const t = who[s];
    const first = done[from[s] * MAX_THREADS + t];
    for (let n = done[s * MAX_THREADS + t]; n > first; n--) order.push(at[start[t] + n - 1]);
  }
  return order.reverse();
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

/**
 * Orders in which two neighbouring runs of one thread are brought together, for every such pair: the later one comes
 * forward, or the earlier one waits for it. They need not be orders of the trace, nor of any.
 */
export function mergedRuns(log: EventLog): number[][] {
  const runs: number[][] = [];
  for (let d = 0; d < log.length; d++) {
    if (d > 0 && log.thr[d] === log.thr[d - 1]) runs[runs.length - 1].push(d);
    else runs.push([d]);
  }
  const orders: number[][] = [];
  for (const [i, run] of runs.entries()) {
    const thread = log.thr[run[0]];
    const j = runs.findIndex((other, at) => at > i && log.thr[other[0]] === thread);
    if (j < 0) continue;
    const [before, between, after] = [runs.slice(0, i), runs.slice(i + 1, j), runs.slice(j + 1)];
    const both = [...run, ...runs[j]];
    orders.push([...before, both, ...between, ...after].flat());
    orders.push([...before, ...between, both, ...after].flat());
  }
  return orders;
}

/** Switches in a list of thread slots. */
export function countSwitches(threads: readonly number[]): number {
  let n = 0;
  for (let i = 1; i < threads.length; i++) if (threads[i] !== threads[i - 1]) n++;
  return n;
}

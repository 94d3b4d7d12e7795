/**
 * Hung task, judged when nothing can run any more: a sleeper whose condition holds (lost wake-up), one that no signal
 * can wake, and a thread that waits for a lock for ever. An interruptible sleeper whose condition does not hold is an
 * outcome of the program.
 */

import {
  engine,
  Kind,
  MAX_OBJECTS,
  MAX_THREADS,
  TaskState,
  type Condition,
} from '../machine/index.ts';
import type { FindingList } from './findings.ts';
import { isLockWait, type HeldLocks } from './held-locks.ts';
import { threadName } from './names.ts';

export class HungTask {
  private readonly findings: FindingList;
  private readonly held: HeldLocks;
  private epoch = 0;
  // The last wake-up of a task, by its state object.
  private readonly wakeEpoch = new Int32Array(MAX_OBJECTS);
  private readonly wakePosition = new Int32Array(MAX_OBJECTS);
  /** Threads of circles that have been told. */
  private readonly seen = new Uint8Array(MAX_THREADS);

  constructor(findings: FindingList, held: HeldLocks) {
    this.findings = findings;
    this.held = held;
  }

  begin(): void {
    this.epoch++;
  }

  woke(state: number): void {
    this.wakeEpoch[state] = this.epoch;
    this.wakePosition[state] = engine.position();
  }

  quiet(): void {
    const { seen } = this;
    seen.fill(0);
    for (let t = 0; t < engine.width; t++) {
      if (!engine.isLive(t) || engine.isEnabled(t)) continue;
      const kind = engine.pKind[t];
      if (kind === Kind.AWAIT) this.sleeper(t);
      else if (isLockWait(kind)) this.lockWaiter(t, seen);
      // An idle worker or interrupt source waits for something to do.
      else if (kind === Kind.DOWN && engine.daemon[t] === 1) continue;
      else if (kind === Kind.JOIN || kind === Kind.DOWN) this.waiter(t);
    }
  }

  private sleeper(t: number): void {
    const condition = engine.waitsFor[t];
    const site = engine.pSite[t];
    if (t >= engine.users) {
      if (engine.daemon[t] === 0) this.neverEnds(t, condition);
      return;
    }
    const state = engine.pObj[t];
    const isLost = condition?.holds() ?? false;
    if (!isLost && engine.state[state] !== TaskState.UNINTERRUPTIBLE) return;
    const asleep = engine.log.lastOf[t];
    const wake = this.wakeEpoch[state] === this.epoch ? this.wakePosition[state] : -1;
    const what = condition === null ? 'something' : condition.describe();
    const words = isLost
      ? `sleeps at ${site} for ever although ${what}`
      : `sleeps at ${site}, where no signal wakes it, until ${what}: for ever`;
    this.findings.add(
      'HUNG',
      site,
      `${threadName(t)} ${words}; ${wakeWords(wake)}`,
      [wake, asleep].sort((a, b) => a - b),
    );
  }

  /** The task that ends the process: whatever it sleeps for, somebody owes it. */
  private neverEnds(t: number, condition: Condition | null): void {
    const site = engine.pSite[t];
    const what = condition === null ? '' : `: ${condition.describe()}`;
    const message = `the process never ends: ${threadName(t)} sleeps at ${site} for ever${what}`;
    this.findings.add('HUNG', site, message, [engine.log.lastOf[t]]);
  }

  private lockWaiter(t: number, seen: Uint8Array): void {
    if (seen[t] === 1) return;
    const cycle = this.cycleFrom(t);
    if (cycle.length === 0) {
      this.findings.add('HUNG', this.waitSite(t), this.waitWords(t), [engine.log.lastOf[t]]);
      return;
    }
    for (const u of cycle) seen[u] = 1;
    const sites = cycle.map((u) => engine.pSite[u]).sort();
    this.findings.add(
      'HUNG',
      sites.join(' / '),
      `deadlock: ${cycle.map((u) => this.waitWords(u)).join('; ')}`,
      cycle.map((u) => engine.log.lastOf[u]).sort((a, b) => a - b),
    );
  }

  /** The threads of the circle of waiting that t is part of, or none. */
  private cycleFrom(t: number): number[] {
    const path: number[] = [];
    let u = t;
    while (u >= 0 && engine.isLive(u) && isLockWait(engine.pKind[u]) && !engine.isEnabled(u)) {
      if (path.includes(u)) return u === t ? path : [];
      path.push(u);
      u = this.held.holder(engine.pObj[u], u);
    }
    return [];
  }

  /** Where it waits and, if the holder is dead, where that one took the lock: the same death, whoever waits. */
  private waitSite(t: number): string {
    const lock = engine.pObj[t];
    const owner = this.held.holder(lock, t);
    const site = engine.pSite[t];
    if (owner < 0 || owner === t || engine.oops[owner] === null) return site;
    return `${site} / ${this.held.site[this.held.find(owner, lock)]}`;
  }

  private waitWords(t: number): string {
    const lock = engine.pObj[t];
    const owner = this.held.holder(lock, t);
    const words = `${threadName(t)} waits for ${engine.nameOf(lock)} at ${engine.pSite[t]}`;
    if (owner < 0) return `${words}, which nobody holds and nobody will hand over`;
    const at = this.held.site[this.held.find(owner, lock)];
    if (owner === t) return `${words}, which it holds itself (${at})`;
    const who = owner === MAX_THREADS - 1 ? 'init' : threadName(owner);
    if (engine.oops[owner] !== null) return `${words}, which ${who} took at ${at} before it died`;
    if (engine.isDone(owner)) return `${words}, which ${who} took at ${at} and never let go`;
    return `${words}, held by ${who} (${at})`;
  }

  private waiter(t: number): void {
    const site = engine.pSite[t];
    const what = engine.pKind[t] === Kind.JOIN ? 'to end' : 'to be raised';
    this.findings.add(
      'HUNG',
      site,
      `${threadName(t)} waits at ${site} for ${engine.nameOf(engine.pObj[t])} ${what}, and that never comes`,
      [engine.log.lastOf[t]],
    );
  }
}

function wakeWords(position: number): string {
  if (position < 0) return 'nobody woke it';
  const log = engine.log;
  return `the last wake-up for it came at ${log.site[position]} by ${threadName(log.thr[position])}, too early`;
}

/**
 * Reversible races (exploration.md 4). Found once, when the later event is recorded, and kept with it; also for
 * operations that stay blocked, as if they were executed now.
 */

import { isEnabledIn } from '../machine/enabled.ts';
import type { Engine } from '../machine/engine.ts';
import { CLASS_OF, Class, Kind, MAX_THREADS, MAY_BLOCK } from '../machine/op.ts';

/** Called for each race: the earlier event, and for a writer that must overtake several readers all of them. */
export type RaceSink = (partner: number, exclusion: readonly number[] | null) => void;

/** Parts of the race computation that the tests turn off to see that they are needed (13.3). */
export interface RaceMutation {
  /** A blocking operation races only with the last event on its object. */
  readonly lastEventOnly?: boolean;
  /** A write lock overtakes each reader alone. */
  readonly noExclusionSet?: boolean;
}

export class RaceFinder {
  private readonly engine: Engine;
  private readonly mutation: RaceMutation;
  private readonly found: number[] = [];

  constructor(engine: Engine, mutation: RaceMutation = {}) {
    this.engine = engine;
    this.mutation = mutation;
  }

  /** Races of the event just recorded at position d (log.pre still holds the clock before its joins). */
  ofEvent(d: number, sink: RaceSink): void {
    const log = this.engine.log;
    const kind = log.kind[d];
    const t = log.thr[d];
    const o = log.obj[d];
    const o2 = log.obj2[d];
    const read = log.rd[d] === 1;
    const previous = read ? log.last[o] : log.previousOn(d);
    const previous2 = o2 < 0 ? -1 : log.rd2[d] === 1 ? log.last[o2] : log.previousOn2(d);
    this.find(t, kind, o, read, previous, o2, log.rd2[d] === 1, previous2, sink);
  }

  /** Races of the published operation of thread t, which is disabled, as if it came now. */
  ofBlocked(t: number, sink: RaceSink): void {
    const { engine } = this;
    const log = engine.log;
    const kind = engine.pKind[t];
    log.loadPre(t);
    const o = engine.pObj[t];
    this.find(t, kind, o, engine.pRd[t] === 1, o < 0 ? -1 : log.last[o], -1, false, -1, sink);
  }

  private concurrent(x: number, t: number): boolean {
    const log = this.engine.log;
    const u = log.thr[x];
    return u !== t && log.idx[x] > log.clk[log.preRow + u];
  }

  private find(
    t: number,
    kind: number,
    o: number,
    read: boolean,
    previous: number,
    o2: number,
    read2: boolean,
    previous2: number,
    sink: RaceSink,
  ): void {
    const cls = CLASS_OF[kind];
    if (cls === Class.MEM) {
      this.found.length = 0;
      this.memory(t, o, read, previous);
      if (o2 >= 0) this.memory(t, o2, read2, previous2);
      this.report(sink);
    } else if (cls === Class.SER) {
      const partner = this.serial(t, kind, previous);
      if (partner >= 0) sink(partner, null);
    } else if (kind === Kind.RLOCK) {
      if (previous >= 0 && this.concurrent(previous, t)) sink(previous, null);
    } else if (kind === Kind.WLOCK) this.writeLock(t, o, previous, sink);
  }

  private memory(t: number, o: number, read: boolean, lastWrite: number): void {
    if (!read) {
      const log = this.engine.log;
      let any = false;
      for (let u = 0; u < log.width; u++) {
        const r = log.lastRead[o * MAX_THREADS + u];
        if (r <= lastWrite || r < 0) continue;
        any = true;
        if (this.concurrent(r, t)) this.found.push(r);
      }
      if (any) return;
    }
    if (lastWrite >= 0 && this.concurrent(lastWrite, t)) this.found.push(lastWrite);
  }

  /** Hands out the partners that do not happen before another partner, each once. */
  private report(sink: RaceSink): void {
    const { found } = this;
    const log = this.engine.log;
    for (let a = 0; a < found.length; a++) {
      const x = found[a];
      let keep = found.indexOf(x) === a;
      for (let b = 0; keep && b < found.length; b++) {
        const y = found[b];
        if (y !== x && x < y && log.happensBefore(x, y)) keep = false;
      }
      if (keep) sink(x, null);
    }
  }

  private serial(t: number, kind: number, last: number): number {
    const log = this.engine.log;
    if (MAY_BLOCK[kind] === 0) return last >= 0 && this.concurrent(last, t) ? last : -1;
    for (let x = last; x >= 0; x = log.previousOn(x)) {
      if (!this.concurrent(x, t)) return -1;
      // Before an event on the timers the log has noted who could fire.
      const before = log.before[x];
      const could =
        kind === Kind.FIRE ? (before >> t) & 1 : isEnabledIn(this.engine, before, t, kind);
      if (could) return x;
      if (this.mutation.lastEventOnly === true) return -1;
    }
    return -1;
  }

  private writeLock(t: number, o: number, lastWriter: number, sink: RaceSink): void {
    const log = this.engine.log;
    const base = o * MAX_THREADS;
    let any = false;
    for (let u = 0; u < log.width; u++) {
      const r = log.lastRead[base + u];
      if (r <= lastWriter || r < 0) continue;
      any = true;
      if (!this.concurrent(r, t)) continue;
      if (this.mutation.noExclusionSet === true) {
        sink(r, null);
        continue;
      }
      const x = this.exclusion(r, t, o, lastWriter);
      if (x !== null) sink(Math.min(...x), x);
    }
    if (!any && lastWriter >= 0 && this.concurrent(lastWriter, t)) sink(lastWriter, null);
  }

  /** Every reader that would still hold the lock must move behind the writer as well (4.3). */
  private exclusion(r: number, t: number, o: number, lastWriter: number): number[] | null {
    const log = this.engine.log;
    const x = [r];
    for (;;) {
      const more = this.holderToMove(x, t, o, lastWriter);
      if (more === -1) return x;
      if (more === -2) return null;
      x.push(more);
      if (x.length > log.length) return null;
    }
  }

  private isKept(k: number, x: readonly number[], first: number): boolean {
    if (k < first) return true;
    const log = this.engine.log;
    return !x.some((e) => e === k || (e < k && log.happensBefore(e, k)));
  }

  /** A kept read acquisition without a kept release: -1 none, -2 one that cannot move. */
  private holderToMove(x: readonly number[], t: number, o: number, lastWriter: number): number {
    const log = this.engine.log;
    const first = Math.min(...x);
    for (let u = 0; u < log.width; u++) {
      let holder = -1;
      for (let k = lastWriter + 1; k < log.length; k++) {
        if (log.thr[k] !== u || log.obj[k] !== o || !this.isKept(k, x, first)) continue;
        if (log.kind[k] === Kind.RLOCK) holder = k;
        else if (log.kind[k] === Kind.RUNLOCK) holder = -1;
      }
      if (holder < 0) continue;
      return this.concurrent(holder, t) ? holder : -2;
    }
    return -1;
  }
}

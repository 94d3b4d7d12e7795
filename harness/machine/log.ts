/**
 * The event log of one execution: who did what, on which object, and its vector clock.
 *
 * Clocks are kept for every event (exploration.md 3). Going back to a prefix undoes one table entry per
 * event, so the clocks of a prefix that stays are never computed twice.
 */

import { CLASS_OF, Class, IS_READ, Kind, MAX_OBJECTS, MAX_THREADS } from './op.ts';

const NONE = -1;

export class EventLog {
  readonly capacity: number;
  length = 0;
  private highest = 0;
  /** How many thread slots are in use: clock rows are compared up to here. */
  width = 1;

  readonly thr: Uint8Array;
  readonly idx: Uint16Array;
  readonly kind: Uint8Array;
  readonly obj: Int32Array;
  readonly rd: Uint8Array;
  readonly obj2: Int32Array;
  readonly rd2: Uint8Array;
  readonly alt: Uint8Array;
  readonly alts: Uint8Array;
  /** State of the object just before the event (SER). */
  readonly before: Int32Array;
  readonly site: string[];
  readonly clk: Uint16Array;
  /** 1 for an event that is ordered after everything before it (virtual time moved). */
  readonly barrier: Uint8Array;
  private readonly prev: Int32Array;
  private readonly prev2: Int32Array;
  // Sums of the hashes of the first d events, for d up to `summed`.
  private summed = 0;
  private readonly sumA: Int32Array;
  private readonly sumB: Int32Array;

  /** Last event of each thread; -1 before its first. */
  readonly lastOf = new Int32Array(MAX_THREADS).fill(NONE);
  /** SER: last event. MEM: last WRITE. RW: last WLOCK. */
  readonly last = new Int32Array(MAX_OBJECTS).fill(NONE);
  /** RW: last WUNLOCK. */
  readonly lastUnlock = new Int32Array(MAX_OBJECTS).fill(NONE);
  /** MEM: last READ per thread. RW: last RLOCK per thread. */
  readonly lastRead = new Int32Array(MAX_OBJECTS * MAX_THREADS).fill(NONE);
  /** RW: last RUNLOCK per thread. */
  readonly lastReadUnlock = new Int32Array(MAX_OBJECTS * MAX_THREADS).fill(NONE);
  /** Clock of the event being recorded before its joins: what the race computation needs. */
  readonly pre = new Uint16Array(MAX_THREADS);

  constructor(capacity: number) {
    this.capacity = capacity;
    this.thr = new Uint8Array(capacity);
    this.idx = new Uint16Array(capacity);
    this.kind = new Uint8Array(capacity);
    this.obj = new Int32Array(capacity);
    this.rd = new Uint8Array(capacity);
    this.obj2 = new Int32Array(capacity);
    this.rd2 = new Uint8Array(capacity);
    this.alt = new Uint8Array(capacity);
    this.alts = new Uint8Array(capacity);
    this.before = new Int32Array(capacity);
    this.site = new Array<string>(capacity).fill('');
    this.clk = new Uint16Array(capacity * MAX_THREADS);
    this.barrier = new Uint8Array(capacity);
    this.prev = new Int32Array(capacity);
    this.prev2 = new Int32Array(capacity);
    this.sumA = new Int32Array(capacity + 1);
    this.sumB = new Int32Array(capacity + 1);
  }

  /** True if the event at position a happens before the event at position b (a < b). */
  happensBefore(a: number, b: number): boolean {
    return this.idx[a] <= this.clk[b * MAX_THREADS + this.thr[a]];
  }

  /** Fills `pre` with the clock of thread t's last event (zeros before its first). */
  loadPre(t: number): void {
    const last = this.lastOf[t];
    const w = this.width;
    if (last < 0) this.pre.fill(0, 0, w);
    else {
      const row = last * MAX_THREADS;
      for (let u = 0; u < w; u++) this.pre[u] = this.clk[row + u];
    }
  }

  private join(row: number, e: number): void {
    if (e < 0) return;
    const from = e * MAX_THREADS;
    const w = this.width;
    const clk = this.clk;
    for (let u = 0; u < w; u++) {
      const c = clk[from + u];
      if (c > clk[row + u]) clk[row + u] = c;
    }
  }

  private joinReads(row: number, o: number, since: number, table: Int32Array): void {
    const base = o * MAX_THREADS;
    const w = this.width;
    for (let u = 0; u < w; u++) {
      const r = table[base + u];
      if (r > since) this.join(row, r);
    }
  }

  /** Orders the event at row after everything so far. */
  private joinAll(row: number): void {
    for (let u = 0; u < this.width; u++) this.join(row, this.lastOf[u]);
  }

  private joinLocation(row: number, kind: number, cls: number, o: number, read: boolean): void {
    const last = this.last[o];
    if (cls === Class.SER) this.join(row, last);
    else if (cls === Class.MEM) {
      this.join(row, last);
      if (!read) this.joinReads(row, o, last, this.lastRead);
    } else if (kind === Kind.RLOCK) this.join(row, this.lastUnlock[o]);
    else if (kind === Kind.WLOCK) {
      this.join(row, this.lastUnlock[o]);
      this.joinReads(row, o, last, this.lastReadUnlock);
    }
  }

  /** Enters the event in the per-object tables and answers what it displaced. */
  private enter(d: number, t: number, kind: number, cls: number, o: number, read: boolean): number {
    let old: number;
    if (cls === Class.SER || kind === Kind.WLOCK || (cls === Class.MEM && !read)) {
      old = this.last[o];
      this.last[o] = d;
    } else if (kind === Kind.WUNLOCK) {
      old = this.lastUnlock[o];
      this.lastUnlock[o] = d;
    } else if (kind === Kind.RUNLOCK) {
      old = this.lastReadUnlock[o * MAX_THREADS + t];
      this.lastReadUnlock[o * MAX_THREADS + t] = d;
    } else {
      old = this.lastRead[o * MAX_THREADS + t];
      this.lastRead[o * MAX_THREADS + t] = d;
    }
    return old;
  }

  private leave(t: number, kind: number, cls: number, o: number, read: boolean, old: number): void {
    if (cls === Class.SER || kind === Kind.WLOCK || (cls === Class.MEM && !read))
      this.last[o] = old;
    else if (kind === Kind.WUNLOCK) this.lastUnlock[o] = old;
    else if (kind === Kind.RUNLOCK) this.lastReadUnlock[o * MAX_THREADS + t] = old;
    else this.lastRead[o * MAX_THREADS + t] = old;
  }

  /** Appends an event; `pre` must have been loaded for t. Positions are 0-based. */
  append(
    t: number,
    kind: number,
    o: number,
    read: boolean,
    o2: number,
    read2: boolean,
    alt: number,
    alts: number,
    before: number,
    site: string,
    barrier: boolean,
  ): number {
    const d = this.length;
    const cls = CLASS_OF[kind];
    const row = d * MAX_THREADS;
    const w = this.width;
    const clk = this.clk;
    for (let u = 0; u < w; u++) clk[row + u] = this.pre[u];
    const index = this.pre[t] + 1;
    this.thr[d] = t;
    this.idx[d] = index;
    this.kind[d] = kind;
    this.obj[d] = o;
    this.rd[d] = read ? 1 : 0;
    this.obj2[d] = o2;
    this.rd2[d] = read2 ? 1 : 0;
    this.alt[d] = alt;
    this.alts[d] = alts;
    this.before[d] = before;
    this.site[d] = site;
    this.barrier[d] = barrier ? 1 : 0;
    if (barrier) this.joinAll(row);
    if (cls !== Class.NONE) {
      this.joinLocation(row, kind, cls, o, read);
      if (o2 >= 0) this.joinLocation(row, kind, cls, o2, read2);
      this.prev[d] = this.enter(d, t, kind, cls, o, read);
      if (o2 >= 0) this.prev2[d] = this.enter(d, t, kind, cls, o2, read2);
    }
    clk[row + t] = index;
    this.lastOf[t] = d;
    this.length = d + 1;
    if (d >= this.highest) this.highest = d + 1;
    return d;
  }

  /** Forgets all events from position `keep` on. */
  truncate(keep: number): void {
    for (let d = this.length - 1; d >= keep; d--) {
      const t = this.thr[d];
      const kind = this.kind[d];
      const cls = CLASS_OF[kind];
      if (cls === Class.NONE) continue;
      if (this.obj2[d] >= 0)
        this.leave(t, kind, cls, this.obj2[d], this.rd2[d] === 1, this.prev2[d]);
      this.leave(t, kind, cls, this.obj[d], this.rd[d] === 1, this.prev[d]);
    }
    this.length = Math.min(this.length, keep);
    this.summed = Math.min(this.summed, keep);
  }

  /** Forgets everything, also the width. Clock columns beyond the width are zero at all times. */
  forget(): void {
    this.truncate(0);
    this.clk.fill(0, 0, this.highest * MAX_THREADS);
    this.highest = 0;
    this.width = 1;
  }

  /** Previous event on the object of the SER event at position d. */
  previousOn(d: number): number {
    return this.prev[d];
  }

  /** The same for the second location of the event. */
  previousOn2(d: number): number {
    return this.prev2[d];
  }

  /**
   * Hash of the Mazurkiewicz trace: a sum over the events, so independent of their order; 53 bits. Equal hash, equal
   * trace, up to collisions (exploration.md 10). The sums of a prefix that stays are not computed twice.
   */
  traceHash(): number {
    for (let d = this.summed; d < this.length; d++) {
      const h = this.eventHash(d);
      this.sumA[d + 1] = this.sumA[d] + h;
      this.sumB[d + 1] = this.sumB[d] + Math.imul(h ^ (h >>> 13), 0x27d4eb2f);
    }
    this.summed = this.length;
    return (this.sumA[this.length] >>> 0) * 0x200000 + (this.sumB[this.length] >>> 11);
  }

  private eventHash(d: number): number {
    let h = Math.imul(this.thr[d] + 1, 0x9e3779b1) ^ Math.imul(this.alt[d] + 1, 0x85ebca6b);
    const row = d * MAX_THREADS;
    for (let u = 0; u < this.width; u++) {
      // A thread not heard of counts for nothing: the width grows in the course of an exploration.
      if (this.clk[row + u] === 0) continue;
      h = Math.imul(h ^ (this.clk[row + u] + u * 0x10001), 0xc2b2ae35);
      h ^= h >>> 15;
    }
    return h;
  }

  /** Per thread, in order: alternative and clock of each event. Equal text, equal trace (13.1). */
  canonical(): string {
    const parts: string[] = [];
    // Only threads that ran: the width may have grown between two executions.
    let width = 0;
    for (let d = 0; d < this.length; d++) if (this.thr[d] >= width) width = this.thr[d] + 1;
    for (let t = 0; t < width; t++) {
      parts.push('|');
      for (let d = 0; d < this.length; d++) {
        if (this.thr[d] !== t) continue;
        parts.push(String(this.alt[d]), ':');
        for (let u = 0; u < width; u++) parts.push(String(this.clk[d * MAX_THREADS + u]), ',');
      }
    }
    return parts.join('');
  }
}

/** Whether the kind leaves the state of its object alone for its like. */
export function readsOnly(kind: number): boolean {
  return IS_READ[kind] === 1;
}

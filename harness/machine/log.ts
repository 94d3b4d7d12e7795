/**
 * The event log of one execution: who did what, on which object, and its vector clock.
 *
 * Clocks are kept for every event (exploration.md 3). Going back to a prefix undoes one table entry per
 * event, so the clocks of a prefix that stays are never computed twice.
 */

import { CLASS_OF, Class, IS_READ, Kind, MAX_OBJECTS, MAX_THREADS } from './op.ts';

const NONE = -1;
/** Events of the longest execution. */
const CAPACITY = 20001;
/** The clock of nobody. */
const ZERO_ROW = CAPACITY * MAX_THREADS;

// There is one log, as there is one engine. Its columns are constants of the module and not only fields, so that
// compiled code has their addresses written into it: appending an event touches more than a dozen of them.
const thr = new Uint8Array(CAPACITY);
const idx = new Uint16Array(CAPACITY);
const kinds = new Uint8Array(CAPACITY);
const obj = new Int32Array(CAPACITY);
const rd = new Uint8Array(CAPACITY);
const obj2 = new Int32Array(CAPACITY);
const rd2 = new Uint8Array(CAPACITY);
const alts = new Uint8Array(CAPACITY);
const alt = new Uint8Array(CAPACITY);
const before = new Int32Array(CAPACITY);
const sites: string[] = new Array<string>(CAPACITY).fill('');
const clk = new Uint16Array((CAPACITY + 1) * MAX_THREADS);
const barriers = new Uint8Array(CAPACITY);
const prev = new Int32Array(CAPACITY);
const prev2 = new Int32Array(CAPACITY);
const sumA = new Int32Array(CAPACITY + 1);
const sumB = new Int32Array(CAPACITY + 1);
const lastOf = new Int32Array(MAX_THREADS).fill(NONE);
const lastTable = new Int32Array(MAX_OBJECTS).fill(NONE);
const lastUnlock = new Int32Array(MAX_OBJECTS).fill(NONE);
const lastRead = new Int32Array(MAX_OBJECTS * MAX_THREADS).fill(NONE);
const lastReadUnlock = new Int32Array(MAX_OBJECTS * MAX_THREADS).fill(NONE);
const classOf = CLASS_OF;

export class EventLog {
  readonly capacity = CAPACITY;
  length = 0;
  private highest = 0;
  /** How many thread slots are in use: clock rows are compared up to here. */
  width = 1;

  readonly thr = thr;
  readonly idx = idx;
  readonly kind = kinds;
  readonly obj = obj;
  readonly rd = rd;
  readonly obj2 = obj2;
  readonly rd2 = rd2;
  readonly alt = alt;
  readonly alts = alts;
  /** State of the object just before the event (SER). */
  readonly before = before;
  readonly site = sites;
  readonly clk = clk;
  /** 1 for an event that is ordered after everything before it (virtual time moved). */
  readonly barrier = barriers;
  // Sums of the hashes of the first d events, for d up to `summed`.
  private summed = 0;

  /** Last event of each thread; -1 before its first. */
  readonly lastOf = lastOf;
  /** SER: last event. MEM: last WRITE. RW: last WLOCK. */
  readonly last = lastTable;
  /** RW: last WUNLOCK. */
  readonly lastUnlock = lastUnlock;
  /** MEM: last READ per thread. RW: last RLOCK per thread. */
  readonly lastRead = lastRead;
  /** RW: last RUNLOCK per thread. */
  readonly lastReadUnlock = lastReadUnlock;
  /** Where `clk` has the clock of the event being recorded before its joins: what the race computation needs. */
  preRow = ZERO_ROW;

  /** True if the event at position a happens before the event at position b (a < b). */
  happensBefore(a: number, b: number): boolean {
    return idx[a] <= clk[b * MAX_THREADS + thr[a]];
  }

  /** Makes `preRow` the clock of thread t's last event (zeros before its first). */
  loadPre(t: number): void {
    const last = lastOf[t];
    this.preRow = last < 0 ? ZERO_ROW : last * MAX_THREADS;
  }

  /** Appends an event; `preRow` must have been loaded for t. Positions are 0-based. */
  append(
    t: number,
    kind: number,
    o: number,
    read: number,
    o2: number,
    read2: number,
    alternative: number,
    alternatives: number,
    state: number,
    site: string,
    barrier: number,
  ): number {
    const d = this.length;
    const row = d * MAX_THREADS;
    const w = this.width;
    const pre = this.preRow;
    for (let u = 0; u < w; u++) clk[row + u] = clk[pre + u];
    const index = clk[pre + t] + 1;
    thr[d] = t;
    idx[d] = index;
    kinds[d] = kind;
    obj[d] = o;
    rd[d] = read;
    obj2[d] = o2;
    rd2[d] = read2;
    alt[d] = alternative;
    alts[d] = alternatives;
    before[d] = state;
    sites[d] = site;
    barriers[d] = barrier;
    if (barrier === 1) joinAll(row, w);
    const cls = classOf[kind];
    if (cls === Class.SER) {
      const last = lastTable[o];
      join(row, last, t, w);
      prev[d] = last;
      lastTable[o] = d;
    } else if (cls !== Class.NONE) {
      joinLocation(row, kind, cls, o, read, t, w);
      if (o2 >= 0) joinLocation(row, kind, cls, o2, read2, t, w);
      prev[d] = enter(d, t, kind, cls, o, read);
      if (o2 >= 0) prev2[d] = enter(d, t, kind, cls, o2, read2);
    }
    clk[row + t] = index;
    lastOf[t] = d;
    this.length = d + 1;
    if (d >= this.highest) this.highest = d + 1;
    return d;
  }

  /** Writes down behind the last event what an operation with one outcome would be: its thread and its object. */
  sketch(t: number, o: number, read: number): number {
    const d = this.length;
    thr[d] = t;
    obj[d] = o;
    rd[d] = read;
    obj2[d] = NONE;
    rd2[d] = 1;
    alt[d] = 0;
    alts[d] = 1;
    return d;
  }

  /** Forgets all events from position `keep` on. */
  truncate(keep: number): void {
    for (let d = this.length - 1; d >= keep; d--) {
      const kind = kinds[d];
      const cls = classOf[kind];
      if (cls === Class.SER) lastTable[obj[d]] = prev[d];
      else if (cls !== Class.NONE) {
        if (obj2[d] >= 0) leave(thr[d], kind, cls, obj2[d], rd2[d], prev2[d]);
        leave(thr[d], kind, cls, obj[d], rd[d], prev[d]);
      }
    }
    if (this.length > keep) this.length = keep;
    if (this.summed > keep) this.summed = keep;
  }

  /** Forgets everything, also the width. Clock columns beyond the width are zero at all times. */
  forget(): void {
    this.truncate(0);
    clk.fill(0, 0, this.highest * MAX_THREADS);
    this.highest = 0;
    this.width = 1;
  }

  /** Previous event on the object of the SER event at position d. */
  previousOn(d: number): number {
    return prev[d];
  }

  /** The same for the second location of the event. */
  previousOn2(d: number): number {
    return prev2[d];
  }

  /**
   * Hash of the Mazurkiewicz trace: a sum over the events, so independent of their order; 53 bits. Equal hash, equal
   * trace, up to collisions (exploration.md 10). The sums of a prefix that stays are not computed twice.
   */
  traceHash(): number {
    for (let d = this.summed; d < this.length; d++) {
      const h = this.eventHash(d);
      sumA[d + 1] = sumA[d] + h;
      sumB[d + 1] = sumB[d] + Math.imul(h ^ (h >>> 13), 0x27d4eb2f);
    }
    this.summed = this.length;
    return (sumA[this.length] >>> 0) * 0x200000 + (sumB[this.length] >>> 11);
  }

  private eventHash(d: number): number {
    let h = Math.imul(thr[d] + 1, 0x9e3779b1) ^ Math.imul(alt[d] + 1, 0x85ebca6b);
    const row = d * MAX_THREADS;
    for (let u = 0; u < this.width; u++) {
      // A thread not heard of counts for nothing: the width grows in the course of an exploration.
      if (clk[row + u] === 0) continue;
      h = Math.imul(h ^ (clk[row + u] + u * 0x10001), 0xc2b2ae35);
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

/** Orders the event of thread t at `row` after event e, over `w` columns. What t did itself is there already. */
function join(row: number, e: number, t: number, w: number): void {
  if (e < 0 || thr[e] === t) return;
  const from = e * MAX_THREADS;
  for (let u = 0; u < w; u++) {
    const c = clk[from + u];
    if (c > clk[row + u]) clk[row + u] = c;
  }
}

function joinReads(
  row: number,
  o: number,
  since: number,
  table: Int32Array,
  t: number,
  w: number,
): void {
  const base = o * MAX_THREADS;
  for (let u = 0; u < w; u++) {
    const r = table[base + u];
    if (r > since) join(row, r, t, w);
  }
}

/** Orders the event at row after everything so far. */
function joinAll(row: number, w: number): void {
  for (let u = 0; u < w; u++) join(row, lastOf[u], -1, w);
}

function joinLocation(
  row: number,
  kind: number,
  cls: number,
  o: number,
  read: number,
  t: number,
  w: number,
): void {
  const last = lastTable[o];
  if (cls === Class.MEM) {
    join(row, last, t, w);
    if (read === 0) joinReads(row, o, last, lastRead, t, w);
  } else if (kind === Kind.RLOCK) join(row, lastUnlock[o], t, w);
  else if (kind === Kind.WLOCK) {
    join(row, lastUnlock[o], t, w);
    joinReads(row, o, last, lastReadUnlock, t, w);
  }
}

/** Enters an event of class MEM or RW in the tables of its object and answers what it displaced. */
function enter(d: number, t: number, kind: number, cls: number, o: number, read: number): number {
  let old: number;
  if (kind === Kind.WLOCK || (cls === Class.MEM && read === 0)) {
    old = lastTable[o];
    lastTable[o] = d;
  } else if (kind === Kind.WUNLOCK) {
    old = lastUnlock[o];
    lastUnlock[o] = d;
  } else if (kind === Kind.RUNLOCK) {
    old = lastReadUnlock[o * MAX_THREADS + t];
    lastReadUnlock[o * MAX_THREADS + t] = d;
  } else {
    old = lastRead[o * MAX_THREADS + t];
    lastRead[o * MAX_THREADS + t] = d;
  }
  return old;
}

function leave(t: number, kind: number, cls: number, o: number, read: number, old: number): void {
  if (kind === Kind.WLOCK || (cls === Class.MEM && read === 0)) lastTable[o] = old;
  else if (kind === Kind.WUNLOCK) lastUnlock[o] = old;
  else if (kind === Kind.RUNLOCK) lastReadUnlock[o * MAX_THREADS + t] = old;
  else lastRead[o * MAX_THREADS + t] = old;
}

/** Whether the kind leaves the state of its object alone for its like. */
export function readsOnly(kind: number): boolean {
  return IS_READ[kind] === 1;
}

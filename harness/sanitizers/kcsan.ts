/**
 * KCSAN: two accesses of the same plain data by different threads, one of them a write, that nothing orders.
 * Plain data is no operation because one lock guards it; this checks that the lock really does.
 *
 * An access stands between two operations, so it is over only with the next event of its thread: that event
 * must happen before the other access. A racy field that is a Word as well is judged too, if the plain access
 * is announced before the operation on both sides: the operation itself would order what follows it.
 */

import { engine, HarnessBug, MAX_THREADS, type PlainLocation } from '../machine/index.ts';
import type { FindingList } from './findings.ts';
import { memName, threadName, unorderedSites } from './names.ts';

/** How many locations one execution may have. */
const MAX_LOCATIONS = 65536;

export class Kcsan {
  private readonly findings: FindingList;
  private epoch = 0;
  private slots = 0;
  // By slot: the last write; by slot and thread: the last read. An index of 0 is none.
  private writer = new Uint8Array(256);
  private writeIndex = new Int32Array(256);
  private writeSite: string[] = [];
  private readIndex = new Int32Array(256 * MAX_THREADS);
  private readSite: string[] = [];

  constructor(findings: FindingList) {
    this.findings = findings;
  }

  begin(): void {
    this.epoch++;
    this.slots = 0;
  }

  plain(location: PlainLocation, write: boolean, site: string): void {
    // What init did happens before everything, and what exit does after everything.
    if (engine.inline) return;
    const s = location.epoch === this.epoch ? location.slot : this.enter(location);
    const t = engine.current;
    const last = engine.log.lastOf[t];
    const index = last < 0 ? 1 : engine.log.idx[last] + 1;
    const row = last * MAX_THREADS;
    const w = this.writer[s];
    const wi = this.writeIndex[s];
    if (wi > 0 && w !== t && (last < 0 || wi > engine.log.clk[row + w]))
      this.race(location, w, wi, this.writeSite[s], true, write, site);
    if (!write) {
      this.readIndex[s * MAX_THREADS + t] = index;
      this.readSite[s * MAX_THREADS + t] = site;
      return;
    }
    for (let u = 0; u < engine.width; u++) {
      const ri = this.readIndex[s * MAX_THREADS + u];
      if (ri > 0 && u !== t && (last < 0 || ri > engine.log.clk[row + u]))
        this.race(location, u, ri, this.readSite[s * MAX_THREADS + u], false, write, site);
    }
    this.writer[s] = t;
    this.writeIndex[s] = index;
    this.writeSite[s] = site;
  }

  private enter(location: PlainLocation): number {
    const s = this.slots++;
    if (s >= MAX_LOCATIONS)
      throw new HarnessBug(
        `Cannot watch "${location.name}": ${MAX_LOCATIONS} locations is the limit`,
      );
    if (s === this.writer.length) this.grow();
    location.epoch = this.epoch;
    location.slot = s;
    this.writeIndex[s] = 0;
    this.readIndex.fill(0, s * MAX_THREADS, (s + 1) * MAX_THREADS);
    return s;
  }

  private grow(): void {
    const writer = new Uint8Array(this.writer.length * 2);
    writer.set(this.writer);
    const writeIndex = new Int32Array(writer.length);
    writeIndex.set(this.writeIndex);
    const readIndex = new Int32Array(writer.length * MAX_THREADS);
    readIndex.set(this.readIndex);
    this.writer = writer;
    this.writeIndex = writeIndex;
    this.readIndex = readIndex;
  }

  private race(
    location: PlainLocation,
    other: number,
    otherIndex: number,
    otherSite: string,
    otherWrote: boolean,
    write: boolean,
    site: string,
  ): void {
    const part = location.mem === null ? '' : ` of ${memName(location.mem)}`;
    this.findings.add(
      'KCSAN',
      unorderedSites(otherSite, site),
      `${location.name}${part} is ${otherWrote ? 'written' : 'read'} by ${threadName(other)} at ${otherSite} and ` +
        `${write ? 'written' : 'read'} by ${threadName(engine.current)} at ${site}, and nothing orders the two`,
      [positionOf(other, otherIndex - 1), engine.position()],
    );
  }
}

/** Position of the index-th event of a thread; -1 before its first. */
function positionOf(t: number, index: number): number {
  for (let d = 0; d < engine.depth; d++)
    if (engine.log.thr[d] === t && engine.log.idx[d] === index) return d;
  return -1;
}

/** Sequences of operations (the v of a race reversal), and the dependence relation on their footprints. */

import type { EventLog } from '../machine/log.ts';

/**
 * Whether two operations of different threads fail to commute: they share an object and not both only read it.
 * Object -1 is nothing.
 */
export function depends(
  objA: number,
  rdA: number,
  obj2A: number,
  rd2A: number,
  objB: number,
  rdB: number,
  obj2B: number,
  rd2B: number,
): boolean {
  if (objA >= 0) {
    if (objA === objB && (rdA & rdB) === 0) return true;
    if (obj2B >= 0 && objA === obj2B && (rdA & rd2B) === 0) return true;
  }
  if (obj2A >= 0) {
    if (obj2A === objB && (rd2A & rdB) === 0) return true;
    if (obj2A === obj2B && (rd2A & rd2B) === 0) return true;
  }
  return false;
}

/** A list of operations in parallel arrays that is filled again and again. */
export class Sequence {
  length = 0;
  readonly thr: number[] = [];
  readonly alt: number[] = [];
  readonly obj: number[] = [];
  readonly rd: number[] = [];
  readonly obj2: number[] = [];
  readonly rd2: number[] = [];
  readonly alts: number[] = [];

  clear(): void {
    this.length = 0;
  }

  push(
    thr: number,
    alt: number,
    obj: number,
    rd: number,
    obj2: number,
    rd2: number,
    alts: number,
  ): void {
    const n = this.length++;
    this.thr[n] = thr;
    this.alt[n] = alt;
    this.obj[n] = obj;
    this.rd[n] = rd;
    this.obj2[n] = obj2;
    this.rd2[n] = rd2;
    this.alts[n] = alts;
  }

  pushEvent(log: EventLog, e: number): void {
    this.push(log.thr[e], log.alt[e], log.obj[e], log.rd[e], log.obj2[e], log.rd2[e], log.alts[e]);
  }

  /** Takes out element j, keeping the order of the rest. */
  remove(j: number): void {
    const n = --this.length;
    for (let k = j; k < n; k++) {
      this.thr[k] = this.thr[k + 1];
      this.alt[k] = this.alt[k + 1];
      this.obj[k] = this.obj[k + 1];
      this.rd[k] = this.rd[k + 1];
      this.obj2[k] = this.obj2[k + 1];
      this.rd2[k] = this.rd2[k + 1];
      this.alts[k] = this.alts[k + 1];
    }
  }
}

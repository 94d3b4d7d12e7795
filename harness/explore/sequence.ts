/** Sequences of operations (the v of a race reversal), and the dependence relation on their footprints. */

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

/** A list of operations, by their positions in the event log, that is filled again and again. */
export class Sequence {
  length = 0;
  readonly at: number[] = [];

  clear(): void {
    this.length = 0;
  }

  push(position: number): void {
    this.at[this.length++] = position;
  }

  /** Takes out element j, keeping the order of the rest. */
  remove(j: number): void {
    const { at } = this;
    const n = --this.length;
    for (let k = j; k < n; k++) at[k] = at[k + 1];
  }
}

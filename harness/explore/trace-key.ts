/**
 * The identity of a Mazurkiewicz trace as tests use it, computed apart from the explorers' own hash: two 32-bit lanes,
 * each the sum over the events of a hash of (thread, alternative, clock).
 *
 * The sum does not depend on the order of the events, and the clock of an event holds its number within its thread, so
 * the sum stands for the set of them: the canonical form of 13.1, whose equality is that of traces. Different sets
 * collide with probability 2^-64 if the lanes mix well; the tests compare with the text of the canonical form, too.
 */

import type { EventLog } from '../machine/log.ts';
import { MAX_THREADS } from '../machine/op.ts';

const START = [0x9e3779b1, 0x7feb352d] as const;
const ALTERNATIVE = [0x85ebca6b, 0x846ca68b] as const;
const STEP = [0xc2b2ae35, 0x2c1b3c6d] as const;
const LAST = [0x27d4eb2f, 0x297a2d39] as const;

/** Hash of one event, in lane 0 or 1: thread and alternative, and the clock in `clocks` from `row` on. */
export function mixEvent(
  slot: number,
  alternative: number,
  clocks: Uint8Array | Uint16Array,
  row: number,
  width: number,
  lane: 0 | 1,
): number {
  let h = Math.imul(slot + 1, START[lane]) ^ Math.imul(alternative + 1, ALTERNATIVE[lane]);
  for (let u = 0; u < width; u++) {
    const count = clocks[row + u];
    if (count === 0) continue;
    h = Math.imul(h ^ (count + u * 0x10001), STEP[lane]);
    h ^= h >>> 15;
  }
  h = Math.imul(h ^ (h >>> 16), LAST[lane]);
  return h ^ (h >>> 13);
}

/** The lanes of the trace in a log. */
export function traceLanes(log: EventLog): readonly [number, number] {
  let a = 0;
  let b = 0;
  for (let d = 0; d < log.length; d++) {
    const row = d * MAX_THREADS;
    a = (a + mixEvent(log.thr[d], log.alt[d], log.clk, row, log.width, 0)) | 0;
    b = (b + mixEvent(log.thr[d], log.alt[d], log.clk, row, log.width, 1)) | 0;
  }
  return [a, b];
}

/** A table from two lanes of 32 bits to a number; clearing it costs nothing. */
export class LaneTable {
  size = 0;
  private capacity = 1024;
  private keys = new Int32Array(2 * 1024);
  private values = new Float64Array(1024);
  /** The round in which a place was taken: to clear is to begin another. */
  private used = new Uint32Array(1024);
  private round = 1;

  /** Where the key is or belongs. */
  private slotOf(a: number, b: number): number {
    const mask = this.capacity - 1;
    let at = a & mask;
    const { keys, used, round } = this;
    while (used[at] === round) {
      if (keys[at * 2] === a && keys[at * 2 + 1] === b) break;
      at = (at + 1) & mask;
    }
    return at;
  }

  get(a: number, b: number): number | undefined {
    const at = this.slotOf(a, b);
    return this.used[at] === this.round ? this.values[at] : undefined;
  }

  set(a: number, b: number, value: number): void {
    if (this.size * 2 >= this.capacity) this.grow();
    const at = this.slotOf(a, b);
    if (this.used[at] !== this.round) {
      this.used[at] = this.round;
      this.size++;
      this.keys[at * 2] = a;
      this.keys[at * 2 + 1] = b;
    }
    this.values[at] = value;
  }

  clear(): void {
    this.round++;
    this.size = 0;
  }

  /** Every key of two lanes with its value. */
  entries(): (readonly [number, number, number])[] {
    const list: (readonly [number, number, number])[] = [];
    for (let at = 0; at < this.capacity; at++)
      if (this.used[at] === this.round)
        list.push([this.keys[at * 2], this.keys[at * 2 + 1], this.values[at]]);
    return list;
  }

  copy(): LaneTable {
    const table = new LaneTable();
    for (const [a, b, value] of this.entries()) table.set(a, b, value);
    return table;
  }

  private grow(): void {
    const { keys, values, used, capacity, round } = this;
    this.capacity *= 4;
    this.keys = new Int32Array(2 * this.capacity);
    this.values = new Float64Array(this.capacity);
    this.used = new Uint32Array(this.capacity);
    this.size = 0;
    for (let at = 0; at < capacity; at++) {
      if (used[at] === round) this.set(keys[at * 2], keys[at * 2 + 1], values[at]);
    }
  }
}

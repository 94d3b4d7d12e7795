/**
 * Sleep sets by depth (exploration.md 6): what needs no exploring at a point because it was explored in full from
 * there, or from a point before it, and has met nothing since with which it does not commute.
 */

import type { Engine } from '../machine/engine.ts';
import { MAX_THREADS } from '../machine/op.ts';
import { depends } from './sequence.ts';

const FIRST_DEPTHS = 256;

export class SleepTable {
  private readonly engine: Engine;
  private depths = FIRST_DEPTHS;
  /** By depth and thread: the alternatives of its pending operation that are asleep, and that operation. */
  private mask = new Int32Array(FIRST_DEPTHS * MAX_THREADS);
  private obj = new Int32Array(FIRST_DEPTHS * MAX_THREADS);
  private rd = new Uint8Array(FIRST_DEPTHS * MAX_THREADS);
  private obj2 = new Int32Array(FIRST_DEPTHS * MAX_THREADS);
  private rd2 = new Uint8Array(FIRST_DEPTHS * MAX_THREADS);
  private alts = new Uint8Array(FIRST_DEPTHS * MAX_THREADS);

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** Alternatives of the pending operation of thread t that are asleep at depth d, as bits. */
  asleep(d: number, t: number): number {
    return this.mask[d * MAX_THREADS + t];
  }

  /** True if nothing that thread t could do at depth d is worth exploring; also of a thread that is not enabled. */
  isDone(d: number, t: number): boolean {
    const at = d * MAX_THREADS + t;
    return this.mask[at] !== 0 && this.mask[at] === (1 << this.alts[at]) - 1;
  }

  /** An enabled thread that is not asleep: the running one if possible, else the lowest; -1 if there is none. */
  awake(): number {
    const { engine } = this;
    const d = engine.depth;
    if (d > 0 && this.isAwake(d, engine.current)) return engine.current;
    for (let t = 0; t < engine.width; t++) if (this.isAwake(d, t)) return t;
    return -1;
  }

  private isAwake(d: number, t: number): boolean {
    const { engine } = this;
    return engine.isLive(t) && engine.isEnabled(t) && !this.isDone(d, t);
  }

  /** The event at depth d is explored in full. */
  putToSleep(d: number): void {
    const { log } = this.engine;
    const at = d * MAX_THREADS + log.thr[d];
    this.mask[at] |= 1 << log.alt[d];
    this.obj[at] = log.obj[d];
    this.rd[at] = log.rd[d];
    this.obj2[at] = log.obj2[d];
    this.rd2[at] = log.rd2[d];
    this.alts[at] = log.alts[d];
  }

  /**
   * The sleep set behind the event at depth d: who commutes with it stays asleep. `deaf` is damage for the tests:
   * nobody but the thread itself wakes up.
   */
  inherit(d: number, deaf = false): void {
    if (d + 2 >= this.depths) this.grow();
    const { log } = this.engine;
    const from = d * MAX_THREADS;
    const to = from + MAX_THREADS;
    this.mask.fill(0, to, to + MAX_THREADS);
    if (log.barrier[d] === 1) return;
    for (let q = 0; q < log.width; q++) {
      if (this.mask[from + q] === 0 || q === log.thr[d]) continue;
      if (!deaf && this.isWokenBy(from + q, d)) continue;
      this.mask[to + q] = this.mask[from + q];
      this.obj[to + q] = this.obj[from + q];
      this.rd[to + q] = this.rd[from + q];
      this.obj2[to + q] = this.obj2[from + q];
      this.rd2[to + q] = this.rd2[from + q];
      this.alts[to + q] = this.alts[from + q];
    }
  }

  private isWokenBy(at: number, d: number): boolean {
    const { log } = this.engine;
    return depends(
      this.obj[at],
      this.rd[at],
      this.obj2[at],
      this.rd2[at],
      log.obj[d],
      log.rd[d],
      log.obj2[d],
      log.rd2[d],
    );
  }

  private grow(): void {
    this.depths *= 2;
    const rows = this.depths * MAX_THREADS;
    this.mask = copied(new Int32Array(rows), this.mask);
    this.obj = copied(new Int32Array(rows), this.obj);
    this.rd = copied(new Uint8Array(rows), this.rd);
    this.obj2 = copied(new Int32Array(rows), this.obj2);
    this.rd2 = copied(new Uint8Array(rows), this.rd2);
    this.alts = copied(new Uint8Array(rows), this.alts);
  }
}

function copied<T extends Int32Array | Uint8Array>(to: T, from: T): T {
  to.set(from);
  return to;
}

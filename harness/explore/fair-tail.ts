/**
 * Follows a schedule and goes on fairly: every thread that can run gets its turn. Stops when that goes round in a
 * circle, which nothing then ends: a livelock.
 */

import { CycleWatch, type Cycle } from '../machine/cycle.ts';
import type { Engine, Strategy } from '../machine/engine.ts';
import type { Schedule } from './token.ts';

/** Steps before and behind the end of the schedule in which a circle is looked for. */
const TAIL = 1000;

/** Rounds that count as for ever. */
export const FOR_EVER = 10;

export class FairTail implements Strategy {
  /** The circle, if there is one. */
  cycle: Cycle | null = null;
  private readonly engine: Engine;
  private readonly schedule: Schedule;
  private readonly steps: number;
  private readonly quantum: number;
  private readonly watch: CycleWatch;
  private begun = false;
  private choice = 0;
  private turn = 0;
  private used = 0;

  /** The first `steps` steps are those of the schedule; then each thread goes `quantum` steps at a time. */
  constructor(
    engine: Engine,
    schedule: Schedule,
    steps: number,
    quantum: number,
    progress: () => number,
  ) {
    this.engine = engine;
    this.schedule = schedule;
    this.steps = Math.min(steps, schedule.threads.length);
    this.quantum = quantum;
    this.watch = new CycleWatch(engine, progress);
  }

  begin(): boolean {
    if (this.begun) return false;
    this.begun = true;
    return true;
  }

  pick(): number {
    const { engine } = this;
    const { depth } = engine;
    if (depth > this.steps + TAIL) return -1;
    if (depth > this.steps - TAIL) this.watch.note();
    if (depth < this.steps) {
      const t = this.schedule.threads[depth];
      if (engine.isLive(t) && engine.isEnabled(t)) return t;
    }
    // Looked for now and then: a circle does not go away.
    if (depth === this.steps || depth % 64 === 0) this.cycle = this.watch.cycle(FOR_EVER);
    return this.cycle === null ? this.next() : -1;
  }

  private next(): number {
    const { engine } = this;
    const { width } = engine;
    const canGo = (t: number): boolean => t < width && engine.isLive(t) && engine.isEnabled(t);
    if (this.used < this.quantum && canGo(this.turn)) {
      this.used++;
      return this.turn;
    }
    for (let k = 1; k <= width; k++) {
      const t = (this.turn + k) % width;
      if (!canGo(t)) continue;
      this.turn = t;
      this.used = 1;
      return t;
    }
    return -1;
  }

  alternative(): number {
    return this.schedule.choices[this.choice++] ?? 0;
  }

  end(): void {}
}

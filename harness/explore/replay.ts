/** Replays one schedule, strictly, or as a prefix that a fixed rule continues. */

import { CycleWatch, type Cycle } from '../machine/cycle.ts';
import type { Engine, Strategy } from '../machine/engine.ts';
import { Nondeterminism } from '../machine/op.ts';
import type { Schedule } from './token.ts';
import { hashOperations } from './token.ts';

export interface ReplayOptions {
  /**
   * strict: any mismatch stops the replay. prefix: follow while it fits, then let the running thread go on and
   * take the lowest enabled one when it cannot.
   */
  readonly mode: 'strict' | 'prefix';
  /**
   * Grows when the program gets something done. With it, a schedule may end while threads can run: after a few rounds
   * of a circle, which is then the `cycle` of the replay.
   */
  readonly returned?: () => number;
}

/** The schedule is at its end, and threads could go on. */
export class ScheduleEnded extends Nondeterminism {}

/** Rounds of a circle that its schedule shows. */
const ROUNDS = 3;

export class Replay implements Strategy {
  private readonly engine: Engine;
  private readonly schedule: Schedule;
  private readonly strict: boolean;
  private done = false;
  private choice = 0;
  private left = false;
  private readonly watch: CycleWatch | null;
  /** The circle in which the run goes when the schedule is at its end. */
  cycle: Cycle | null = null;
  /** True once a prefix replay had to leave the schedule. */
  get diverged(): boolean {
    return this.left;
  }

  constructor(engine: Engine, schedule: Schedule, options: ReplayOptions = { mode: 'strict' }) {
    this.engine = engine;
    this.schedule = schedule;
    this.strict = options.mode === 'strict';
    const { returned } = options;
    this.watch = this.strict && returned !== undefined ? new CycleWatch(engine, returned) : null;
  }

  begin(): boolean {
    if (this.done) return false;
    this.done = true;
    this.choice = 0;
    return true;
  }

  pick(): number {
    const { engine, schedule } = this;
    const d = engine.depth;
    this.watch?.note();
    if (!this.left && d < schedule.threads.length) {
      const t = schedule.threads[d];
      if (engine.isLive(t) && engine.isEnabled(t)) return t;
      if (this.strict) throw new Nondeterminism(this.mismatch(d, t));
    }
    const t = this.goOn();
    if (t >= 0 && this.watch !== null) this.cycle = this.watch.cycle(ROUNDS);
    if (this.cycle !== null) return -1;
    if (t >= 0 && this.strict)
      throw new ScheduleEnded(
        `Cannot replay the schedule: it ends after ${d} steps, but thread ${t} could go on (${engine.pSite[t]})`,
      );
    this.left = true;
    return t;
  }

  private mismatch(d: number, t: number): string {
    const { engine } = this;
    const why = !engine.isLive(t) ? 'has ended' : `is blocked at ${engine.pSite[t]}`;
    return `Cannot replay the schedule: step ${d + 1} is for thread ${t}, which ${why}; give the kernel and flags it was made with`;
  }

  private goOn(): number {
    const { engine } = this;
    const running = engine.current;
    if (engine.depth > 0 && engine.isLive(running) && engine.isEnabled(running)) return running;
    for (let t = 0; t < engine.width; t++) if (engine.isLive(t) && engine.isEnabled(t)) return t;
    return -1;
  }

  alternative(_t: number, n: number): number {
    const { choices } = this.schedule;
    const at = this.choice++;
    const c = at < choices.length ? choices[at] : 0;
    if (c < n) return c;
    if (this.strict)
      throw new Nondeterminism(
        `Cannot replay the schedule: choice ${at + 1} is ${c}, but there are ${n} alternatives`,
      );
    return 0;
  }

  end(): void {
    const { engine, schedule } = this;
    if (!this.strict || schedule.check === null) return;
    const found = hashOperations(engine.log, engine.log.length);
    if (found !== schedule.check)
      throw new Nondeterminism(
        `Cannot replay the schedule: its operations hash to ${schedule.check}, these to ${found}; ` +
          'the program or the model has changed',
      );
  }
}

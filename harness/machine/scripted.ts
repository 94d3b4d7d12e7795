/** Scenarios and a strategy for tests of the machine and of its observers: a list of threads, then the first enabled. */

import { engine, type EndReason, type Kernel, type Scenario, type Strategy } from './engine.ts';
import { faults, resetMemory } from './memory.ts';
import { NO_OBSERVER, type Observer } from './observer.ts';
import { resetTasks, taskConfig } from './task.ts';
import { resetTimers } from './timer.ts';

export class Scripted implements Strategy {
  private readonly threads: readonly number[];
  private readonly alternatives: readonly number[];
  private asked = 0;

  /** `threads` are slots from 0, one per event; `alternatives` answer the choices in order, then 0. */
  constructor(threads: readonly number[] = [], alternatives: readonly number[] = []) {
    this.threads = threads;
    this.alternatives = alternatives;
  }

  begin(): boolean {
    return true;
  }

  pick(): number {
    const wanted = this.threads[engine.depth];
    if (wanted !== undefined && engine.isLive(wanted) && engine.isEnabled(wanted)) return wanted;
    for (let t = 0; t < engine.width; t++) if (engine.isLive(t) && engine.isEnabled(t)) return t;
    return -1;
  }

  alternative(): number {
    return this.alternatives[this.asked++] ?? 0;
  }

  end(): void {}
}

/** A scenario of tiny bodies. `build` makes the objects, inline; `start` runs in init after it. */
export interface Tiny {
  readonly build?: () => void;
  readonly start?: () => Kernel<void>;
  readonly threads: readonly (() => Kernel<void>)[];
  readonly exit?: () => Kernel<void>;
}

/** The scenario of it, with tasks, timers and memory reset as a kernel's boot does. */
export function tinyScenario(tiny: Tiny): Scenario {
  return {
    threads: tiny.threads.length,
    *init() {
      resetMemory();
      resetTimers();
      resetTasks(tiny.threads.length);
      faults.taken.fill(0);
      tiny.build?.();
      if (tiny.start !== undefined) yield* tiny.start();
    },
    body: (thread) => tiny.threads[thread](),
    *exit() {
      if (tiny.exit !== undefined) yield* tiny.exit();
    },
  };
}

/** Runs it once, fresh, with `threads` as the beginning of the schedule. */
export function runTiny(
  tiny: Tiny,
  threads: readonly number[] = [],
  observer: Observer = NO_OBSERVER,
  alternatives: readonly number[] = [],
): EndReason {
  engine.forget();
  engine.observer = observer;
  engine.timers = 'idle';
  taskConfig.signalsInUse = true;
  return engine.execute(tinyScenario(tiny), new Scripted(threads, alternatives));
}

/**
 * Timers. Each is a pseudo-thread: FIRE, enabled while armed, then the handler in softirq context, so a
 * handler can be running while the timer is deleted or moved.
 *
 * All timers are on one base; arm, cancel, expiry and looks at the clock are operations on it.
 */

import { engine, type Context, type Kernel, type Lifetime, type OpObject } from './engine.ts';
import { Kind, TIMER_RUNNING } from './op.ts';
import { keepState } from './snapshot.ts';

export interface Timer {
  readonly name: string;
  /** Thread slot of its pseudo-thread, fixed by the owner so that it does not depend on the schedule. */
  readonly slot: number;
  readonly mem: Lifetime | null;
}

let base: OpObject = { id: 0, mem: null };

/** Makes the timer base of an execution; called from init. */
export function resetTimers(): void {
  base = { id: engine.newObject('timer base', 0), mem: null };
  engine.timerBase = base.id;
  keepState(() => base);
}

export function timerBaseOf(): OpObject {
  return base;
}

/** init_timer and its function. The handler must not sleep; a device that raises an interrupt has one in hardirq. */
export function newTimer(
  name: string,
  slot: number,
  handler: () => Kernel<void>,
  mem: Lifetime | null = null,
  context: Context = 'softirq',
): Timer {
  const timer: Timer = { name, slot, mem };
  engine.startPseudoThread(slot, `timer:${name}`, context, Kind.FIRE, base, 'timer', () =>
    expire(handler),
  );
  return timer;
}

/** The first FIRE has happened when this starts; it also marks the handler as running. */
function* expire(handler: () => Kernel<void>): Kernel<void> {
  for (;;) {
    yield* handler();
    yield* engine.submit(Kind.EXPIRED, base, 0, 'run_timer');
    yield* engine.submit(Kind.FIRE, base, 0, 'timer');
  }
}

/** mod_timer(): arms or moves to an absolute time in ticks; answers 1 if it was pending. */
export function armTimer(timer: Timer, expires: number, site: string): Kernel<number> {
  if (timer.mem !== null) engine.observer.touched(timer.mem, true, site);
  return engine.submitArm(base, timer.slot, expires, site);
}

/** del_timer(): answers 1 if it was pending. Does not wait for a running handler. */
export function cancelTimer(timer: Timer, site: string): Kernel<number> {
  if (timer.mem !== null) engine.observer.touched(timer.mem, true, site);
  return engine.submit(Kind.CANCEL, base, timer.slot, site);
}

/** del_timer_sync(): also waits until the handler is not running. Must not be called from what it waits for. */
export function* cancelTimerSync(timer: Timer, site: string): Kernel<number> {
  const pending = yield* cancelTimer(timer, site);
  yield* engine.submit(Kind.JOIN, base, 1 << (timer.slot + TIMER_RUNNING), site);
  return pending;
}

/** io_getevents() (A-R50 to A-R55). */

import {
  TaskState,
  addWaitQueueExclusive,
  armTimer,
  cancelTimerSync,
  copyFromUser,
  copyToUser,
  current,
  newWord,
  now,
  peek,
  read,
  removeWaitQueue,
  schedule,
  setCurrentState,
  signalPending,
  sleepTimerOf,
  spinLockIrqsave,
  spinUnlock,
  write,
  type Kernel,
  type Task,
  type Timer,
  type Word,
} from '../../../machine/index.ts';
import { E, kernelConfig } from '../../kernel.ts';
import { mm } from '../file.ts';
import { IO_EVENT_SIZE, timespecSize, type IoEvent, type Timespec } from './abi.ts';
import { putCtx, reaperEntry } from './complete.ts';
import { aio, announceCtx, type Kioctx } from './kioctx.ts';
import { readEvent, ringOf } from './ring.ts';
import { drainAll } from './run.ts';
import { lookupCtx } from './setup.ts';

/** io_getevents(ctx, min_nr, nr, events, timeout): how many events were stored, EINVAL, EFAULT or EINTR. */
export function* sysIoGetevents(args: readonly number[]): Kernel<number> {
  const [id, minNr, nr, address, timeout] = args;
  const ctx = yield* lookupCtx(id, 'io_getevents-1');
  if (ctx === null) return -E.EINVAL;
  let result = -E.EINVAL;
  if (minNr <= nr && minNr >= 0 && nr >= 0) {
    announceCtx('getevents.begin', ctx, minNr, 'io_getevents-1');
    result = yield* readEvents({ ctx, minNr, nr, address, timeout, count: 0, error: 0 });
    announceCtx('getevents.return', ctx, result, 'io_getevents-7');
  }
  yield* putCtx(ctx, 'io_getevents-7');
  return result;
}

/** One call. */
interface Reaper {
  readonly ctx: Kioctx;
  readonly minNr: number;
  readonly nr: number;
  readonly address: number;
  /** Address of a timespec; 0 for none. */
  readonly timeout: number;
  /** i: events stored so far. */
  count: number;
  error: number;
}

/** read_events() (A-R52). */
function* readEvents(r: Reaper): Kernel<number> {
  // jiffies at the start; no step where it makes no difference.
  const start = isPositive(r.timeout) ? yield* now('read_events') : 0;
  yield* readReady(r);
  if (r.minNr <= r.count) return r.count;
  if (r.error !== 0) return r.error;
  if ((yield* read(r.ctx.anyKicked, 'read_events-4')) !== 0) {
    yield* spinLockIrqsave(r.ctx.lock, 'read_events-4');
    yield* drainAll(r.ctx, 'getevents');
    yield* spinUnlock(r.ctx.lock, 'read_events-4');
    yield* readReady(r);
    if (r.minNr <= r.count) return r.count;
    if (r.error !== 0) return r.error;
  }
  if (r.timeout !== 0 && !(yield* copyFromUser(mm, r.timeout, timespecSize(), 'read_events-5')))
    return r.count > 0 ? r.count : -E.EFAULT;
  const deadline = yield* armDeadline(r, start);
  yield* readWaiting(r, deadline);
  if (deadline !== null) yield* disarm(deadline);
  return r.count > 0 ? r.count : r.error;
}

/** Steps 1: what is there, without sleeping. */
function* readReady(r: Reaper): Kernel<void> {
  r.error = 0;
  while (r.count < r.nr) {
    const event = yield* readEvent(r.ctx, 'aio_read_evt');
    if (event === null || !(yield* deliver(r, event, 'read_events-1'))) return;
  }
}

/** Copies an event that is out of the ring already: a fault loses it (A-B2). */
function* deliver(r: Reaper, event: IoEvent, site: string): Kernel<boolean> {
  const at = r.address + r.count * IO_EVENT_SIZE;
  if (yield* copyToUser(mm, at, IO_EVENT_SIZE, event, site)) {
    r.count++;
    return true;
  }
  announceCtx('event.fault', r.ctx, r.count, site);
  r.error = -E.EFAULT;
  return false;
}

/** Step 6. */
function* readWaiting(r: Reaper, deadline: Deadline | null): Kernel<void> {
  const { ctx } = r;
  const task = current();
  while (r.count < r.nr) {
    const entry = reaperEntry(ctx, task);
    yield* addWaitQueueExclusive(ctx.wait, entry, 'read_events-6');
    const event = yield* waitForEvent(r, deadline);
    yield* setCurrentState(TaskState.RUNNING, 'read_events-6');
    yield* removeWaitQueue(ctx.wait, entry, 'read_events-6');
    if (event === null || !(yield* deliver(r, event, 'read_events-6'))) return;
  }
}

/** The inner loop: an event, or null with the error of the call set if that is not just the end of it. */
function* waitForEvent(r: Reaper, deadline: Deadline | null): Kernel<IoEvent | null> {
  const { ctx } = r;
  const site = 'read_events-6';
  const { kernel } = ringOf(ctx);
  for (;;) {
    yield* setCurrentState(TaskState.INTERRUPTIBLE, site);
    const event = yield* readEvent(ctx, 'aio_read_evt');
    if (event !== null || r.minNr <= r.count) return event;
    if (yield* aio.parts.hasGone(ctx)) {
      r.error = -E.EINVAL;
      return null;
    }
    if (deadline !== null && (yield* read(deadline.over, site)) !== 0) return null;
    announceCtx('getevents.asleep', ctx, r.count, site);
    yield* schedule(site, {
      holds: () => peek(kernel.head) !== peek(kernel.tail),
      describe: () => 'an event is in the ring',
    });
    announceCtx('getevents.woken', ctx, r.count, site);
    // The ring is not looked at again, though the wake-up may have been for an event (A-B1).
    if (yield* signalPending(site)) {
      r.error = -E.EINTR;
      return null;
    }
  }
}

// ---- the timeout ----

/** struct aio_timeout. */
interface Deadline {
  /** timed_out. */
  readonly over: Word;
  /** Null if the time was over before it could be armed. */
  readonly timer: Timer | null;
  readonly task: Task;
}

function timespecAt(address: number): Timespec {
  const stored = mm.load(address);
  // The C library of the target is the only one that stores one.
  return typeof stored === 'object' && stored !== null && 'nsec' in stored
    ? (stored as Timespec)
    : { sec: 0, nsec: 0 };
}

function isPositive(address: number): boolean {
  if (address === 0) return false;
  const { sec, nsec } = timespecAt(address);
  return sec !== 0 || nsec !== 0;
}

/** MAX_JIFFY_OFFSET: "very long". */
const VERY_LONG = 2 ** 30 - 1;

/** timespec_to_jiffies(): rounded up; negative seconds are very many. */
export function timespecTicks({ sec, nsec }: Timespec): number {
  const ticks = Math.ceil(sec * kernelConfig.hz + (nsec * kernelConfig.hz) / 1e9);
  return sec < 0 || ticks > VERY_LONG ? VERY_LONG : ticks;
}

/** set_timeout(): null without a timeout. */
function* armDeadline(r: Reaper, start: number): Kernel<Deadline | null> {
  if (r.timeout === 0) return null;
  const site = 'read_events-5';
  const task = current();
  const over = newWord('timed_out', 0);
  const ticks = timespecTicks(timespecAt(r.timeout));
  if (ticks <= 0 || start + ticks <= (yield* now(site))) {
    yield* write(over, 1, site);
    return { over, timer: null, task };
  }
  const timer = sleepTimerOf(task);
  task.expired = function* () {
    yield* write(over, 1, 'timeout_func');
  };
  yield* armTimer(timer, start + ticks, site);
  return { over, timer, task };
}

/** clear_timeout(). */
function* disarm({ timer, task }: Deadline): Kernel<void> {
  if (timer === null) return;
  yield* cancelTimerSync(timer, 'read_events-7');
  task.expired = null;
}

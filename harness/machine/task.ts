/** Tasks: state, sleeping, waking, signals, and the virtual clock they sleep by. */

import { andThen, atOnce } from './at-once.ts';
import { InitBlocked, engine, type Condition, type Kernel, type OpObject } from './engine.ts';
import { newSpinLock, spinLockIrqsave, spinUnlock, type SpinLock } from './lock.ts';
import { faults, injectFault, newWord, read, write, type Word } from './memory.ts';
import { SIGNAL } from './wording.ts';
import { HarnessBug, Kind, MAX_THREADS, TaskState } from './op.ts';
import { keepState } from './snapshot.ts';
import { cancelTimerSync, armTimer, newTimer, timerBaseOf, type Timer } from './timer.ts';

export { TaskState } from './op.ts';

/** MAX_SCHEDULE_TIMEOUT: sleep until woken. */
export const MAX_SCHEDULE_TIMEOUT = Infinity;

export interface Task {
  /** Thread slot; the number in T1 is slot + 1. */
  readonly slot: number;
  /** The task state object: SET, WAKE and AWAIT name it. */
  readonly state: OpObject;
  readonly siglock: SpinLock;
  /** Pending signals, a set; guarded by siglock. */
  readonly pending: Set<string>;
  /** Blocked signals, a set; guarded by siglock. */
  blocked: ReadonlySet<string>;
  /** TIF_SIGPENDING. */
  readonly sigpending: Word;
  /** The timer of schedule_timeout, made at its first use. */
  sleepTimer: Timer | null;
  /** A signal was injected in the system call that runs. */
  interrupted: boolean;
  /** What its timer does before it wakes the task, for sleeps with a flag of their own. */
  expired: (() => Kernel<void>) | null;
  /** The state that it has set last. */
  sleepsAs: number;
  /** Slot of its timer, or -1 for a task that never sleeps for a time. */
  readonly timerSlot: number;
}

/** The tasks of the current execution by slot. */
export const tasks: Task[] = [];

interface TaskConfig {
  signalsInUse: boolean;
  /** What schedule() does first for a task that gives up the processor: flushing its plug, in kernels that have one. */
  beforeSleep: ((site: string) => Kernel<void>) | null;
}

/** Per-execution facts that spare operations: a program without kill() never looks at signals. */
export const taskConfig: TaskConfig = { signalsInUse: false, beforeSleep: null };

function newTask(name: string, slot: number, timerSlot: number): Task {
  return {
    slot,
    state: { id: engine.newObject(`${name}.state`, TaskState.RUNNING), mem: null },
    siglock: newSpinLock('sighand.siglock'),
    pending: new Set(),
    blocked: new Set(),
    sigpending: newWord('task.sigpending', 0),
    sleepTimer: null,
    interrupted: false,
    expired: null,
    sleepsAs: TaskState.RUNNING,
    timerSlot,
  };
}

/** Makes the tasks of an execution; called from init. */
export function resetTasks(count: number): void {
  tasks.length = 0;
  taskConfig.beforeSleep = null;
  for (let slot = 0; slot < count; slot++) tasks.push(newTask('task', slot, engine.users + slot));
  initTask = newTask('init', MAX_THREADS - 1, -1);
  keepState(
    () => tasks,
    () => initTask,
  );
}

/**
 * Makes the task of a pseudo-thread, so that what runs there may sleep: no signal ever reaches it, and it cannot
 * sleep for a time. Called from boot, after resetTasks.
 */
export function newKernelTask(slot: number): Task {
  const task = newTask('ktask', slot, -1);
  tasks[slot] = task;
  return task;
}

let initTask: Task | null = null;

/** The task that runs; in init and exit a task of its own. Pseudo-threads have none: do not ask there. */
export function current(): Task {
  const task = engine.inline ? initTask : tasks[engine.current];
  if (task === null || task === undefined)
    throw new Error('Cannot name the current task: not in task context');
  return task;
}

/** The current task, or null in a timer handler, an interrupt or a worker without one. */
export function currentOrNull(): Task | null {
  return engine.inline ? initTask : (tasks[engine.current] ?? null);
}

/** set_current_state(). */
export function setCurrentState(state: number, site: string): Kernel<number> {
  const task = current();
  task.sleepsAs = state;
  return engine.submit(Kind.SET, task.state, state, site);
}

export const WAKE_NORMAL = TaskState.INTERRUPTIBLE | TaskState.UNINTERRUPTIBLE;

/** try_to_wake_up(): answers 1 if the task was asleep in one of the states of the mode mask. */
export function wakeUpProcess(task: Task, mode: number, site: string): Kernel<number> {
  return engine.submit(Kind.WAKE, task.state, mode, site);
}

/**
 * schedule() of a task that has set its state. `condition` is what it waits for: if the run ends with the task
 * asleep although the condition holds, that is a lost wake-up.
 */
export function schedule(site: string, condition: Condition | null = null): Kernel<unknown> {
  engine.observer.mightSleep(site);
  return isSleepInSteps() ? sleepInSteps(site, condition) : sleep(site, condition, 0);
}

/** Whether falling asleep is more than one operation. */
function isSleepInSteps(): boolean {
  return taskConfig.beforeSleep !== null || taskConfig.signalsInUse || faults.perThread > 0;
}

function* sleepInSteps(site: string, condition: Condition | null): Kernel<void> {
  if (taskConfig.beforeSleep !== null) yield* taskConfig.beforeSleep(site);
  // Who was signalled between a look at its signals and its new state must not sleep; an injected signal that ends
  // a sleep comes here too.
  const interruptible = current().sleepsAs === TaskState.INTERRUPTIBLE;
  if (interruptible && (yield* signalPending(site)))
    yield* setCurrentState(TaskState.RUNNING, site);
  yield* sleep(site, condition, 0);
}

/** The sleep itself; answers what is to be answered after it. */
function sleep<T>(site: string, condition: Condition | null, answer: T): Kernel<T> {
  engine.waitsFor[engine.current] = condition;
  return andThen(engine.submit(Kind.AWAIT, current().state, 0, site), isAwake, null, answer);
}

function isAwake<T>(_none: null, answer: T): T {
  engine.waitsFor[engine.current] = null;
  return answer;
}

/**
 * schedule_timeout(): sleeps until woken or for `ticks`; answers the ticks left. MAX_SCHEDULE_TIMEOUT arms
 * nothing. Any other negative value: a complaint, RUNNING, 0 at once.
 */
export function scheduleTimeout(
  ticks: number,
  site: string,
  condition: Condition | null = null,
): Kernel<number> {
  if (ticks !== MAX_SCHEDULE_TIMEOUT || isSleepInSteps()) return sleepFor(ticks, site, condition);
  engine.observer.mightSleep(site);
  return sleep(site, condition, ticks);
}

function* sleepFor(ticks: number, site: string, condition: Condition | null): Kernel<number> {
  if (ticks === MAX_SCHEDULE_TIMEOUT) {
    yield* schedule(site, condition);
    return ticks;
  }
  if (ticks < 0) {
    engine.observer.report('WARN', site, `schedule_timeout: wrong timeout value ${ticks}`);
    yield* setCurrentState(TaskState.RUNNING, site);
    return 0;
  }
  const task = current();
  const timer = sleepTimerOf(task);
  const start = yield* now(site);
  yield* armTimer(timer, start + ticks, site);
  yield* schedule(site, condition);
  // Waits for a handler that runs: its wake-up must not hit whatever this task sleeps for next.
  yield* cancelTimerSync(timer, site);
  const end = yield* now(site);
  return Math.max(0, start + ticks - end);
}

/** The timer that wakes a task, made at its first use. Whoever arms it cancels it before the task goes on. */
export function sleepTimerOf(task: Task): Timer {
  // Time stands still in init: whoever sleeps there sleeps for ever.
  if (task.timerSlot < 0 && engine.inline && !engine.exiting) throw new InitBlocked('sleep');
  if (task.timerSlot < 0)
    throw new HarnessBug(`Cannot put task ${task.slot} to sleep for a time: it has no timer`);
  return (task.sleepTimer ??= newTimer('sleep', task.timerSlot, () => wakeSleeper(task)));
}

function* wakeSleeper(task: Task): Kernel<void> {
  if (task.expired !== null) yield* task.expired();
  yield* wakeUpProcess(task, WAKE_NORMAL, 'process_timeout');
}

/** Reads jiffies. */
export function now(site: string): Kernel<number> {
  return engine.submit(Kind.NOW, timerBaseOf(), 0, site);
}

/** Sends a signal to a task: pending, and woken out of an interruptible sleep unless blocked. */
export function* sendSignal(task: Task, signal: string, site: string): Kernel<void> {
  yield* spinLockIrqsave(task.siglock, site);
  task.pending.add(signal);
  if (!task.blocked.has(signal)) {
    yield* write(task.sigpending, 1, site);
    yield* wakeUpProcess(task, TaskState.INTERRUPTIBLE, site);
  }
  yield* spinUnlock(task.siglock, site);
}

/**
 * signal_pending(current). No operation in programs that send no signal, unless failures are injected: a signal may
 * come at any look then.
 */
export function signalPending(site: string): Kernel<boolean> {
  if (faults.perThread > 0 && engine.current < engine.users && !engine.inline)
    return signalInjected(site);
  return hasSignal(site);
}

function* signalInjected(site: string): Kernel<boolean> {
  const task = current();
  task.interrupted ||= yield* injectFault(site, SIGNAL);
  return task.interrupted || (yield* hasSignal(site));
}

function hasSignal(site: string): Kernel<boolean> {
  if (!taskConfig.signalsInUse || engine.inline) return atOnce(false);
  const task = currentOrNull();
  if (task === null) return atOnce(false);
  return andThen(read(task.sigpending, site), isSet, null, null);
}

function isSet(_a: null, _b: null, flag: number): boolean {
  return flag !== 0;
}

/** Replaces the blocked set of the current task and answers the old one (sigprocmask SIG_SETMASK). */
export function* setSigmask(
  blocked: ReadonlySet<string>,
  site: string,
): Kernel<ReadonlySet<string>> {
  const task = current();
  if (!taskConfig.signalsInUse || engine.inline) {
    const old = task.blocked;
    task.blocked = blocked;
    return old;
  }
  yield* spinLockIrqsave(task.siglock, site);
  const old = task.blocked;
  task.blocked = blocked;
  yield* recalcSigpending(task, site);
  yield* spinUnlock(task.siglock, site);
  return old;
}

function* recalcSigpending(task: Task, site: string): Kernel<void> {
  const any = [...task.pending].some((signal) => !task.blocked.has(signal));
  yield* write(task.sigpending, any ? 1 : 0, site);
}

/** On the way out of a system call: runs the handlers of pending, unblocked signals; answers their names. */
export function handleSignals(site: string): Kernel<readonly string[]> {
  return taskConfig.signalsInUse && !engine.inline ? handlePending(site) : atOnce(NO_SIGNALS);
}

const NO_SIGNALS: readonly string[] = [];

function* handlePending(site: string): Kernel<readonly string[]> {
  if (!(yield* hasSignal(site))) return NO_SIGNALS;
  const task = current();
  yield* spinLockIrqsave(task.siglock, site);
  const handled = [...task.pending].filter((signal) => !task.blocked.has(signal)).sort();
  for (const signal of handled) task.pending.delete(signal);
  yield* recalcSigpending(task, site);
  yield* spinUnlock(task.siglock, site);
  return handled;
}

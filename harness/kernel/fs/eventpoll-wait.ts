/** Collecting, sending and re-injecting events, and the loop of epoll_wait (E-R96, E-R97). */

import {
  MAX_SCHEDULE_TIMEOUT,
  TaskState,
  addEntryLocked,
  copyToUser,
  currentEntry,
  downRead,
  engine,
  relax,
  isLinked,
  listAddTail,
  listDelInit,
  peek,
  plainRead,
  plainWrite,
  removeEntryLocked,
  scheduleTimeout,
  setCurrentState,
  signalPending,
  upRead,
  write,
  writeLockIrqsave,
  writeUnlock,
  type Condition,
  type Kernel,
} from '../../machine/index.ts';
import { E, kernelConfig } from '../kernel.ts';
import { pollFile } from './eventpoll-ctl.ts';
import {
  EPOLLET,
  EPOLLONESHOT,
  EPOLL_EVENT_SIZE,
  EP_PRIVATE_BITS,
  noteReadyState,
  reportable,
  type EpItem,
  type EventPoll,
} from './eventpoll-object.ts';
import { epPollSafewake, wakeSleepers } from './eventpoll-wake.ts';
import { mm } from './file.ts';

/** EP_MAX_MSTIMEO (E-R85): from here on milliseconds mean for ever. */
export function maxTimeoutMs(): number {
  const max = 2 ** (kernelConfig.longBits - 1) - 1;
  return Math.floor(Math.min((1000 * max) / kernelConfig.hz, (max - 999) / kernelConfig.hz));
}

/** LP1: milliseconds as ticks, rounded up. */
export function timeoutTicks(ms: number): number {
  if (ms < 0 || ms >= maxTimeoutMs()) return MAX_SCHEDULE_TIMEOUT;
  return Math.floor((ms * kernelConfig.hz + 999) / 1000);
}

/** What a collection came to. */
interface Batch {
  /** Newest first, as collected. */
  readonly items: EpItem[];
  /** Ready edges and one-shots among them, which nobody will see again unless the caller reports them. */
  edges: number;
  /** Version of the ready state that yielded nothing; -1 if there was something, or nothing to be had. */
  stuckAt: number;
}

/** CO1, CO2: takes ready items off the list, except those that another collector has in hand. */
function* collect(ep: EventPoll, maxEvents: number, retries: boolean): Kernel<Batch> {
  const batch: Batch = { items: [], edges: 0, stuckAt: -1 };
  yield* writeLockIrqsave(ep.lock, '2.6-CO1');
  plainWrite(ep.guard, '2.6-CO1');
  for (const item of ep.ready) {
    if (batch.items.length >= maxEvents) break;
    plainWrite(item.guard, '2.6-CO1');
    if (isLinked(item.txlink)) continue;
    // Items that a fault keeps from being looked at are put back as if they were ready.
    plainRead(item.eventsGuard, '2.6-CO1');
    item.revents = peek(item.events);
    claim(item);
    batch.items.unshift(item);
    listDelInit(item.rdllink);
  }
  if (batch.items.length === 0 && !ep.ready.isEmpty()) {
    if (retries) ep.watched = true;
    batch.stuckAt = engine.state[ep.version.id];
  }
  yield* writeUnlock(ep.lock, '2.6-CO2');
  return batch;
}

/** Links txlink; the private list itself is the batch. */
function claim(item: EpItem): void {
  item.txlink.next = item.txlink;
  item.txlink.prev = item.txlink;
}

function isLevelTriggered(item: EpItem): boolean {
  return (peek(item.events) & EPOLLET) === 0;
}

/** SE1 to SE4: how many events were stored, or -EFAULT. sem held for reading. */
function* send(batch: Batch, address: number): Kernel<number> {
  let count = 0;
  for (const item of batch.items) {
    const mask = yield* pollFile(item.file, null);
    plainRead(item.eventsGuard, '2.6-SE2');
    const events = peek(item.events);
    item.revents = mask & events;
    if (item.revents === 0) continue;
    if (!isLevelTriggered(item)) batch.edges++;
    plainRead(item.semGuard, '2.6-SE3');
    const event = { events: item.revents >>> 0, data: item.data };
    const at = address + count * EPOLL_EVENT_SIZE;
    if (!(yield* copyToUser(mm, at, EPOLL_EVENT_SIZE, event, '2.6-SE3'))) {
      const rest = batch.items.slice(batch.items.indexOf(item) + 1);
      batch.edges += rest.filter((r) => !isLevelTriggered(r) && reportable(r) !== 0).length;
      return -E.EFAULT;
    }
    if ((events & EPOLLONESHOT) !== 0) {
      if (isLevelTriggered(item)) batch.edges++;
      plainWrite(item.eventsGuard, '2.6-SE4');
      yield* write(item.events, events & EP_PRIVATE_BITS, '2.6-SE4');
    }
    count++;
  }
  return count;
}

/** RI1 to RI4: gives the items back; level-triggered ones that were reported stay ready. */
function* reinject(ep: EventPoll, batch: Batch): Kernel<void> {
  let injected = false;
  let wakePollers = false;
  yield* writeLockIrqsave(ep.lock, '2.6-RI1');
  plainWrite(ep.guard, '2.6-RI1');
  for (const item of batch.items) {
    plainWrite(item.guard, '2.6-RI1');
    listDelInit(item.txlink);
    if (!item.inTree || !isLevelTriggered(item)) continue;
    if ((item.revents & peek(item.events)) === 0 || isLinked(item.rdllink)) continue;
    listAddTail(item.rdllink, ep.ready);
    injected = true;
  }
  yield* noteReadyState(ep, '2.6-RI1');
  if (injected) wakePollers = yield* wakeSleepers(ep, '2.6-RI2');
  yield* writeUnlock(ep.lock, '2.6-RI3');
  if (wakePollers) yield* epPollSafewake(ep.pollWait);
}

interface Transfer {
  /** Events stored, or -EFAULT. */
  readonly result: number;
  readonly stuckAt: number;
}

/** ep_events_transfer() (E-R97). */
function* transfer(
  ep: EventPoll,
  address: number,
  maxEvents: number,
  retries: boolean,
): Kernel<Transfer> {
  yield* downRead(ep.sem, '2.6-TR1');
  const batch = yield* collect(ep, maxEvents, retries);
  let result = 0;
  if (batch.items.length > 0) {
    result = yield* send(batch, address);
    if (batch.edges > 0) parts.took(batch.edges, '2.6-SE3');
    yield* reinject(ep, batch);
  }
  yield* upRead(ep.sem, '2.6-TR2');
  return { result, stuckAt: batch.stuckAt };
}

/** How a wait of ep_poll ended. */
export interface Waited {
  /** Ticks left. */
  readonly ticks: number;
  /** 0, or the error that ep_poll answers: -EINTR. */
  readonly error: number;
  /** LP9: the ready list was not empty when ep.lock was dropped. */
  readonly available: boolean;
}

/** What patches replace in eventpoll. */
export interface EpollParts {
  /** Sleeps until the ready list is not empty, `ticks` are over, or a signal comes. ep.lock is not held. */
  wait(ep: EventPoll, ticks: number): Kernel<Waited>;
  /** For the checks: a transfer has taken off that many ready edges and one-shots, whether or not it stored them. */
  took(edges: number, site: string): void;
}

/** LP2 to LP10: as 2.6.20 waits. */
function* waitForEvents(ep: EventPoll, timeout: number): Kernel<Waited> {
  let ticks = timeout;
  let interrupted = false;
  yield* writeLockIrqsave(ep.lock, '2.6-LP2');
  plainRead(ep.guard, '2.6-LP3');
  // With no ticks C queues an entry and takes it off again under one hold of the lock: nobody can see that.
  if (ep.ready.isEmpty() && ticks !== 0) {
    const entry = currentEntry();
    addEntryLocked(ep.wq, entry, '2.6-LP4');
    // C sets the state before it tests the list; under ep.lock, which every waker of wq holds, that is the same.
    while (ep.ready.isEmpty() && ticks !== 0) {
      yield* setCurrentState(TaskState.INTERRUPTIBLE, '2.6-LP5');
      interrupted = yield* signalPending('2.6-LP7');
      if (interrupted) break;
      yield* writeUnlock(ep.lock, '2.6-LP7');
      ticks = yield* scheduleTimeout(ticks, '2.6-LP7', eventCondition(ep));
      yield* writeLockIrqsave(ep.lock, '2.6-LP7');
      plainRead(ep.guard, '2.6-LP6');
    }
    if (interrupted) yield* setCurrentState(TaskState.RUNNING, '2.6-LP8');
    removeEntryLocked(ep.wq, entry, '2.6-LP8');
  }
  const available = !ep.ready.isEmpty();
  yield* writeUnlock(ep.lock, '2.6-LP10');
  return { ticks, error: interrupted ? -E.EINTR : 0, available };
}

/** eventpoll as released. */
export const plainEpoll: EpollParts = { wait: waitForEvents, took() {} };

let parts = plainEpoll;

/** Which functions the eventpoll of this kernel has; called from boot. */
export function useEpollParts(chosen: EpollParts): void {
  parts = chosen;
}

/** Words for a sleeper, and whether something should have woken it. */
export function eventCondition(ep: EventPoll): Condition {
  const isOverdue = (item: EpItem): boolean => isLevelTriggered(item) && reportable(item) !== 0;
  return {
    holds: () => !ep.ready.isEmpty() || ep.tree.some(isOverdue),
    describe: () => 'a registered file is ready',
  };
}

/**
 * ep_poll() (E-R96): number of events stored, 0 after the timeout, -EINTR, or -EFAULT.
 *
 * LP11 goes round again when nothing was stored and there is time left. Normally such a round has taken stale items
 * off the ready list, so the rounds come to an end. But if all ready items are in the hands of another collector
 * (txlink taken), a round changes nothing, and none of its steps sleeps or looks at signals: the loop spins for as
 * long as the other collector does not get on (E-B47). That is reported here, on the first such round: any schedule
 * that reaches it can be continued by as many rounds as one likes. To keep executions finite the loop then waits
 * until somebody has changed the ready state since that look at it.
 */
export function* epPoll(
  ep: EventPoll,
  address: number,
  maxEvents: number,
  timeoutMs: number,
): Kernel<number> {
  let ticks = timeoutTicks(timeoutMs);
  for (;;) {
    const waited = yield* parts.wait(ep, ticks);
    if (waited.error !== 0) return waited.error;
    ticks = waited.ticks;
    if (!waited.available) return 0;
    const { result, stuckAt } = yield* transfer(ep, address, maxEvents, ticks !== 0);
    if (result !== 0 || ticks === 0) return result;
    if (stuckAt >= 0) yield* relax(ep.version, stuckAt, 'SOFT-LOCKUP', '2.6-LP11', SPINS);
  }
}

const SPINS =
  'epoll_wait spins without sleeping or looking at signals: another collector has every ready item in hand';

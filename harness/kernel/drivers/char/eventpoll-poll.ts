/**
 * Waiting for events: ep_poll() under epoll_wait and EP_POLL, and poll(2) on the epoll descriptor.
 *
 * From the sys_epoll v11 patch (2.5.44), drivers/char/eventpoll.c: ep_poll(), poll_eventpoll() (E-R7, E-R15).
 */

import {
  MAX_SCHEDULE_TIMEOUT,
  PAGE_SIZE,
  TaskState,
  addEntryLocked,
  currentEntry,
  oops,
  peek,
  plainRead,
  plainWrite,
  read,
  removeEntryLocked,
  scheduleTimeout,
  setCurrentState,
  signalPending,
  write,
  writeLockIrqsave,
  writeUnlock,
  type Condition,
  type Kernel,
} from '../../../machine/index.ts';
import type { File, PollTable } from '../../fs/file.ts';
import { E, kernelConfig } from '../../kernel.ts';
import { READABLE } from '../../poll-bits.ts';
import { eventpollFileOf, privateData, type EventPoll } from './eventpoll.ts';

/** What a wait answers: the number of slots or -errno, and where they stand in the mapping. */
export interface PollResult {
  readonly result: number;
  /** Bytes from the start of the mapping; meaningless unless result > 0. */
  readonly offset: number;
}

/** PO5: milliseconds to ticks, rounded down, in int arithmetic; -1 is for ever. */
export function pollTicks(timeoutMs: number): number {
  const { hz, longBits } = kernelConfig;
  const longMax = longBits === 32 ? 2 ** 31 - 1 : 2 ** 63 - 1;
  if (timeoutMs === -1 || timeoutMs > Math.trunc(longMax / hz)) return MAX_SCHEDULE_TIMEOUT;
  return Math.trunc(Math.imul(timeoutMs, hz) / 1000);
}

/** ep_poll(): waits until a slot is used, takes all of them and turns the buffer round. */
export function* epPoll(ep: EventPoll, timeoutMs: number): Kernel<PollResult> {
  if ((yield* read(ep.mmapped, 'v11-PO1')) === 0) return { result: -E.EINVAL, offset: 0 };
  yield* writeLockIrqsave(ep.lock, 'v11-PO2');
  plainRead(ep.guard, 'v11-PO3');
  const error = peek(ep.eventcnt) > 0 ? 0 : yield* waitForSlot(ep, timeoutMs);
  const answer = error === 0 ? yield* takeSlots(ep) : { result: error, offset: 0 };
  yield* writeUnlock(ep.lock, 'v11-PO12');
  return answer;
}

/** PO4 to PO10: 0 or -EINTR. Needs ep.lock, which it drops while it sleeps. */
function* waitForSlot(ep: EventPoll, timeoutMs: number): Kernel<number> {
  const entry = currentEntry();
  addEntryLocked(ep.wq, entry, 'v11-PO4');
  const condition: Condition = {
    holds: () => peek(ep.eventcnt) > 0,
    describe: () => 'epoll_wait: a used slot in the set',
  };
  let ticks = pollTicks(timeoutMs);
  let error = 0;
  for (;;) {
    yield* setCurrentState(TaskState.INTERRUPTIBLE, 'v11-PO6');
    plainRead(ep.guard, 'v11-PO7');
    if (peek(ep.eventcnt) > 0 || ticks === 0) break;
    if (yield* signalPending('v11-PO8')) {
      error = -E.EINTR;
      break;
    }
    yield* writeUnlock(ep.lock, 'v11-PO9');
    ticks = yield* scheduleTimeout(ticks, 'v11-PO9', condition);
    yield* writeLockIrqsave(ep.lock, 'v11-PO9');
  }
  removeEntryLocked(ep.wq, entry, 'v11-PO10');
  yield* setCurrentState(TaskState.RUNNING, 'v11-PO10');
  return error;
}

/** PO11. Needs ep.lock. */
function* takeSlots(ep: EventPoll): Kernel<PollResult> {
  const result = peek(ep.eventcnt);
  if (result === 0) return { result, offset: 0 };
  plainWrite(ep.guard, 'v11-PO11');
  yield* write(ep.eventcnt, 0, 'v11-PO11');
  ep.version++;
  const offset = ep.filling === 0 ? 0 : peek(ep.numpages) * PAGE_SIZE;
  ep.filling = ep.filling === 0 ? 1 : 0;
  return { result, offset };
}

/** poll_eventpoll(): readable iff a slot is used, looked at without the lock. */
export function* pollEventpoll(file: File, table: PollTable): Kernel<number> {
  const ep = yield* privateData(file, 'v11-poll_eventpoll');
  if (ep === null)
    oops('v11-poll_eventpoll', 'NULL set: the descriptor was used before its set was made');
  if (table !== null) yield* table(ep.pollWait);
  return (yield* read(ep.eventcnt, 'v11-poll_eventpoll')) !== 0 ? READABLE : 0;
}

/** What poll would answer, from raw state, for reports. */
export function readyEventpoll(file: File): number {
  const ep = eventpollFileOf(file).set.value;
  return ep !== null && peek(ep.eventcnt) !== 0 ? READABLE : 0;
}

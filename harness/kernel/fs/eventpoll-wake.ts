/** How a ready file reaches a set, and a ready set its sleepers, pollers and outer sets (E-R94, E-R95). */

import {
  WAKE_NORMAL,
  engine,
  isActiveLocked,
  isLinked,
  listAddTail,
  plainRead,
  plainWrite,
  read,
  spinLockIrqsave,
  spinUnlock,
  waitqueueActive,
  wakeUp,
  wakeUpLocked,
  writeLockIrqsave,
  writeUnlock,
  type Kernel,
  type WaitQueue,
} from '../../machine/index.ts';
import {
  EP_MAX_POLLWAKE_NESTS,
  EP_PRIVATE_BITS,
  globals,
  noteReadyState,
  type EpItem,
  type EventPoll,
} from './eventpoll-object.ts';

/**
 * Wakes all sleepers of the set and answers whether its pollers have to be woken too, which the caller does once
 * it has dropped ep.lock. Needs ep.lock for writing.
 */
export function wakeSleepers(ep: EventPoll, site: string): Kernel<boolean> {
  // A racy look: pollers queue under the queue's own lock.
  return isActiveLocked(ep.wq, site) ? wakeThemFirst(ep, site) : waitqueueActive(ep.pollWait, site);
}

function* wakeThemFirst(ep: EventPoll, site: string): Kernel<boolean> {
  yield* wakeUpLocked(ep.wq, WAKE_NORMAL, 1, 0, site);
  return yield* waitqueueActive(ep.pollWait, site);
}

/** Appends the item to the ready list; ep.lock held for writing, item not on the list. */
export function appendReady(item: EpItem, site: string): Kernel<unknown> {
  plainWrite(item.ep.guard, site);
  plainWrite(item.guard, site);
  listAddTail(item.rdllink, item.ep.ready);
  return noteReadyState(item.ep, site);
}

/**
 * ep_poll_callback(): the item's file was woken. Queue lock of the file held, any context, must not sleep. Does not
 * look at what happened.
 */
export function* epPollCallback(item: EpItem): Kernel<boolean> {
  const { ep } = item;
  yield* writeLockIrqsave(ep.lock, '2.6-CB1');
  let wakePollers = false;
  plainRead(item.eventsGuard, '2.6-CB2');
  if (((yield* read(item.events, '2.6-CB2')) & ~EP_PRIVATE_BITS) !== 0) {
    plainRead(item.guard, '2.6-CB3');
    if (!isLinked(item.rdllink)) yield* appendReady(item, '2.6-CB4');
    wakePollers = yield* wakeSleepers(ep, '2.6-CB5');
  }
  yield* writeUnlock(ep.lock, '2.6-CB6');
  if (wakePollers) yield* epPollSafewake(ep.pollWait);
  return true;
}

/**
 * ep_poll_safewake(): wakes pollers of a set unless that queue is already being woken by anybody, or the wake-ups
 * of this task are nested too deep.
 */
export function* epPollSafewake(wq: WaitQueue): Kernel<void> {
  const psw = globals();
  const task = engine.current;
  yield* spinLockIrqsave(psw.pswLock, '2.6-SW1');
  plainRead(psw.pswGuard, '2.6-SW2');
  const depth = psw.pswNodes.filter((node) => node.task === task).length;
  if (depth > EP_MAX_POLLWAKE_NESTS || psw.pswNodes.some((node) => node.wq === wq)) {
    yield* spinUnlock(psw.pswLock, '2.6-SW2');
    return;
  }
  plainWrite(psw.pswGuard, '2.6-SW3');
  const node = { task, wq };
  psw.pswNodes.push(node);
  yield* spinUnlock(psw.pswLock, '2.6-SW4');

  yield* wakeUp(wq, 1, 0, '2.6-SW5');

  yield* spinLockIrqsave(psw.pswLock, '2.6-SW6');
  plainWrite(psw.pswGuard, '2.6-SW6');
  psw.pswNodes = psw.pswNodes.filter((other) => other !== node);
  yield* spinUnlock(psw.pswLock, '2.6-SW6');
}

/**
 * Delivery: what a callback on a file does to the set.
 *
 * From the sys_epoll v11 patch (2.5.44), drivers/char/eventpoll.c:notify_proc() (E-R9).
 */

import {
  WAKE_NORMAL,
  isActiveLocked,
  oops,
  peek,
  plainRead,
  plainWrite,
  read,
  touch,
  waitqueueActive,
  wakeUp,
  wakeUpLocked,
  write,
  writeLock,
  writeUnlock,
  type Kernel,
} from '../../../machine/index.ts';
import { HarnessBug } from '../../../machine/op.ts';
import { EpItem, POLLFD_X_PAGE, slotAt, type EventPoll, type SlotPage } from './eventpoll.ts';

/** The page of slot `index` of the filling side, be it still allocated or not. */
export function slotPageOf(ep: EventPoll, index: number, site: string): SlotPage {
  const page = ep.sides[ep.filling][Math.floor(index / POLLFD_X_PAGE)];
  if (page === undefined) oops(site, 'Store through a page pointer that was never set');
  return page;
}

function isFull(ep: EventPoll): boolean {
  return peek(ep.eventcnt) >= peek(ep.numpages) * POLLFD_X_PAGE;
}

/** notify_proc(): records the wanted bits of `mask` in the item's slot and wakes. Interrupts are off. */
export function* notifyProc(data: object, mask: number): Kernel<void> {
  if (!(data instanceof EpItem))
    throw new HarnessBug('Cannot notify: the callback data is no item');
  const dpi = data;
  touch(dpi.mem, 'v11-NP1');
  const ep = dpi.ep;
  yield* writeLock(ep.lock, 'v11-NP1');
  plainRead(dpi.guard, 'v11-NP2');
  if (((yield* read(dpi.events, 'v11-NP2')) & mask) !== 0) yield* record(ep, dpi, mask);
  yield* writeUnlock(ep.lock, 'v11-NP9');
}

/** NP3 to NP8. */
function* record(ep: EventPoll, dpi: EpItem, mask: number): Kernel<void> {
  plainWrite(ep.guard, 'v11-NP3');
  plainWrite(dpi.guard, 'v11-NP3');
  let site = 'v11-NP4';
  let isNew = dpi.index < 0 || dpi.version !== ep.version;
  if (!isNew) {
    site = 'v11-NP5';
    const page = slotPageOf(ep, dpi.index, site);
    touch(page.mem, site);
    isNew = slotAt(page, dpi.index).fd !== dpi.fd;
  }
  if (isNew) {
    if (isFull(ep)) return;
    dpi.index = peek(ep.eventcnt);
    yield* write(ep.eventcnt, dpi.index + 1, site);
    if (site === 'v11-NP4') dpi.version = ep.version;
  }
  yield* store(ep, dpi, mask, isNew, site);
  if (isActiveLocked(ep.wq, 'v11-NP7')) yield* wakeUpLocked(ep.wq, WAKE_NORMAL, 1, 0, 'v11-NP7');
  if (yield* waitqueueActive(ep.pollWait, 'v11-NP8')) yield* wakeUp(ep.pollWait, 1, 0, 'v11-NP8');
}

/** The slot's new content. One store: both are to one slot under ep.lock, and the user reads the other side. */
function* store(
  ep: EventPoll,
  dpi: EpItem,
  mask: number,
  isNew: boolean,
  site: string,
): Kernel<void> {
  const page = slotPageOf(ep, dpi.index, site);
  // The item's mask is read a second time: MOD may have changed it since NP2.
  const events = isNew ? yield* read(dpi.events, site) : 0;
  plainWrite(page.guard, isNew ? site : 'v11-NP6');
  yield* write(page.content, 0, isNew ? site : 'v11-NP6');
  const slot = isNew ? { fd: dpi.fd, events, revents: 0 } : slotAt(page, dpi.index);
  page.slots[dpi.index % POLLFD_X_PAGE] = { ...slot, revents: slot.revents | (slot.events & mask) };
}

/**
 * epoll-add-and-test: a second registration operation that also reports what is ready now (E-R37, E-R38).
 *
 * Proposed in the thread (Myers 2002-10-28, Lokier 2002-10-31): EPOLL_CTL_ADD keeps its meaning, and
 * EPOLL_CTL_ADD_AND_TEST asks ->poll after the callback is installed, so that an edge in between is seen by one of
 * the two, and records the answer as a notification would, which coalesces the two into one slot. The posts name no
 * code; this is the smallest that keeps their order.
 */

import type { Kernel } from '../../machine/index.ts';
import { epInsertItem } from '../drivers/char/eventpoll-items.ts';
import { notifyProc } from '../drivers/char/eventpoll-notify.ts';
import type { EntryPoints, EventPoll } from '../drivers/char/eventpoll.ts';
import { fileNotifyOne } from '../fs/fcblist.ts';
import { fput } from '../fs/file.ts';
import { E } from '../kernel.ts';
import type { Parts2544 } from '../build-2.5.44.ts';
import { SYS_EPOLL_THREAD, type Patch } from './patch.ts';

/** The new operation. */
export const EP_CTL_ADD_AND_TEST = 4;

// Patch: epoll-add-and-test. The reference on the file is kept until the test is over.
function* insertAndTest(ep: EventPoll, fd: number, events: number): Kernel<number> {
  const made = yield* epInsertItem(ep, fd, events);
  if (typeof made === 'number') return made;
  const { dpi, file } = made;
  const mask = file.ops.poll === undefined ? 0 : yield* file.ops.poll(file, null);
  // Through the callback list, as a notification: an item that was removed meanwhile is not there any more.
  if (mask !== 0) yield* fileNotifyOne(file, notifyProc, dpi, mask, 'v11-ADDT');
  yield* fput(file, 'v11-IN10');
  return 0;
}

function withTest(base: EntryPoints): EntryPoints {
  return {
    ...base,
    *ctlOperation(ep, dpi, op, fd, events) {
      if (op !== EP_CTL_ADD_AND_TEST) return yield* base.ctlOperation(ep, dpi, op, fd, events);
      return dpi === null ? yield* insertAndTest(ep, fd, events) : -E.EEXIST;
    },
  };
}

export const epollAddAndTest: Patch<Parts2544> = {
  name: 'epoll-add-and-test',
  title: 'EPOLL_CTL_ADD_AND_TEST: registers and reports at once what is ready already',
  seed: SYS_EPOLL_THREAD,
  base: '2.5.44',
  requires: ['sys_epoll-v11'],
  replaces: ['sys_epoll_ctl'],
  apply: (parts) => ({ ...parts, epoll: parts.epoll === null ? null : withTest(parts.epoll) }),
};

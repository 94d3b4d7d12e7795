/**
 * Items of a set: lookup, insertion with the growing hash table, and removal.
 *
 * From the sys_epoll v11 patch (2.5.44), drivers/char/eventpoll.c: ep_find() to ep_remove() (E-R2 to E-R5).
 */

import {
  add,
  injectFault,
  kfree,
  listAdd,
  listDel,
  peek,
  plainRead,
  plainWrite,
  read,
  readLockIrqsave,
  readUnlock,
  touch,
  write,
  writeLockIrqsave,
  writeUnlock,
  type Kernel,
} from '../../../machine/index.ts';
import { fget, fput, type File } from '../../fs/file.ts';
import { fileNotifyAddcb, fileNotifyDelcb } from '../../fs/fcblist.ts';
import { E } from '../../kernel.ts';
import {
  EpItem,
  MAX_HASH_BITS,
  POLLFD_X_PAGE,
  RESIZE_LENGTH,
  chainOf,
  newHashTable,
  slotAt,
  type EventPoll,
} from './eventpoll.ts';
import { notifyProc, slotPageOf } from './eventpoll-notify.ts';

/** ep_find_nl(): the newest item with that number, or null. Needs ep.lock. */
export function epFindNl(ep: EventPoll, fd: number, site: string): EpItem | null {
  plainRead(ep.guard, site);
  touch(ep.hash.mem, site);
  for (const dpi of chainOf(ep.hash, fd)) {
    plainRead(dpi.guard, site);
    if (dpi.fd === fd) return dpi;
  }
  return null;
}

/** ep_find() (CT4): the lock is let go again, and nothing pins what is answered. */
export function* epFind(ep: EventPoll, fd: number): Kernel<EpItem | null> {
  yield* readLockIrqsave(ep.lock, 'v11-CT4');
  const dpi = epFindNl(ep, fd, 'v11-CT4');
  yield* readUnlock(ep.lock, 'v11-CT4');
  return dpi;
}

/** ep_insert() (E-R3): 0 or -errno. That there was no memory for the callback is no error. */
export function* epInsert(ep: EventPoll, fd: number, events: number): Kernel<number> {
  const made = yield* epInsertItem(ep, fd, events);
  if (typeof made === 'number') return made;
  yield* fput(made.file, 'v11-IN10');
  return 0;
}

/** IN1 to IN9: the item with its callback installed; the caller holds the reference on the file. */
export function* epInsertItem(
  ep: EventPoll,
  fd: number,
  events: number,
): Kernel<{ readonly dpi: EpItem; readonly file: File } | number> {
  const items = yield* read(ep.hents, 'v11-IN1');
  const pages = yield* read(ep.numpages, 'v11-IN1');
  if (items >= pages * POLLFD_X_PAGE) return -E.E2BIG;
  const file = yield* fget(fd, 'v11-IN2');
  if (file === null) return -E.EBADF;
  if (yield* injectFault('v11-IN3')) {
    yield* fput(file, 'v11-IN3');
    return -E.ENOMEM;
  }
  const dpi = new EpItem(ep, file, fd, events, 'v11-IN3');
  yield* writeLockIrqsave(ep.lock, 'v11-IN5');
  plainWrite(ep.guard, 'v11-IN6');
  touch(ep.hash.mem, 'v11-IN6');
  listAdd(dpi.link, chainOf(ep.hash, fd));
  yield* add(ep.hents, 1, 'v11-IN6');
  if (isCrowded(ep)) {
    ep.resizing++;
    yield* epHashresize(ep);
  }
  yield* writeUnlock(ep.lock, 'v11-IN8');
  yield* fileNotifyAddcb(file, notifyProc, dpi, 'v11-IN9');
  return { dpi, file };
}

/** The test of IN7. */
function isCrowded(ep: EventPoll): boolean {
  const { bits } = ep.hash;
  return ep.resizing === 0 && peek(ep.hents) >> bits > RESIZE_LENGTH && bits < MAX_HASH_BITS;
}

/** ep_hashresize() (E-R4): doubles the table. Called and left with ep.lock held, which it drops in between. */
function* epHashresize(ep: EventPoll): Kernel<void> {
  const bits = ep.hash.bits + 1;
  yield* writeUnlock(ep.lock, 'v11-HR1');
  const failed = yield* injectFault('v11-HR2');
  const table = failed ? null : newHashTable(bits, 'v11-HR2');
  yield* writeLockIrqsave(ep.lock, 'v11-HR4');
  plainWrite(ep.guard, 'v11-HR5');
  if (table !== null) {
    const old = ep.hash;
    for (const key of [...old.chains.keys()].sort((a, b) => a - b)) {
      for (const dpi of chainOf(old, key)) {
        plainWrite(dpi.guard, 'v11-HR5');
        listDel(dpi.link, 'v11-HR5');
        listAdd(dpi.link, chainOf(table, dpi.fd));
      }
    }
    ep.hash = table;
    yield* writeUnlock(ep.lock, 'v11-HR7');
    kfree(old.mem, 'v11-HR8');
    yield* writeLockIrqsave(ep.lock, 'v11-HR9');
  }
  plainWrite(ep.guard, 'v11-HR10');
  ep.resizing--;
}

/** ep_remove() (E-R5). The first callback with our function goes, whoever it belongs to. */
export function* epRemove(ep: EventPoll, dpi: EpItem): Kernel<number> {
  touch(dpi.mem, 'v11-RM1');
  yield* fileNotifyDelcb(dpi.file, notifyProc, 'v11-RM1');
  yield* writeLockIrqsave(ep.lock, 'v11-RM2');
  plainWrite(ep.guard, 'v11-RM3');
  plainWrite(dpi.guard, 'v11-RM3');
  listDel(dpi.link, 'v11-RM3');
  yield* add(ep.hents, -1, 'v11-RM3');
  yield* fillHole(ep, dpi);
  yield* writeUnlock(ep.lock, 'v11-RM5');
  kfree(dpi.mem, 'v11-RM6');
  return 0;
}

/** RM4: takes the item's slot out of the filling side; the last slot moves into the hole. */
function* fillHole(ep: EventPoll, dpi: EpItem): Kernel<void> {
  const site = 'v11-RM4';
  const used = peek(ep.eventcnt);
  if (dpi.index < 0 || dpi.version !== ep.version || dpi.index >= used) return;
  const page = slotPageOf(ep, dpi.index, site);
  touch(page.mem, site);
  if (slotAt(page, dpi.index).fd !== dpi.fd) return;
  const last = used - 1;
  yield* write(ep.eventcnt, last, site);
  if (dpi.index >= last) return;
  const lastPage = slotPageOf(ep, last, site);
  touch(lastPage.mem, site);
  const moved = slotAt(lastPage, last);
  plainWrite(page.guard, site);
  yield* write(page.content, 0, site);
  page.slots[dpi.index % POLLFD_X_PAGE] = moved;
  const owner = epFindNl(ep, moved.fd, site);
  if (owner !== null) {
    plainWrite(owner.guard, site);
    owner.index = dpi.index;
  }
}

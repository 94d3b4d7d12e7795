/** Adding, changing and removing an item (E-R90 to E-R93). */

import {
  addWaitQueue,
  atOnce,
  injectFault,
  isLinked,
  kfree,
  kmalloc,
  listDelInit,
  newCallback,
  peek,
  plainRead,
  plainWrite,
  poke,
  removeWaitQueue,
  spinLock,
  spinUnlock,
  write,
  writeLockIrqsave,
  writeUnlock,
  type Kernel,
  type WaitQueue,
} from '../../machine/index.ts';
import { E } from '../kernel.ts';
import {
  EpItem,
  eraseFromTree,
  insertIntoTree,
  linksOf,
  noteReadyState,
} from './eventpoll-object.ts';
import type { EpLinks, EventPoll } from './eventpoll-object.ts';
import { appendReady, epPollCallback, epPollSafewake, wakeSleepers } from './eventpoll-wake.ts';
import type { File, PollTable } from './file.ts';

/** Asks the file; epoll_ctl has refused files without a poll method. */
export function pollFile(file: File, table: PollTable): Kernel<number> {
  return file.ops.poll === undefined ? atOnce(0) : file.ops.poll(file, table);
}

/** ep_ptable_queue_proc() (E-R90): one more wait queue of the file gets an entry of the item. */
function* queueProc(item: EpItem, whead: WaitQueue): Kernel<void> {
  if (item.nwait < 0) return;
  if (yield* injectFault('2.6-ep_ptable_queue_proc')) {
    item.nwait = -1;
    return;
  }
  const mem = kmalloc('eppoll_entry', '2.6-ep_ptable_queue_proc');
  const entry = newCallback(() => epPollCallback(item), mem);
  yield* addWaitQueue(whead, entry, '2.6-ep_ptable_queue_proc');
  item.entries.push({ mem, entry, whead });
  item.nwait++;
}

/** ep_insert() (E-R91): 0 or -ENOMEM. Needs sem for writing and a reference on the file. */
export function* epInsert(
  ep: EventPoll,
  file: File,
  fd: number,
  events: number,
  data: unknown,
): Kernel<number> {
  if (yield* injectFault('2.6-IN1')) return -E.ENOMEM;
  const item = new EpItem(ep, file, fd, events, data);
  plainWrite(item.semGuard, '2.6-IN2');
  plainWrite(item.eventsGuard, '2.6-IN2');
  // From the first queueing on the callback may run, before anybody can find the item.
  const revents = yield* pollFile(file, (whead) => queueProc(item, whead));
  if (item.nwait < 0) return yield* abandonInsert(item);

  const links = linksOf(file);
  yield* spinLock(links.lock, '2.6-IN5');
  plainWrite(links.guard, '2.6-IN5');
  links.items.push(item);
  links.everLinked = true;
  // No step: whoever looks at the number without the lock drops the last reference, and the caller holds one.
  poke(links.count, links.items.length);
  yield* spinUnlock(links.lock, '2.6-IN5');

  let wakePollers = false;
  yield* writeLockIrqsave(ep.lock, '2.6-IN6');
  plainWrite(ep.guard, '2.6-IN7');
  plainWrite(ep.treeGuard, '2.6-IN7');
  insertIntoTree(item);
  plainRead(item.guard, '2.6-IN8');
  if ((revents & peek(item.events)) !== 0 && !isLinked(item.rdllink)) {
    yield* appendReady(item, '2.6-IN8');
    wakePollers = yield* wakeSleepers(ep, '2.6-IN8');
  }
  yield* writeUnlock(ep.lock, '2.6-IN9');
  if (wakePollers) yield* epPollSafewake(ep.pollWait);
  return 0;
}

/** IN4: some entry could not be allocated. */
function* abandonInsert(item: EpItem): Kernel<number> {
  yield* unregisterPollwait(item, '2.6-IN4');
  yield* writeLockIrqsave(item.ep.lock, '2.6-IN4');
  plainWrite(item.ep.guard, '2.6-IN4');
  if (isLinked(item.rdllink)) {
    listDelInit(item.rdllink);
    yield* noteReadyState(item.ep, '2.6-IN4');
  }
  yield* writeUnlock(item.ep.lock, '2.6-IN4');
  kfree(item.mem, '2.6-IN4');
  return -E.ENOMEM;
}

/** ep_modify() (E-R92). Needs sem for writing. Never unlinks an item that is no longer ready. */
export function* epModify(item: EpItem, events: number, data: unknown): Kernel<number> {
  const { ep } = item;
  plainWrite(item.eventsGuard, '2.6-MD1');
  yield* write(item.events, events, '2.6-MD1');
  const revents = yield* pollFile(item.file, null);
  let wakePollers = false;
  yield* writeLockIrqsave(ep.lock, '2.6-MD3');
  plainWrite(item.semGuard, '2.6-MD4');
  item.data = data;
  plainRead(item.guard, '2.6-MD5');
  if (item.inTree && (revents & events) !== 0 && !isLinked(item.rdllink)) {
    yield* appendReady(item, '2.6-MD5');
    wakePollers = yield* wakeSleepers(ep, '2.6-MD5');
  }
  yield* writeUnlock(ep.lock, '2.6-MD6');
  if (wakePollers) yield* epPollSafewake(ep.pollWait);
  return 0;
}

/** ep_unregister_pollwait(): takes the item off its file's queues; waits for a callback that is running. */
export function unregisterPollwait(item: EpItem, site: string): Kernel<void> {
  plainWrite(item.semGuard, site);
  const queued = item.nwait !== 0;
  item.nwait = 0;
  return queued ? removeEntries(item, site) : atOnce(undefined);
}

function* removeEntries(item: EpItem, site: string): Kernel<void> {
  for (const { mem, entry, whead } of item.entries.splice(0)) {
    yield* removeWaitQueue(whead, entry, site);
    kfree(mem, site);
  }
}

/** Who removes: an epoll_ctl with a reference on the file, the last close of the file, or that of the set. */
export type Remover = 'ctl' | 'target' | 'set';

/**
 * ep_remove() (E-R93): 0 or -ENOENT. Needs sem for writing, or epmutex when the set is released. The item is freed:
 * the reference that a lookup of epoll_ctl takes on it (usecnt) never outlives sem, so it is not counted here.
 */
export function* epRemove(item: EpItem, remover: Remover): Kernel<number> {
  yield* unregisterPollwait(item, '2.6-RM1');
  yield* unlinkFromFile(item, remover);
  const { ep } = item;
  yield* writeLockIrqsave(ep.lock, '2.6-RM3');
  const found = item.inTree;
  if (found) {
    plainWrite(ep.guard, '2.6-RM4');
    plainWrite(ep.treeGuard, '2.6-RM4');
    plainWrite(item.guard, '2.6-RM4');
    plainWrite(item.eventsGuard, '2.6-RM4');
    // No step: under ep.lock, as is every callback that reads it.
    poke(item.events, 0);
    eraseFromTree(item);
    if (isLinked(item.rdllink)) {
      listDelInit(item.rdllink);
      yield* noteReadyState(ep, '2.6-RM4');
    }
  }
  yield* writeUnlock(ep.lock, '2.6-RM5');
  if (!found) return -E.ENOENT;
  kfree(item.mem, '2.6-RM6');
  return 0;
}

/** RM2: takes the item off f_ep_links, unless the release of the target has done so. */
function unlinkFromFile(item: EpItem, remover: Remover): Kernel<void> {
  return remover === 'target' ? atOnce(undefined) : unlink(item, remover, linksOf(item.file));
}

function* unlink(item: EpItem, remover: Remover, links: EpLinks): Kernel<void> {
  yield* spinLock(links.lock, '2.6-RM2');
  plainWrite(links.guard, '2.6-RM2');
  const at = links.items.indexOf(item);
  if (at >= 0) links.items.splice(at, 1);
  // The last fput of the file looks at the number without the lock. It cannot while epoll_ctl has a reference.
  if (remover === 'set') yield* write(links.count, links.items.length, '2.6-RM2');
  else poke(links.count, links.items.length);
  yield* spinUnlock(links.lock, '2.6-RM2');
}

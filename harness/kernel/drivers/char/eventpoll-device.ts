/**
 * The device side: pages, write(2), ioctl, and the file operations with release.
 *
 * From the sys_epoll v11 patch (2.5.44), drivers/char/eventpoll.c (E-R10 to E-R13, E-R16).
 */

import {
  copyFromUser,
  copyToUser,
  engine,
  injectFault,
  kfree,
  listDel,
  oops,
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
import { Kind } from '../../../machine/op.ts';
import { flagBits } from '../../../abi/index.ts';
import { pageTables } from '../../mm/mmap-2.5.44.ts';
import { fileNotifyDelcb } from '../../fs/fcblist.ts';
import { File, lookFd, mm, type FileOperations } from '../../fs/file.ts';
import { E } from '../../kernel.ts';
import {
  EventpollFile,
  MAX_EVENTPOLL_PAGES,
  POLLFD_SIZE,
  epFdsPages,
  eventpollFileOf,
  newSlotPage,
  openEventpoll,
  privateData,
  type Driver,
  type EntryPoints,
  type EventPoll,
  type Pollfd,
  type SlotPage,
} from './eventpoll.ts';
import { epFind, epFindNl, epInsert, epRemove } from './eventpoll-items.ts';
import { freeSlotPage, mmapEventpoll } from './eventpoll-map.ts';
import { notifyProc } from './eventpoll-notify.ts';
import { epPoll, pollEventpoll, readyEventpoll } from './eventpoll-poll.ts';

export const EP_ALLOC = flagBits(['EP_ALLOC']);
export const EP_POLL = flagBits(['EP_POLL']);
export const EP_FREE = flagBits(['EP_FREE']);
export const EP_ISPOLLED = flagBits(['EP_ISPOLLED']);

/** An element of write(2) with this bit removes its descriptor. */
export const POLLREMOVE = 0x1000;

/** struct evpoll, what EP_POLL points to: 8 bytes. */
export interface Evpoll {
  /** Milliseconds, in. */
  readonly timeout: number;
  /** Bytes from the start of the mapping, out. */
  readonly resoff: number;
}

const EVPOLL_SIZE = 8;

/** The driver with the given functions in its table. */
export function newDriver(entry: EntryPoints): Driver {
  const fops: FileOperations = {
    name: 'eventpoll',
    poll: pollEventpoll,
    write: (file, address, count) => writeEventpoll(entry, file, address, count),
    ioctl: ioctlEventpoll,
    mmap: mmapEventpoll,
    release: closeEventpoll,
    ready: readyEventpoll,
  };
  return { entry, fops };
}

/** Open of `/dev/epoll` (E-R10): a file with an empty set, or -errno. */
export function* openDevice(driver: Driver, flags: number): Kernel<File | number> {
  if (yield* injectFault('v11-open')) return -E.ENFILE;
  const file = new File(driver.fops, flags, new EventpollFile(null));
  const error = yield* openEventpoll(driver, file);
  if (error === 0) return file;
  kfree(file.mem, 'v11-open');
  return error;
}

// ---- pages ----

/** vmalloc() of the two page arrays: refuses 0 bytes and what does not fit in memory. */
function hasRoomForArrays(pgalloc: number): boolean {
  const bytes = (2 * (pgalloc + 1) * 4) >>> 0;
  return bytes !== 0 && bytes < 0x40000000;
}

/** ep_do_alloc_pages() (EC9, E-R12): grows both sides to `wanted` pages; 0 or -errno. */
export function* epDoAllocPages(ep: EventPoll, wanted: number, site: string): Kernel<number> {
  if ((yield* read(ep.mmapped, site)) !== 0) return -E.EBUSY;
  if (wanted > MAX_EVENTPOLL_PAGES) return -E.EINVAL;
  const pgalloc = wanted - (yield* read(ep.numpages, site));
  if (!hasRoomForArrays(pgalloc) || (yield* injectFault(site))) return -E.ENOMEM;
  const fresh: readonly [SlotPage[], SlotPage[]] = [[], []];
  for (let n = 0; n < pgalloc; n++) for (const side of fresh) side.push(newSlotPage(site));
  yield* writeLockIrqsave(ep.lock, site);
  plainWrite(ep.guard, site);
  const had = peek(ep.numpages);
  const taken = Math.max(0, had + pgalloc > wanted ? wanted - had : pgalloc);
  for (const [n, side] of ep.sides.entries()) {
    const pages = n === 0 ? fresh[0] : fresh[1];
    for (let i = 0; i < taken; i++) side[had + i] = pages[i];
  }
  if (taken > 0) yield* write(ep.numpages, had + taken, site);
  yield* writeUnlock(ep.lock, site);
  for (const side of fresh) for (const page of side.slice(taken)) freeSlotPage(page, site);
  return 0;
}

function freePages(ep: EventPoll, site: string): void {
  for (const side of ep.sides) {
    for (const page of side.slice(0, peek(ep.numpages))) freeSlotPage(page, site);
  }
}

// ---- write(2) ----

function* writeEventpoll(
  entry: EntryPoints,
  file: File,
  address: number,
  count: number,
): Kernel<number> {
  const site = 'v11-write_eventpoll';
  const ep = yield* privateData(file, site);
  if (count % POLLFD_SIZE !== 0) return -E.EINVAL;
  if (!mm.accessOk(address, count)) return -E.EFAULT;
  if (count === 0) return 0;
  if (ep === null) oops(site, 'NULL set: the descriptor was used before its set was made');
  return yield* entry.writeElements(ep, address, count);
}

/** The loop of write_eventpoll() (E-R11). Elements before a fault stay applied; failures are passed over. */
export function* writeElements(ep: EventPoll, address: number, count: number): Kernel<number> {
  let done = 0;
  for (let at = address; at < address + count; at += POLLFD_SIZE) {
    const pfd = yield* loadPollfd(at, 'v11-write_eventpoll');
    if (pfd === null) return -E.EFAULT;
    if (yield* writeElement(ep, pfd)) done += POLLFD_SIZE;
  }
  return done;
}

function* writeElement(ep: EventPoll, pfd: Pollfd): Kernel<boolean> {
  const dpi = yield* epFind(ep, pfd.fd);
  const events = (yield* isOpenHere(pfd.fd)) ? pfd.events & 0xffff : POLLREMOVE;
  if ((events & POLLREMOVE) !== 0) {
    if (dpi !== null) yield* epRemove(ep, dpi);
    return dpi !== null;
  }
  if (dpi === null) return (yield* epInsert(ep, pfd.fd, events)) === 0;
  yield* write(dpi.events, events, 'v11-MO1');
  return true;
}

/** Looks at files->fd[fd] without the table lock; the compare with max_fds is signed. */
function* isOpenHere(fd: number): Kernel<boolean> {
  if (fd >= 0) return (yield* lookFd(fd, 'v11-write_eventpoll')) !== null;
  const what = `files->fd[${fd}]: the descriptor table is read before its start`;
  engine.observer.report('KASAN-OOB', 'v11-write_eventpoll', what);
  // Whatever lies in front of the table is not NULL.
  return true;
}

function isPollfd(value: unknown): value is Pollfd {
  return (
    typeof value === 'object' && value !== null && 'fd' in value && typeof value.fd === 'number'
  );
}

/** A pollfd of user memory, or null on a fault. */
function* loadPollfd(address: number, site: string): Kernel<Pollfd | null> {
  if (!(yield* copyFromUser(mm, address, POLLFD_SIZE, site))) return null;
  const value = mm.load(address);
  return isPollfd(value) ? value : { fd: 0, events: 0, revents: 0 };
}

// ---- ioctl ----

function* ioctlEventpoll(file: File, command: number, argument: number): Kernel<number> {
  const ep = yield* privateData(file, 'v11-ioctl_eventpoll');
  if (![EP_ALLOC, EP_POLL, EP_FREE, EP_ISPOLLED].includes(command)) return -E.EINVAL;
  if (ep === null)
    oops('v11-ioctl_eventpoll', 'NULL set: the descriptor was used before its set was made');
  switch (command) {
    case EP_ALLOC:
      return yield* epDoAllocPages(ep, epFdsPages(argument), 'v11-EP_ALLOC');
    case EP_POLL:
      return yield* ioctlPoll(ep, argument);
    case EP_FREE:
      return yield* ioctlFree(ep);
    default:
      return yield* ioctlIsPolled(ep, argument);
  }
}

/** EP_FREE (E-R13): the mapping is looked for before the lock is taken; slots and items stay as they are. */
function* ioctlFree(ep: EventPoll): Kernel<number> {
  const site = 'v11-EP_FREE';
  if ((yield* read(ep.mmapped, site)) !== 0) return -E.EBUSY;
  yield* writeLockIrqsave(ep.lock, site);
  plainWrite(ep.guard, site);
  const hasPages = peek(ep.numpages) > 0;
  if (hasPages) {
    const freed = ep.sides.map((side) => side.slice(0, peek(ep.numpages)));
    // Two locations: whether a mapping shows the pages is looked at in the same step.
    yield* engine.submit2(Kind.WRITE, ep.numpages, false, pageTables(), true, site);
    for (const side of freed) for (const page of side) freeSlotPage(page, site);
    ep.filling = 0;
  }
  yield* writeUnlock(ep.lock, site);
  return hasPages ? 0 : -E.EINVAL;
}

/** EP_POLL: as epoll_wait(), with the offset instead of the address. */
function* ioctlPoll(ep: EventPoll, argument: number): Kernel<number> {
  const site = 'v11-EP_POLL';
  if (!(yield* copyFromUser(mm, argument, EVPOLL_SIZE, site))) return -E.EFAULT;
  const value = mm.load(argument);
  const timeout =
    typeof value === 'object' && value !== null && 'timeout' in value ? Number(value.timeout) : 0;
  const { result, offset } = yield* epPoll(ep, timeout);
  if (result <= 0) return result;
  const answer: Evpoll = { timeout, resoff: offset };
  return (yield* copyToUser(mm, argument, EVPOLL_SIZE, answer, site)) ? result : -E.EFAULT;
}

/** EP_ISPOLLED: 1 with the registration stored at the pointer, or 0, also for a bad pointer. */
function* ioctlIsPolled(ep: EventPoll, argument: number): Kernel<number> {
  const site = 'v11-EP_ISPOLLED';
  const pfd = yield* loadPollfd(argument, site);
  if (pfd === null) return 0;
  yield* readLockIrqsave(ep.lock, site);
  const dpi = epFindNl(ep, pfd.fd, site);
  const events = dpi === null ? 0 : yield* read(dpi.events, site);
  yield* readUnlock(ep.lock, site);
  if (dpi === null) return 0;
  yield* copyToUser(mm, argument, POLLFD_SIZE, { fd: dpi.fd, events, revents: 0 }, site);
  return 1;
}

// ---- release ----

/** close_eventpoll() (E-R16) at the last reference, and then what __fput() drops of an epoll_create() file. */
function* closeEventpoll(file: File): Kernel<void> {
  const ep = yield* privateData(file, 'v11-close_eventpoll');
  if (ep !== null) yield* epFree(ep);
  const { references } = eventpollFileOf(file);
  if (references === null) return;
  const mount = references.mounts.pop();
  if (mount !== undefined) kfree(mount, 'v11-__fput');
  if (--references.dentryCount > 0) return;
  kfree(references.dentry, 'v11-__fput');
  kfree(references.inode, 'v11-__fput');
}

/** ep_free(): no lock, and nobody asks whether the files are still there. */
function* epFree(ep: EventPoll): Kernel<void> {
  const site = 'v11-ep_free';
  const { chains } = ep.hash;
  for (const key of [...chains.keys()].sort((a, b) => a - b)) {
    const chain = chains.get(key);
    for (let dpi = chain?.first(); dpi !== undefined && dpi !== null; dpi = chain?.first()) {
      plainRead(dpi.guard, site);
      yield* fileNotifyDelcb(dpi.file, notifyProc, site);
      plainWrite(ep.guard, site);
      plainWrite(dpi.guard, site);
      listDel(dpi.link, site);
      kfree(dpi.mem, site);
    }
  }
  touch(ep.hash.mem, site);
  kfree(ep.hash.mem, site);
  freePages(ep, site);
  kfree(ep.mem, site);
}

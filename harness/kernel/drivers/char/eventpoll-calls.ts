/**
 * The three system calls.
 *
 * From the sys_epoll v11 patch (2.5.44), drivers/char/eventpoll.c: sys_epoll_create(), sys_epoll_ctl(),
 * sys_epoll_wait() (E-R1, E-R2, E-R6).
 */

import {
  PAGE_SIZE,
  andThen,
  atOnce,
  copyToUser,
  downWrite,
  injectFault,
  kfree,
  kmalloc,
  oops,
  read,
  upWrite,
  write,
  type Kernel,
} from '../../../machine/index.ts';
import {
  File,
  O_RDWR,
  closeFd,
  fdInstall,
  fget,
  fput,
  getUnusedFd,
  mm,
  putUnusedFd,
} from '../../fs/file.ts';
import { doMmap, mmapSem, noteKnown } from '../../mm/mmap-2.5.44.ts';
import { E } from '../../kernel.ts';
import {
  EventpollFile,
  MAX_FDS_IN_EVENTPOLL,
  epFdsPages,
  openEventpoll,
  privateData,
  type DentryReferences,
  type Driver,
  type EpItem,
  type EventPoll,
} from './eventpoll.ts';
import { epFind, epInsert, epRemove } from './eventpoll-items.ts';
import { epDoAllocPages } from './eventpoll-device.ts';
import { epPoll } from './eventpoll-poll.ts';

export const EP_CTL_ADD = 1;
export const EP_CTL_DEL = 2;
export const EP_CTL_MOD = 3;

const PROT_READ = 1;
const MAP_PRIVATE = 2;
/** sizeof(void *) of the caller. */
const POINTER_SIZE = 4;

/** sys_epoll_create(): the descriptor or -errno. */
export function* sysEpollCreate(driver: Driver, maxfds: number): Kernel<number> {
  if (maxfds > MAX_FDS_IN_EVENTPOLL) return -E.EINVAL;
  const made = yield* epGetfd(driver);
  if (typeof made === 'number') return made;
  const { fd, file } = made;
  const error = yield* makeUsable(driver, file, maxfds);
  if (error === 0) return fd;
  yield* closeFd(fd, 'v11-EC11');
  return error;
}

/** EC2 to EC6: a descriptor that is already usable by others but has no set yet. */
function* epGetfd(driver: Driver): Kernel<{ readonly fd: number; readonly file: File } | number> {
  if (yield* injectFault('v11-EC2')) return -E.ENFILE;
  if (yield* injectFault('v11-EC3')) return -E.ENOMEM;
  const inode = kmalloc('inode', 'v11-EC3');
  const fd = yield* getUnusedFd('v11-EC4');
  if (fd < 0) {
    kfree(inode, 'v11-EC4');
    return fd;
  }
  if (yield* injectFault('v11-EC5')) {
    yield* putUnusedFd(fd, 'v11-EC5');
    kfree(inode, 'v11-EC5');
    return -E.ENOMEM;
  }
  const references: DentryReferences = {
    dentry: kmalloc('dentry', 'v11-EC5'),
    inode,
    dentryCount: 1,
    mounts: [],
  };
  driver.entry.takeReferences(references);
  const file = new File(driver.fops, O_RDWR, new EventpollFile(references));
  yield* fdInstall(fd, file, 'v11-EC6');
  return { fd, file };
}

/** EC5: one reference more on dentry and mount than the one file will drop. */
export function takeReferences(references: DentryReferences): void {
  for (let n = 0; n < 2; n++)
    references.mounts.push(kmalloc('vfsmount reference', 'v11-EC5-mntget'));
  references.dentryCount++;
}

/** EC7 to EC10: 0 or -errno. Nothing keeps the file alive meanwhile. */
function* makeUsable(driver: Driver, file: File, maxfds: number): Kernel<number> {
  const error = yield* openEventpoll(driver, file);
  if (error !== 0) return error;
  const ep = yield* privateData(file, 'v11-EC8');
  if (ep === null) oops('v11-EC8', 'NULL set right after it was made');
  const pages = epFdsPages(maxfds + 1);
  const allocated = yield* epDoAllocPages(ep, pages, 'v11-EC9');
  if (allocated !== 0) return allocated;
  yield* downWrite(mmapSem(), 'v11-EC10');
  const address = yield* doMmap(file, 2 * pages * PAGE_SIZE, PROT_READ, MAP_PRIVATE, 0, 'v11-EC10');
  yield* upWrite(mmapSem(), 'v11-EC10');
  return address < 0 ? address : 0;
}

/** sys_epoll_ctl(): 0 or -errno. `events` is cut to 16 bits. */
export function* sysEpollCtl(
  driver: Driver,
  epfd: number,
  op: number,
  fd: number,
  events: number,
): Kernel<number> {
  const file = yield* fget(epfd, 'v11-CT1');
  if (file === null) return -E.EBADF;
  let result: number = -E.EINVAL;
  if (file.ops === driver.fops) {
    const ep = yield* privateData(file, 'v11-CT3');
    if (ep === null) oops('v11-CT3', 'NULL set: the descriptor was used before its set was made');
    result = yield* driver.entry.ctlAction(ep, op, fd, events & 0xffff);
  }
  yield* fput(file, 'v11-CT6');
  return result;
}

/** CT4 and CT5. The item found is used without anything that keeps it. */
export function* ctlAction(ep: EventPoll, op: number, fd: number, events: number): Kernel<number> {
  const dpi = yield* epFind(ep, fd);
  return yield* ep.driver.entry.ctlOperation(ep, dpi, op, fd, events);
}

/** CT5. */
export function ctlOperation(
  ep: EventPoll,
  dpi: EpItem | null,
  op: number,
  fd: number,
  events: number,
): Kernel<number> {
  switch (op) {
    case EP_CTL_ADD:
      return dpi === null ? epInsert(ep, fd, events) : atOnce(-E.EEXIST);
    case EP_CTL_DEL:
      return dpi === null ? atOnce(-E.ENOENT) : epRemove(ep, dpi);
    case EP_CTL_MOD:
      if (dpi === null) return atOnce(-E.ENOENT);
      return andThen(write(dpi.events, events, 'v11-MO1'), noError, null, null);
    default:
      return atOnce(-E.EINVAL);
  }
}

function noError(): number {
  return 0;
}

/** sys_epoll_wait(): the number of slots, whose address is stored at `out`, or 0 or -errno. */
export function* sysEpollWait(
  driver: Driver,
  epfd: number,
  out: number,
  timeoutMs: number,
): Kernel<number> {
  const file = yield* fget(epfd, 'v11-EW1');
  if (file === null) return -E.EBADF;
  const result = file.ops === driver.fops ? yield* waitOn(file, out, timeoutMs) : -E.EINVAL;
  yield* fput(file, 'v11-EW6');
  return result;
}

/** EW3 to EW5. */
function* waitOn(file: File, out: number, timeoutMs: number): Kernel<number> {
  const ep = yield* privateData(file, 'v11-EW3');
  if (ep === null) oops('v11-EW3', 'NULL set: the descriptor was used before its set was made');
  if ((yield* read(ep.mmapped, 'v11-EW3')) === 0) return -E.EINVAL;
  const { result, offset } = yield* epPoll(ep, timeoutMs);
  if (result <= 0) return result;
  const address = (yield* read(ep.vmabase, 'v11-EW5')) + offset;
  if (!(yield* copyToUser(mm, out, POINTER_SIZE, address, 'v11-EW5'))) return -E.EFAULT;
  noteKnown(address);
  return result;
}

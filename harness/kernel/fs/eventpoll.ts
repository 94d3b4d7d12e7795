/**
 * epoll of 2.6.20: the system calls, the set as a file, and what closing does.
 *
 * After Linux 2.6.20 fs/eventpoll.c, in own words: rules E-R85 to E-R113 of the semantics reference. Sites are its
 * step labels with `2.6-` before them.
 */

import {
  atOnce,
  copyFromUser,
  downWrite,
  handleSignals,
  injectFault,
  kfree,
  mutexLock,
  mutexUnlock,
  plainRead,
  plainWrite,
  poke,
  read,
  readLockIrqsave,
  readUnlock,
  setSigmask,
  upWrite,
  waitqueueActive,
  type Kernel,
} from '../../machine/index.ts';
import { E } from '../kernel.ts';
import { READABLE } from '../poll-bits.ts';
import { epInsert, epModify, epRemove, unregisterPollwait } from './eventpoll-ctl.ts';
import {
  ALWAYS,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLL_EVENT_SIZE,
  EP_MAX_EVENTS,
  EventPoll,
  type EpLinks,
  findItem,
  globals,
  linksOf,
  newEpLinks,
} from './eventpoll-object.ts';
import { epPoll } from './eventpoll-wait.ts';
import { epPollSafewake } from './eventpoll-wake.ts';
import {
  File,
  O_RDONLY,
  fget,
  fput,
  installFd,
  mm,
  type FileOperations,
  type PollTable,
  type VfsHooks,
} from './file.ts';

/** sys_epoll_create (E-R87): a descriptor, or EINVAL, ENOMEM, EMFILE. The size is a hint and must be positive. */
export function* sysEpollCreate(args: readonly number[]): Kernel<number> {
  const [size] = args;
  if (size <= 0) return -E.EINVAL;
  if (yield* injectFault('2.6-epoll_create')) return -E.ENOMEM;
  // Complete before anybody can find it.
  const file = new File(epollOps, O_RDONLY, new EventPoll());
  const fd = yield* installFd(file, '2.6-epoll_create');
  if (fd < 0) yield* fput(file, '2.6-epoll_create');
  return fd;
}

function setOf(file: File): EventPoll | null {
  return file.data instanceof EventPoll ? file.data : null;
}

interface UserEvent {
  readonly events: number;
  readonly data: unknown;
}

/** The epoll_event stored at a readable address. */
function eventAt(address: number): UserEvent {
  const stored = mm.load(address);
  if (typeof stored !== 'object' || stored === null || !('events' in stored))
    return { events: 0, data: 0 };
  return { events: Number(stored.events) | 0, data: 'data' in stored ? stored.data : 0 };
}

/** sys_epoll_ctl (E-R88): 0, or EFAULT, EBADF, EPERM, EINVAL, EEXIST, ENOMEM, ENOENT, tested in that order. */
export function* sysEpollCtl(args: readonly number[]): Kernel<number> {
  const [epfd, op, fd, address] = args;
  let event: UserEvent = { events: 0, data: 0 };
  if (op !== EPOLL_CTL_DEL) {
    if (!(yield* copyFromUser(mm, address, EPOLL_EVENT_SIZE, '2.6-CT1'))) return -E.EFAULT;
    event = eventAt(address);
  }
  const file = yield* fget(epfd, '2.6-CT2');
  if (file === null) return -E.EBADF;
  const target = yield* fget(fd, '2.6-CT3');
  let result = -E.EBADF;
  if (target !== null) {
    result = yield* checkedCtl(file, op, target, fd, event);
    yield* fput(target, '2.6-CT11');
  }
  yield* fput(file, '2.6-CT11');
  return result;
}

function* checkedCtl(
  file: File,
  op: number,
  target: File,
  fd: number,
  event: UserEvent,
): Kernel<number> {
  if (target.ops.poll === undefined) return -E.EPERM;
  const ep = setOf(file);
  if (ep === null || file === target) return -E.EINVAL;
  yield* downWrite(ep.sem, '2.6-CT6');
  const result = yield* doCtl(ep, op, target, fd, event);
  yield* upWrite(ep.sem, '2.6-CT10');
  return result;
}

/** CT7 to CT9. The lookup takes ep.lock in C; sem keeps the tree still, so it needs no step. */
function doCtl(
  ep: EventPoll,
  op: number,
  target: File,
  fd: number,
  event: UserEvent,
): Kernel<number> {
  plainRead(ep.treeGuard, '2.6-CT7');
  const item = findItem(ep, target, fd);
  switch (op) {
    case EPOLL_CTL_ADD:
      if (item !== null) return atOnce(-E.EEXIST);
      return epInsert(ep, target, fd, event.events | ALWAYS, event.data);
    case EPOLL_CTL_DEL:
      return item === null ? atOnce(-E.ENOENT) : epRemove(item, 'ctl');
    case EPOLL_CTL_MOD:
      if (item === null) return atOnce(-E.ENOENT);
      return epModify(item, event.events | ALWAYS, event.data);
    default:
      return atOnce(-E.EINVAL);
  }
}

/** sys_epoll_wait (E-R89): events stored, 0 at the timeout, or EINVAL, EFAULT, EBADF, EINTR. */
export function* sysEpollWait(args: readonly number[]): Kernel<number> {
  const [epfd, address, maxEvents, timeoutMs] = args;
  if (maxEvents <= 0 || maxEvents > EP_MAX_EVENTS) return -E.EINVAL;
  if (!mm.accessOk(address, maxEvents * EPOLL_EVENT_SIZE)) return -E.EFAULT;
  const file = yield* fget(epfd, '2.6-epoll_wait');
  if (file === null) return -E.EBADF;
  const ep = setOf(file);
  const result = ep === null ? -E.EINVAL : yield* epPoll(ep, address, maxEvents, timeoutMs);
  yield* fput(file, '2.6-epoll_wait');
  return result;
}

const SIGSET_SIZE = 8;
/** Never blocked, whatever the mask says. */
const UNBLOCKABLE: ReadonlySet<string> = new Set(['SIGKILL', 'SIGSTOP']);

/** sys_epoll_pwait (E-R89): arguments of epoll_wait, then address and size of a set of signal names; 0 for none. */
export function* sysEpollPwait(args: readonly number[]): Kernel<number> {
  const maskAddress = args[4] ?? 0;
  const size = args[5] ?? SIGSET_SIZE;
  if (maskAddress === 0) return yield* sysEpollWait(args);
  if (size !== SIGSET_SIZE) return -E.EINVAL;
  if (!(yield* copyFromUser(mm, maskAddress, SIGSET_SIZE, '2.6-epoll_pwait'))) return -E.EFAULT;
  const original = yield* setSigmask(signalsAt(maskAddress), '2.6-epoll_pwait');
  const result = yield* sysEpollWait(args);
  // Only an interrupted wait runs the handlers under the temporary mask; otherwise a signal that the original
  // mask blocks stays pending.
  if (result === -E.EINTR) yield* handleSignals('2.6-epoll_pwait');
  yield* setSigmask(original, '2.6-epoll_pwait');
  return result;
}

/** The signal names stored at an address. */
function signalsAt(address: number): ReadonlySet<string> {
  const stored = mm.load(address);
  const names: unknown[] = Array.isArray(stored) || stored instanceof Set ? [...stored] : [];
  const words = names.filter((name) => typeof name === 'string');
  return new Set(words.filter((name) => !UNBLOCKABLE.has(name)));
}

// ---- the set as a file ----

/** ep_eventpoll_poll() (E-R98): readable while the ready list is not empty, stale items or not. */
function* epEventpollPoll(file: File, table: PollTable): Kernel<number> {
  const ep = setOf(file);
  if (ep === null) return 0;
  if (table !== null) yield* table(ep.pollWait);
  yield* readLockIrqsave(ep.lock, '2.6-ep_eventpoll_poll');
  plainRead(ep.guard, '2.6-ep_eventpoll_poll');
  const mask = ep.ready.isEmpty() ? 0 : READABLE;
  yield* readUnlock(ep.lock, '2.6-ep_eventpoll_poll');
  return mask;
}

/** ep_free() (E-R100): sem is not taken, because nobody holds a reference on the set any more. */
function* epRelease(file: File): Kernel<void> {
  const ep = setOf(file);
  if (ep === null) return;
  if (yield* waitqueueActive(ep.pollWait, '2.6-ep_free')) yield* epPollSafewake(ep.pollWait);
  const { epmutex } = globals();
  yield* mutexLock(epmutex, '2.6-ep_free');
  plainRead(ep.treeGuard, '2.6-ep_free');
  for (const item of ep.tree) yield* unregisterPollwait(item, '2.6-RM1');
  while (ep.tree.length > 0) yield* epRemove(ep.tree[0], 'set');
  yield* mutexUnlock(epmutex, '2.6-ep_free');
  kfree(ep.mem, '2.6-ep_free');
}

const epollOps: FileOperations = {
  name: 'epoll set',
  poll: epEventpollPoll,
  release: epRelease,
  ready: (file) => (setOf(file)?.ready.isEmpty() === false ? READABLE : 0),
};

/**
 * eventpoll_release() (E-R99), at the last fput of any file and before its own release: takes the file out of all
 * sets.
 *
 * Differs: the file is freed at once, where 2.6.20 waits for an RCU grace period. So the release of a set that has
 * emptied f_ep_links and not yet dropped f_ep_lock is seen to touch freed memory (E-B57), which in 2.6.20 the grace
 * period hides.
 */
function eventpollRelease(file: File): Kernel<void> {
  const links = linksOf(file);
  // Not a step in files that were never added: that is settled by now.
  return links.everLinked ? releaseItems(links) : atOnce(undefined);
}

function* releaseItems(links: EpLinks): Kernel<void> {
  if ((yield* read(links.count, '2.6-eventpoll_release')) === 0) return;
  const { epmutex } = globals();
  yield* mutexLock(epmutex, '2.6-eventpoll_release_file');
  for (;;) {
    plainWrite(links.guard, '2.6-eventpoll_release_file');
    const item = links.items.shift();
    if (item === undefined) break;
    // No step: the count of the file is 0, and releases of sets wait for epmutex.
    poke(links.count, links.items.length);
    const { ep } = item;
    yield* downWrite(ep.sem, '2.6-eventpoll_release_file');
    yield* epRemove(item, 'target');
    yield* upWrite(ep.sem, '2.6-eventpoll_release_file');
  }
  yield* mutexUnlock(epmutex, '2.6-eventpoll_release_file');
}

/** What the file table calls. */
export const eventpollHooks: VfsHooks = {
  fileInit(file) {
    file.attachment = newEpLinks(file);
  },
  lastFput: eventpollRelease,
};

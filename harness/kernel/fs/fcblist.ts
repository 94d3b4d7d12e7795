/**
 * Callbacks that hang on an open file and are run when something happens to it.
 *
 * From the sys_epoll v11 patch (2.5.44), fs/fcblist.c. Lock order: file.f_cblock > ep.lock.
 */

import {
  Guarded,
  List,
  ListLink,
  injectFault,
  kfree,
  kmalloc,
  listAddTail,
  listDel,
  newRwLock,
  plainRead,
  plainWrite,
  readLockIrqsave,
  readUnlock,
  touch,
  writeLockIrqsave,
  writeUnlock,
  type Kernel,
  type Mem,
  type RwLock,
} from '../../machine/index.ts';
import { HarnessBug } from '../../machine/op.ts';
import type { Band, WakeAsync } from '../net/socket.ts';
import {
  POLLERR,
  POLLHUP,
  POLLMSG,
  POLLPRI,
  POLLRDBAND,
  POLLWRBAND,
  READABLE,
  WRITABLE,
} from '../poll-bits.ts';
import type { File, VfsHooks } from './file.ts';

/** Run under f_cblock (read) with interrupts off; `mask` is the poll bits of what happened. Must not sleep. */
export type CallbackProc = (data: object, mask: number) => Kernel<void>;

/** fcb_struct: one registration. */
class FileCallback {
  readonly mem: Mem;
  readonly link: ListLink<FileCallback>;
  readonly proc: CallbackProc;
  readonly data: object;

  constructor(proc: CallbackProc, data: object, site: string) {
    this.mem = kmalloc('fcb_struct', site);
    this.link = new ListLink<FileCallback>(this);
    this.proc = proc;
    this.data = data;
  }
}

/** f_cblock and f_cblist of a file. */
class CallbackList {
  readonly lock: RwLock;
  /** Guarded by lock. */
  readonly list = new List<FileCallback>();
  readonly guard: Guarded;

  constructor(mem: Mem) {
    this.lock = newRwLock('file.f_cblock', mem);
    this.guard = new Guarded('file.f_cblist', mem);
  }
}

function callbacksOf(file: File): CallbackList {
  if (file.attachment instanceof CallbackList) return file.attachment;
  throw new HarnessBug(
    `Cannot notify a ${file.ops.name} file: it was made without a callback list`,
  );
}

/** file_notify_init() and, at the last fput, file_notify_cleanup() (E-R20). */
export const fcblistHooks: VfsHooks = {
  fileInit(file) {
    file.attachment = new CallbackList(file.mem);
  },
  lastFput: fileNotifyCleanup,
};

/** file_send_notify() (E-R8): runs the callbacks of a file in the order of registration. */
export function* fileSendNotify(file: File, mask: number): Kernel<void> {
  const callbacks = callbacksOf(file);
  yield* readLockIrqsave(callbacks.lock, 'v11-FN1');
  plainRead(callbacks.guard, 'v11-FN2');
  for (const fcb of callbacks.list) {
    touch(fcb.mem, 'v11-FN2');
    yield* fcb.proc(fcb.data, mask);
  }
  yield* readUnlock(callbacks.lock, 'v11-FN3');
}

/** poll_band_table (E-R19). */
const POLL_BANDS: Readonly<Record<Band, number>> = {
  POLL_IN: READABLE,
  POLL_OUT: WRITABLE | POLLWRBAND,
  POLL_MSG: READABLE | POLLMSG,
  POLL_ERR: POLLERR,
  POLL_PRI: POLLPRI | POLLRDBAND,
  POLL_HUP: POLLHUP | POLLERR,
};

/** What the patch puts into sk_wake_async(). Needs the callback lock, which keeps the file from going away. */
export const notifySocket: WakeAsync = function* (sk, _how, band) {
  if (sk.file !== null) yield* fileSendNotify(sk.file, POLL_BANDS[band]);
};

/** Runs one registration only, if it still hangs on the file. For patches; same locks as a delivery. */
export function* fileNotifyOne(
  file: File,
  proc: CallbackProc,
  data: object,
  mask: number,
  site: string,
): Kernel<void> {
  const callbacks = callbacksOf(file);
  yield* readLockIrqsave(callbacks.lock, site);
  plainRead(callbacks.guard, site);
  for (const fcb of callbacks.list) {
    touch(fcb.mem, site);
    if (fcb.proc !== proc || fcb.data !== data) continue;
    yield* proc(data, mask);
    break;
  }
  yield* readUnlock(callbacks.lock, site);
}

/** file_notify_addcb(): appends a registration; false if there was no memory for it. May sleep. */
export function* fileNotifyAddcb(
  file: File,
  proc: CallbackProc,
  data: object,
  site: string,
): Kernel<boolean> {
  if (yield* injectFault(site)) return false;
  const fcb = new FileCallback(proc, data, site);
  const callbacks = callbacksOf(file);
  yield* writeLockIrqsave(callbacks.lock, site);
  plainWrite(callbacks.guard, site);
  listAddTail(fcb.link, callbacks.list);
  yield* writeUnlock(callbacks.lock, site);
  return true;
}

/**
 * file_notify_delcb(): takes off and frees the first registration with that function, whatever its data.
 * Answers whether there was one.
 */
export function* fileNotifyDelcb(file: File, proc: CallbackProc, site: string): Kernel<boolean> {
  const callbacks = callbacksOf(file);
  yield* writeLockIrqsave(callbacks.lock, site);
  plainWrite(callbacks.guard, site);
  for (const fcb of callbacks.list) {
    touch(fcb.mem, site);
    if (fcb.proc !== proc) continue;
    listDel(fcb.link, site);
    yield* writeUnlock(callbacks.lock, site);
    kfree(fcb.mem, site);
    return true;
  }
  yield* writeUnlock(callbacks.lock, site);
  return false;
}

function* fileNotifyCleanup(file: File): Kernel<void> {
  const site = 'v11-file_notify_cleanup';
  const callbacks = callbacksOf(file);
  yield* writeLockIrqsave(callbacks.lock, site);
  for (;;) {
    plainWrite(callbacks.guard, site);
    const fcb = callbacks.list.first();
    if (fcb === null) break;
    listDel(fcb.link, site);
    yield* writeUnlock(callbacks.lock, site);
    kfree(fcb.mem, site);
    yield* writeLockIrqsave(callbacks.lock, site);
  }
  yield* writeUnlock(callbacks.lock, site);
}

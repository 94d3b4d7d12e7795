/** AIO of 2.6.20 as released, and the calls of it. */

import { bugOn, flushWorkQueue, spinUnlock, wakeUp, type Kernel } from '../../../machine/index.ts';
import type { Syscall } from '../../kernel.ts';
import { closeAll, mm } from '../file.ts';
import { sysIoCancel } from './cancel.ts';
import { releaseFiles } from './complete.ts';
import { sysIoGetevents } from './getevents.ts';
import { aio, ioWaitOfCurrent, newKiocbEntry, resetAio, setIoWait } from './kioctx.ts';
import { setupOpcode } from './opcode.ts';
import type { AioParts } from './parts.ts';
import { aioWake } from './run.ts';
import { rwVectRetry } from './rw.ts';
import { exitAio, sysIoDestroy, sysIoSetup } from './setup.ts';
import { getOneRequest, sysIoSubmit } from './submit.ts';

/** 2.6.20. */
export const plainAio: AioParts = {
  contextUsers: 1,
  submitEncoding: 'E',
  *setupRefused(site) {
    yield* spinUnlock(aio.nrLock, site);
  },
  takeResfd: null,
  // eslint-disable-next-line require-yield -- dead is looked at by the lookup only
  *maySubmit() {
    return true;
  },
  // eslint-disable-next-line require-yield -- dead is looked at by the lookup only
  *hasGone() {
    return false;
  },
  *wakeDestroyer(ctx, site) {
    yield* wakeUp(ctx.wait, 1, 0, site);
  },
  *settleWork(ctx, site) {
    yield* flushWorkQueue(ctx.wq.queue, site);
  },
  // Nobody tells them (A-B10).
  *wakeReaders() {},
  // A-B27: the look can be over before the store is in memory.
  *completionBarrier() {},
  taskEntry: () => null,
  enterMethod(k) {
    bugOn(ioWaitOfCurrent() !== null, 'aio_run_iocb-4', 'io_wait of the task is in use');
    setIoWait(k.wait);
  },
  leaveMethod: () => setIoWait(null),
  newEntry: newKiocbEntry,
  wake: aioWake,
  setupOpcode,
  rwMethod: rwVectRetry,
  leftChanges: null,
  kickLooks: null,
  startBatch: (nr) => ({ remaining: nr, list: [] }),
  getRequest: getOneRequest,
  *endBatch() {},
  plug: null,
  unplug: null,
};

/** The calls of AIO, which are the same in all kernels that have it. */
export const aioSyscalls: readonly (readonly [string, Syscall])[] = [
  ['io_setup', sysIoSetup],
  ['io_destroy', sysIoDestroy],
  ['io_submit', sysIoSubmit],
  ['io_cancel', sysIoCancel],
  ['io_getevents', sysIoGetevents],
];

/** Called from boot. */
export function bootAio(parts: AioParts): void {
  resetAio(parts, releaseFiles);
}

/** The end of the process as the exit task runs it: requests, then the address space, then the descriptors. */
export function* exitProcess(): Kernel<void> {
  yield* exitAio();
  for (const range of [...mm.all()]) mm.unmap(range);
  aio.mmGone = true;
  yield* closeAll('do_exit');
}

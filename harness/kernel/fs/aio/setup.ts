/** io_setup(), io_destroy(), and the end of the process (A-R17 to A-R24). */

import {
  TaskState,
  add,
  addWaitQueue,
  bugOn,
  copyFromUser,
  copyToUser,
  currentEntry,
  engine,
  injectFault,
  kfree,
  listDelInit,
  peek,
  plainRead,
  plainWrite,
  readLock,
  readRef,
  readUnlock,
  removeWaitQueue,
  schedule,
  setCurrentState,
  spinLock,
  spinLockIrqsave,
  spinUnlock,
  touch,
  write,
  writeLockIrqsave,
  writeUnlock,
  type Kernel,
} from '../../../machine/index.ts';
import { E, kernelConfig } from '../../kernel.ts';
import { mm } from '../file.ts';
import { IO_EVENT_SIZE, KIOCB_SIZE, pointerSize } from './abi.ts';
import { freeCtx, getCtx, putCtx } from './complete.ts';
import { Kioctx, aio, announce, announceCtx } from './kioctx.ts';
import { setupRing } from './ring.ts';
import { aioKickHandler } from './run.ts';

const MAX_BYTES = 0x10000000;

/** io_setup(nr_events, ctxp): 0 and the handle at ctxp, EFAULT, EINVAL, EAGAIN or ENOMEM (A-R17). */
export function* sysIoSetup(args: readonly number[]): Kernel<number> {
  const events = args[0] >>> 0;
  const ctxp = args[1];
  if (!(yield* copyFromUser(mm, ctxp, pointerSize(), 'io_setup-1'))) return -E.EFAULT;
  if (Number(mm.load(ctxp) ?? 0) !== 0 || events === 0) return -E.EINVAL;
  const ctx = yield* allocCtx(events);
  if (typeof ctx === 'number') return ctx;
  // Without a reference of its own, another thread may have destroyed it by now (A-B9).
  touch(ctx.mem, 'io_setup-9');
  if (yield* copyToUser(mm, ctxp, pointerSize(), ctx.userId, 'io_setup-9')) {
    if (aio.parts.contextUsers === 2) yield* putCtx(ctx, 'io_setup-9');
    return 0;
  }
  if (aio.parts.contextUsers === 1) yield* getLinked(ctx);
  yield* destroyCtx(ctx);
  return -E.EFAULT;
}

/** get_ioctx() of step 10. A step of its own, since nothing keeps the count above zero until it has been (A-B9). */
function* getLinked(ctx: Kioctx): Kernel<void> {
  const before = yield* add(ctx.users, 1, 'io_setup-10');
  announceCtx('ctx.users', ctx, before + 1, 'io_setup-10');
  bugOn(before <= 0, 'get_ioctx', 'a reference is taken of a context that has none left');
}

/** ioctx_alloc(): steps 3 to 8. */
function* allocCtx(events: number): Kernel<Kioctx | number> {
  const tooMany =
    events > MAX_BYTES / IO_EVENT_SIZE || events > MAX_BYTES / KIOCB_SIZE[kernelConfig.longBits];
  if (tooMany) return -E.EINVAL;
  if (events > kernelConfig.aioMaxNr) return -E.EAGAIN;
  if (yield* injectFault('io_setup-5')) return -E.ENOMEM;
  const ctx = new Kioctx('io_setup-5', aioKickHandler);
  announceCtx('ctx.users', ctx, aio.parts.contextUsers, 'io_setup-5');
  if ((yield* injectFault('io_setup-6')) || !(yield* setupRing(ctx, events))) {
    announceCtx('ctx.users', ctx, 0, 'io_setup-6');
    kfree(ctx.mem, 'io_setup-6');
    announceCtx('ctx.freed', ctx, 0, 'io_setup-6');
    return -E.ENOMEM;
  }
  if (!(yield* accountCtx(ctx, events))) {
    announceCtx('ctx.users', ctx, 0, 'io_setup-7');
    yield* freeCtx(ctx);
    return -E.EAGAIN;
  }
  yield* writeLockIrqsave(aio.listLock, 'io_setup-8');
  plainWrite(aio.listGuard, 'io_setup-8');
  aio.contexts.unshift(ctx);
  announceCtx('ctx.linked', ctx, 0, 'io_setup-8');
  yield* writeUnlock(aio.listLock, 'io_setup-8');
  return ctx;
}

/** Step 7: false if that is more than all contexts may have together. */
function* accountCtx(ctx: Kioctx, events: number): Kernel<boolean> {
  const site = 'io_setup-7';
  yield* spinLock(aio.nrLock, site);
  plainWrite(aio.nrGuard, site);
  // Neither number is large enough for the sum to wrap.
  if (aio.nr + events > kernelConfig.aioMaxNr) {
    yield* aio.parts.setupRefused(site);
    return false;
  }
  aio.nr += events;
  ctx.maxReqs = events;
  announceCtx('ctx.max-nr', ctx, kernelConfig.aioMaxNr, site);
  announceCtx('ctx.max-reqs', ctx, events, site);
  announceCtx('ctx.nr', ctx, aio.nr, site);
  yield* spinUnlock(aio.nrLock, site);
  return true;
}

/** lookup_ioctx() (A-R19): the context with that handle and one more reference, or null. */
export function* lookupCtx(id: number, site: string): Kernel<Kioctx | null> {
  yield* readLock(aio.listLock, site);
  plainRead(aio.listGuard, site);
  // atomic because whoever sets dead unlinks the context under this lock
  const ctx = aio.contexts.find((c) => c.userId === id && peek(c.dead) === 0) ?? null;
  if (ctx !== null) getCtx(ctx, site);
  yield* readUnlock(aio.listLock, site);
  return ctx;
}

/** io_destroy(ctx): 0 once every request is gone, or EINVAL. */
export function* sysIoDestroy(args: readonly number[]): Kernel<number> {
  const ctx = yield* lookupCtx(args[0], 'io_destroy');
  if (ctx === null) return -E.EINVAL;
  yield* destroyCtx(ctx);
  return 0;
}

/** The body of io_destroy() (A-R20); uses up one reference of the caller. */
function* destroyCtx(ctx: Kioctx): Kernel<void> {
  yield* writeLockIrqsave(aio.listLock, 'io_destroy-1');
  const wasDead = yield* write(ctx.dead, 1, 'io_destroy-1');
  announceCtx('ctx.dead', ctx, 1, 'io_destroy-1');
  plainWrite(aio.listGuard, 'io_destroy-1');
  const at = aio.contexts.indexOf(ctx);
  if (at >= 0) {
    aio.contexts.splice(at, 1);
    announceCtx('ctx.unlinked', ctx, 0, 'io_destroy-1');
  }
  yield* writeUnlock(aio.listLock, 'io_destroy-1');
  if (wasDead === 0) yield* putCtx(ctx, 'io_destroy-2');
  yield* cancelAll(ctx);
  yield* waitForAll(ctx);
  yield* aio.parts.wakeReaders(ctx, 'io_destroy-4');
  yield* putCtx(ctx, 'io_destroy-5');
}

/** aio_cancel_all() (A-R21): marks every request, and asks those that can be cancelled to end. */
function* cancelAll(ctx: Kioctx): Kernel<void> {
  const site = 'aio_cancel_all';
  yield* spinLockIrqsave(ctx.lock, 'aio_cancel_all-1');
  yield* write(ctx.dead, 1, 'aio_cancel_all-1');
  for (;;) {
    plainWrite(ctx.guard, site);
    const k = ctx.active.first();
    if (k === null) break;
    listDelInit(k.link);
    announce('kiocb.listed', k, 2, site);
    yield* write(k.cancelled, 1, 'aio_cancel_all-2');
    announce('kiocb.cancelled', k, 2, site);
    const cancel = yield* readRef(k.cancel, 'aio_cancel_all-2');
    if (cancel === null) continue;
    plainWrite(k.guard, site);
    k.users++;
    announce('kiocb.users', k, k.users, site);
    yield* spinUnlock(ctx.lock, 'aio_cancel_all-2');
    announce('cancel.begin', k, 0, site);
    const result = yield* cancel(k, { data: 0, obj: 0, res: 0, res2: 0 });
    announce('cancel.end', k, result, site);
    yield* spinLockIrqsave(ctx.lock, 'aio_cancel_all-2');
  }
  yield* spinUnlock(ctx.lock, 'aio_cancel_all-3');
}

/** wait_for_all_aios() (A-R22). */
function* waitForAll(ctx: Kioctx): Kernel<void> {
  const site = 'wait_for_all_aios';
  yield* spinLockIrqsave(ctx.lock, site);
  plainRead(ctx.guard, site);
  if (ctx.reqsActive > 0) {
    const entry = currentEntry();
    yield* addWaitQueue(ctx.wait, entry, site);
    yield* setCurrentState(TaskState.UNINTERRUPTIBLE, site);
    for (;;) {
      plainRead(ctx.guard, site);
      if (ctx.reqsActive === 0) break;
      yield* spinUnlock(ctx.lock, site);
      announceCtx('wait-all.asleep', ctx, ctx.reqsActive, site);
      yield* schedule(site, {
        holds: () => ctx.reqsActive === 0,
        describe: () => 'every request of the context is gone',
      });
      announceCtx('wait-all.woken', ctx, ctx.reqsActive, site);
      yield* setCurrentState(TaskState.UNINTERRUPTIBLE, site);
      yield* spinLockIrqsave(ctx.lock, site);
    }
    yield* setCurrentState(TaskState.RUNNING, site);
    yield* removeWaitQueue(ctx.wait, entry, site);
  }
  yield* spinUnlock(ctx.lock, site);
}

/** exit_aio() (A-R24), before the address space goes and before any descriptor is closed. */
export function* exitAio(): Kernel<void> {
  const contexts = aio.contexts;
  // No lock: no other task is left that could look.
  aio.contexts = [];
  for (const ctx of contexts) {
    announceCtx('ctx.unlinked', ctx, 0, 'exit_aio-1');
    yield* cancelAll(ctx);
    yield* waitForAll(ctx);
    yield* aio.parts.settleWork(ctx, 'exit_aio-4');
    const users = peek(ctx.users);
    if (users !== 1)
      engine.observer.report('WARN', 'exit_aio-5', `a context is still alive: ${users} users`);
    yield* putCtx(ctx, 'exit_aio-6');
  }
}

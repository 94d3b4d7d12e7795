/** Completion, the references of requests and contexts, and the file releases that are put off (A-R42 to A-R46). */

import {
  add,
  bugOn,
  cancelDelayedWork,
  defaultWake,
  engine,
  isLinked,
  kfree,
  listAdd,
  listDelInit,
  newEntry,
  peek,
  plainRead,
  plainWrite,
  queueWork,
  read,
  spinLock,
  spinLockIrqsave,
  spinUnlock,
  touch,
  wakeUp,
  waitqueueActive,
  write,
  writeRef,
  type Kernel,
  type Task,
  type WaitEntry,
} from '../../../machine/index.ts';
import { kernelConfig } from '../../kernel.ts';
import { dropFile, releaseFile } from '../file.ts';
import { aio, aioQueue, announce, announceCtx, type Kiocb, type Kioctx } from './kioctx.ts';
import { freeRing, postEvent, ringOf } from './ring.ts';

// ---- requests ----

/** aio_complete() of an asynchronous request (A-R42), in any context. */
export function* aioComplete(k: Kiocb, res: number, res2: number, site: string): Kernel<void> {
  const { ctx } = k;
  yield* spinLockIrqsave(ctx.lock, 'aio_complete-1');
  plainWrite(ctx.guard, 'aio_complete-1');
  plainWrite(k.guard, 'aio_complete-1');
  announce('kiocb.completed', k, res, site);
  if (k.runState === 'Q' && isLinked(k.runLink)) {
    listDelInit(k.runLink);
    k.runState = 'E';
    announce('kiocb.encoding', k, 0, 'aio_complete-1');
    yield* noteKicked(ctx, 'aio_complete-1');
  }
  // atomic because CANCELLED is only set under ctx_lock
  if (peek(k.cancelled) === 0) {
    // A request that can complete has been through step 7 of io_submit_one.
    const event = { data: k.data, obj: k.obj.value ?? 0, res, res2 };
    const tail = yield* postEvent(ctx, event, 'aio_complete-3');
    announce('kiocb.posted', k, tail, 'aio_complete-3');
    announceCtx('ctx.tail', ctx, peek(ringOf(ctx).kernel.tail), 'aio_complete-3');
  } else announce('kiocb.silent', k, res, 'aio_complete-2');
  yield* putLocked(k, 'aio_complete-4');
  yield* aio.parts.completionBarrier('aio_complete-5');
  if (yield* waitqueueActive(ctx.wait, 'aio_complete-5')) {
    ctx.reapersWoken = 0;
    yield* wakeUp(ctx.wait, 1, 0, 'aio_complete-5');
    announceCtx('wake.completion', ctx, ctx.reapersWoken, 'aio_complete-5');
  } else announceCtx('wake.completion', ctx, 0, 'aio_complete-5');
  yield* spinUnlock(ctx.lock, 'aio_complete-6');
}

/** The entry of a task in io_getevents: its wake-ups are counted for the checks. */
export function reaperEntry(ctx: Kioctx, task: Task): WaitEntry {
  return newEntry(task, function* (entry, mode): Kernel<boolean> {
    const woke = yield* defaultWake(entry, mode);
    if (woke) ctx.reapersWoken++;
    return woke;
  });
}

/** [ctx_lock] Publishes whether anything is kicked to io_getevents, which looks without the lock. */
export function* noteKicked(ctx: Kioctx, site: string): Kernel<void> {
  const any = ctx.runList.isEmpty() ? 0 : 1;
  if (any !== peek(ctx.anyKicked)) yield* write(ctx.anyKicked, any, site);
}

/** aio_put_req() (A-R43): true if that was the last reference. */
export function* aioPutReq(k: Kiocb, site: string): Kernel<boolean> {
  const { ctx } = k;
  yield* spinLockIrqsave(ctx.lock, site);
  const last = yield* putLocked(k, site);
  yield* spinUnlock(ctx.lock, site);
  return last;
}

/** __aio_put_req() [ctx_lock]. */
export function* putLocked(k: Kiocb, site: string): Kernel<boolean> {
  plainWrite(k.guard, site);
  k.users--;
  announce('kiocb.users', k, k.users, site);
  bugOn(k.users < 0, 'aio_put_req', 'ki_users of a request falls below zero');
  if (k.users > 0) return false;
  plainWrite(k.ctx.guard, site);
  listDelInit(k.link);
  announce('kiocb.listed', k, 0, site);
  // No step where there never was a method: only the submitter sets one, and it has ended.
  if (k.cancel.value !== null) yield* writeRef(k.cancel, null, site);
  k.retry = null;
  if (k.filp !== null) announce('kiocb.file', k, -1, site);
  if (k.filp !== null && (yield* dropFile(k.filp, site))) yield* putFileLater(k, site);
  else yield* reallyPut(k, site);
  return true;
}

/** The file is to be released where that may sleep; the request stays counted until then. */
function* putFileLater(k: Kiocb, site: string): Kernel<void> {
  getCtx(k.ctx, site);
  yield* spinLock(aio.fputLock, site);
  plainWrite(aio.fputGuard, site);
  listAdd(k.link, aio.fputHead);
  yield* spinUnlock(aio.fputLock, site);
  yield* queueWork(aioQueue(), aio.fputWork, site);
}

/** really_put_req() [ctx_lock] (A-R44). */
export function* reallyPut(k: Kiocb, site: string): Kernel<void> {
  const { ctx } = k;
  if (k.dtor !== null) yield* k.dtor(k);
  if (k.iovecMem !== null) kfree(k.iovecMem, 'really_put_req');
  kfree(k.mem, 'really_put_req');
  plainWrite(ctx.guard, site);
  plainWrite(ctx.reqsGuard, 'really_put_req');
  ctx.reqsActive--;
  announce('kiocb.freed', k, ctx.reqsActive, site);
  yield* noteRequests(ctx, 'really_put_req');
  if (ctx.reqsActive === 0 && (yield* read(ctx.dead, 'really_put_req')) !== 0)
    yield* aio.parts.wakeDestroyer(ctx, 'really_put_req');
}

/** [ctx_lock] After reqs_active has changed: lets a final put that runs beside see whether it is 0. */
export function* noteRequests(ctx: Kioctx, site: string): Kernel<void> {
  if (!kernelConfig.contextsDie) return;
  const any = ctx.reqsActive === 0 ? 0 : 1;
  if (any !== peek(ctx.anyRequest)) yield* write(ctx.anyRequest, any, site);
}

/** aio_fput_routine() (A-R45): in the worker, or in a task that found no room. */
export function* releaseFiles(): Kernel<void> {
  const site = 'aio_fput_routine';
  yield* spinLockIrqsave(aio.fputLock, site);
  for (;;) {
    plainWrite(aio.fputGuard, site);
    const k = aio.fputHead.first();
    if (k === null) break;
    listDelInit(k.link);
    yield* spinUnlock(aio.fputLock, site);
    const { ctx } = k;
    yield* releaseFile(k.file);
    yield* spinLockIrqsave(ctx.lock, site);
    yield* reallyPut(k, site);
    yield* spinUnlock(ctx.lock, site);
    yield* putCtx(ctx, site);
    yield* spinLockIrqsave(aio.fputLock, site);
  }
  yield* spinUnlock(aio.fputLock, site);
}

// ---- contexts ----

/**
 * get_ioctx(). Commutes with every put while another reference or a lock keeps the count above zero, so no operation.
 */
export function getCtx(ctx: Kioctx, site: string): void {
  touch(ctx.mem, site);
  const users = ++engine.state[ctx.users.id];
  announceCtx('ctx.users', ctx, users, site);
}

/** put_ioctx(); the last one frees the context. No operation where it cannot be the last. */
export function* putCtx(ctx: Kioctx, site: string): Kernel<void> {
  const mayBeLast = kernelConfig.contextsDie || engine.current >= engine.users;
  let left: number;
  if (mayBeLast) left = (yield* add(ctx.users, -1, site)) - 1;
  else {
    touch(ctx.mem, site);
    left = --engine.state[ctx.users.id];
  }
  announceCtx('ctx.users', ctx, left, site);
  bugOn(left < 0, 'put_ioctx', 'users of a context falls below zero');
  if (left === 0) yield* freeCtx(ctx);
}

/** __put_ioctx() (A-R23). */
export function* freeCtx(ctx: Kioctx): Kernel<void> {
  plainRead(ctx.reqsGuard, 'put_ioctx-1');
  const busy = kernelConfig.contextsDie
    ? (yield* read(ctx.anyRequest, 'put_ioctx-1')) !== 0
    : ctx.reqsActive !== 0;
  bugOn(busy, 'put_ioctx-1', 'a context is freed with requests in flight');
  yield* cancelDelayedWork(ctx.wq, 'put_ioctx-2');
  yield* aio.parts.settleWork(ctx, 'put_ioctx-3');
  yield* freeRing(ctx);
  const { maxReqs } = ctx;
  kfree(ctx.mem, 'put_ioctx-6');
  announceCtx('ctx.freed', ctx, 0, 'put_ioctx-6');
  if (maxReqs === 0) return;
  yield* spinLock(aio.nrLock, 'put_ioctx-7');
  plainWrite(aio.nrGuard, 'put_ioctx-7');
  aio.nr -= maxReqs;
  announceCtx('ctx.nr', ctx, aio.nr, 'put_ioctx-7');
  yield* spinUnlock(aio.nrLock, 'put_ioctx-7');
}

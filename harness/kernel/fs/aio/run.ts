/** Running requests, kicks, and the worker (A-R31 to A-R37). */

import {
  List,
  bugOn,
  engine,
  isLinked,
  listAddTail,
  listDelInit,
  plainRead,
  plainWrite,
  queueDelayedWork,
  read,
  spinLockIrqsave,
  spinUnlock,
  timerBaseOf,
  touch,
  waitqueueActive,
  type Kernel,
  type WaitEntry,
} from '../../../machine/index.ts';
import { E, kernelConfig } from '../../kernel.ts';
import { EIOCBQUEUED, EIOCBRETRY } from './abi.ts';
import { aioComplete, noteKicked, putLocked } from './complete.ts';
import { aio, announce, announceCtx, kindOfIoWait, type Kiocb, type Kioctx } from './kioctx.ts';

/** For the checks. */
const ENCODING = { E: 0, Q: 1, N: 2 } as const;

/** aio_run_iocb() (A-R31): one run of the method. ctx_lock is held on entry and on return, and not in between. */
export function* aioRunIocb(k: Kiocb): Kernel<number> {
  const { ctx } = k;
  plainWrite(k.guard, 'aio_run_iocb-1');
  const { retry } = k;
  if (retry === null) return 0;
  k.kicked = false;
  announce('kiocb.kicked', k, 0, 'aio_run_iocb-2');
  setRunState(k, 'N', 'aio_run_iocb-2');
  yield* spinUnlock(ctx.lock, 'aio_run_iocb-2');
  let result: number;
  if ((yield* read(k.cancelled, 'aio_run_iocb-3')) !== 0) {
    result = -E.EINTR;
    yield* aioComplete(k, result, 0, 'aio_run_iocb-3');
  } else {
    result = yield* runMethod(k, retry);
    if (result !== -EIOCBRETRY && result !== -EIOCBQUEUED) {
      touch(k.mem, 'aio_run_iocb-6');
      bugOn(isLinked(k.wait.link), 'aio_run_iocb-6', 'a request has ended with its entry queued');
      yield* aioComplete(k, result, 0, 'aio_run_iocb-6');
    }
  }
  yield* spinLockIrqsave(ctx.lock, 'aio_run_iocb-7');
  if (result === -EIOCBRETRY) {
    yield* letKicksIn(k);
    announce('kiocb.ran', k, result, 'aio_run_iocb-7');
  }
  return result;
}

function* runMethod(k: Kiocb, retry: (k: Kiocb) => Kernel<number>): Kernel<number> {
  announce('kiocb.run', k, 0, 'aio_run_iocb-4');
  announce('task.io-wait.enter', k, kindOfIoWait(), 'aio_run_iocb-4');
  aio.parts.enterMethod(k);
  const result = yield* retry(k);
  aio.parts.leaveMethod(k);
  announce('task.io-wait.leave', k, kindOfIoWait(), 'aio_run_iocb-5');
  announce('kiocb.linked', k, isLinked(k.wait.link) ? 1 : 0, 'aio_run_iocb-5');
  // A run that wants another is over when kicks are let in again.
  if (result !== -EIOCBRETRY) announce('kiocb.ran', k, result, 'aio_run_iocb-5');
  return result;
}

/** [ctx_lock] This run is over and another is wanted: from here on a kick queues it, and one that came is honoured. */
function* letKicksIn(k: Kiocb): Kernel<void> {
  plainWrite(k.guard, 'aio_run_iocb-7');
  setRunState(k, 'E', 'aio_run_iocb-7');
  if (!k.kicked) return;
  yield* enqueue(k, 'aio_run_iocb-7');
  yield* aioQueueWork(k.ctx, 'aio_run_iocb-7');
}

function setRunState(k: Kiocb, state: 'E' | 'N', site: string): void {
  k.runState = state;
  announce('kiocb.encoding', k, ENCODING[state], site);
}

/** __queue_kicked_iocb() [ctx_lock]. */
function* enqueue(k: Kiocb, site: string): Kernel<void> {
  plainWrite(k.ctx.guard, site);
  listAddTail(k.runLink, k.ctx.runList);
  k.runState = 'Q';
  announce('kiocb.encoding', k, ENCODING.Q, site);
  yield* noteKicked(k.ctx, site);
}

/** kick_iocb() of an asynchronous request (A-R32), in any context. */
export function* kickIocb(k: Kiocb): Kernel<void> {
  const { ctx } = k;
  touch(k.mem, 'kick_iocb-1');
  const { kickLooks } = aio.parts;
  if (kickLooks !== null) yield* kickLooks(k, 'kick_iocb-1');
  bugOn(isLinked(k.wait.link), 'kick_iocb-1', 'a request is kicked with its entry queued');
  yield* spinLockIrqsave(ctx.lock, 'kick_iocb-2');
  plainWrite(k.guard, 'kick_iocb-2');
  const old = k.kicked;
  k.kicked = true;
  announce('kiocb.kicked', k, 1, 'kick_iocb-2');
  const run = !old && k.runState === 'E';
  if (run) yield* enqueue(k, 'kick_iocb-2');
  yield* spinUnlock(ctx.lock, 'kick_iocb-3');
  // Without a reference: the request may have run and the context may be gone (A-B11).
  if (run) yield* aioQueueWork(ctx, 'kick_iocb-4');
}

/** aio_wake_function() of 2.6.20 (A-R33), under the lock of the queue: any wake-up takes the entry off. */
export function* aioWake(k: Kiocb, entry: WaitEntry): Kernel<boolean> {
  listDelInit(entry.link);
  announce('kiocb.linked', k, 0, 'aio_wake_function');
  yield* kickIocb(k);
  return true;
}

/** aio_queue_work() (A-R34): soon if somebody waits for events, else at leisure. */
export function* aioQueueWork(ctx: Kioctx, site: string): Kernel<void> {
  const waited = yield* waitqueueActive(ctx.wait, site);
  const ticks = waited ? 1 : Math.floor(kernelConfig.hz / 10);
  if (!(yield* queueDelayedWork(ctx.wq, ticks, site))) tellLate(ctx, ticks, site);
}

/** For the checks: by how much an armed delay is longer than the one that was asked for (A-B26). */
function tellLate(ctx: Kioctx, ticks: number, site: string): void {
  const { slot } = ctx.wq.timer;
  if ((engine.state[timerBaseOf().id] & (1 << slot)) === 0) return;
  const late = engine.deadline[slot] - engine.jiffies - ticks;
  if (late > 0) announceCtx('work.late', ctx, late, site);
}

/**
 * __aio_run_iocbs() [ctx_lock] (A-R35): runs what is kicked now; true if something was kicked meanwhile. The lock is
 * dropped while a method runs.
 */
function* drainOnce(ctx: Kioctx, by: 'submit' | 'getevents' | 'worker'): Kernel<boolean> {
  const site = 'aio_run_iocbs';
  plainWrite(ctx.guard, site);
  const mine = ctx.runList;
  ctx.runList = new List<Kiocb>();
  yield* noteKicked(ctx, site);
  for (;;) {
    plainWrite(ctx.guard, site);
    const k = mine.first();
    if (k === null) break;
    plainWrite(k.guard, site);
    listDelInit(k.runLink);
    k.users++;
    announce('kiocb.users', k, k.users, site);
    if (by !== 'worker') announce('submit.ran-other', k, 0, site);
    yield* aioRunIocb(k);
    yield* putLocked(k, site);
  }
  plainRead(ctx.guard, site);
  return !ctx.runList.isEmpty();
}

/** [ctx_lock] Runs what is kicked until nothing is, however long that takes (A-R37). */
export function* drainAll(ctx: Kioctx, by: 'submit' | 'getevents'): Kernel<void> {
  plainRead(ctx.guard, 'aio_run_all_iocbs');
  while (!ctx.runList.isEmpty() && (yield* drainOnce(ctx, by)));
}

/** aio_kick_handler() (A-R36): a pass of the worker, in the address space of the context's process. */
export function* aioKickHandler(ctx: Kioctx): Kernel<void> {
  const site = 'aio_kick_handler';
  yield* spinLockIrqsave(ctx.lock, site);
  const requeue = yield* drainOnce(ctx, 'worker');
  yield* spinUnlock(ctx.lock, site);
  // Nothing but the flush of the last put keeps the context.
  if (requeue) yield* queueDelayedWork(ctx.wq, 0, site);
}

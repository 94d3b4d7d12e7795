/**
 * Batches of kiocbs (A-R137 to A-R139): io_submit allocates up to 32 at a time, admits all of them under one hold of
 * ctx_lock, and hands out one for each iocb. What the versions of the patch have alike.
 *
 * After the patches of 2011-09-21 and 2011-09-22 to fs/aio.c, in own words.
 */

import {
  bugOn,
  injectFault,
  kfree,
  listAdd,
  plainWrite,
  spinLockIrqsave,
  spinUnlock,
  type Kernel,
} from '../../../machine/index.ts';
import { freeUnlocked } from './batch-free.ts';
import { noteRequests, releaseFiles } from './complete.ts';
import { Kiocb, announce, announceCtx, type Kioctx } from './kioctx.ts';
import type { AioParts, Batch } from './parts.ts';
import { ringAvail } from './ring.ts';

/** KIOCB_BATCH_SIZE. */
const BATCH_SIZE = 32;

/** kiocb_batch_init() for a call with `nr` iocbs. */
function startBatch(nr: number): Batch {
  return { remaining: nr, list: [] };
}

/** Step 4 of A-R138: free slots less active requests, in the arithmetic of a version of the patch. */
export type Avail = (free: number, active: number) => number;

/** The functions of io_submit that a version of the patch replaces. */
export function batched(availOf: Avail): Pick<AioParts, 'startBatch' | 'getRequest' | 'endBatch'> {
  return {
    startBatch,
    getRequest: (ctx, batch) => getRequest(ctx, batch, availOf),
    endBatch: freeUnlocked,
  };
}

/** aio_get_req() (A-R139): the first kiocb of the batch, refilled when it is empty; null for EAGAIN. */
function* getRequest(ctx: Kioctx, batch: Batch, availOf: Avail): Kernel<Kiocb | null> {
  if (batch.list.length === 0 && (yield* refill(ctx, batch, availOf)) === 0) return null;
  const k = batch.list.shift() ?? null;
  if (k !== null) announce('kiocb.handed', k, 0, 'aio_get_req');
  return k;
}

/** kiocb_batch_refill() (A-R138): how many were admitted. */
function* refill(ctx: Kioctx, batch: Batch, availOf: Avail): Kernel<number> {
  const allocated = yield* allocate(ctx, batch);
  if (allocated === 0) return 0;
  let calledFput = false;
  for (;;) {
    yield* spinLockIrqsave(ctx.lock, 'kiocb_batch_refill-3');
    const free = yield* ringAvail(ctx, 'kiocb_batch_refill-4');
    const avail = availOf(free, ctx.reqsActive);
    // What an unprivileged program can make true (A-B93).
    bugOn(avail < 0, 'kiocb_batch_refill-5', `avail is ${avail}`);
    if (avail !== 0 || calledFput) {
      const kept = admit(ctx, batch, allocated, avail);
      yield* noteRequests(ctx, 'kiocb_batch_refill-8');
      yield* spinUnlock(ctx.lock, 'kiocb_batch_refill-9');
      return kept;
    }
    yield* spinUnlock(ctx.lock, 'kiocb_batch_refill-6');
    yield* releaseFiles();
    calledFput = true;
  }
}

/** Step 1 of A-R138: kiocbs in front of the batch until there are enough or memory is out; how many. */
function* allocate(ctx: Kioctx, batch: Batch): Kernel<number> {
  const site = 'kiocb_batch_refill-1';
  const want = Math.min(batch.remaining, BATCH_SIZE);
  let allocated = 0;
  for (; allocated < want; allocated++) {
    if (yield* injectFault(site)) break;
    batch.list.unshift(new Kiocb(ctx, site));
  }
  return allocated;
}

/** [ctx_lock] Steps 7 and 8: gives back what the ring has no room for and admits the rest; how many that are. */
function admit(ctx: Kioctx, batch: Batch, allocated: number, avail: number): number {
  const kept = avail < allocated ? trim(batch, allocated, avail) : allocated;
  batch.remaining -= kept;
  const site = 'kiocb_batch_refill-8';
  if (kept === 0) announceCtx('submit.full', ctx, avail + ctx.reqsActive, site);
  for (const k of batch.list) {
    linkActive(ctx, k, site);
    plainWrite(ctx.reqsGuard, site);
    ctx.reqsActive++;
    announce('kiocb.admitted', k, ctx.reqsActive, site);
  }
  return kept;
}

/** Frees from the front until no more than `avail` are left (A-R143); how many are. */
function trim(batch: Batch, allocated: number, avail: number): number {
  let left = allocated;
  for (const k of [...batch.list]) {
    batch.list.shift();
    kfree(k.mem, 'kiocb_batch_refill-7');
    if (--left <= avail) break;
  }
  return left;
}

/** [ctx_lock] Pushes a kiocb on active_reqs. The one that was first, alive or not, gets a new neighbour. */
function linkActive(ctx: Kioctx, k: Kiocb, site: string): void {
  plainWrite(ctx.guard, site);
  const first = ctx.active.first();
  if (first !== null) plainWrite(first.guard, site);
  listAdd(k.link, ctx.active);
}

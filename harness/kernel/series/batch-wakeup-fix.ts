/**
 * batch-wakeup-fix: who gives back the last active request of a dead context wakes those who wait for that (A-R140,
 * A-R147), as posted on 2012-02-16.
 */

import { read, spinLockIrqsave, spinUnlock, type Kernel } from '../../machine/index.ts';
import type { Parts31 } from '../build-3.1.ts';
import { giveBack } from '../fs/aio/batch-free.ts';
import { noteRequests } from '../fs/aio/complete.ts';
import type { Kioctx } from '../fs/aio/kioctx.ts';
import type { AioParts, Batch } from '../fs/aio/parts.ts';
import { AIO_BATCH_DIGEST, type Patch } from './patch.ts';

/** kiocb_batch_free(). */
function* endBatch(aio: AioParts, ctx: Kioctx, batch: Batch): Kernel<void> {
  if (batch.list.length === 0) return;
  yield* spinLockIrqsave(ctx.lock, 'kiocb_batch_free');
  giveBack(ctx, batch);
  yield* noteRequests(ctx, 'kiocb_batch_free');
  if (ctx.reqsActive === 0 && (yield* read(ctx.dead, 'kiocb_batch_free')) === 1)
    yield* aio.wakeDestroyer(ctx, 'kiocb_batch_free');
  yield* spinUnlock(ctx.lock, 'kiocb_batch_free');
}

export const batchWakeupFix: Patch<Parts31> = {
  name: 'batch-wakeup-fix',
  title: 'giving back the last unused kiocb wakes those who wait for a context to be idle',
  seed: AIO_BATCH_DIGEST,
  base: '3.1',
  requires: ['batch-accounting-fix'],
  replaces: ['kiocb_batch_free'],
  apply: (parts) => ({
    ...parts,
    aio: { ...parts.aio, endBatch: (ctx, batch) => endBatch(parts.aio, ctx, batch) },
  }),
};

/**
 * batch-accounting-fix: unused kiocbs of a batch leave active_reqs and reqs_active before they are freed (A-R140;
 * merged in 3.2.2 and 3.3). Nobody is told when reqs_active becomes 0 that way (A-B91).
 */

import { spinLockIrqsave, spinUnlock, type Kernel } from '../../machine/index.ts';
import type { Parts31 } from '../build-3.1.ts';
import { giveBack } from '../fs/aio/batch-free.ts';
import { noteRequests } from '../fs/aio/complete.ts';
import type { Kioctx } from '../fs/aio/kioctx.ts';
import type { Batch } from '../fs/aio/parts.ts';
import { AIO_BATCH_DIGEST, type Patch } from './patch.ts';

/** kiocb_batch_free(). */
function* endBatch(ctx: Kioctx, batch: Batch): Kernel<void> {
  if (batch.list.length === 0) return;
  yield* spinLockIrqsave(ctx.lock, 'kiocb_batch_free');
  giveBack(ctx, batch);
  yield* noteRequests(ctx, 'kiocb_batch_free');
  yield* spinUnlock(ctx.lock, 'kiocb_batch_free');
}

export const batchAccountingFix: Patch<Parts31> = {
  name: 'batch-accounting-fix',
  title: 'unused kiocbs of a batch are no longer counted as active requests',
  seed: AIO_BATCH_DIGEST,
  base: '3.1',
  requires: ['kiocb-batch-v3'],
  replaces: ['kiocb_batch_free'],
  apply: (parts) => ({ ...parts, aio: { ...parts.aio, endBatch } }),
};

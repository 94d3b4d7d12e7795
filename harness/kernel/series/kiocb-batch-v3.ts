/**
 * kiocb-batch-v3: kiocbs in batches, as posted on 2011-09-22 and merged in 3.2 (A-R137 to A-R145).
 *
 * The number of free slots is a long: the difference of two 32-bit numbers, unsigned because the first is. Where long
 * has 64 bits a negative difference is a large number, and more is admitted than the ring has room for (A-B92).
 */

import { spinLockIrqsave, spinUnlock, type Kernel } from '../../machine/index.ts';
import type { Parts31 } from '../build-3.1.ts';
import { admit, allocate, assertNotNegative, getRequest, startBatch } from '../fs/aio/batch.ts';
import { freeUnlocked } from '../fs/aio/batch-free.ts';
import { releaseFiles } from '../fs/aio/complete.ts';
import type { Kioctx } from '../fs/aio/kioctx.ts';
import type { Batch } from '../fs/aio/parts.ts';
import { ringAvail } from '../fs/aio/ring.ts';
import { kernelConfig } from '../kernel.ts';
import { AIO_BATCH_DIGEST, type Patch } from './patch.ts';

/** An unsigned int as a long. */
function asLong(unsigned: number): number {
  return kernelConfig.longBits === 64 ? unsigned : unsigned | 0;
}

/** kiocb_batch_refill() with `long avail`. */
function* refill(ctx: Kioctx, batch: Batch): Kernel<number> {
  const allocated = yield* allocate(ctx, batch);
  if (allocated === 0) return 0;
  let calledFput = false;
  for (;;) {
    yield* spinLockIrqsave(ctx.lock, 'kiocb_batch_refill-3');
    const free = yield* ringAvail(ctx, 'kiocb_batch_refill-4');
    const avail = asLong((free - ctx.reqsActive) >>> 0);
    assertNotNegative(avail);
    if (avail !== 0 || calledFput) {
      const kept = admit(ctx, batch, allocated, avail);
      yield* spinUnlock(ctx.lock, 'kiocb_batch_refill-9');
      return kept;
    }
    yield* spinUnlock(ctx.lock, 'kiocb_batch_refill-6');
    yield* releaseFiles();
    calledFput = true;
  }
}

export const kiocbBatchV3: Patch<Parts31> = {
  name: 'kiocb-batch-v3',
  title: 'io_submit allocates and admits up to 32 kiocbs at a time (as merged in 3.2)',
  seed: AIO_BATCH_DIGEST,
  base: '3.1',
  requires: [],
  excludes: ['kiocb-batch-v2'],
  replaces: ['__aio_get_req', 'aio_get_req', 'io_submit_one', 'do_io_submit'],
  apply: (parts) => ({
    ...parts,
    aio: {
      ...parts.aio,
      startBatch,
      getRequest: (ctx, batch) => getRequest(ctx, batch, refill),
      endBatch: freeUnlocked,
    },
  }),
};

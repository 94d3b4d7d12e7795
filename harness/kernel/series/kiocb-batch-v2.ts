/**
 * kiocb-batch-v2: kiocbs in batches, as posted on 2011-09-21 (A-R137 to A-R145).
 *
 * The number of free slots is an int, so a negative one is seen as such and is a BUG (A-B93). Kiocbs that io_submit
 * does not use stay counted and listed after they are freed (A-B89).
 */

import { spinLockIrqsave, spinUnlock, type Kernel } from '../../machine/index.ts';
import type { Parts31 } from '../build-3.1.ts';
import { admit, allocate, assertNotNegative, getRequest, startBatch } from '../fs/aio/batch.ts';
import { freeUnlocked } from '../fs/aio/batch-free.ts';
import { releaseFiles } from '../fs/aio/complete.ts';
import type { Kioctx } from '../fs/aio/kioctx.ts';
import type { Batch } from '../fs/aio/parts.ts';
import { ringAvail } from '../fs/aio/ring.ts';
import { AIO_BATCH_DIGEST, type Patch } from './patch.ts';

/** kiocb_batch_refill() with `int avail`. */
function* refill(ctx: Kioctx, batch: Batch): Kernel<number> {
  const allocated = yield* allocate(ctx, batch);
  if (allocated === 0) return 0;
  let calledFput = false;
  for (;;) {
    yield* spinLockIrqsave(ctx.lock, 'kiocb_batch_refill-3');
    const free = yield* ringAvail(ctx, 'kiocb_batch_refill-4');
    const avail = (free - ctx.reqsActive) | 0;
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

export const kiocbBatchV2: Patch<Parts31> = {
  name: 'kiocb-batch-v2',
  title: 'io_submit allocates and admits up to 32 kiocbs at a time (second version)',
  seed: AIO_BATCH_DIGEST,
  base: '3.1',
  requires: [],
  excludes: ['kiocb-batch-v3'],
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

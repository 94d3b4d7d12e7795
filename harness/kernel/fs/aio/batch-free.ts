/** kiocb_batch_free() (A-R140): what io_submit does with the kiocbs that it did not need. */

import { kfree, listDelInit, plainWrite, type Kernel } from '../../../machine/index.ts';
import { announce, type Kioctx } from './kioctx.ts';
import type { Batch } from './parts.ts';

/** As posted: frees them, though they are on active_reqs and in reqs_active. */
export function* freeUnlocked(_ctx: Kioctx, batch: Batch): Kernel<void> {
  for (const k of batch.list.splice(0)) kfree(k.mem, 'kiocb_batch_free');
}

/** [ctx_lock] Takes them out of the account first. */
export function giveBack(ctx: Kioctx, batch: Batch): void {
  const site = 'kiocb_batch_free';
  for (const k of batch.list.splice(0)) {
    plainWrite(ctx.guard, site);
    plainWrite(k.guard, site);
    listDelInit(k.link);
    announce('kiocb.listed', k, 0, site);
    plainWrite(ctx.reqsGuard, site);
    ctx.reqsActive--;
    announce('kiocb.freed', k, ctx.reqsActive, site);
    kfree(k.mem, site);
  }
}

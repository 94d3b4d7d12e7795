/** AIO of 3.1 as released (A-R136): what it does differently from 2.6.20. */

import {
  cancelWorkSync,
  memoryBarrier,
  read,
  wakeUp,
  type Kernel,
} from '../../../machine/index.ts';
import { finishPlug, startPlug } from '../../block/queue.ts';
import { E } from '../../kernel.ts';
import { fget, fput } from '../file.ts';
import type { AioParts } from './parts.ts';
import { plainAio } from './plain.ts';

/** eventfd_ctx_fdget(). Differs: nothing makes an eventfd here, so that no descriptor is one. */
function* takeResfd(resfd: number): Kernel<number> {
  const site = 'io_submit_one-5';
  const file = yield* fget(resfd, site);
  if (file === null) return -E.EBADF;
  yield* fput(file, site);
  return -E.EINVAL;
}

/** A context that dies lets no request in any more and tells everybody; io_submit plugs the block device. */
export const aio31: AioParts = {
  ...plainAio,
  takeResfd,
  *maySubmit(ctx) {
    return (yield* read(ctx.dead, 'io_submit_one-9')) === 0;
  },
  *hasGone(ctx) {
    return (yield* read(ctx.dead, 'read_events-6')) !== 0;
  },
  *wakeDestroyer(ctx, site) {
    yield* wakeUp(ctx.wait, 0, 0, site);
  },
  // Its own work, not the whole queue: a release of a file that is put off is not waited for (A-B12).
  *settleWork(ctx, site) {
    yield* cancelWorkSync(ctx.wq, site);
  },
  *wakeReaders(ctx, site) {
    yield* wakeUp(ctx.wait, 0, 0, site);
  },
  completionBarrier: memoryBarrier,
  plug: startPlug,
  unplug: finishPlug,
};

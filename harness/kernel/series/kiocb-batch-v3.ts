/**
 * kiocb-batch-v3: kiocbs in batches, as posted on 2011-09-22 and merged in 3.2 (A-R137 to A-R145).
 *
 * The number of free slots is a long: the difference of two 32-bit numbers, unsigned because the first is. Where long
 * has 64 bits a negative difference is a large number, and more is admitted than the ring has room for (A-B92).
 */

import type { Parts31 } from '../build-3.1.ts';
import { batched } from '../fs/aio/batch.ts';
import { kernelConfig } from '../kernel.ts';
import { AIO_BATCH_DIGEST, type Patch } from './patch.ts';

/** `long avail`. */
function availOf(free: number, active: number): number {
  const unsigned = (free - active) >>> 0;
  return kernelConfig.longBits === 64 ? unsigned : unsigned | 0;
}

export const kiocbBatchV3: Patch<Parts31> = {
  name: 'kiocb-batch-v3',
  title: 'io_submit allocates and admits up to 32 kiocbs at a time (as merged in 3.2)',
  seed: AIO_BATCH_DIGEST,
  base: '3.1',
  requires: [],
  excludes: ['kiocb-batch-v2'],
  replaces: ['__aio_get_req', 'aio_get_req', 'io_submit_one', 'do_io_submit'],
  apply: (parts) => ({ ...parts, aio: { ...parts.aio, ...batched(availOf) } }),
};

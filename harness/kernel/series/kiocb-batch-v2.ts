/**
 * kiocb-batch-v2: kiocbs in batches, as posted on 2011-09-21 (A-R137 to A-R145).
 *
 * The number of free slots is an int, so a negative one is seen as such and is a BUG (A-B93). Kiocbs that io_submit
 * does not use stay counted and listed after they are freed (A-B89).
 */

import type { Parts31 } from '../build-3.1.ts';
import { batched } from '../fs/aio/batch.ts';
import { AIO_BATCH_DIGEST, type Patch } from './patch.ts';

/** `int avail`. */
function availOf(free: number, active: number): number {
  return (free - active) | 0;
}

export const kiocbBatchV2: Patch<Parts31> = {
  name: 'kiocb-batch-v2',
  title: 'io_submit allocates and admits up to 32 kiocbs at a time (second version)',
  seed: AIO_BATCH_DIGEST,
  base: '3.1',
  requires: [],
  excludes: ['kiocb-batch-v3'],
  replaces: ['__aio_get_req', 'aio_get_req', 'io_submit_one', 'do_io_submit'],
  apply: (parts) => ({ ...parts, aio: { ...parts.aio, ...batched(availOf) } }),
};

/** no-plug: io_submit hands every bio to the device at once (A-R152), as posted on 2011-12-13. */

import type { Parts31 } from '../build-3.1.ts';
import { AIO_BATCH_DIGEST, type Patch } from './patch.ts';

export const noPlug: Patch<Parts31> = {
  name: 'no-plug',
  title: 'io_submit does not collect its bios until the end of the array',
  seed: AIO_BATCH_DIGEST,
  base: '3.1',
  requires: [],
  replaces: ['do_io_submit'],
  apply: (parts) => ({ ...parts, aio: { ...parts.aio, plug: null, unplug: null } }),
};

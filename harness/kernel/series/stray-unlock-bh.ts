/**
 * stray-unlock-bh: where a context is over the limit of all contexts, the lock of the account is released with the
 * variant that also enables softirqs, which nobody disabled (A-R151, A-B95). A tree of March 2012 has it; there a
 * context is made with a reference of its maker beside that of the list (A-R156), so that A-B9 is gone.
 */

import { spinUnlockBh, type Kernel } from '../../machine/index.ts';
import type { Parts31 } from '../build-3.1.ts';
import { aio } from '../fs/aio/kioctx.ts';
import { AIO_BATCH_DIGEST, type Patch } from './patch.ts';

function* setupRefused(site: string): Kernel<void> {
  yield* spinUnlockBh(aio.nrLock, site);
}

export const strayUnlockBh: Patch<Parts31> = {
  name: 'stray-unlock-bh',
  title: 'io_setup over the limit enables softirqs that nobody disabled (a tree of March 2012)',
  seed: AIO_BATCH_DIGEST,
  base: '3.1',
  requires: [],
  replaces: ['ioctx_alloc'],
  apply: (parts) => ({ ...parts, aio: { ...parts.aio, setupRefused, contextUsers: 2 } }),
};

/** What a patch is. One file each in this folder; `index.ts` has the table. */

import type { Parts2544 } from '../build-2.5.44.ts';

/** A patch on 2.5.44. */
export interface Patch {
  /** As it stands in a spec: `epoll-acsem`. */
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  /** The seed document it comes from. */
  readonly seed: string;
  /** Base it applies to. */
  readonly base: string;
  /** Patches that must stand before it. */
  readonly requires: readonly string[];
  /** The functions it replaces or adds, by their names in the kernel. */
  readonly replaces: readonly string[];
  apply(parts: Parts2544): Parts2544;
}

/** Seed of the sys_epoll thread of October 2002. */
export const SYS_EPOLL_THREAD = '001_c49968c44f50b10d.txt';

/** A base: a kernel that patches apply to. */

import type { BuiltKernel } from '../kernel.ts';
import type { Patch, PatchInfo } from './patch.ts';

/** What `base` is made of. */
interface BaseOf<Parts> {
  readonly name: string;
  readonly title: string;
  /** The functions as the base was released. */
  readonly plain: Parts;
  /** In the order in which they were proposed. */
  readonly patches: readonly Patch<Parts>[];
  /** The kernel of these parts; `spec` is the name it answers to. */
  build(spec: string, parts: Parts): BuiltKernel;
}

/** A base whose parts are its own affair, so that bases with different parts fit in one table. */
export interface Base {
  readonly name: string;
  readonly title: string;
  readonly patches: readonly PatchInfo[];
  /** The kernel with these of its patches, applied in this order. */
  build(spec: string, names: readonly string[]): BuiltKernel;
}

/** A base out of its plain parts and the patches on them. */
export function base<Parts>(of: BaseOf<Parts>): Base {
  return {
    name: of.name,
    title: of.title,
    patches: of.patches,
    build(spec, names) {
      const series = names.flatMap((name) => of.patches.filter((patch) => patch.name === name));
      return of.build(
        spec,
        series.reduce((parts, patch) => patch.apply(parts), of.plain),
      );
    },
  };
}

/** Iterators that stand for generators where `yield*` is all that ever sees them. */

import type { Kernel } from './scenario.ts';

/** An iterator with that `next`; it is preallocated and used again and again. */
export function iteratorOf<T>(next: () => IteratorResult<void, T>): Kernel<T> {
  const iterator = { next, return: next, throw: next, [Symbol.iterator]: () => iterator };
  // The one cast: `yield*` needs the iterator protocol only, never the rest of a generator.
  return iterator as unknown as Kernel<T>;
}

/**
 * Loops that try again because poll says that a file is ready, though the operation fails for something that poll does
 * not look at (A-R98): another round fails as well, and the kernel goes round without sleeping for as long as nobody
 * else changes that (A-B61, A-B62).
 */

import { MAX_THREADS, engine, relax, type Kernel, type OpObject } from '../../../machine/index.ts';

interface Stuck {
  /** Counts changes of what the operation failed for. */
  readonly object: OpObject;
  /** Its value at the moment of the failure. */
  readonly seen: number;
}

/** By the thread that runs the operation. */
const stuckOn: (Stuck | null)[] = new Array<Stuck | null>(MAX_THREADS).fill(null);

/** An operation fails with EAGAIN for something that poll does not look at; `object` counts its changes. */
export function noteStuck(object: OpObject): void {
  stuckOn[engine.current] = { object, seen: engine.state[object.id] };
}

/** An operation begins. */
export function forgetStuck(): void {
  stuckOn[engine.current] = null;
}

/**
 * For whoever is about to try again because poll says ready; does nothing unless the operation failed as above. That is
 * reported on the first such round, since any schedule that reaches it can go on with as many rounds as one likes. To
 * keep executions finite the loop then waits until somebody has changed what the operation failed for.
 */
export function* relaxIfStuck(name: string, site: string): Kernel<void> {
  const stuck = stuckOn[engine.current];
  if (stuck === null || engine.inline) return;
  const message = `${name}: the operation says EAGAIN, poll says ready, and so on without sleeping until somebody else acts`;
  yield* relax(stuck.object, stuck.seen, 'LIVELOCK', site, message);
}

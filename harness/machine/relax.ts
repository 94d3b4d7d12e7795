/** Loops that the kernel code itself recognises: another round is of no use before somebody else has acted. */

import { engine, type Kernel, type OpObject } from './engine.ts';
import { Kind } from './op.ts';

/** Turned off, such loops go round as they do on a machine, and are found when they do not end. */
export const spins = { recognised: true };

/**
 * Reports that the loop goes round without sleeping, since any schedule that reaches it can go on with as many rounds as
 * one likes; then, to keep executions finite, waits until `object`, which counts the changes that the loop waits for,
 * is no longer at `seen`.
 */
export function* relax(
  object: OpObject,
  seen: number,
  detector: 'LIVELOCK' | 'SOFT-LOCKUP',
  site: string,
  message: string,
): Kernel<void> {
  if (!spins.recognised || engine.inline) return;
  engine.observer.report(detector, site, message);
  yield* engine.submit(Kind.RELAX, object, seen, site);
}

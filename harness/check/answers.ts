/** What a result says about the call, whatever the call was. */

import type { Result } from '../history/history.ts';

/** A return that is neither an errno nor a hang nor the death of the thread. */
export function isSuccess(result: Result): boolean {
  return result.kind !== 'errno' && result.kind !== 'hang' && result.kind !== 'killed';
}

/** What the call returned as a plain number, or null where numbers are never compared. */
export function numberOf(result: Result): number | null {
  if (result.kind === 'value') return result.value;
  if (result.kind === 'bytes') return result.count;
  return result.kind === 'events' ? result.events.length : null;
}

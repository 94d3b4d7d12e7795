/** Bytes in user memory: a string stored at the address of its first byte. */

import { copyToUser, type Kernel } from '../../machine/index.ts';
import { mm } from './file.ts';

/** What a write would send: the string stored there, filled up where the program said only how many. */
export function bytesAt(address: number, count: number): string {
  const stored = mm.load(address);
  const text = typeof stored === 'string' ? stored : '';
  return text.length >= count ? text.slice(0, count) : text.padEnd(count, 'x');
}

/**
 * Copies a chunk behind the `done` bytes that the call has already stored at `address`; false on a fault. The
 * whole is kept as one string at `address`.
 */
export function* appendToUser(
  address: number,
  done: string,
  chunk: string,
  site: string,
): Kernel<boolean> {
  if (!(yield* copyToUser(mm, address + done.length, chunk.length, chunk, site))) return false;
  if (done.length > 0) mm.store(address, done + chunk);
  return true;
}

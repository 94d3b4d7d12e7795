/**
 * Bytes in user memory: strings stored at the address of their first byte.
 *
 * A copy that goes on where another ends makes one string of the two, so that a buffer that was filled piece by piece
 * is found whole at its first byte. Buffers that are to stay apart need a byte between them.
 */

import { copyToUser, type Kernel, type Range } from '../../machine/index.ts';
import { mm } from './file.ts';

/** A string in memory and the offset of its first byte in its range. */
interface Stored {
  readonly at: number;
  readonly text: string;
}

/** The string that holds the byte at `offset`; of several the one that begins last. */
function holderOf(range: Range, offset: number): Stored | null {
  let best: Stored | null = null;
  for (const [at, value] of range.stored) {
    if (at > offset || typeof value !== 'string' || at + value.length <= offset) continue;
    if (best === null || at > best.at) best = { at, text: value };
  }
  return best;
}

/** Where the next string behind `offset` begins. */
function nextAfter(range: Range, offset: number): number {
  let next = Infinity;
  for (const [at, value] of range.stored)
    if (at > offset && at < next && typeof value === 'string' && value !== '') next = at;
  return next;
}

/** What a write would send: the bytes stored there, and an x for each that the program said nothing about. */
export function bytesAt(address: number, count: number): string {
  const range = mm.find(address);
  if (range === null) return 'x'.repeat(count);
  const start = address - range.start;
  const whole = range.stored.get(start);
  if (typeof whole === 'string' && whole.length >= count) return whole.slice(0, count);
  let text = '';
  while (text.length < count) {
    const offset = start + text.length;
    const found = holderOf(range, offset);
    if (found === null) text = text.padEnd(Math.min(count, nextAfter(range, offset) - start), 'x');
    else text += found.text.slice(offset - found.at);
  }
  return text.slice(0, count);
}

/** Stores bytes without asking whether that is allowed. What the string they continue held behind them is forgotten. */
export function storeBytes(address: number, text: string): void {
  const range = mm.find(address);
  if (range === null || text === '') return;
  const offset = address - range.start;
  const before = offset === 0 ? null : holderOf(range, offset - 1);
  if (before === null) mm.store(address, text);
  else mm.store(range.start + before.at, before.text.slice(0, offset - before.at) + text);
}

/** copy_to_user() of bytes: false on a fault. */
export function* copyBytesToUser(address: number, text: string, site: string): Kernel<boolean> {
  if (!(yield* copyToUser(mm, address, text.length, text, site))) return false;
  storeBytes(address, text);
  return true;
}

/** Copies a chunk behind the `done` bytes that the call has already stored at `address`; false on a fault. */
export function appendToUser(
  address: number,
  done: string,
  chunk: string,
  site: string,
): Kernel<boolean> {
  return copyBytesToUser(address + done.length, chunk, site);
}

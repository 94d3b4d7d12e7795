/**
 * Tables of segments of user memory, and copies to and from them.
 *
 * Methods are handed the rest of a table: the table and the place where it begins. Those that copy in place move the
 * segments on past what they have copied (A-R60), as memcpy_fromiovec and memcpy_toiovec do: the table of the kiocb
 * changes with them.
 */

import { copyFromUser, type Kernel } from '../../machine/index.ts';
import { mm, type Iovec } from './file.ts';
import { bytesAt, copyBytesToUser } from './user-bytes.ts';

/** iov_length(): bytes from segment `from` on. */
export function lengthOf(table: readonly Iovec[], from: number): number {
  let length = 0;
  for (let i = from; i < table.length; i++) length += table[i].length;
  return length;
}

/** Whether the first byte that would be stored there can be. */
export function isWritableAt(table: readonly Iovec[], from: number): boolean {
  for (let i = from; i < table.length; i++)
    if (table[i].length > 0) return mm.permits(table[i].base, 1, true);
  return true;
}

/** The parts of segments that `count` bytes from byte `skip` on fall into. */
function* partsOf(
  table: readonly Iovec[],
  from: number,
  skip: number,
  count: number,
): Generator<{ readonly base: number; readonly length: number }, void, void> {
  let passed = 0;
  let left = count;
  for (let i = from; i < table.length && left > 0; i++) {
    const segment = table[i];
    const inside = Math.max(0, skip - passed);
    passed += segment.length;
    const length = Math.min(segment.length - inside, left);
    if (length <= 0) continue;
    yield { base: segment.base + inside, length };
    left -= length;
  }
}

function shorten(segment: Iovec, bytes: number): void {
  segment.base += bytes;
  segment.length -= bytes;
}

/** Copies to the segments and moves them on; false on a fault, moved past what was copied before it. */
export function* copyToSegments(
  table: readonly Iovec[],
  from: number,
  text: string,
  site: string,
): Kernel<boolean> {
  let done = 0;
  for (let i = from; i < table.length && done < text.length; i++) {
    const segment = table[i];
    const length = Math.min(segment.length, text.length - done);
    if (length === 0) continue;
    if (!(yield* copyBytesToUser(segment.base, text.slice(done, done + length), site)))
      return false;
    shorten(segment, length);
    done += length;
  }
  return true;
}

/** Copies from the segments and moves them on; null on a fault, moved past what was copied before it. */
export function* copyFromSegments(
  table: readonly Iovec[],
  from: number,
  count: number,
  site: string,
): Kernel<string | null> {
  let text = '';
  for (let i = from; i < table.length && text.length < count; i++) {
    const segment = table[i];
    const length = Math.min(segment.length, count - text.length);
    if (length === 0) continue;
    if (!(yield* copyFromUser(mm, segment.base, length, site))) return null;
    text += bytesAt(segment.base, length);
    shorten(segment, length);
  }
  return text;
}

/** Copies `count` bytes from byte `skip` of the segments on, which stay as they are; null on a fault. */
export function* readSegments(
  table: readonly Iovec[],
  from: number,
  skip: number,
  count: number,
  site: string,
): Kernel<string | null> {
  let text = '';
  for (const { base, length } of partsOf(table, from, skip, count)) {
    if (!(yield* copyFromUser(mm, base, length, site))) return null;
    text += bytesAt(base, length);
  }
  return text;
}

/** Copies to byte `skip` of the segments and on, which stay as they are; false on a fault. */
export function* writeSegments(
  table: readonly Iovec[],
  from: number,
  skip: number,
  text: string,
  site: string,
): Kernel<boolean> {
  let done = 0;
  for (const { base, length } of partsOf(table, from, skip, text.length)) {
    if (!(yield* copyBytesToUser(base, text.slice(done, done + length), site))) return false;
    done += length;
  }
  return true;
}

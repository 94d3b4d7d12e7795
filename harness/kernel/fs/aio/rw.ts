/**
 * The method of PREAD, PWRITE, PREADV and PWRITEV (A-R58, A-R59).
 *
 * After Linux 2.6.20 fs/aio.c, in own words. An operation may have moved the segments on itself as it copied (A-R60);
 * they are moved on again here all the same (A-R61). No number is ever corrected for that.
 */

import { bugOn, engine, plainWrite, type Kernel } from '../../../machine/index.ts';
import { Opcode } from './abi.ts';
import { aio, announce, type Kiocb } from './kioctx.ts';
import { forgetStuck, relaxIfStuck } from './spin.ts';

/** Whether the kiocb writes. */
export function isWrite(k: Kiocb): boolean {
  return k.opcode === Opcode.PWRITE || k.opcode === Opcode.PWRITEV;
}

/**
 * aio_rw_vect_retry(): bytes of all runs together, or the error of the last operation, which hides what went before
 * it (A-B23). Writes go on until all is written; so do reads, except from a FIFO or a socket.
 */
export function* rwVectRetry(k: Kiocb): Kernel<number> {
  const { file } = k;
  const { ops } = file;
  const operation = isWrite(k) ? ops.aioWrite : ops.aioRead;
  if (operation === undefined) return 0;
  const repeats = isWrite(k) || ops.inodeType === undefined;
  let result: number;
  forgetStuck();
  do {
    result = yield* operation(file, k, k.iovec, k.curSeg, k.pos);
    if (result > 0) tellMoved(k, result);
    if (result > 0) yield* advance(k, result);
  } while (result > 0 && k.left > 0 && repeats);
  if (result === 0 || k.left === 0) result = k.nbytes - k.left;
  return result;
}

/** For the checks: what was moved, and for a write where to. */
function tellMoved(k: Kiocb, bytes: number): void {
  const site = '2.6-aio_rw_vect_retry';
  announce('kiocb.consumed', k, bytes, site);
  if (isWrite(k)) engine.observer.happened('kiocb.wrote', k.mem, bytes, site, k.file.mem);
}

/** aio_advance_iovec(): moves the segments on past what an operation says it has transferred. */
function* advance(k: Kiocb, transferred: number): Kernel<void> {
  const site = '2.6-aio_advance_iovec';
  const { leftChanges } = aio.parts;
  if (leftChanges !== null) yield* leftChanges(k, site);
  let rest = transferred;
  // A cancellation reads ki_left without a lock (A-B57).
  plainWrite(k.progress, site);
  while (k.curSeg < k.iovec.length && rest > 0) {
    const segment = k.iovec[k.curSeg];
    const step = Math.min(segment.length, rest);
    segment.base += step;
    segment.length -= step;
    k.left -= step;
    rest -= step;
    if (segment.length === 0) k.curSeg++;
  }
  bugOn(rest > 0 && k.left === 0, site, 'more was transferred than the segments have room for');
}

/** For whoever tries again because poll says ready (A-R92): reports the loop that makes no headway, and bounds it. */
export function spin(k: Kiocb, site: string): Kernel<void> {
  return relaxIfStuck(k.file.ops.name, site);
}

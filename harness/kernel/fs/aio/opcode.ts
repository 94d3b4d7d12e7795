/** aio_setup_iocb() of 2.6.20 (A-R28): what each opcode is checked for, and the method it gets. */

import { copyFromUser, injectFault, kmalloc, type Kernel } from '../../../machine/index.ts';
import { E, kernelConfig } from '../../kernel.ts';
import { mm, type Iovec } from '../file.ts';
import { isReadable, isWritable } from '../read-write.ts';
import { MAX_SEGMENTS, Opcode, iovecSize } from './abi.ts';
import { aio, type Kiocb } from './kioctx.ts';

/** 0, or EBADF, EFAULT, EINVAL or ENOMEM; sets the segments and ki_retry. */
export function* setupOpcode(k: Kiocb, opcode: number): Kernel<number> {
  switch (opcode) {
    case Opcode.PREAD:
      return setupSingle(k, false);
    case Opcode.PWRITE:
      return setupSingle(k, true);
    case Opcode.PREADV:
      return yield* setupVector(k, false);
    case Opcode.PWRITEV:
      return yield* setupVector(k, true);
    default:
      // FSYNC and FDSYNC too: no kind of file has a method for them.
      return -E.EINVAL;
  }
}

function mayTransfer(k: Kiocb, write: boolean): boolean {
  return write ? isWritable(k.file) : isReadable(k.file);
}

function setupSingle(k: Kiocb, write: boolean): number {
  if (!mayTransfer(k, write)) return -E.EBADF;
  if (!mm.accessOk(k.buf, k.left)) return -E.EFAULT;
  k.iovec = [{ base: k.buf, length: k.left }];
  k.curSeg = 0;
  return setupMethod(k, write);
}

function setupMethod(k: Kiocb, write: boolean): number {
  const { aioRead, aioWrite } = k.file.ops;
  if ((write ? aioWrite : aioRead) === undefined) return -E.EINVAL;
  k.retry = (request) => aio.parts.rwMethod(request);
  return 0;
}

function* setupVector(k: Kiocb, write: boolean): Kernel<number> {
  if (!mayTransfer(k, write)) return -E.EBADF;
  const bytes = yield* copySegments(k);
  if (bytes < 0) return bytes;
  k.curSeg = 0;
  k.nbytes = bytes;
  k.left = bytes;
  return setupMethod(k, write);
}

/** rw_copy_check_uvector(): the byte sum of aio_nbytes segments at aio_buf. */
function* copySegments(k: Kiocb): Kernel<number> {
  const site = 'aio_setup_vectored_rw';
  const count = k.nbytes;
  if (count === 0) return 0;
  if (count > MAX_SEGMENTS) return -E.EINVAL;
  if (count > 1) {
    if (yield* injectFault(site)) return -E.ENOMEM;
    k.iovecMem = kmalloc('iovec', site);
  }
  if (!(yield* copyFromUser(mm, k.buf, count * iovecSize(), site))) return -E.EFAULT;
  const limit = 2 ** (kernelConfig.longBits - 1);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const { base, length } = segmentAt(k.buf + i * iovecSize());
    if (length < 0 || length >= limit || sum + length >= limit) return -E.EINVAL;
    if (!mm.accessOk(base, length)) return -E.EFAULT;
    sum += length;
    k.iovec.push({ base, length });
  }
  return sum;
}

function segmentAt(address: number): Iovec {
  const stored = mm.load(address);
  // The C library of the target is the only one that stores one.
  return typeof stored === 'object' && stored !== null && 'base' in stored
    ? (stored as Iovec)
    : { base: 0, length: 0 };
}

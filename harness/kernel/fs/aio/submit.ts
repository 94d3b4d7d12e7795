/** io_submit() (A-R26 to A-R29). */

import {
  copyFromUser,
  copyToUser,
  injectFault,
  kfree,
  listAdd,
  plainWrite,
  spinLockIrqsave,
  spinUnlock,
  writeRef,
  type Kernel,
} from '../../../machine/index.ts';
import { E, kernelConfig } from '../../kernel.ts';
import { fget, fput, mm } from '../file.ts';
import { IOCB_SIZE, asIocb, pointerSize, type Iocb } from './abi.ts';
import { aioPutReq, noteRequests, putCtx, releaseFiles } from './complete.ts';
import { Kiocb, aio, announce, announceCtx, type Kioctx } from './kioctx.ts';
import type { Batch } from './parts.ts';
import { ringAvail } from './ring.ts';
import { aioRunIocb, drainAll } from './run.ts';
import { lookupCtx } from './setup.ts';

/** io_submit(ctx, nr, iocbpp): how many were accepted, or the error of the first. */
export function* sysIoSubmit(args: readonly number[]): Kernel<number> {
  const [id, nr, array] = args;
  if (nr < 0) return -E.EINVAL;
  if (!mm.accessOk(array, arrayBytes(nr))) return -E.EFAULT;
  const ctx = yield* lookupCtx(id, 'io_submit-3');
  if (ctx === null) return -E.EINVAL;
  const { parts } = aio;
  announceCtx('submit.begin', ctx, nr, 'io_submit-4');
  const batch = parts.startBatch(nr);
  if (parts.plug !== null) yield* parts.plug();
  let count = 0;
  let error = 0;
  while (count < nr) {
    error = yield* submitAt(ctx, batch, array + count * pointerSize());
    if (error !== 0) break;
    count++;
  }
  if (parts.unplug !== null) yield* parts.unplug();
  yield* parts.endBatch(ctx, batch);
  announceCtx('submit.return', ctx, count > 0 ? count : error, 'io_submit-5');
  yield* putCtx(ctx, 'io_submit-5');
  return count > 0 ? count : error;
}

/** nr * sizeof(pointer) in an unsigned long, which may wrap (A-B29). */
function arrayBytes(nr: number): number {
  return Number(BigInt.asUintN(kernelConfig.longBits, BigInt(nr) * BigInt(pointerSize())));
}

/** One round of step 4: 0, EFAULT, or what io_submit_one() says. */
function* submitAt(ctx: Kioctx, batch: Batch, slot: number): Kernel<number> {
  if (!(yield* copyFromUser(mm, slot, pointerSize(), 'io_submit-4'))) return -E.EFAULT;
  const address = Number(mm.load(slot) ?? 0);
  if (!(yield* copyFromUser(mm, address, IOCB_SIZE, 'io_submit-4'))) return -E.EFAULT;
  return yield* submitOne(ctx, batch, address, asIocb(mm.load(address)) ?? ZEROS);
}

/** What memory reads as in which no iocb was ever stored. */
const ZEROS: Iocb = {
  data: 0,
  key: 0,
  lioOpcode: 0,
  fildes: 0,
  buf: 0,
  nbytes: 0,
  offset: 0,
  reserved1: 0,
  reserved2: 0,
  reserved3: 0,
  resfd: null,
};

/** Step 2 of A-R27: the numbers fit the native word, and the count is not negative as a signed one. */
function fitsWord(iocb: Iocb): boolean {
  const limit = 2 ** kernelConfig.longBits;
  const { buf, nbytes } = iocb;
  return buf >= 0 && buf < limit && nbytes >= 0 && nbytes < limit / 2;
}

/** io_submit_one() (A-R27). */
function* submitOne(ctx: Kioctx, batch: Batch, address: number, iocb: Iocb): Kernel<number> {
  if (setsReserved(iocb)) return -E.EINVAL;
  if (!fitsWord(iocb)) return -E.EINVAL;
  const file = yield* fget(iocb.fildes, 'io_submit_one-3');
  if (file === null) return -E.EBADF;
  const k = yield* aio.parts.getRequest(ctx, batch);
  if (k === null) {
    announceCtx('submit.refused', ctx, 0, 'io_submit_one-4');
    yield* fput(file, 'io_submit_one-4');
    return -E.EAGAIN;
  }
  k.filp = file;
  announce('kiocb.file', k, 1, 'io_submit_one-5');
  let error = yield* prepareOne(k, address, iocb);
  if (error === 0) error = yield* startOne(ctx, k);
  if (error !== 0) yield* aioPutReq(k, 'io_submit_one-10');
  yield* aioPutReq(k, 'io_submit_one-10');
  return error;
}

/** Step 1: words that must be 0. Where there is no eventfd, the last of them is what it is asked for with. */
function setsReserved({ reserved1, reserved2, reserved3, resfd }: Iocb): boolean {
  const asksInVain = resfd !== null && aio.parts.takeResfd === null;
  return reserved1 !== 0 || reserved2 !== 0 || reserved3 !== 0 || asksInVain;
}

/** Steps 6 to 8, and before them the descriptor of the eventfd. */
function* prepareOne(k: Kiocb, address: number, iocb: Iocb): Kernel<number> {
  const { takeResfd } = aio.parts;
  if (iocb.resfd !== null && takeResfd !== null) {
    const error = yield* takeResfd(iocb.resfd);
    if (error !== 0) return error;
  }
  const keyed = { ...iocb, key: k.key };
  if (!(yield* copyToUser(mm, address, 4, keyed, 'io_submit_one-6'))) return -E.EFAULT;
  yield* fill(k, address, iocb);
  return yield* aio.parts.setupOpcode(k, iocb.lioOpcode);
}

/** Step 7. From here on io_cancel can find the request by its iocb. */
function* fill(k: Kiocb, address: number, iocb: Iocb): Kernel<void> {
  yield* writeRef(k.obj, address, 'io_submit_one-7');
  k.iocb = iocb;
  k.data = iocb.data;
  k.pos = iocb.offset;
  k.buf = iocb.buf;
  k.left = iocb.nbytes;
  k.nbytes = iocb.nbytes;
  k.opcode = iocb.lioOpcode;
  k.entry = aio.parts.newEntry(k);
  k.runState = aio.parts.submitEncoding;
}

/** Step 9: runs it, and whatever else is kicked on this context. */
function* startOne(ctx: Kioctx, k: Kiocb): Kernel<number> {
  const site = 'io_submit_one-9';
  yield* spinLockIrqsave(ctx.lock, site);
  if (!(yield* aio.parts.maySubmit(ctx))) {
    yield* spinUnlock(ctx.lock, site);
    return -E.EINVAL;
  }
  announce('kiocb.accepted', k, k.nbytes, site);
  yield* aioRunIocb(k);
  yield* drainAll(ctx, 'submit');
  yield* spinUnlock(ctx.lock, site);
  return 0;
}

/** aio_get_req() of 2.6.20 (A-R29): a second try once the files that wait for their release are gone. */
export function* getOneRequest(ctx: Kioctx): Kernel<Kiocb | null> {
  const k = yield* tryGetRequest(ctx);
  if (k !== null) return k;
  yield* releaseFiles();
  return yield* tryGetRequest(ctx);
}

/** __aio_get_req(). */
function* tryGetRequest(ctx: Kioctx): Kernel<Kiocb | null> {
  const site = 'aio_get_req';
  if (yield* injectFault(site)) return null;
  const k = new Kiocb(ctx, site);
  yield* spinLockIrqsave(ctx.lock, site);
  const room = yield* ringAvail(ctx, site);
  plainWrite(ctx.guard, site);
  const admitted = ctx.reqsActive < room;
  if (admitted) {
    listAdd(k.link, ctx.active);
    plainWrite(ctx.reqsGuard, site);
    ctx.reqsActive++;
    announce('kiocb.admitted', k, ctx.reqsActive, site);
    yield* noteRequests(ctx, site);
  } else announceCtx('submit.full', ctx, room, site);
  yield* spinUnlock(ctx.lock, site);
  if (admitted) return k;
  kfree(k.mem, site);
  return null;
}

/** io_cancel() (A-R47, A-R48). */

import {
  copyFromUser,
  copyToUser,
  engine,
  plainRead,
  plainWrite,
  readRef,
  spinLockIrqsave,
  spinUnlock,
  write,
  type Kernel,
} from '../../../machine/index.ts';
import { E } from '../../kernel.ts';
import { mm } from '../file.ts';
import { IO_EVENT_SIZE, asIocb, type IoEvent } from './abi.ts';
import { putCtx } from './complete.ts';
import { announce, type CancelMethod, type Kiocb, type Kioctx } from './kioctx.ts';
import { lookupCtx } from './setup.ts';

/** io_cancel(ctx, iocb, result): 0 and an event at `result`, EFAULT, EINVAL, or what the cancel method answers. */
export function* sysIoCancel(args: readonly number[]): Kernel<number> {
  const [id, iocb, address] = args;
  if (!(yield* copyFromUser(mm, iocb, 4, 'io_cancel-1'))) return -E.EFAULT;
  const key = asIocb(mm.load(iocb))?.key ?? 0;
  const ctx = yield* lookupCtx(id, 'io_cancel-2');
  if (ctx === null) return -E.EINVAL;
  const found = yield* takeForCancel(ctx, iocb, key);
  const result = found === null ? -E.EINVAL : yield* cancelOne(found.k, found.cancel, address);
  yield* putCtx(ctx, 'io_cancel-7');
  return result;
}

interface Cancellable {
  readonly k: Kiocb;
  readonly cancel: CancelMethod;
}

/** Step 3: the request of that iocb, marked and with a reference for the method, or null if there is no method. */
function* takeForCancel(ctx: Kioctx, iocb: number, key: number): Kernel<Cancellable | null> {
  const site = 'io_cancel-3';
  yield* spinLockIrqsave(ctx.lock, site);
  const k = yield* lookupKiocb(ctx, iocb, key);
  const cancel = k === null ? null : yield* readRef(k.cancel, site);
  if (k !== null && cancel !== null) {
    plainWrite(k.guard, site);
    k.users++;
    announce('kiocb.users', k, k.users, site);
    yield* write(k.cancelled, 1, site);
    announce('kiocb.cancelled', k, 1, site);
  }
  yield* spinUnlock(ctx.lock, site);
  return k === null || cancel === null ? null : { k, cancel };
}

/** lookup_kiocb() [ctx_lock]: the newest request of that iocb. Some may not say yet which theirs is (A-B7). */
function* lookupKiocb(ctx: Kioctx, iocb: number, key: number): Kernel<Kiocb | null> {
  const site = 'lookup_kiocb';
  plainRead(ctx.guard, site);
  for (const k of ctx.active) {
    const obj = yield* readRef(k.obj, site);
    if (obj === null)
      engine.observer.report(
        'KMSAN',
        site,
        'ki_obj of a new request is read and was never written',
      );
    if (obj === iocb && k.key === key) return k;
  }
  return null;
}

/** Steps 5 and 6: the method drops the reference. */
function* cancelOne(k: Kiocb, cancel: CancelMethod, address: number): Kernel<number> {
  const event: IoEvent = { data: k.data, obj: k.obj.value ?? 0, res: 0, res2: 0 };
  announce('cancel.begin', k, 0, 'io_cancel-5');
  const result = yield* cancel(k, event);
  announce('cancel.end', k, result, 'io_cancel-5');
  if (result === 0 && (yield* copyToUser(mm, address, IO_EVENT_SIZE, event, 'io_cancel-6'))) {
    announce('kiocb.cancel-reported', k, event.res, 'io_cancel-6');
    return 0;
  }
  announce('kiocb.cancel-lost', k, result, 'io_cancel-6');
  return result === 0 ? -E.EFAULT : result;
}

/**
 * aio-fallback-nonblock: a read or write of a file that can be polled is tried without waiting, and tried again when
 * the file wakes its pollers (A-R91 to A-R108).
 *
 * After the patch, in own words. The kiocb's wait entry goes on the poll queue of the file, and nothing but a wake-up of
 * that queue takes it off again.
 */

import {
  SideTable,
  addEntryLocked,
  engine,
  isLinked,
  newWord,
  plainRead,
  read,
  readRef,
  spinLockIrqsave,
  spinUnlock,
  touch,
  wakeUp,
  write,
  writeRef,
  type Kernel,
  type WaitEntry,
  type WaitQueue,
  type Word,
} from '../../machine/index.ts';
import type { Parts2620 } from '../build-2.6.20.ts';
import { EIOCBRETRY, type IoEvent } from '../fs/aio/abi.ts';
import { aioPutReq } from '../fs/aio/complete.ts';
import { fallbackFiles } from '../fs/aio/file-parts.ts';
import type { Kiocb } from '../fs/aio/kioctx.ts';
import type { AioParts } from '../fs/aio/parts.ts';
import { isWrite, spin } from '../fs/aio/rw.ts';
import { E } from '../kernel.ts';
import { SocketRecord } from '../net/sock-iocb.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../poll-bits.ts';
import { AIO_FALLBACK_MAIL, type Patch } from './patch.ts';

/** What private points to when the request is registered: no type tag tells it from what others keep there. */
class QueuePointer {
  readonly queue: WaitQueue;

  constructor(queue: WaitQueue) {
    this.queue = queue;
  }
}

/** aio_poll_table_queue_proc() (A-R93), once for every queue that the file's poll method names. */
function* registerOn(k: Kiocb, queue: WaitQueue): Kernel<void> {
  const site = 'aio_poll_table_queue_proc';
  // Made by whoever registers, before anybody else can ask for them.
  const { link } = registered(k);
  if ((yield* readRef(k.private, `${site}-1`)) !== null && k.dtor !== null) {
    yield* k.dtor(k);
    k.dtor = null;
  }
  yield* writeRef(k.private, new QueuePointer(queue), `${site}-2`);
  yield* writeRef(k.cancel, cancelWait, `${site}-3`);
  yield* queueEntry(k, link, queue, `${site}-4`);
}

/**
 * What stands for racy fields in operations, from the first registration on. `link` is for the links of ki_wait: a
 * wake-up of its queue changes them while the request is run.
 */
const links = new SideTable<Kiocb, Registered>();

interface Registered {
  readonly link: Word;
  /** Stands for ki_left, which a cancellation may read at any time from now on. */
  readonly left: Word;
}

function registered(k: Kiocb): Registered {
  let words = links.get(k);
  if (words === undefined) {
    words = { link: newWord('ki_wait.link', 0, k.mem), left: newWord('ki_left', 0, k.mem) };
    links.set(k, words);
  }
  return words;
}

/** prepare_to_wait(). An entry that is on another queue, under another lock, stays there (A-R4, A-B59). */
function* queueEntry(k: Kiocb, link: Word, queue: WaitQueue, site: string): Kernel<void> {
  yield* spinLockIrqsave(queue.lock, site);
  // Queued or not, in the same step as the look: a kick under the lock of another queue looks at it as well.
  yield* write(link, 1, site);
  if (!isLinked(k.wait.link)) addEntryLocked(queue, k.wait, site);
  yield* spinUnlock(queue.lock, site);
}

/** aio_wake_function() of an entry that was registered. */
function* wakeRegistered(
  base: AioParts,
  k: Kiocb,
  ...[entry, mode, key]: readonly [WaitEntry, number, number]
): Kernel<boolean> {
  const words = links.get(k);
  if (words !== undefined) yield* write(words.link, 0, 'aio_wake_function');
  return yield* base.wake(k, entry, mode, key);
}

/** kick_iocb() asserts that nobody has queued the entry again; another queue has another lock (A-B59). */
function* kickLooks(k: Kiocb, site: string): Kernel<void> {
  const words = links.get(k);
  if (words !== undefined) yield* read(words.link, site);
}

function* leftChanges(k: Kiocb, site: string): Kernel<void> {
  const words = links.get(k);
  if (words !== undefined) yield* write(words.left, 0, site);
}

/** aio_rw_vect_retry() (A-R92). */
function* tryOrRegister(base: (k: Kiocb) => Kernel<number>, k: Kiocb): Kernel<number> {
  const { file } = k;
  const wanted = (isWrite(k) ? POLLOUT : POLLIN) | POLLERR | POLLHUP;
  for (;;) {
    const result = yield* base(k);
    if (result !== -E.EAGAIN || file.ops.poll === undefined) {
      // The caller looks at the entry next.
      const words = links.get(k);
      if (words !== undefined) yield* read(words.link, 'aio_run_iocb-6');
      return result;
    }
    const mask = yield* file.ops.poll(file, (queue) => registerOn(k, queue));
    if ((mask & wanted) === 0) return -EIOCBRETRY;
    // Another try, with the entry still on the queue (A-B53).
    yield* spin(k, 'aio_rw_vect_retry-4');
  }
}

/** aio_cancel_wait() (A-R94): wakes the queue, so that the request is run again and found cancelled; 0 always. */
function* cancelWait(k: Kiocb, event: IoEvent): Kernel<number> {
  const site = 'aio_cancel_wait';
  const pointer = yield* readRef(k.private, site);
  if (pointer instanceof QueuePointer) yield* wakeUp(pointer.queue, 1, 0, site);
  else if (pointer instanceof SocketRecord) {
    // What would come of that is anybody's guess; here, nothing.
    touch(pointer.mem, site);
    engine.observer.report(
      'KASAN-WILD',
      site,
      'the record of a socket operation is taken for a wait queue: its lock is taken and its entries are called',
    );
  }
  plainRead(k.progress, site);
  yield* read(registered(k).left, site);
  event.res = k.nbytes - k.left;
  event.res2 = 0;
  yield* aioPutReq(k, site);
  return 0;
}

export const aioFallbackNonblock: Patch<Parts2620> = {
  name: 'aio-fallback-nonblock',
  title:
    'reads and writes of files that can be polled never wait: they are run again when the file is woken',
  seed: AIO_FALLBACK_MAIL,
  base: '2.6.20',
  requires: ['fs-aio', 'aio-epoll-wait'],
  replaces: ['aio_rw_vect_retry', 'pipe_read', 'pipe_write', 'do_sock_read', 'do_sock_write'],
  apply: (parts) => ({
    ...parts,
    aio: {
      ...parts.aio,
      rwMethod: (k) => tryOrRegister(parts.aio.rwMethod, k),
      leftChanges,
      kickLooks,
      wake: (k, entry, mode, key) => wakeRegistered(parts.aio, k, entry, mode, key),
    },
    files: fallbackFiles,
  }),
};

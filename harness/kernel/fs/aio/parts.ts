/**
 * The functions of AIO that kernels and patches have differently. All the rest of fs/aio/ is common.
 *
 * Everything runs in the context its caller is in; "[ctx_lock]" means that the lock is held on entry and on return.
 */

import type { Kernel, WaitEntry } from '../../../machine/index.ts';
import type { Kiocb, Kioctx, RunState } from './kioctx.ts';

/** What io_submit carries through its loop for a kernel that allocates kiocbs in batches. */
export interface Batch {
  /** Requests of this call for which no kiocb was allocated yet. */
  remaining: number;
  /** Admitted and not handed out yet. */
  readonly list: Kiocb[];
}

export interface AioParts {
  /** users of a new context: 1 for the list alone (A-B9), 2 for the list and the caller of ioctx_alloc(). */
  readonly contextUsers: 1 | 2;
  /** Encoding of the run list of a kiocb from step 7 of io_submit_one on: E, or N in trees with wait bits (A-R12). */
  readonly submitEncoding: RunState;
  /** In ioctx_alloc(), the release of aio_nr_lock when the context is over the limit: the error path. */
  setupRefused(site: string): Kernel<void>;
  /**
   * What aio_resfd asks for: 0, or EBADF or EINVAL for a descriptor that is not one of an eventfd. Null where the word
   * is reserved, so that whoever sets it gets EINVAL first of all.
   */
  readonly takeResfd: ((resfd: number) => Kernel<number>) | null;
  /** [ctx_lock] Whether a request may still run, right before it does: false answers EINVAL to io_submit. */
  maySubmit(ctx: Kioctx): Kernel<boolean>;
  /** In the slow loop of io_getevents: true ends it with EINVAL because the context is dead. */
  hasGone(ctx: Kioctx): Kernel<boolean>;
  /** [ctx_lock] reqs_active has become 0 on a dead context: wakes who waits for that. */
  wakeDestroyer(ctx: Kioctx, site: string): Kernel<void>;
  /**
   * Before a context is given up: nothing that is queued for it may still run. A flush of the queue, or a
   * cancellation of its own work.
   */
  settleWork(ctx: Kioctx, site: string): Kernel<void>;
  /** io_destroy() after it has waited for all requests: wakes those in io_getevents, or nobody. */
  wakeReaders(ctx: Kioctx, site: string): Kernel<void>;
  /** aio_complete() between the store of the tail and the look at who sleeps: a memory barrier, or nothing (A-B27). */
  completionBarrier(site: string): Kernel<void>;
  /** task.io_wait of the current task when it has never run a method: null, or an entry of its own. */
  taskEntry(): WaitEntry | null;
  /** Before and after each call of a method: task.io_wait. */
  enterMethod(k: Kiocb): void;
  leaveMethod(k: Kiocb): void;
  /** ki_wait as io_submit_one makes it, unlinked. Its wake function calls `wake`. */
  newEntry(k: Kiocb): WaitEntry;
  /** aio_wake_function(), under the lock of the queue. `key` 0 is no key. */
  wake(k: Kiocb, entry: WaitEntry, mode: number, key: number): Kernel<boolean>;
  /** aio_setup_iocb(): checks the opcode and sets ki_retry; 0 or -errno. */
  setupOpcode(k: Kiocb, opcode: number): Kernel<number>;
  /** ki_retry of PREAD, PWRITE, PREADV and PWRITEV: aio_rw_vect_retry(). */
  rwMethod(k: Kiocb): Kernel<number>;
  /** The step in which ki_left changes, where a cancel method looks at it without a lock (A-B57); null elsewhere. */
  readonly leftChanges: ((k: Kiocb, site: string) => Kernel<void>) | null;
  /**
   * The step in which a kick looks at whether the entry is queued, where somebody else may have queued it since the
   * wake-up took it off (A-B59); null elsewhere.
   */
  readonly kickLooks: ((k: Kiocb, site: string) => Kernel<void>) | null;
  /** io_submit() begins: `nr` requests may come. */
  startBatch(nr: number): Batch;
  /** aio_get_req(): a kiocb that is admitted, or null for EAGAIN. */
  getRequest(ctx: Kioctx, batch: Batch): Kernel<Kiocb | null>;
  /** io_submit() ends: gives back what was not used. */
  endBatch(ctx: Kioctx, batch: Batch): Kernel<void>;
  /** blk_start_plug() and blk_finish_plug() around the loop of io_submit; null where there is none. */
  readonly plug: (() => Kernel<void>) | null;
  readonly unplug: (() => Kernel<void>) | null;
}

/**
 * Contexts and requests of AIO, and what all of them share (A-R8, A-R9): the context list of the process, the
 * system-wide account, the work queue and the list of deferred file releases.
 *
 * After Linux 2.6.20 fs/aio.c and include/linux/aio.h, in own words. Lock order (A-R66): a wait queue's lock >
 * ctx_lock > ctx.wait.lock; ctx_lock > fput_lock; the list lock, ring_lock and aio_nr_lock are leaves.
 *
 * Sites are the kernel's function names with the number of the step in the rule that describes it: `io_setup-8` is
 * step 8 of A-R17.
 */

import {
  Guarded,
  List,
  ListLink,
  Ref,
  RwSem,
  WaitEntry,
  engine,
  keepState,
  kmalloc,
  newDelayedWork,
  newKernelTask,
  newRwLock,
  newSpinLock,
  newWaitQueue,
  newWord,
  newWork,
  newWorkQueue,
  oops,
  type DelayedWork,
  type Kernel,
  type Mem,
  type RwLock,
  type SpinLock,
  type WaitQueue,
  type Word,
  type Work,
  type WorkQueue,
} from '../../../machine/index.ts';
import { HarnessBug, MAX_THREADS } from '../../../machine/op.ts';
import { nextSlot, slotOf } from '../../slots.ts';
import type { File, Iovec } from '../file.ts';
import type { Iocb, IoEvent } from './abi.ts';
import type { AioParts } from './parts.ts';
import type { AioRing } from './ring.ts';

/**
 * What the links of the run list say (A-R10). E: idle, a kick may enqueue. Q: on the run list of the context or on a
 * drainer's. N: a retry instance runs, a kick only sets KICKED.
 */
export type RunState = 'E' | 'Q' | 'N';

/** ki_retry: the result, -EIOCBQUEUED or -EIOCBRETRY. */
export type RetryMethod = (k: Kiocb) => Kernel<number>;

/** ki_cancel: drops the reference taken for it, fills the event; 0 or -errno. */
export type CancelMethod = (k: Kiocb, event: IoEvent) => Kernel<number>;

/** struct kiocb, one per accepted iocb (A-R9). */
export class Kiocb {
  readonly mem: Mem;
  /** Holds no reference: reqs_active keeps the context. */
  readonly ctx: Kioctx;
  /** Thread that submitted it; -1 in init. */
  readonly owner: number;
  /** ki_key: 0. */
  readonly key = 0;

  // under ctx_lock
  readonly guard: Guarded;
  /** ki_users: the i/o and the submit reference. */
  users = 2;
  /** KICKED of ki_flags. */
  kicked = false;
  runState: RunState = 'E';
  /** ki_run_list. */
  readonly runLink: ListLink<Kiocb>;
  /** ki_list: active_reqs, later the list of deferred releases. */
  readonly link: ListLink<Kiocb>;

  // looked at without a lock
  /** CANCELLED of ki_flags: 0 or 1. */
  readonly cancelled: Word;
  /** ki_obj.user, null while it is uninitialised (A-B7). */
  readonly obj: Ref<number | null>;
  /** ki_cancel. */
  readonly cancel: Ref<CancelMethod | null>;
  /** private: free for the method. */
  readonly private: Ref<unknown>;

  // written by the submitter before the request is run
  retry: RetryMethod | null = null;
  dtor: ((k: Kiocb) => Kernel<void>) | null = null;
  /** ki_filp; null until step 5 of io_submit_one. */
  filp: File | null = null;
  /** A copy of the iocb as it was submitted. */
  iocb: Iocb | null = null;
  /** aio_lio_opcode, and aio_data. */
  opcode = -1;
  data = 0;
  /** ki_pos and ki_buf. */
  pos = 0;
  buf = 0;
  /** ki_wait; null until step 7 of io_submit_one. */
  entry: WaitEntry | null = null;

  // of whoever runs the method; a cancel method may look from outside (A-B57)
  readonly progress: Guarded;
  /** ki_left and ki_nbytes. */
  left = 0;
  nbytes = 0;
  /** ki_iovec of ki_nr_segs segments; the one from ki_cur_seg on are left. */
  iovec: Iovec[] = [];
  curSeg = 0;
  /** The segment table when it is an allocation of its own: more than one segment. */
  iovecMem: Mem | null = null;

  constructor(ctx: Kioctx, site: string) {
    this.mem = kmalloc('kiocb', site);
    this.ctx = ctx;
    this.owner = currentThread();
    this.guard = new Guarded('kiocb', this.mem);
    this.runLink = new ListLink<Kiocb>(this);
    this.link = new ListLink<Kiocb>(this);
    this.cancelled = newWord('ki_flags.cancelled', 0, this.mem);
    this.obj = new Ref<number | null>('ki_obj', null, this.mem);
    this.cancel = new Ref<CancelMethod | null>('ki_cancel', null, this.mem);
    this.private = new Ref<unknown>('ki_private', null, this.mem);
    this.progress = new Guarded('kiocb.progress', this.mem);
  }

  /** ki_filp of a request that is submitted. */
  get file(): File {
    return this.filp ?? oops('ki_filp', 'NULL dereference: the request has no file yet');
  }

  /** ki_wait of a request that is submitted. */
  get wait(): WaitEntry {
    return this.entry ?? oops('ki_wait', 'NULL dereference: the request has no wait entry yet');
  }
}

/** struct kioctx, one per io_setup (A-R8). */
export class Kioctx {
  readonly mem: Mem;
  /** References: the list's, one per call in progress, one per deferred file release. */
  readonly users: Word;
  /** 0 or 1; set under the list lock and again under ctx_lock. */
  readonly dead: Word;
  /** user_id: the address of the ring. 0 until the ring is there. */
  userId = 0;
  /** Sleepers of io_getevents (exclusive), and whoever waits for all requests. */
  readonly wait: WaitQueue;
  readonly lock: SpinLock;

  // under lock
  readonly guard: Guarded;
  /** reqs_active alone: the final put looks at it without the lock. */
  readonly reqsGuard: Guarded;
  reqsActive = 0;
  /** 1 while reqsActive is not 0: what the final put sees of it. */
  readonly anyRequest: Word;
  /** active_reqs, newest first. */
  readonly active = new List<Kiocb>();
  /** Kicked requests in the order of their kicks. */
  runList = new List<Kiocb>();
  /** For the checks: reapers that the wake-up of one completion has woken. */
  reapersWoken = 0;
  /** 1 while the run list has something on it: what io_getevents looks at without the lock. */
  readonly anyKicked: Word;

  // set before it is linked
  /** max_reqs; 0 if it is not accounted. */
  maxReqs = 0;
  ring: AioRing | null = null;
  /** Delayed work that runs aio_kick_handler(). */
  readonly wq: DelayedWork;

  constructor(site: string, handler: (ctx: Kioctx) => Kernel<void>) {
    this.mem = kmalloc('kioctx', site);
    this.users = newWord('ctx.users', aio.parts.contextUsers, this.mem);
    this.dead = newWord('ctx.dead', 0, this.mem);
    this.wait = newWaitQueue('ctx.wait', this.mem, true);
    this.lock = newSpinLock('ctx_lock', this.mem);
    this.guard = new Guarded('kioctx', this.mem);
    this.reqsGuard = new Guarded('reqs_active', this.mem);
    this.anyRequest = newWord('ctx.reqs_active', 0, this.mem);
    this.anyKicked = newWord('ctx.run_list', 0, this.mem);
    this.wq = newDelayedWork(
      aioQueue(),
      nextSlot('context', currentThread()),
      () => handler(this),
      this.mem,
    );
  }
}

/** What all contexts share. */
interface AioShared {
  parts: AioParts;
  /** ioctx_list_lock of the mm. */
  listLock: RwLock;
  listGuard: Guarded;
  /** ioctx_list of the mm, newest first. */
  contexts: Kioctx[];
  /** mmap_sem of the mm. */
  mmapSem: RwSem;
  /** The process has torn its address space down. */
  mmGone: boolean;
  nrLock: SpinLock;
  nrGuard: Guarded;
  /** aio_nr. */
  nr: number;
  fputLock: SpinLock;
  fputGuard: Guarded;
  /** fput_head: requests whose file is still to be released, newest first. */
  fputHead: List<Kiocb>;
  fputWork: Work;
  /** aio_wq. */
  queue: WorkQueue | null;
}

/** The state of the kernel that was booted last. */
export let aio: AioShared;

/** Whether the program was said to use AIO: without a worker there is none. */
export function hasAio(): boolean {
  return aio.queue !== null;
}

/** Called from boot: forgets every context. */
export function resetAio(parts: AioParts, releaseFiles: () => Kernel<void>): void {
  ioWait.fill(undefined);
  const slot = slotOf('worker');
  if (slot !== null) newKernelTask(slot);
  aio = {
    parts,
    listLock: newRwLock('ioctx_list_lock'),
    listGuard: new Guarded('ioctx_list'),
    contexts: [],
    mmapSem: new RwSem('mmap_sem'),
    mmGone: false,
    nrLock: newSpinLock('aio_nr_lock'),
    nrGuard: new Guarded('aio_nr'),
    nr: 0,
    fputLock: newSpinLock('fput_lock'),
    fputGuard: new Guarded('fput_head'),
    fputHead: new List(),
    fputWork: newWork('fput_work', releaseFiles),
    queue: slot === null ? null : newWorkQueue('aio', slot),
  };
  keepState(
    () => aio,
    () => ioWait,
  );
}

/** The work queue of a program that uses AIO. */
export function aioQueue(): WorkQueue {
  if (aio.queue === null)
    throw new HarnessBug('Cannot use AIO: the needs of the program name no worker');
  return aio.queue;
}

/** task.io_wait by slot, once it was looked at; plain because only its own task does that. */
const ioWait: (WaitEntry | null | undefined)[] = new Array<undefined>(MAX_THREADS).fill(undefined);

function ownSlot(): number {
  return engine.inline ? MAX_THREADS - 1 : engine.current;
}

/** current->io_wait. */
export function ioWaitOfCurrent(): WaitEntry | null {
  const slot = ownSlot();
  const entry = ioWait[slot];
  if (entry !== undefined) return entry;
  return (ioWait[slot] = aio.parts.taskEntry());
}

export function setIoWait(entry: WaitEntry | null): void {
  ioWait[ownSlot()] = entry;
}

/** For the checks: 0 for no entry, 1 for a task's, 2 for a kiocb's. */
export function kindOfIoWait(): number {
  const entry = ioWaitOfCurrent();
  if (entry === null) return 0;
  return kiocbOf(entry) === null ? 1 : 2;
}

/** The wait entry of a request. */
class KiocbEntry extends WaitEntry {
  readonly kiocb: Kiocb;

  constructor(kiocb: Kiocb) {
    super((entry, mode, key) => aio.parts.wake(kiocb, entry, mode, key), null, kiocb.mem);
    this.kiocb = kiocb;
  }
}

/** ki_wait as io_submit_one makes it: unlinked, with aio_wake_function(). */
export function newKiocbEntry(k: Kiocb): WaitEntry {
  return new KiocbEntry(k);
}

/** The request whose entry this is, or null for the entry of a task: io_wait_to_kiocb(). */
export function kiocbOf(entry: WaitEntry): Kiocb | null {
  return entry instanceof KiocbEntry ? entry.kiocb : null;
}

/** The thread for `nextSlot`: the current one, -1 in init. */
export function currentThread(): number {
  return engine.inline ? -1 : engine.current;
}

/** Tells the checks something of a request. */
export function announce(what: string, k: Kiocb, value: number, site: string): void {
  engine.observer.happened(what, k.mem, value, site, k.ctx.mem);
}

/** Tells the checks something of a context. */
export function announceCtx(what: string, ctx: Kioctx, value: number, site: string): void {
  engine.observer.happened(what, ctx.mem, value, site, null);
}

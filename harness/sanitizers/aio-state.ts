/** Requests and contexts of AIO as the kernel announced them: what every rule of the observers looks at. */

import { engine, type Lifetime } from '../machine/index.ts';

/** Encodings of the run-list links (A-R10). */
export const Encoding = { IDLE: 0, QUEUED: 1, RUNNING: 2 } as const;

/** What a retry method answers when it wants another run, or when somebody else completes (A-R65). */
export const EIOCBRETRY = -530;
export const EIOCBQUEUED = -529;

/** One kiocb, from its admission on. */
export class Kiocb {
  readonly mem: Lifetime;
  readonly ctx: Ctx | null;
  /** The thread that submitted it. */
  readonly submitter: number;
  /** On the list of its context and counted there. */
  admitted = false;
  /** io_submit is sure to count it. */
  accepted = false;
  /** Bytes (or events) that were asked for; -1 if not known. */
  size = -1;
  /** Taken out of the account by the last put. */
  isPut = false;
  /** Its memory was freed. */
  isGone = false;
  users = 2;
  listed = false;
  kicked = false;
  encoding: number = Encoding.IDLE;
  hasEncoding = false;
  /** The thread that runs its method, or -1. */
  runner = -1;
  runs = 0;
  /** What its last run answered. */
  answer = 0;
  linked = 0;
  wasLinked = false;
  byCancel = false;
  byCancelAll = false;
  completed = 0;
  result = 0;
  posted = 0;
  reported = 0;
  reportedResult = 0;
  /** io_cancel took it and answered an error. */
  lost = false;
  files = 0;
  isArmed = false;
  firing = 0;
  /** What the handler of its timer will touch. */
  readonly needs: Lifetime[] = [];
  /** Bytes that it moved, or -1 if nothing was told. */
  moved = -1;
  /** What it has written to. */
  target: Lifetime | null = null;
  /** Edge-triggered and one-shot activations that it took off. */
  edges = 0;
  datagrams = 0;
  /** Ticks that its wait should last, and when it began; -1 if it has no time of its own. */
  promised = -1;
  since = 0;
  firings = 0;
  /** Where the latest things happened, for reports. */
  doneAt = -1;
  cancelAt = -1;
  runAt = -1;

  constructor(mem: Lifetime, ctx: Ctx | null) {
    this.mem = mem;
    this.ctx = ctx;
    this.submitter = engine.current;
  }
}

/** One kioctx, from its first reference on. */
export class Ctx {
  readonly mem: Lifetime;
  /** -1 until the first reference was told. */
  users = -1;
  isLinked = false;
  isDead = false;
  isFreed = false;
  /** Requests that were admitted and not finally put: what reqs_active should be. */
  live = 0;
  /** Of those, the ones whose event is in the ring or was read. */
  postedLive = 0;
  /** Slots of the ring; 0 if not known. */
  slots = 0;
  head = 0;
  tail = 0;
  /** User space has written head or tail in a way that takes no event out. */
  isTouched = false;
  /** The events that wait to be read, by slot. */
  readonly unread = new Map<number, Kiocb | null>();
  /** Slots that user space has read and not yet stepped over. */
  readonly taken = new Set<number>();
  reserved = 0;
  isAccounted = false;

  constructor(mem: Lifetime) {
    this.mem = mem;
  }
}

/** One event that the kernel announced; the object is used again for the next. */
export class AioEvent {
  what = '';
  value = 0;
  site = '';
  /** The request that it is about, or null. */
  kiocb: Kiocb | null = null;
  /** The context that it is about, or that the request belongs to. */
  ctx: Ctx | null = null;
  /** The second object of the announcement. */
  of: Lifetime | null = null;
}

/** All of one execution. */
export class AioState {
  readonly kiocbs = new Map<Lifetime, Kiocb>();
  readonly ctxs = new Map<Lifetime, Ctx>();

  begin(): void {
    this.kiocbs.clear();
    this.ctxs.clear();
  }

  get isIdle(): boolean {
    return this.ctxs.size === 0 && this.kiocbs.size === 0;
  }

  ctxOf(mem: Lifetime): Ctx {
    let ctx = this.ctxs.get(mem);
    if (ctx === undefined) {
      ctx = new Ctx(mem);
      this.ctxs.set(mem, ctx);
    }
    return ctx;
  }

  /** The kiocb that an event is about; made when it is first heard of. */
  kiocbOf(mem: Lifetime, of: Lifetime | null): Kiocb {
    let kiocb = this.kiocbs.get(mem);
    if (kiocb === undefined) {
      kiocb = new Kiocb(mem, of === null ? null : this.ctxOf(of));
      this.kiocbs.set(mem, kiocb);
    }
    return kiocb;
  }
}

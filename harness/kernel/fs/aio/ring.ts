/**
 * The completion ring (A-R13 to A-R15, A-R51, A-R56, A-R57): a mapping of the process that the kernel writes through
 * a mapping of its own, so that it stays when the process unmaps it.
 */

import {
  PAGE_SIZE,
  downWrite,
  engine,
  injectFault,
  newSpinLock,
  newWord,
  peek,
  read,
  spinLock,
  spinUnlock,
  upWrite,
  write,
  type Kernel,
  type Range,
  type SpinLock,
  type Word,
} from '../../../machine/index.ts';
import { kernelConfig } from '../../kernel.ts';
import { mm } from '../file.ts';
import { IO_EVENT_SIZE, RING_BASE, RING_STEP, type IoEvent } from './abi.ts';
import { aio, announceCtx, type Kioctx } from './kioctx.ts';

const HEADER_SIZE = 32;

/** The pages of a ring as one side sees them. */
interface RingPages {
  /** Indices that user space may write: every access is an operation. */
  readonly head: Word;
  readonly tail: Word;
  readonly events: (IoEvent | null)[];
}

/** What a ring mapping is backed by. */
export class AioRing {
  /** Slots; one of them is never used. */
  readonly nr: number;
  /** Trusted tail; guarded by ctx_lock. */
  tail = 0;
  /** ring_lock: readers of events. */
  readonly lock: SpinLock;
  readonly kernel: RingPages;
  /** The same pages, until a fork has made them copy-on-write and the process has written to them (A-B17). */
  user: RingPages;
  private isShared = false;
  /** The context it belongs to. */
  readonly ctx: Kioctx;
  base = 0;
  size = 0;

  constructor(ctx: Kioctx, nr: number) {
    this.ctx = ctx;
    this.nr = nr;
    this.lock = newSpinLock('ring_lock', ctx.mem);
    this.kernel = newPages(0, 0, new Array<IoEvent | null>(0));
    this.user = this.kernel;
  }

  /** fork(): from here on the first write of the process makes a copy. */
  forked(): void {
    this.isShared = this.user === this.kernel;
  }

  /** A write of the process is about to happen. */
  unshare(): void {
    if (!this.isShared) return;
    this.isShared = false;
    const { head, tail, events } = this.kernel;
    this.user = newPages(peek(head), peek(tail), [...events]);
  }
}

function newPages(head: number, tail: number, events: (IoEvent | null)[]): RingPages {
  return { head: newWord('ring.head', head), tail: newWord('ring.tail', tail), events };
}

/** Pages and slots for a number of events (A-R14). */
export function geometry(events: number): { readonly pages: number; readonly nr: number } {
  const pages = Math.ceil((HEADER_SIZE + IO_EVENT_SIZE * (events + 2)) / PAGE_SIZE);
  return { pages, nr: (PAGE_SIZE * pages - HEADER_SIZE) / IO_EVENT_SIZE };
}

/** The lowest address of the grid of rings with `length` bytes free. */
function freeAddress(length: number): number {
  let address = RING_BASE;
  while (mm.all().some((r) => r.start < address + length && address < r.start + r.length))
    address += RING_STEP;
  return address;
}

/** aio_setup_ring(): false for any failure, whatever its own code. */
export function* setupRing(ctx: Kioctx, events: number): Kernel<boolean> {
  const site = 'io_setup-6';
  const { pages, nr } = geometry(events);
  // More than 8 pages: the table of pages is an allocation.
  if (pages > 8 && (yield* injectFault(site))) return false;
  const ring = new AioRing(ctx, kernelConfig.aioRing > 0 ? kernelConfig.aioRing : nr);
  ctx.ring = ring;
  ring.size = pages * PAGE_SIZE;
  yield* downWrite(aio.mmapSem, site);
  ring.base = freeAddress(ring.size);
  mm.mapAt(ring.base, ring.size, true, true, ring);
  yield* upWrite(aio.mmapSem, site);
  ctx.userId = ring.base;
  announceCtx('ctx.ring', ctx, ring.nr, site);
  return true;
}

/** do_munmap(): takes everything between two addresses out of the address space; answers what was touched. */
export function unmapBetween(start: number, end: number): readonly Range[] {
  const touched = mm.all().filter((r) => r.start < end && start < r.start + r.length);
  for (const range of touched) {
    const rangeEnd = range.start + range.length;
    mm.unmap(range);
    for (const [from, to] of [
      [range.start, Math.min(start, rangeEnd)],
      [Math.max(end, range.start), rangeEnd],
    ]) {
      if (from >= to) continue;
      const rest = mm.mapAt(from, to - from, range.readable, range.writable, range.backing);
      for (const [offset, value] of range.stored)
        if (offset + range.start >= from && offset + range.start < to)
          rest.stored.set(offset + range.start - from, value);
    }
  }
  return touched;
}

/** aio_free_ring(): unmaps whatever lies where the ring was mapped (A-B16). */
export function* freeRing(ctx: Kioctx): Kernel<void> {
  const { ring } = ctx;
  if (ring === null || ring.size === 0) return;
  const site = 'put_ioctx-5';
  yield* downWrite(aio.mmapSem, site);
  if (aio.mmGone) {
    engine.observer.report(
      'FOREIGN',
      site,
      'the last reference of a context unmaps its ring in an address space that is gone',
    );
  }
  const foreign = unmapBetween(ring.base, ring.base + ring.size)
    .filter((range) => range.backing !== ring)
    .reduce((bytes, range) => bytes + range.length, 0);
  announceCtx('ring.unmap', ctx, Math.ceil(foreign / PAGE_SIZE), site);
  yield* upWrite(aio.mmapSem, site);
}

/** The ring of a context that is set up. */
export function ringOf(ctx: Kioctx): AioRing {
  // Contexts are linked, and found, only with a ring.
  return ctx.ring as AioRing;
}

/** [ctx_lock] Free slots as admission sees them: from the words that user space can write, modulo 2^32 (A-R15). */
export function* ringAvail(ctx: Kioctx, site: string): Kernel<number> {
  const { kernel, nr } = ringOf(ctx);
  const head = yield* read(kernel.head, site);
  const tail = yield* read(kernel.tail, site);
  return ((head + nr - 1 - tail) >>> 0) % nr;
}

/** [ctx_lock] Writes an event at the trusted tail and moves both tails on. No check for space. Answers the new tail. */
export function* postEvent(ctx: Kioctx, event: IoEvent, site: string): Kernel<number> {
  const ring = ringOf(ctx);
  ring.kernel.events[ring.tail] = event;
  ring.tail = (ring.tail + 1) % ring.nr;
  yield* write(ring.kernel.tail, ring.tail, site);
  if (ring.user !== ring.kernel) announceCtx('ring.hidden', ctx, ring.tail, site);
  return ring.tail;
}

const STALE: IoEvent = { data: 0, obj: 0, res: 0, res2: 0 };

/** aio_read_evt() (A-R51): the next event, out of the ring, or null. */
export function* readEvent(ctx: Kioctx, site: string): Kernel<IoEvent | null> {
  const { kernel, nr, lock } = ringOf(ctx);
  if ((yield* read(kernel.head, site)) === (yield* read(kernel.tail, site))) return null;
  let event: IoEvent | null = null;
  yield* spinLock(lock, site);
  const head = ((yield* read(kernel.head, site)) >>> 0) % nr;
  if (head !== (yield* read(kernel.tail, site)) >>> 0) {
    // A slot that was never written is a page of zeros.
    event = { ...(kernel.events[head] ?? STALE) };
    yield* write(kernel.head, (head + 1) % nr, site);
    announceCtx('event.read', ctx, (head + 1) % nr, site);
  }
  yield* spinUnlock(lock, site);
  return event;
}

// ---- what user space does with its mapping ----

/** The ring that is mapped at an address, or null. */
export function ringAt(address: number): AioRing | null {
  const range: Range | null = mm.find(address);
  return range !== null && range.backing instanceof AioRing ? range.backing : null;
}

/** Loads head or tail. */
export function* userLoad(ring: AioRing, word: 'head' | 'tail'): Kernel<number> {
  return (yield* read(ring.user[word], `user-${word}`)) >>> 0;
}

/** Stores head or tail. */
export function* userStore(ring: AioRing, word: 'head' | 'tail', value: number): Kernel<void> {
  ring.unshare();
  yield* write(ring.user[word], value | 0, `user-${word}`);
  announceCtx(`ctx.user-${word}`, ring.ctx, value, `user-${word}`);
}

/** Takes one event out of the ring without a call (A-R56), or null if head is tail. */
export function* userReap(ring: AioRing): Kernel<IoEvent | null> {
  const head = yield* userLoad(ring, 'head');
  if (head === (yield* userLoad(ring, 'tail'))) return null;
  const event = { ...(ring.user.events[head % ring.nr] ?? STALE) };
  announceCtx('event.user-read', ring.ctx, head % ring.nr, 'user-reap');
  yield* userStore(ring, 'head', (head + 1) % ring.nr);
  return event;
}

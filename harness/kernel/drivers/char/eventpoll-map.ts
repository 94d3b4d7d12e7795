/**
 * The double buffer as the user sees it: pages, mapping them, and reading a batch out of them.
 *
 * From the sys_epoll v11 patch (2.5.44), drivers/char/eventpoll.c: mmap_eventpoll(), eventpoll_mm_close() (E-R14).
 * There is no fork, mremap or split here, so vm_ops->open never runs.
 */

import {
  PAGE_SIZE,
  add,
  engine,
  kfree,
  oops,
  plainRead,
  read,
  touch,
  write,
  type Kernel,
} from '../../../machine/index.ts';
import { Kind } from '../../../machine/op.ts';
import { mm, type File } from '../../fs/file.ts';
import { E } from '../../kernel.ts';
import { Mapping, pageTables, walkPageTables } from '../../mm/mmap-2.5.44.ts';
import {
  POLLFD_SIZE,
  privateData,
  slotAt,
  type EventPoll,
  type Pollfd,
  type SlotPage,
} from './eventpoll.ts';

const PROT_WRITE = 2;

/** A mapping of a set: side 0, then side 1. The pages are reserved, so it holds no references on them. */
class SetMapping extends Mapping {
  readonly pages: readonly SlotPage[];

  constructor(file: File, ep: EventPoll, pages: readonly SlotPage[]) {
    super(file, 'v11-EC10', () => mmClose(ep));
    this.pages = pages;
  }
}

/** mmap_eventpoll(): `length` and `offset` in bytes; the address or -errno. */
export function* mmapEventpoll(
  file: File,
  length: number,
  protection: number,
  _flags: number,
  offset: number,
): Kernel<number> {
  const site = 'v11-mmap_eventpoll';
  const ep = yield* privateData(file, site);
  if ((protection & PROT_WRITE) !== 0) return -E.EACCES;
  if (offset !== 0) return -E.EINVAL;
  if (ep === null) oops(site, 'NULL set: the descriptor was used before its set was made');
  const wanted = Math.ceil(length / PAGE_SIZE);
  if (wanted !== 2 * (yield* read(ep.numpages, site))) return -E.EINVAL;
  // The page arrays are read without ep.lock; they change together with numpages, so that stands for them.
  // atomic because a page that is freed between the look at it and its mapping is mapped free all the same
  const numpages = yield* engine.submit2(Kind.READ, ep.numpages, true, pageTables(), false, site);
  const pages = ep.sides.flatMap((side) => side.slice(0, numpages));
  const range = mm.map(length, true, false, new SetMapping(file, ep, pages));
  yield* write(ep.vmabase, range.start, site);
  yield* write(ep.mmapped, 1, site);
  return range.start;
}

/** eventpoll_mm_close(). */
function* mmClose(ep: EventPoll): Kernel<void> {
  const site = 'v11-eventpoll_mm_close';
  touch(ep.mem, site);
  if ((yield* add(ep.mmapped, -1, site)) === 1) yield* write(ep.vmabase, 0, site);
}

/** Gives a page back to the kernel; what a mapping still shows of it is a leak of kernel memory. */
export function freeSlotPage(page: SlotPage, site: string): void {
  kfree(page.mem, site);
  const isMapped = mm
    .all()
    .some((r) => r.backing instanceof SetMapping && r.backing.pages.includes(page));
  if (isMapped)
    engine.observer.report('INFOLEAK', site, 'a page is freed while a user mapping shows it');
}

/**
 * The user's loads of the `count` slots at an address that epoll_wait or EP_POLL gave. Slots that are not mapped
 * are left out: there the program would get SIGSEGV. One step a page, as nothing orders them with the kernel.
 */
export function* loadSlots(address: number, count: number): Kernel<readonly Pollfd[]> {
  const site = 'user-load';
  const slots: Pollfd[] = [];
  const range = yield* walkPageTables(address, site);
  const mapping = range?.backing;
  if (range === null || !(mapping instanceof SetMapping)) {
    engine.observer.report('STALE', 'v11-EW5', 'the address of the events is not mapped');
    return slots;
  }
  let at = address - range.start;
  while (slots.length < count) {
    const page = mapping.pages[Math.floor(at / PAGE_SIZE)];
    if (page === undefined) break;
    plainRead(page.guard, site);
    yield* engine.submit(Kind.READ, page.userView, 0, site);
    if (page.mem.freed)
      engine.observer.report('INFOLEAK', site, 'the user reads a page the kernel has freed');
    const first = (at % PAGE_SIZE) / POLLFD_SIZE;
    const last = Math.min(PAGE_SIZE / POLLFD_SIZE, first + count - slots.length);
    for (let n = first; n < last; n++) slots.push(slotAt(page, n));
    at += (last - first) * POLLFD_SIZE;
  }
  return slots;
}

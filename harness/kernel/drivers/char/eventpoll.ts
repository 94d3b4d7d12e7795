/**
 * sys_epoll v11: the objects of the driver, and the functions that patches may replace.
 *
 * From the sys_epoll v11 patch (2.5.44), drivers/char/eventpoll.c; steps and labels as in E-R1 to E-R34.
 * Lock order: mmap_sem; PIPE_SEM or sk.callback_lock > file.f_cblock > ep.lock > poll_wait.lock > task state.
 */

import {
  Guarded,
  List,
  ListLink,
  Ref,
  andThen,
  atOnce,
  injectFault,
  kfree,
  kmalloc,
  newRwLock,
  newWaitQueue,
  newWord,
  touch,
  engine,
  writeRef,
  type Kernel,
  type Mem,
  type OpObject,
  type RwLock,
  type WaitQueue,
  type Word,
} from '../../../machine/index.ts';
import { E } from '../../kernel.ts';
import type { File, FileOperations } from '../../fs/file.ts';
import { HarnessBug, Kind } from '../../../machine/op.ts';

/** sizeof(struct pollfd) on i386, in bytes: int fd, short events, short revents. */
export const POLLFD_SIZE = 8;
/** Slots in one page. */
export const POLLFD_X_PAGE = 512;
/** Largest argument that epoll_create() lets through its first test. */
export const MAX_FDS_IN_EVENTPOLL = 131072;
/** Pages per side. */
export const MAX_EVENTPOLL_PAGES = 256;
export const INITIAL_HASH_BITS = 7;
export const MAX_HASH_BITS = 18;
/** The table doubles when its chains are longer than this on average. */
export const RESIZE_LENGTH = 2;

/** EP_FDS_PAGES(n): pages per side for n descriptors, in 32-bit unsigned arithmetic as in C. */
export function epFdsPages(n: number): number {
  return Math.floor(((n + POLLFD_X_PAGE - 1) >>> 0) / POLLFD_X_PAGE);
}

/** struct pollfd as it lies in user memory and in the slots. */
export interface Pollfd {
  readonly fd: number;
  readonly events: number;
  readonly revents: number;
}

/** A page of slots that kernel and user share. */
export interface SlotPage {
  readonly mem: Mem;
  /** Stands for the content: every store into a slot is a write of it. Stores happen under ep.lock. */
  readonly content: Word;
  /** The content as the user's loads name it: they go on when the kernel has freed the page. */
  readonly userView: OpObject;
  /** Announces stores and loads for KCSAN: only the order of waits keeps the two apart (E-R24). */
  readonly guard: Guarded;
  readonly slots: Pollfd[];
}

/** Makes a page; `site` is the step that asked for it. */
export function newSlotPage(site: string): SlotPage {
  const mem = kmalloc('eventpoll page', site);
  const content = newWord('slot page', 0, mem);
  return {
    mem,
    content,
    userView: { id: content.id, mem: null },
    guard: new Guarded('slot page'),
    slots: [],
  };
}

/** What a page holds where the kernel has stored nothing. */
const NO_SLOT: Pollfd = { fd: 0, events: 0, revents: 0 };

/** The content of slot `index` of a side, given the page it is in. */
export function slotAt(page: SlotPage, index: number): Pollfd {
  return page.slots[index % POLLFD_X_PAGE] ?? NO_SLOT;
}

/** The hash table: 2^bits chains keyed by descriptor number; a chain is made when it is first used. */
export interface HashTable {
  readonly mem: Mem;
  readonly bits: number;
  readonly chains: Map<number, List<EpItem>>;
}

export function newHashTable(bits: number, site: string): HashTable {
  return { mem: kmalloc('eventpoll hash', site), bits, chains: new Map() };
}

/** The chain of a descriptor number. */
export function chainOf(table: HashTable, fd: number): List<EpItem> {
  const key = fd & ((1 << table.bits) - 1);
  let chain = table.chains.get(key);
  if (chain === undefined) {
    chain = new List<EpItem>();
    table.chains.set(key, chain);
  }
  return chain;
}

/** struct eventpoll: a set. */
export class EventPoll {
  readonly driver: Driver;
  readonly mem: Mem;
  readonly lock: RwLock;

  // Guarded by lock.
  readonly guard: Guarded;
  hash: HashTable;
  /** 1 while somebody doubles the table. */
  resizing = 0;
  /** Page arrays of the two sides. EP_FREE leaves the stale entries where they are. */
  readonly sides: readonly [SlotPage[], SlotPage[]] = [[], []];
  /** The side that the kernel fills. */
  filling: 0 | 1 = 0;
  version = 1;

  // Written under lock, but also looked at without it.
  /** Number of items. */
  readonly hents: Word;
  /** Pages per side. */
  readonly numpages: Word;
  /** Used slots of the filling side. */
  readonly eventcnt: Word;

  // No lock at all.
  readonly mmapped: Word;
  readonly vmabase: Word;

  /** Sleepers in epoll_wait and EP_POLL. Only touched under lock, so its own lock is never waited for. */
  readonly wq: WaitQueue;
  /** Sleepers in poll and select on the epoll descriptor. Guards itself. */
  readonly pollWait: WaitQueue;

  constructor(driver: Driver, site: string) {
    const mem = kmalloc('eventpoll', site);
    this.driver = driver;
    this.mem = mem;
    this.lock = newRwLock('ep.lock', mem);
    this.guard = new Guarded('ep', mem);
    this.hash = newHashTable(INITIAL_HASH_BITS, site);
    this.hents = newWord('ep.hents', 0, mem);
    this.numpages = newWord('ep.numpages', 0, mem);
    this.eventcnt = newWord('ep.eventcnt', 0, mem);
    this.mmapped = newWord('ep.mmapped', 0, mem);
    this.vmabase = newWord('ep.vmabase', 0, mem);
    this.wq = newWaitQueue('ep.wq', mem);
    this.pollWait = newWaitQueue('ep.poll_wait', mem, true);
  }
}

/** struct epitem: one descriptor number in one set. */
export class EpItem {
  readonly mem: Mem;
  readonly ep: EventPoll;
  /** Raw pointer, no reference (E-R34). */
  readonly file: File;
  readonly fd: number;
  /** pfd.events: MOD stores it without a lock. */
  readonly events: Word;

  // Guarded by ep.lock.
  readonly guard: Guarded;
  readonly link: ListLink<EpItem>;
  /** Slot of the filling side, valid while version is the set's; -1 before the first. */
  index = -1;
  version: number;

  constructor(ep: EventPoll, file: File, fd: number, events: number, site: string) {
    this.mem = kmalloc('epitem', site);
    this.ep = ep;
    this.file = file;
    this.fd = fd;
    this.events = newWord('epitem.events', events, this.mem);
    this.guard = new Guarded('epitem', this.mem);
    this.link = new ListLink<EpItem>(this);
    // The version is read without the lock; harmless, and no step: with index -1 nobody compares it.
    this.version = ep.version - 1;
  }
}

/** References that an epoll file of epoll_create() holds on its dentry, inode and mount. */
export interface DentryReferences {
  readonly dentry: Mem;
  readonly inode: Mem;
  /** d_count. */
  dentryCount: number;
  /** One for each mntget(). */
  readonly mounts: Mem[];
}

/** What private_data of an epoll file stands for. */
export class EventpollFile {
  /** private_data: NULL until the set is made. */
  readonly set: Ref<EventPoll | null>;
  readonly references: DentryReferences | null;
  /** True if the set was made when nobody else ran: then looking at private_data is no step. */
  isSettled = false;

  constructor(references: DentryReferences | null) {
    this.set = new Ref<EventPoll | null>('private_data', null);
    this.references = references;
  }
}

/** The functions of the driver that patches replace; each calls the others through this table. */
export interface EntryPoints {
  /** EC5: takes the references of a new file of epoll_create(). */
  takeReferences(references: DentryReferences): void;
  /** ep_init(): the last touch to a new set that nobody knows yet. */
  epInit(ep: EventPoll): void;
  /** CT4 and CT5: looks the number up and does what `op` says; 0 or -errno. */
  ctlAction(ep: EventPoll, op: number, fd: number, events: number): Kernel<number>;
  /** CT5: the operation on the item that was found, or on none; 0 or -errno. */
  ctlOperation(
    ep: EventPoll,
    dpi: EpItem | null,
    op: number,
    fd: number,
    events: number,
  ): Kernel<number>;
  /** Body of write(2) (E-R11): `count` bytes of pollfd at `address`; bytes that took effect or -errno. */
  writeElements(ep: EventPoll, address: number, count: number): Kernel<number>;
}

/** A built driver. */
export interface Driver {
  readonly entry: EntryPoints;
  /** What IS_FILE_EPOLL compares with. */
  readonly fops: FileOperations;
}

/** What the driver hangs on its files. */
export function eventpollFileOf(file: File): EventpollFile {
  if (file.data instanceof EventpollFile) return file.data;
  throw new HarnessBug(`Cannot find the set of a ${file.ops.name} file: it is no epoll file`);
}

/** Reads private_data: the set, or NULL in the window between EC6 and EC7. */
export function privateData(file: File, site: string): Kernel<EventPoll | null> {
  const { set, isSettled } = eventpollFileOf(file);
  if (!isSettled) return andThen(engine.submit(Kind.READ, set, 0, site), setOfFile, file, site);
  touch(file.mem, site);
  return atOnce(set.value);
}

function setOfFile(file: File, site: string): EventPoll | null {
  touch(file.mem, site);
  return eventpollFileOf(file).set.value;
}

/** open_eventpoll() (EC7, E-R10): makes an empty set without pages and stores it in private_data. */
export function* openEventpoll(driver: Driver, file: File): Kernel<number> {
  const site = 'v11-EC7';
  if (yield* injectFault(site)) return -E.ENOMEM;
  const ep = new EventPoll(driver, site);
  if (yield* injectFault(site)) {
    // The hash table is what there was no memory for.
    kfree(ep.hash.mem, site);
    kfree(ep.mem, site);
    return -E.ENOMEM;
  }
  driver.entry.epInit(ep);
  const data = eventpollFileOf(file);
  data.isSettled = engine.inline;
  yield* writeRef(data.set, ep, site);
  touch(file.mem, site);
  return 0;
}

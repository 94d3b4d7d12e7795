/**
 * Objects of 2.6.20 eventpoll (E-R85) and what guards their fields.
 *
 * After Linux 2.6.20 fs/eventpoll.c, in own words. Lock order (E-R86):
 * epmutex > ep.sem > { f_ep_lock, or a target's wait-queue lock, or ep.lock }; and in a delivery
 * target's wait-queue lock > ep.lock; target's wait-queue lock > psw.lock; target's > ep.poll_wait.lock > outer ep.lock.
 */

import {
  Guarded,
  List,
  ListLink,
  RwSem,
  allowNesting,
  atOnce,
  engine,
  keepState,
  kmalloc,
  newMutex,
  newRwLock,
  newSpinLock,
  newWaitQueue,
  newWord,
  peek,
  type Kernel,
  type Mem,
  type Mutex,
  type OpObject,
  type RwLock,
  type SpinLock,
  type WaitEntry,
  type WaitQueue,
  type Word,
} from '../../machine/index.ts';
import { Kind } from '../../machine/op.ts';
import { POLLERR, POLLHUP } from '../poll-bits.ts';
import type { File } from './file.ts';

export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLONESHOT = 1 << 30;
export const EPOLLET = 1 << 31;
/** Bits that say how, not what. */
export const EP_PRIVATE_BITS = EPOLLONESHOT | EPOLLET;
export const EP_MAX_POLLWAKE_NESTS = 4;
/** Bytes of a struct epoll_event. */
export const EPOLL_EVENT_SIZE = 12;
export const EP_MAX_EVENTS = Math.floor(0x7fffffff / EPOLL_EVENT_SIZE);
/** Asked for whether or not the user does (E-R112). */
export const ALWAYS = POLLERR | POLLHUP;

/** struct eventpoll. */
export class EventPoll {
  readonly mem: Mem;
  /** Protects the ready state; taken from wake-ups. */
  readonly lock: RwLock;
  /** Held for reading by collectors, for writing by epoll_ctl: an item in hand cannot go away. */
  readonly sem: RwSem;
  /** epoll_wait sleepers. Its list is guarded by `lock`, not by its own. */
  readonly wq: WaitQueue;
  /** Pollers of the set and outer sets. */
  readonly pollWait: WaitQueue;

  // guarded by lock
  readonly guard: Guarded;
  readonly ready = new List<EpItem>();
  /** The rb-tree: ordered by file, then descriptor. Changed with sem held as well, or by a release with epmutex. */
  readonly tree: EpItem[] = [];
  readonly treeGuard: Guarded;
  /** Some collector found nothing it could take and spins (see `epPoll`). */
  watched = false;
  /** Version of the ready state, as far as a spinning collector can tell; bumped only while `watched`. */
  readonly version: OpObject;

  constructor() {
    const mem = kmalloc('eventpoll', '2.6-epoll_create');
    this.mem = mem;
    this.lock = newRwLock('ep.lock', mem);
    this.sem = new RwSem('ep.sem', mem);
    this.wq = newWaitQueue('ep.wq', mem);
    this.pollWait = newWaitQueue('ep.poll_wait', mem, true);
    this.guard = new Guarded('eventpoll.rdllist', mem);
    this.treeGuard = new Guarded('eventpoll.rbr', mem);
    this.version = newWord('ep.version', 0, mem);
  }
}

/** struct epitem. Holds no reference on its file. */
export class EpItem {
  readonly mem: Mem;
  readonly ep: EventPoll;
  readonly file: File;
  readonly fd: number;

  // guarded by ep.lock
  readonly guard: Guarded;
  readonly rdllink: ListLink<EpItem>;
  /** On the private list of one collector. */
  readonly txlink: ListLink<EpItem>;
  inTree = false;

  /** Written with sem, read by wake-ups with ep.lock: no common lock (E-B62). */
  readonly events: Word;
  readonly eventsGuard: Guarded;

  // guarded by sem
  readonly semGuard: Guarded;
  data: unknown;
  /** Queued entries; -1 after a failed allocation. */
  nwait = 0;
  readonly entries: EppollEntry[] = [];

  /** Scratch of the collector whose list the item is on. */
  revents = 0;

  constructor(ep: EventPoll, file: File, fd: number, events: number, data: unknown) {
    const mem = kmalloc('epitem', '2.6-IN1');
    this.mem = mem;
    this.ep = ep;
    this.file = file;
    this.fd = fd;
    this.guard = new Guarded('epitem.rdllink', mem);
    this.rdllink = new ListLink<EpItem>(this);
    this.txlink = new ListLink<EpItem>(this);
    this.events = newWord('epitem.events', events, mem);
    this.eventsGuard = new Guarded('epitem.event.events', mem);
    this.semGuard = new Guarded('epitem.event.data', mem);
    this.data = data;
  }
}

/** struct eppoll_entry: the item on one wait queue of its file. */
export interface EppollEntry {
  readonly mem: Mem;
  readonly entry: WaitEntry;
  readonly whead: WaitQueue;
}

/** f_ep_links and f_ep_lock of a file. */
export interface EpLinks {
  readonly lock: SpinLock;
  readonly guard: Guarded;
  /** In order of registration. */
  readonly items: EpItem[];
  /** How many items: what the last fput looks at without the lock. */
  readonly count: Word;
  /** Set before the adder drops its reference, so it is settled when the last one is dropped. */
  everLinked: boolean;
}

/** What the file constructor hangs on every file. */
export function newEpLinks(file: File): EpLinks {
  return {
    lock: newSpinLock('file.f_ep_lock', file.mem),
    guard: new Guarded('file.f_ep_links', file.mem),
    items: [],
    count: newWord('file.f_ep_links.count', 0, file.mem),
    everLinked: false,
  };
}

export function linksOf(file: File): EpLinks {
  // Every file of this kernel gets its links from newEpLinks, in the fileInit hook.
  return file.attachment as EpLinks;
}

/** A wake-up of a poll_wait queue that is under way. */
export interface WakeNode {
  /** Thread slot of who wakes: `current`. */
  readonly task: number;
  readonly wq: WaitQueue;
}

/** Globals of the file. */
export interface EventpollGlobals {
  /** Serialises the release of targets and of sets. */
  readonly epmutex: Mutex;
  readonly pswLock: SpinLock;
  readonly pswGuard: Guarded;
  pswNodes: WakeNode[];
}

function newGlobals(): EventpollGlobals {
  return {
    epmutex: newMutex('epmutex'),
    pswLock: newSpinLock('psw.lock'),
    pswGuard: new Guarded('psw.nodes'),
    pswNodes: [],
  };
}

let current: EventpollGlobals | null = null;

/** Makes the globals anew; called from boot. */
export function resetEventpoll(): void {
  allowNesting('ep.poll_wait.lock', 'ep_poll_safewake never wakes a queue that is being woken');
  current = newGlobals();
  keepState(() => current);
}

export function globals(): EventpollGlobals {
  return (current ??= newGlobals());
}

/** rb-tree order. The file's counter is named by who made it, so the order does not depend on the schedule. */
function compare(a: EpItem, file: File, fd: number): number {
  return a.file.count.id - file.count.id || a.fd - fd;
}

/** ep_find(). */
export function findItem(ep: EventPoll, file: File, fd: number): EpItem | null {
  return ep.tree.find((item) => compare(item, file, fd) === 0) ?? null;
}

/** ep_rbtree_insert(). */
export function insertIntoTree(item: EpItem): void {
  const { tree } = item.ep;
  const at = tree.findIndex((other) => compare(other, item.file, item.fd) > 0);
  tree.splice(at < 0 ? tree.length : at, 0, item);
  item.inTree = true;
}

/** rb_erase(). */
export function eraseFromTree(item: EpItem): void {
  const { tree } = item.ep;
  tree.splice(tree.indexOf(item), 1);
  item.inTree = false;
}

/**
 * Tells a spinning collector that the ready state is not what it saw; ep.lock held for writing. An operation only
 * while somebody spins: the flag and the version change under ep.lock only, so the order of that lock orders them.
 */
export function noteReadyState(ep: EventPoll, site: string): Kernel<unknown> {
  if (!ep.watched) return atOnce(null);
  ep.watched = false;
  return engine.submit(Kind.UP, ep.version, 0, site);
}

/** The mask that the item's file would answer and the item would report, without operations. */
export function reportable(item: EpItem): number {
  return (item.file.ops.ready?.(item.file) ?? 0) & peek(item.events);
}

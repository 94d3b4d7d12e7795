/**
 * lockdep: order of lock classes over all executions of an exploration, balance of locking, sleeping in atomic
 * context, and classes that interrupts use but tasks take with interrupts on. Circles and interrupt usage are
 * signed with the names of the classes, everything else with the sites.
 *
 * Two locks of one class, one under the other, are reported ("nothing says in which order"), as the kernel's own
 * lockdep would. Where nesting is meant, as in wake-ups that run from an inner epoll set to an outer one, the
 * kernel code says so by class and reason (`allowNesting`, the counterpart of a subclass). Then the single
 * locks are nodes of an order graph of their own, so that two sets that wake each other in opposite
 * directions are still found; a plain subclass annotation would silence those too.
 */

import {
  HarnessBug,
  Kind,
  MAX_OBJECTS,
  engine,
  nestedClasses,
  type Lock,
} from '../machine/index.ts';
import type { FindingDetail, FindingList } from './findings.ts';
import { MAX_HELD, isLockWait, lockOf, type HeldLocks } from './held-locks.ts';
import { IrqUsage } from './irq-usage.ts';
import { currentName, threadName } from './names.ts';
import { OrderGraph, type Cycle } from './order-graph.ts';

/** How many lock classes one exploration may have. */
const MAX_CLASSES = 256;

export class Lockdep {
  private readonly findings: FindingList;
  private readonly held: HeldLocks;
  private readonly irq: IrqUsage;
  private epoch = 0;
  /** The execution that runs or ran last showed an order or a use that none before it did. */
  learnt = false;

  private readonly classNames: string[] = [];
  private readonly classNumbers = new Map<string, number>();
  private readonly classOfLock = new Int32Array(MAX_OBJECTS).fill(-1);
  /** Execution in which an edge between two classes was entered last, by held class, class, and modes. */
  private readonly seen = new Int32Array(MAX_CLASSES * MAX_CLASSES * 4);
  private readonly classOrder = new OrderGraph();
  private readonly lockOrder = new OrderGraph();

  constructor(findings: FindingList, held: HeldLocks) {
    this.findings = findings;
    this.held = held;
    this.irq = new IrqUsage(findings);
  }

  /** Before another scenario is explored. */
  forget(): void {
    this.classNames.length = 0;
    this.classNumbers.clear();
    // What the tables by lock and by pair of classes hold is told by the names and the epoch to be of the past; to
    // clear them would cost more than the exploration of a small program.
    this.epoch++;
    this.classOrder.forget();
    this.lockOrder.forget();
    this.irq.forget();
  }

  /** Every order of two classes since `forget()`, readers and writers alike. */
  orders(): { readonly from: string; readonly to: string }[] {
    return this.classOrder
      .all()
      .map(({ from, to }) => ({ from: this.classNames[from], to: this.classNames[to] }));
  }

  begin(): void {
    this.epoch++;
    this.learnt = false;
    this.held.clear();
    this.irq.begin();
  }

  acquired(id: number, kind: number, site: string): void {
    const lock = lockOf(id);
    const t = engine.current;
    const spins = lock.flavour === 'spin' || lock.flavour === 'rwlock';
    // The argument of a rw semaphore operation is its mode; only spinning locks can ask for interrupts off.
    const irqsave = spins && engine.pArg[t] === 1;
    const shared = kind === Kind.RLOCK;
    const c = this.classOf(lock);
    // A trylock waits for nobody, so nothing can go wrong before it.
    if (kind !== Kind.TRYLOCK && this.held.depth[t] > 0) this.order(t, lock, c, shared, site);
    if (spins) {
      const off = irqsave || this.held.irqsOff(t);
      if (this.irq.taken(c, lock.name, shared && lock.flavour === 'rwlock', off, site))
        this.learnt = true;
    }
    this.held.push(t, id, shared, irqsave, site);
  }

  private classOf(lock: Lock): number {
    const known = this.classOfLock[lock.id];
    if (known >= 0 && this.classNames[known] === lock.name) return known;
    let c = this.classNumbers.get(lock.name);
    if (c === undefined) {
      c = this.classNames.length;
      if (c >= MAX_CLASSES)
        throw new HarnessBug(`Cannot watch lock class "${lock.name}": ${MAX_CLASSES} is the limit`);
      this.classNames.push(lock.name);
      this.classNumbers.set(lock.name, c);
    }
    this.classOfLock[lock.id] = c;
    return c;
  }

  /** Every lock that thread t holds now comes before the one it takes. */
  private order(t: number, lock: Lock, c: number, shared: boolean, site: string): void {
    const recursive = shared && lock.flavour === 'rwlock';
    const first = t * MAX_HELD;
    const end = first + this.held.depth[t];
    for (let at = first; at < end; at++) {
      const h = lockOf(this.held.lock[at]);
      const hc = this.classOf(h);
      if (hc === c) {
        this.sameClass(at, h, lock, recursive, site);
        continue;
      }
      const fromShared = this.held.shared[at] === 1 && h.flavour === 'rwlock';
      const key = ((hc * MAX_CLASSES + c) * 2 + (fromShared ? 1 : 0)) * 2 + (recursive ? 1 : 0);
      if (this.seen[key] === this.epoch) continue;
      this.seen[key] = this.epoch;
      this.enter(this.classOrder, hc, c, fromShared, recursive, at, site, t);
    }
  }

  private enter(
    graph: OrderGraph,
    from: number,
    to: number,
    fromShared: boolean,
    toShared: boolean,
    at: number,
    site: string,
    t: number,
  ): void {
    const thread = engine.inline ? currentName() : threadName(t);
    const fromPosition = this.held.position[at];
    const toPosition = t === engine.current ? engine.position() : engine.log.lastOf[t];
    const fromSite = this.held.site[at];
    const known = graph.find(from, to, fromShared, toShared);
    if (known !== undefined) {
      if (known.epoch === this.epoch) return;
      known.epoch = this.epoch;
      known.thread = thread;
      known.fromSite = fromSite;
      known.toSite = site;
      known.fromPosition = fromPosition;
      known.toPosition = toPosition;
      for (const cycle of graph.again(known)) this.inversion(cycle, graph === this.lockOrder);
      return;
    }
    const modes = { from, to, fromShared, toShared, epoch: this.epoch };
    const where = { thread, fromSite, toSite: site, fromPosition, toPosition };
    const cycles = graph.enter({ ...modes, ...where });
    this.learnt = true;
    for (const cycle of cycles) this.inversion(cycle, graph === this.lockOrder);
  }

  private sameClass(
    at: number,
    heldLock: Lock,
    lock: Lock,
    recursive: boolean,
    site: string,
  ): void {
    const heldSite = this.held.site[at];
    const heldShared = this.held.shared[at] === 1 && heldLock.flavour === 'rwlock';
    // Readers of a rwlock never wait for readers; those of a fair rw semaphore do, behind a writer.
    if (recursive && heldShared) return;
    if (heldLock.id === lock.id) this.recursion(engine.current, heldSite, lock, site);
    else if (nestedClasses.has(lock.name)) {
      this.enter(
        this.lockOrder,
        heldLock.id,
        lock.id,
        heldShared,
        recursive,
        at,
        site,
        engine.current,
      );
    } else {
      this.findings.add(
        'LOCKDEP',
        `${heldSite} / ${site}`,
        `${currentName()} takes ${engine.nameOf(lock.id)} at ${site} while it holds ` +
          `${engine.nameOf(heldLock.id)} (${heldSite}): two locks of one class, and nothing says in which order`,
        [this.held.position[at], engine.position()],
      );
    }
  }

  private recursion(t: number, heldSite: string, lock: Lock, site: string): void {
    this.findings.add(
      'LOCKDEP',
      `${heldSite} / ${site}`,
      `${engine.inline ? currentName() : threadName(t)} takes ${engine.nameOf(lock.id)} at ${site}, ` +
        `which it holds already (${heldSite})`,
      [engine.log.lastOf[t]],
    );
  }

  private inversion(cycle: Cycle, single: boolean): void {
    const name = (node: number): string => (single ? engine.nameOf(node) : this.classNames[node]);
    const edges = rotated(cycle, name);
    const links = edges.map(
      (e) => `${name(e.from)} (${e.fromSite}) before ${name(e.to)} (${e.toSite}) in ${e.thread}`,
    );
    const inThisRun = edges.every((e) => e.epoch === this.epoch);
    const detail: FindingDetail = inThisRun ? {} : { acrossRuns: true };
    const steps = inThisRun
      ? edges.flatMap((e) => [e.fromPosition, e.toPosition]).sort((a, b) => a - b)
      : [];
    this.findings.add(
      'LOCKDEP',
      edges.map((e) => name(e.from)).join(' / '),
      `locks are taken in a circle: ${links.join('; ')}`,
      [...new Set([...steps, engine.position()])],
      detail,
    );
  }

  released(id: number, kind: number, site: string): void {
    const t = engine.current;
    const shared = kind === Kind.RUNLOCK;
    if (this.held.remove(t, id, shared)) return;
    const mine = this.held.find(t, id);
    const owner = this.held.holder(id, t);
    const who = currentName();
    const name = engine.nameOf(id);
    let why = 'nobody holds';
    if (mine >= 0) why = `it holds in the other mode (${this.held.site[mine]})`;
    else if (owner >= 0)
      why = `${threadName(owner)} holds (${this.held.site[this.held.find(owner, id)]})`;
    this.findings.add('LOCKDEP', site, `${who} unlocks ${name} at ${site}, which ${why}`, [
      engine.position(),
    ]);
  }

  mightSleep(site: string): void {
    const t = engine.current;
    const context = engine.contextOf(t);
    const at = this.held.depth[t] > 0 ? this.held.spinning(t) : -1;
    if (at < 0 && (context === 'task' || context === 'worker')) return;
    const why =
      at < 0
        ? `in ${context} context`
        : `while it holds ${engine.nameOf(this.held.lock[at])} (${this.held.site[at]})`;
    this.findings.add('LOCKDEP', site, `${currentName()} may sleep at ${site} ${why}`, [
      at < 0 ? -1 : this.held.position[at],
      engine.position(),
    ]);
  }

  /** At the end: what a thread waits for counts as taken, and a thread that is gone must hold nothing. */
  quiet(): void {
    for (let t = 0; t < engine.width; t++) {
      if (this.held.depth[t] === 0) continue;
      if (engine.isDone(t)) this.heldForEver(t);
      else if (engine.isLive(t) && isLockWait(engine.pKind[t]) && !engine.isEnabled(t))
        this.wanted(t);
    }
  }

  private wanted(t: number): void {
    const lock = lockOf(engine.pObj[t]);
    const c = this.classOf(lock);
    const shared = engine.pKind[t] === Kind.RLOCK;
    const site = engine.pSite[t];
    for (let at = t * MAX_HELD; at < t * MAX_HELD + this.held.depth[t]; at++) {
      const h = lockOf(this.held.lock[at]);
      const heldShared = this.held.shared[at] === 1 && h.flavour === 'rwlock';
      if (h.id === lock.id) this.recursion(t, this.held.site[at], lock, site);
      else if (this.classOf(h) !== c)
        this.enter(this.classOrder, this.classOf(h), c, heldShared, shared, at, site, t);
      else if (nestedClasses.has(lock.name))
        this.enter(this.lockOrder, h.id, lock.id, heldShared, shared, at, site, t);
    }
  }

  private heldForEver(t: number): void {
    // A task that died in an oops could not let go.
    if (engine.oops[t] !== null || t >= engine.users) return;
    const at = t * MAX_HELD + this.held.depth[t] - 1;
    const site = this.held.site[at];
    this.findings.add(
      'LOCKDEP',
      site,
      `${threadName(t)} returns to user space with ${engine.nameOf(this.held.lock[at])} held (${site})`,
      [this.held.position[at]],
    );
  }
}

/** The cycle from its least name, so that the signature depends neither on the run nor on who closed it. */
function rotated(cycle: Cycle, name: (node: number) => string): Cycle['edges'] {
  const edges = cycle.edges;
  let least = 0;
  for (let i = 1; i < edges.length; i++)
    if (name(edges[i].from) < name(edges[least].from)) least = i;
  return [...edges.slice(least), ...edges.slice(0, least)];
}

/** Which locks every thread holds, as the machine announced it. */

import { engine, HarnessBug, Kind, MAX_THREADS, lockTable, type Lock } from '../machine/index.ts';

/** How many locks one thread may hold at a time. */
export const MAX_HELD = 32;

export class HeldLocks {
  /** How many locks thread t holds; its entries start at t * MAX_HELD. */
  readonly depth = new Int32Array(MAX_THREADS);
  readonly lock = new Int32Array(MAX_THREADS * MAX_HELD);
  /** 1 for the reader side. */
  readonly shared = new Uint8Array(MAX_THREADS * MAX_HELD);
  /** 1 if interrupts are off because of it. */
  readonly irq = new Uint8Array(MAX_THREADS * MAX_HELD);
  readonly position = new Int32Array(MAX_THREADS * MAX_HELD);
  readonly site: string[] = new Array<string>(MAX_THREADS * MAX_HELD).fill('');

  clear(): void {
    this.depth.fill(0);
  }

  push(t: number, lock: number, shared: boolean, irq: boolean, site: string): void {
    const n = this.depth[t];
    if (n >= MAX_HELD)
      throw new HarnessBug(`Cannot hold another lock at ${site}: ${MAX_HELD} is the limit`);
    const at = t * MAX_HELD + n;
    this.lock[at] = lock;
    this.shared[at] = shared ? 1 : 0;
    this.irq[at] = irq ? 1 : 0;
    this.position[at] = engine.position();
    this.site[at] = site;
    this.depth[t] = n + 1;
  }

  /** Forgets the latest acquisition of the lock in that mode; false if thread t does not hold it so. */
  remove(t: number, lock: number, shared: boolean): boolean {
    const first = t * MAX_HELD;
    const mode = shared ? 1 : 0;
    let at = first + this.depth[t] - 1;
    while (at >= first && (this.lock[at] !== lock || this.shared[at] !== mode)) at--;
    if (at < first) return false;
    const last = first + --this.depth[t];
    for (; at < last; at++) {
      this.lock[at] = this.lock[at + 1];
      this.shared[at] = this.shared[at + 1];
      this.irq[at] = this.irq[at + 1];
      this.position[at] = this.position[at + 1];
      this.site[at] = this.site[at + 1];
    }
    return true;
  }

  /** Index of the entry with which thread t holds the lock, or -1. */
  find(t: number, lock: number): number {
    const first = t * MAX_HELD;
    for (let at = first + this.depth[t] - 1; at >= first; at--)
      if (this.lock[at] === lock) return at;
    return -1;
  }

  /** A thread that holds the lock, thread `not` last of all; -1 if nobody does. */
  holder(lock: number, not: number): number {
    for (let t = 0; t < MAX_THREADS; t++) if (t !== not && this.find(t, lock) >= 0) return t;
    return not >= 0 && this.find(not, lock) >= 0 ? not : -1;
  }

  irqsOff(t: number): boolean {
    const first = t * MAX_HELD;
    for (let at = first + this.depth[t] - 1; at >= first; at--) if (this.irq[at] === 1) return true;
    return false;
  }

  /** Index of a held lock under which thread t must not sleep, or -1. */
  spinning(t: number): number {
    const first = t * MAX_HELD;
    for (let at = first; at < first + this.depth[t]; at++) {
      const flavour = lockOf(this.lock[at]).flavour;
      if (flavour === 'spin' || flavour === 'rwlock') return at;
    }
    return -1;
  }
}

/** The lock with this object id. */
export function lockOf(id: number): Lock {
  const lock = lockTable[id];
  if (lock === null || lock === undefined)
    throw new HarnessBug(`Cannot name lock ${id}: it was never made`);
  return lock;
}

/** Whether an operation of this kind, when it cannot go on, waits for a lock. */
export function isLockWait(kind: number): boolean {
  return (
    kind === Kind.LOCK || kind === Kind.RLOCK || kind === Kind.WLOCK || kind === Kind.RWSEM_GRANT
  );
}

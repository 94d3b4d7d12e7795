/**
 * Locks as the kernel has them. Each function is one visible operation: `yield* spinLock(l, site)`.
 *
 * `site` is the step label of the document (`v11-PO2`): it names the place in reports and signatures.
 */

import { andMaybe } from './at-once.ts';
import { engine, type Kernel, type Lifetime, type OpObject, type RwsemEffects } from './engine.ts';
import { Kind, MAX_OBJECTS } from './op.ts';
import { keepState } from './snapshot.ts';

export type Flavour = 'spin' | 'rwlock' | 'mutex' | 'rwsem';

/** A lock; `name` is its class, as lockdep speaks of classes. */
export interface Lock extends OpObject {
  readonly name: string;
  readonly flavour: Flavour;
}

/** Class and flavour of every lock object, for lockdep. Entries are overwritten when ids are used again. */
export const lockTable: (Lock | null)[] = new Array<Lock | null>(MAX_OBJECTS).fill(null);

/** Classes whose locks may be taken one under the other, with the reason why that cannot deadlock. */
export const nestedClasses = new Map<string, string>();

/**
 * Says that a lock of class `name` may be taken while another lock of that class is held, and why. Without it
 * lockdep reports the nesting; with it lockdep checks that single locks of the class keep one order.
 */
export function allowNesting(name: string, why: string): void {
  nestedClasses.set(name, why);
}

function register<L extends Lock>(lock: L): L {
  lockTable[lock.id] = lock;
  return lock;
}

export interface SpinLock extends Lock {
  readonly flavour: 'spin';
}

export interface RwLock extends Lock {
  readonly flavour: 'rwlock';
}

/** Mutex, or a semaphore used as one. */
export interface Mutex extends Lock {
  readonly flavour: 'mutex';
}

export function newSpinLock(name: string, mem: Lifetime | null = null): SpinLock {
  return register({ id: engine.newObject(name, 0), mem, name, flavour: 'spin' });
}

export function newRwLock(name: string, mem: Lifetime | null = null): RwLock {
  return register({ id: engine.newObject(name, 0), mem, name, flavour: 'rwlock' });
}

export function newMutex(name: string, mem: Lifetime | null = null): Mutex {
  return register({ id: engine.newObject(name, 0), mem, name, flavour: 'mutex' });
}

/** Set on an acquisition that also disables interrupts on its CPU. */
export const IRQ = 1;

export function spinLock(lock: SpinLock, site: string): Kernel<number> {
  return engine.submit(Kind.LOCK, lock, 0, site);
}

export function spinLockIrqsave(lock: SpinLock, site: string): Kernel<number> {
  return engine.submit(Kind.LOCK, lock, IRQ, site);
}

/** Answers 1 if it took the lock, else 0. */
export function spinTrylock(lock: SpinLock, site: string): Kernel<number> {
  return engine.submit(Kind.TRYLOCK, lock, 0, site);
}

export function spinUnlock(lock: SpinLock, site: string): Kernel<number> {
  return engine.submit(Kind.UNLOCK, lock, 0, site);
}

/** Also disables softirqs on the CPU that it runs on. */
export function* spinLockBh(lock: SpinLock, site: string): Kernel<number> {
  engine.observer.softirqs(1, site);
  return yield* engine.submit(Kind.LOCK, lock, 0, site);
}

/** Also enables softirqs once, whether or not they were disabled. */
export function* spinUnlockBh(lock: SpinLock, site: string): Kernel<number> {
  const result = yield* engine.submit(Kind.UNLOCK, lock, 0, site);
  engine.observer.softirqs(-1, site);
  return result;
}

export function mutexLock(lock: Mutex, site: string): Kernel<number> {
  engine.observer.mightSleep(site);
  return engine.submit(Kind.LOCK, lock, 0, site);
}

export function mutexUnlock(lock: Mutex, site: string): Kernel<number> {
  return engine.submit(Kind.UNLOCK, lock, 0, site);
}

export function readLockIrqsave(lock: RwLock, site: string): Kernel<number> {
  return engine.submit(Kind.RLOCK, lock, IRQ, site);
}

export function readLock(lock: RwLock, site: string): Kernel<number> {
  return engine.submit(Kind.RLOCK, lock, 0, site);
}

export function readUnlock(lock: RwLock, site: string): Kernel<number> {
  return engine.submit(Kind.RUNLOCK, lock, 0, site);
}

export function writeLock(lock: RwLock, site: string): Kernel<number> {
  return engine.submit(Kind.WLOCK, lock, 0, site);
}

export function writeLockIrqsave(lock: RwLock, site: string): Kernel<number> {
  return engine.submit(Kind.WLOCK, lock, IRQ, site);
}

export function writeUnlock(lock: RwLock, site: string): Kernel<number> {
  return engine.submit(Kind.WUNLOCK, lock, 0, site);
}

/**
 * A fair rw semaphore: first in, first out, so a waiting writer holds new readers back. Readers do not
 * commute with anything (class SER).
 */
export class RwSem implements Lock, RwsemEffects {
  readonly id: number;
  readonly name: string;
  readonly flavour = 'rwsem';
  readonly mem: Lifetime | null;
  /** Active readers, or -1 for a writer. */
  private active = 0;
  private readonly queue: { readonly t: number; readonly write: boolean }[] = [];

  constructor(name: string, mem: Lifetime | null = null) {
    this.name = name;
    this.mem = mem;
    this.id = engine.newObject(name, 0);
    register(this);
    // Where it hangs is the patch's business, and need not be something a walk can see.
    if (engine.inline && !engine.exiting) keepState(() => this);
  }

  /** Effect of RWSEM_ASK: true if it was granted at once. */
  ask(t: number, write: boolean): boolean {
    if (this.queue.length === 0 && this.admits(write)) {
      this.enter(write);
      return true;
    }
    this.queue.push({ t, write });
    return false;
  }

  /** Effect of RWSEM_UP: hands over to the first in line, and to the readers directly behind a reader. */
  up(write: boolean): void {
    this.active = write ? 0 : this.active - 1;
    for (;;) {
      const first = this.queue[0];
      if (first === undefined || !this.admits(first.write)) return;
      this.queue.shift();
      this.enter(first.write);
      engine.state[this.id] |= 1 << first.t;
    }
  }

  private admits(write: boolean): boolean {
    return write ? this.active === 0 : this.active >= 0;
  }

  private enter(write: boolean): void {
    this.active = write ? -1 : this.active + 1;
  }
}

export function downRead(sem: RwSem, site: string): Kernel<number> {
  engine.observer.mightSleep(site);
  return andMaybe(engine.submit(Kind.RWSEM_ASK, sem, 0, site), awaitReading, sem, site);
}

function awaitReading(sem: RwSem, site: string, granted: number): Kernel<number> | null {
  return granted === 1 ? null : engine.submit(Kind.RWSEM_GRANT, sem, 0, site);
}

export function downWrite(sem: RwSem, site: string): Kernel<number> {
  engine.observer.mightSleep(site);
  return andMaybe(engine.submit(Kind.RWSEM_ASK, sem, 1, site), awaitWriting, sem, site);
}

function awaitWriting(sem: RwSem, site: string, granted: number): Kernel<number> | null {
  return granted === 1 ? null : engine.submit(Kind.RWSEM_GRANT, sem, 1, site);
}

export function upRead(sem: RwSem, site: string): Kernel<number> {
  return engine.submit(Kind.RWSEM_UP, sem, 0, site);
}

export function upWrite(sem: RwSem, site: string): Kernel<number> {
  return engine.submit(Kind.RWSEM_UP, sem, 1, site);
}

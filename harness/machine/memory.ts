/** Slab objects with lifetimes, shared words that are operations, and plain data that a lock guards. */

import { andThen, atOnce } from './at-once.ts';
import { engine, Oops, type Kernel, type Lifetime, type OpObject } from './engine.ts';
import type { PlainLocation } from './observer.ts';
import { Kind } from './op.ts';
import { keepState } from './snapshot.ts';
import { ALLOCATION, nameAlternatives } from './wording.ts';

/** An allocation. `name` is the slab or type name; `number` counts per execution in creation order. */
export class Mem implements Lifetime {
  readonly name: string;
  readonly number: number;
  freed = false;
  freeSite = '';
  readonly allocSite: string;
  /** For kmemleak: what this allocation belongs to, so that it is expected to live on. */
  permanent = false;

  constructor(name: string, site: string, number: number) {
    this.name = name;
    this.allocSite = site;
    this.number = number;
  }
}

/** Every allocation of the current execution, in order. */
export const allocations: Mem[] = [];

/** Forgets the allocations of the last execution; called by whoever resets the kernel. */
export function resetMemory(): void {
  allocations.length = 0;
  keepState(
    () => allocations,
    () => faults.taken,
  );
}

/** kmalloc or a slab allocation that succeeds. Not an operation: lifetimes are judged by happens-before. */
export function kmalloc(name: string, site: string): Mem {
  const mem = new Mem(name, site, allocations.length);
  allocations.push(mem);
  engine.observer.allocated(mem, site);
  return mem;
}

/** Bounds how many injected failures one thread may meet; 0 turns injection off. */
export const faults = { perThread: 0, taken: new Int32Array(32) };

/**
 * Whether an allocation (or a user copy) is made to fail here: a choice of the schedule when faults are on,
 * no operation at all when they are off. `names` are for reports: how it goes well, and how it fails.
 */
export function injectFault(site: string, names = ALLOCATION): Kernel<boolean> {
  if (!canFail()) return atOnce(false);
  nameAlternatives(site, names);
  return andThen(engine.submitChoice(2, site), countFault, null, null);
}

/** Whether the next injectFault() of this thread is an operation. */
export function canFail(): boolean {
  if (faults.perThread === 0 || engine.inline) return false;
  return faults.taken[engine.current] < faults.perThread;
}

function countFault(_a: null, _b: null, choice: number): boolean {
  if (choice === 0) return false;
  faults.taken[engine.current]++;
  return true;
}

export function kfree(mem: Mem, site: string): void {
  engine.observer.freed(mem, site);
  mem.freed = true;
  mem.freeSite = site;
}

/** Marks a touch of an allocation that is neither an operation nor a guarded field. */
export function touch(mem: Mem, site: string): void {
  engine.observer.touched(mem, false, site);
}

/** NULL dereference, BUG_ON and the like: the task dies here. */
export function oops(site: string, message: string): never {
  throw new Oops(site, message);
}

/** BUG_ON. */
export function bugOn(condition: boolean, site: string, message: string): void {
  if (condition) throw new Oops(site, message);
}

/**
 * A shared integer that is read or written without a lock that everybody takes: every access is an operation.
 * The value lives in the engine.
 */
export interface Word extends OpObject {
  readonly name: string;
}

export function newWord(name: string, initial: number, mem: Lifetime | null = null): Word {
  return { id: engine.newObject(name, initial), mem, name };
}

/** Answers the value. */
export function read(word: Word, site: string): Kernel<number> {
  const { storeBuffers } = engine;
  if (storeBuffers !== null && storeBuffers.isBuffered()) return storeBuffers.load(word, site);
  return engine.submit(Kind.READ, word, 0, site);
}

/** Stores; answers the old value. */
export function write(word: Word, value: number, site: string): Kernel<number> {
  const { storeBuffers } = engine;
  if (storeBuffers !== null && storeBuffers.isBuffered()) {
    // The flusher's store is told of nobody: it happens for this thread, which touches the object now.
    if (word.mem !== null) engine.observer.touched(word.mem, true, site);
    return storeBuffers.store(word, value, site);
  }
  return engine.submit(Kind.WRITE, word, value, site);
}

/** smp_mb(): no operation unless stores wait in buffers. */
export function* memoryBarrier(site: string): Kernel<void> {
  if (engine.storeBuffers !== null) yield* engine.storeBuffers.drain(site);
}

/** An atomic read-modify-write by a delta; answers the old value. */
export function add(word: Word, delta: number, site: string): Kernel<number> {
  return engine.submit(Kind.ADD, word, delta, site);
}

/** Replaces the value by a function of it, in one step (a locked read-modify-write); answers the old value. */
export function update(word: Word, f: (old: number) => number, site: string): Kernel<number> {
  return andThen(engine.submit(Kind.ADD, word, 0, site), replace, word, f);
}

function replace(word: Word, f: (old: number) => number, old: number): number {
  engine.state[word.id] = f(old);
  return old;
}

/** The value without an operation: for the end of a run, and where the guarding lock is held by everybody. */
export function peek(word: Word): number {
  const { storeBuffers } = engine;
  if (storeBuffers !== null && storeBuffers.isBuffered()) return storeBuffers.seen(word.id);
  return engine.state[word.id];
}

/** Sets the value without an operation: only before the object is published. */
export function poke(word: Word, value: number): void {
  engine.state[word.id] = value;
}

/**
 * A shared reference (or other JavaScript value) accessed without a common lock: every access is an operation.
 */
export class Ref<T> implements OpObject {
  readonly id: number;
  readonly mem: Lifetime | null;
  /** The value: read it only right after `yield* readRef`, or where nothing else can run. */
  value: T;

  constructor(name: string, value: T, mem: Lifetime | null = null) {
    this.id = engine.newObject(name, 0);
    this.mem = mem;
    this.value = value;
  }
}

export function readRef<T>(ref: Ref<T>, site: string): Kernel<T> {
  return andThen(engine.submit(Kind.READ, ref, 0, site), valueOf, ref, null);
}

function valueOf<T>(ref: Ref<T>): T {
  return ref.value;
}

export function writeRef<T>(ref: Ref<T>, value: T, site: string): Kernel<void> {
  return andThen(engine.submit(Kind.WRITE, ref, 0, site), setValue, ref, value);
}

function setValue<T>(ref: Ref<T>, value: T): void {
  ref.value = value;
}

/**
 * Plain fields that one lock guards: no operations. Say at each access that you touch them, and KCSAN checks
 * by happens-before that the lock really orders them.
 */
export class Guarded implements PlainLocation {
  readonly name: string;
  readonly mem: Lifetime | null;
  epoch = 0;
  slot = 0;

  constructor(name: string, mem: Lifetime | null = null) {
    this.name = name;
    this.mem = mem;
  }
}

export function plainRead(group: Guarded, site: string): void {
  if (group.mem !== null) engine.observer.touched(group.mem, false, site);
  engine.observer.plain(group, false, site);
}

export function plainWrite(group: Guarded, site: string): void {
  if (group.mem !== null) engine.observer.touched(group.mem, true, site);
  engine.observer.plain(group, true, site);
}

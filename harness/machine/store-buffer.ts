/**
 * Store buffers in the manner of x86-TSO (exploration.md 9): a plain store of a user thread waits in the buffer of its
 * processor until a pseudo-thread carries it to memory. A buffer is first-in-first-out; the thread itself sees its own
 * stores at once; every locked instruction, and every lock and unlock, waits until the buffer is empty.
 *
 * A real unlock of a spinlock is a plain store and would not wait: what this model allows, the hardware allows.
 */

import type { Engine } from './engine.ts';
import { HarnessBug, Kind, MAX_THREADS } from './op.ts';
import type { Kernel, OpObject } from './scenario.ts';
import { keepState } from './snapshot.ts';

/** A store on its way to memory. */
interface Entry {
  readonly id: number;
  readonly value: number;
  /** Raised when it has got there. */
  readonly done: OpObject;
  /** Raised when the next store is in the buffer. */
  readonly next: OpObject;
  isInMemory: boolean;
}

/** What one processor has stored. */
interface Buffer {
  readonly entries: Entry[];
  /** What the next store raises. */
  ready: OpObject;
  /** What is raised when the last store is in memory; null if that is known. */
  last: OpObject | null;
}

/** Kinds that do not wait for the buffer: loads, and what touches nothing shared. */
const PASSES: ReadonlySet<number> = new Set([
  Kind.LOCAL,
  Kind.CHOICE,
  Kind.READ,
  Kind.NOW,
  Kind.RELAX,
]);

export class StoreBuffers {
  private readonly engine: Engine;
  private readonly buffers: Buffer[] = [];
  /** The operation that is being published is the buffer's own. */
  private own = false;

  /** Buffers for the user threads; their pseudo-threads take the slots downwards from `top`. Called from init. */
  constructor(engine: Engine, users: number, top: number) {
    this.engine = engine;
    for (let t = 0; t < users; t++) {
      const ready = this.signal('store buffer');
      this.buffers.push({ entries: [], ready, last: null });
      const name = `store buffer of T${t + 1}`;
      engine.startPseudoThread(top - t, name, 'task', Kind.DOWN, ready, 'store buffer', () =>
        this.carry(t),
      );
    }
    keepState(() => this.buffers);
  }

  private signal(name: string): OpObject {
    return { id: this.engine.newObject(name, 0), mem: null };
  }

  private publish(kind: number, target: OpObject, arg: number, site: string): Kernel<number> {
    this.own = true;
    const step = this.engine.submit(kind, target, arg, site);
    this.own = false;
    return step;
  }

  /** The first DOWN has happened when this starts. */
  private *carry(t: number): Kernel<void> {
    const { entries } = this.buffers[t];
    for (let n = 0; ; n++) {
      const entry = entries[n];
      if (entry === undefined) throw new HarnessBug('Cannot carry a store that is not there');
      yield* this.publish(Kind.WRITE, { id: entry.id, mem: null }, entry.value, 'store buffer');
      entry.isInMemory = true;
      yield* this.publish(Kind.UP, entry.done, 0, 'store buffer');
      yield* this.publish(Kind.DOWN, entry.next, 0, 'store buffer');
    }
  }

  /** Whether the current thread has a buffer. */
  isBuffered(): boolean {
    return !this.engine.inline && this.engine.current < this.buffers.length;
  }

  /** A plain store of the current thread; answers what it saw there before. */
  *store(target: OpObject, value: number, site: string): Kernel<number> {
    const buffer = this.buffers[this.engine.current];
    const old = this.seen(target.id);
    const [done, next] = [this.signal('stored'), this.signal('store buffer')];
    buffer.entries.push({ id: target.id, value, done, next, isInMemory: false });
    const { ready } = buffer;
    buffer.ready = next;
    buffer.last = done;
    yield* this.publish(Kind.UP, ready, 0, site);
    return old;
  }

  /** A load of the current thread: its own latest store if that is not in memory yet. */
  *load(target: OpObject, site: string): Kernel<number> {
    yield* this.publish(Kind.READ, target, 0, site);
    return this.seen(target.id);
  }

  /** What the current thread takes the value of an object to be. */
  seen(id: number): number {
    const entries = this.buffers[this.engine.current]?.entries ?? [];
    for (let n = entries.length - 1; n >= 0 && !entries[n].isInMemory; n--)
      if (entries[n].id === id) return entries[n].value;
    return this.engine.state[id];
  }

  /** Whether an operation of that kind has to wait for the buffer of the current thread. */
  mustDrain(kind: number): boolean {
    if (this.own || this.engine.inline || PASSES.has(kind)) return false;
    const buffer = this.buffers[this.engine.current];
    return buffer !== undefined && buffer.last !== null;
  }

  /** Waits until the buffer of the current thread is empty. */
  *drain(site: string): Kernel<void> {
    const buffer = this.buffers[this.engine.current];
    if (this.engine.inline || buffer === undefined || buffer.last === null) return;
    const { last } = buffer;
    buffer.last = null;
    yield* this.publish(Kind.DOWN, last, 0, site);
  }

  /** Waits until the buffer of the current thread is empty, then does what was asked. */
  *drained(site: string, then: () => Kernel<number>): Kernel<number> {
    const t = this.engine.current;
    const deadline = this.engine.pArg2[t];
    yield* this.drain(site);
    this.engine.pArg2[t] = deadline;
    return yield* then();
  }
}

/** Slots that the pseudo-threads of so many buffers may take: the last ones below init's. */
export const STORE_BUFFER_TOP = MAX_THREADS - 2;

/**
 * Where the reference interpreter keeps the state of a toy program: one row of integers and one row of clocks per
 * depth, so that going back is going to the row before.
 */

import { interruptSlot, timerSlot } from './toy.ts';
import type { ToyProgram } from './toy-program.ts';

/** Fields of a thread. */
export const F = {
  /** Which operation of its list it is at, and which part of that. */
  PC: 0,
  PHASE: 1,
  /** The value read last; whether the next operation is left out. */
  LAST: 2,
  SKIP: 3,
  /** Bits: what it holds. */
  HELD: 4,
  /** Hash of all that it has seen. */
  SEEN: 5,
  /** The operation that it wants to do next: a kind of the machine, or NOTHING. */
  KIND: 6,
  OBJ: 7,
  OBJ2: 8,
  /** The second location is only read. */
  RD2: 9,
  ARG: 10,
  ARG2: 11,
  ALTS: 12,
  /** When a nap began; what a cancellation answered. */
  KEPT: 13,
  TAKEN: 14,
  INTERRUPTED: 15,
  /** Stores issued; how many of them have got to memory. */
  STORES: 16,
  CARRIED: 17,
  /** What the latest store raises, until that has been waited for; it is being waited for before the operation. */
  OWED: 18,
  DRAINS: 19,
} as const;
export const FIELDS = 20;

/** The thread has ended. */
export const NOTHING = -1;

// Objects.
export const WORD = 0;
export const SPIN = 3;
export const RWLOCK = 5;
export const SEM = 7;
export const TASK = 8;
export const BASE = 12;
export const COUNT = 13;
export const RAISED = 14;
/** From here on: what the stores of each thread raise; `ready` of the n-th is at 2n, `done` at 2n + 1. */
export const STORE = 15;
export const MOST_STORES = 8;
export const STORE_OBJECTS = 2 * MOST_STORES + 2;

export type Role = 'user' | 'nap' | 'timer' | 'interrupt' | 'flusher';

/** Who runs in a program, in the order of their slots. */
export interface Cast {
  readonly role: Role;
  /** The number on the machine. */
  readonly slot: number;
  /** The thread that it belongs to; its own number for a user. */
  readonly of: number;
}

/** The slot that the first flusher has on the machine; the others follow downwards. */
const FIRST_FLUSHER = 14;
/** Slots of the machine. */
export const SLOTS = 16;
/** Deepest execution; a longer one throws. */
export const DEPTHS = 400;

export function castOf(program: ToyProgram): Cast[] {
  const users = program.threads.length;
  const cast: Cast[] = program.threads.map((_, t) => ({ role: 'user', slot: t, of: t }));
  program.threads.forEach((ops, t) => {
    if (ops.some(({ op }) => op === 'nap')) cast.push({ role: 'nap', slot: users + t, of: t });
  });
  if (program.timer !== undefined) cast.push({ role: 'timer', slot: timerSlot(users), of: -1 });
  if (program.interrupt !== undefined)
    cast.push({ role: 'interrupt', slot: interruptSlot(users), of: -1 });
  if (program.storeBuffers)
    for (let t = users - 1; t >= 0; t--)
      cast.push({ role: 'flusher', slot: FIRST_FLUSHER - t, of: t });
  return cast;
}

/** Offsets in a row of integers. */
export interface Layout {
  readonly objects: number;
  readonly object: number;
  readonly deadline: number;
  readonly jiffies: number;
  readonly active: number;
  readonly queued: number;
  readonly queue: number;
  /** Word and value of each store of each user. */
  readonly stored: number;
  readonly size: number;
}

export function layoutOf(program: ToyProgram, threads: number): Layout {
  const users = program.threads.length;
  const objects = STORE + (program.storeBuffers ? users * STORE_OBJECTS : 0);
  const object = threads * FIELDS;
  const deadline = object + objects;
  const jiffies = deadline + threads;
  const queue = jiffies + 3;
  const stored = queue + users;
  const size = stored + (program.storeBuffers ? users * MOST_STORES * 2 : 0);
  return {
    objects,
    object,
    deadline,
    jiffies,
    active: jiffies + 1,
    queued: jiffies + 2,
    queue,
    stored,
    size,
  };
}

function roundUp(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}

/** The rows, grown when a program needs more: one machine at a time uses them. */
let integers = new Int32Array(0);
let bytes = new Uint8Array(0);

export class ReferenceRows {
  readonly program: ToyProgram;
  readonly cast: readonly Cast[];
  /** Threads of all roles. */
  readonly n: number;
  readonly users: number;
  protected readonly at: Layout;
  readonly size: number;
  readonly clockSize: number;
  readonly state: Int32Array;
  /** Clocks of threads, of last writers, of readers. */
  readonly clocks: Uint8Array;
  private readonly clockWords: Int32Array;
  /** Where the row in use starts. */
  protected row = 0;
  protected clockRow = 0;

  constructor(program: ToyProgram) {
    this.program = program;
    this.cast = castOf(program);
    this.n = this.cast.length;
    this.users = program.threads.length;
    this.at = layoutOf(program, this.n);
    this.size = roundUp(this.at.size, 2);
    this.clockSize = roundUp((this.n + 2 * this.at.objects) * this.n, 8);
    if (integers.length < this.size * DEPTHS) integers = new Int32Array(this.size * DEPTHS);
    if (bytes.length < this.clockSize * DEPTHS) bytes = new Uint8Array(this.clockSize * DEPTHS);
    this.state = integers;
    this.clocks = bytes;
    this.clockWords = new Int32Array(bytes.buffer);
    this.state.fill(0, 0, this.size);
    this.clocks.fill(0, 0, this.clockSize);
  }

  /** The state at depth d is what questions and steps are about. */
  use(d: number): void {
    this.row = d * this.size;
    this.clockRow = d * this.clockSize;
  }

  /** Copies the row of depth d to the next one, which is used from then on. */
  descend(d: number): void {
    if (d + 1 >= DEPTHS) throw new RangeError('The reference has no room for so long an execution');
    this.use(d + 1);
    this.state.copyWithin(this.row, this.row - this.size, this.row);
    this.clocks.copyWithin(this.clockRow, this.clockRow - this.clockSize, this.clockRow);
  }

  protected get(t: number, field: number): number {
    return this.state[this.row + t * FIELDS + field];
  }

  protected put(t: number, field: number, value: number): void {
    this.state[this.row + t * FIELDS + field] = value;
  }

  protected object(o: number): number {
    return this.state[this.row + this.at.object + o];
  }

  protected setObject(o: number, value: number): void {
    this.state[this.row + this.at.object + o] = value;
  }

  protected global(offset: number): number {
    return this.state[this.row + offset];
  }

  protected setGlobal(offset: number, value: number): void {
    this.state[this.row + offset] = value;
  }

  /** Hash of the whole row of depth d, clocks included: two chains of 32 bits, so that they run side by side. */
  stateHash(d: number): number {
    let a = 0x811c9dc5;
    let b = 0x2545f491;
    const { state, clockWords } = this;
    let i = d * this.size;
    for (let end = i + this.size; i < end; i += 2) {
      a = Math.imul(a ^ state[i], 0x01000193) + 0x9e37;
      b = Math.imul(b ^ state[i + 1], 0x85ebca6b) + 0x79b9;
    }
    i = (d * this.clockSize) >> 2;
    for (let end = i + (this.clockSize >> 2); i < end; i += 2) {
      a = Math.imul(a ^ clockWords[i], 0x01000193) + 0x9e37;
      b = Math.imul(b ^ clockWords[i + 1], 0x85ebca6b) + 0x79b9;
      a ^= a >>> 15;
      b ^= b >>> 13;
    }
    return (a >>> 0) * 0x200000 + (b >>> 11);
  }
}

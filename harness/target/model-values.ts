/** Arguments of a program as the raw integers of the ABI, and what the calling thread can name. */

import { flagOf, maskWord } from '../abi/index.ts';
import type { UserMemory } from '../machine/index.ts';
import type { Arg, PointerName } from '../program/program.ts';

/** What a name stands for at run time. */
export interface Bound {
  readonly fd: number;
  /** Address of a mapping, for the name of an mmap(). */
  readonly address: number;
}

const UNBOUND: Bound = { fd: -1, address: -1 };

/** Names that a thread can use: its own, then those of init. */
export class Scope {
  private readonly own = new Map<string, Bound>();
  private readonly outer: Scope | null;

  constructor(outer: Scope | null) {
    this.outer = outer;
  }

  /** Forgets every name. */
  clear(): void {
    if (this.own.size > 0) this.own.clear();
  }

  bindFd(name: string, fd: number): void {
    this.own.set(name, { fd, address: -1 });
  }

  bindAddress(name: string, address: number): void {
    this.own.set(name, { fd: -1, address });
  }

  get(name: string): Bound {
    return this.own.get(name) ?? this.outer?.get(name) ?? UNBOUND;
  }
}

/** Names of registrations as the 64-bit user data of an event, and back. */
export class Symbols {
  private readonly names: string[] = [];
  private readonly numbers = new Map<string, number>();

  /** The data that stands for a symbol. */
  dataOf(name: string): number {
    let n = this.numbers.get(name);
    if (n === undefined) {
      n = this.names.length + DATA_OF_SYMBOLS;
      this.names.push(name);
      this.numbers.set(name, n);
    }
    return n;
  }

  /** The symbol, or the number itself for data given with `data=`. */
  nameOf(data: number): string {
    return this.names[data - DATA_OF_SYMBOLS] ?? String(data);
  }
}

/** Symbols start here, so that explicit data below prints as itself. */
const DATA_OF_SYMBOLS = 0x1000000;

/** Arguments are immutable, so their bits are looked up once. */
const knownBits = new WeakMap<Arg, number>();

/** Bits of a flags, mask, int or op argument; 0 for one that is absent. */
export function bitsOf(arg: Arg | undefined): number {
  if (arg === undefined) return 0;
  if (arg.kind === 'int') return arg.value;
  if (arg.kind !== 'flags') return 0;
  let bits = knownBits.get(arg);
  if (bits === undefined) {
    bits = 0;
    for (const name of arg.names) bits |= flagOf(name)?.value ?? maskWord(name) ?? Number(name);
    bits >>>= 0;
    knownBits.set(arg, bits);
  }
  return bits;
}

export function intOf(arg: Arg | undefined, absent = 0): number {
  if (arg === undefined) return absent;
  return arg.kind === 'int' ? arg.value : arg.kind === 'flags' ? bitsOf(arg) : absent;
}

/** The descriptor number of an argument. */
export function fdOf(arg: Arg | undefined, scope: Scope): number {
  if (arg === undefined) return -1;
  if (arg.kind === 'int') return arg.value;
  return arg.kind === 'name' ? scope.get(arg.name).fd : -1;
}

/** How a descriptor argument is called in results: its name, or the number itself. */
export function labelOf(arg: Arg | undefined): string {
  if (arg === undefined) return '?';
  if (arg.kind === 'name') return arg.name;
  return arg.kind === 'int' ? String(arg.value) : '?';
}

/** The positional arguments, without the labelled ones. */
export function positional(args: readonly Arg[]): readonly Arg[] {
  return args.some((a) => a.kind === 'labelled') ? args.filter((a) => a.kind !== 'labelled') : args;
}

export function labelled(args: readonly Arg[], label: string): Arg | undefined {
  for (const arg of args) if (arg.kind === 'labelled' && arg.label === label) return arg.value;
  return undefined;
}

const ARENA = 0x10000000;
const ARENA_SIZE = 0x100000;
const READ_ONLY = 0x08000000;
const PARTLY = 0x30000000;
const POINTERS: Readonly<Record<PointerName, number>> = {
  NULL: 0,
  BAD: 0x1000,
  RO: READ_ONLY,
  KERNEL: 0xc0001000,
};

/** The address that a bad pointer stands for. */
export function pointerAddress(where: PointerName): number {
  return POINTERS[where];
}

/** Buffers of the calling threads in the address space of the process. */
export class Arenas {
  private mm: UserMemory;
  private made = 0;

  constructor(mm: UserMemory) {
    this.mm = mm;
  }

  /** Starts over in the address space of a new run. */
  reset(mm: UserMemory): void {
    this.mm = mm;
    this.made = 0;
    mm.mapAt(READ_ONLY, ARENA_SIZE, true, false);
  }

  /** A buffer of the thread that is readable and writable. */
  of(thread: number): number {
    const start = ARENA + (thread + 1) * ARENA_SIZE * 2;
    const bit = 1 << (thread + 1);
    if ((this.made & bit) === 0) {
      this.made |= bit;
      this.mm.mapAt(start, ARENA_SIZE, true, true);
    }
    return start;
  }

  /** The address a `buf=` argument stands for; the thread's buffer when there is none. */
  bufferFor(arg: Arg | undefined, thread: number, elementSize: number): number {
    if (arg === undefined) return this.of(thread);
    if (arg.kind === 'pointer') return POINTERS[arg.where];
    if (arg.kind !== 'mapped') return this.of(thread);
    // The mapped part ends where the elements end; each thread and size has a place of its own.
    const bytes = arg.elements * elementSize;
    const start = PARTLY + (thread + 1) * ARENA_SIZE + arg.elements * 0x1000;
    if (bytes > 0 && this.mm.find(start) === null) this.mm.mapAt(start, bytes, true, true);
    return start;
  }
}

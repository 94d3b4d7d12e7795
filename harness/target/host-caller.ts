/**
 * What one actor makes its system calls with: memory to point them at, and the shared table of descriptors.
 */

import { errnoName } from '../abi/index.ts';
import type { Result } from '../history/history.ts';
import { IOCBS_BYTES, Iocbs, type Resolver } from './host-iocbs.ts';
import { NR, type Arena, type Libc, type SyscallArgument } from './host-libc.ts';
import type { HostArg } from './host-plan.ts';
import { ACTOR, actorAt, monotonicMs, type Shared } from './host-shared.ts';

const PAGE = 4096;
const BUFFER_PAGES = 257;
/** An address of the kernel: no process may give it to a system call. */
const KERNEL_ADDRESS = BigInt.asIntN(64, 0xffff_8880_0000_0000n);

/** Where things lie in the scratch page. */
export const SCRATCH = {
  event: 0,
  pair: 64,
  address: 128,
  length: 160,
  signals: 192,
  time: 256,
  timer: 320,
  value: 384,
  path: 512,
  pollfds: 1024,
} as const;

export const POLLFDS_MAX = (PAGE - SCRATCH.pollfds) / 8;
/** The addresses of request blocks lie where pollfds do. */
export const IOCB_POINTERS_MAX = POLLFDS_MAX;

const textDecoder = new TextDecoder('latin1');

/** The private folder and what else an actor must know of its process. */
export interface Surroundings {
  readonly folder: string;
  readonly shared: Shared;
  readonly libc: Libc;
  readonly actor: number;
  /** Where the request blocks of all actors lie. */
  readonly iocbsAt: number;
}

export class Caller implements Resolver {
  readonly shared: Shared;
  readonly folder: string;
  /** What the data of registrations stands for; of the program that is loaded. */
  symbols: readonly string[] = [];
  /** Names of its request blocks. */
  iocbNames: readonly string[] = [];
  readonly iocbs: Iocbs;
  readonly #libc: Libc;
  readonly #arena: Arena;
  readonly #words: number;
  readonly #buffer: number;
  readonly #guard: number;
  readonly #readOnly: number;

  constructor({ folder, shared, libc, actor, iocbsAt }: Surroundings) {
    this.iocbs = new Iocbs(libc.view(iocbsAt, IOCBS_BYTES));
    this.shared = shared;
    this.folder = folder;
    this.#libc = libc;
    this.#words = actorAt(actor);
    // Scratch page, read-only page, buffer, guard page: what runs off the end of the buffer faults.
    this.#arena = libc.map((2 + BUFFER_PAGES + 1) * PAGE);
    this.#readOnly = this.#arena.base + PAGE;
    this.#buffer = this.#arena.base + 2 * PAGE;
    this.#guard = this.#buffer + BUFFER_PAGES * PAGE;
    libc.sys(NR.mprotect, this.#readOnly, PAGE, 1);
    libc.sys(NR.mprotect, this.#guard, PAGE, 0);
  }

  /** A system call that cannot sleep for long, or whose sleep only another thread can end. */
  sys(nr: number, ...args: readonly SyscallArgument[]): number {
    const { words } = this.shared;
    Atomics.store(words, this.#words + ACTOR.nr, nr);
    Atomics.add(words, this.#words + ACTOR.sequence, 1);
    return this.#libc.sys(nr, ...args);
  }

  /** A system call that ends by itself after a time; a timeout below 0 means it does not. */
  timedSys(timeoutMs: number, nr: number, ...args: readonly SyscallArgument[]): number {
    const { words } = this.shared;
    Atomics.store(words, this.#words + ACTOR.wakesItself, timeoutMs < 0 ? 0 : 1);
    const r = this.sys(nr, ...args);
    Atomics.store(words, this.#words + ACTOR.wakesItself, 0);
    return r;
  }

  /** The kernel's id of the thread that runs a program thread. */
  threadId(thread: number): number {
    return Atomics.load(this.shared.words, actorAt(thread) + ACTOR.tid);
  }

  /** Says that a timer may end somebody's blocked call during the next milliseconds. */
  timerArmed(ms: number): void {
    this.shared.times[0] = Math.max(this.shared.times[0] ?? 0, monotonicMs() + ms);
  }

  /** The number of a descriptor argument: of its slot, or the literal. */
  fd(arg: HostArg | undefined): number {
    if (arg?.kind === 'slot') return Atomics.load(this.shared.fds, arg.slot);
    return arg?.kind === 'int' ? arg.value : -1;
  }

  /** Notes a new descriptor, so that the iteration's end closes it. */
  own(fd: number, slot: number | undefined, kind: 1 | 2 = 1): void {
    this.shared.owned[fd] = kind;
    if (slot !== undefined) Atomics.store(this.shared.fds, slot, fd);
  }

  /** Address of a place in the scratch page. */
  scratch(at: number): number {
    return this.#arena.base + at;
  }

  get view(): DataView {
    return this.#arena.view;
  }

  get bytes(): Uint8Array {
    return this.#arena.bytes;
  }

  get buffer(): number {
    return this.#buffer;
  }

  /** Offset in the arena of an address in it. */
  offsetOf(address: SyscallArgument): number {
    return Number(address) - this.#arena.base;
  }

  /** Where a `buf=` argument points; without one, a buffer of a megabyte. */
  target(arg: HostArg | undefined, elementBytes: number): SyscallArgument {
    if (arg?.kind === 'mapped') return this.#guard - arg.elements * elementBytes;
    return arg?.kind === 'pointer' ? this.pointer(arg.where) : this.#buffer;
  }

  pointer(where: 'NULL' | 'BAD' | 'RO' | 'KERNEL'): SyscallArgument {
    if (where === 'NULL') return 0;
    if (where === 'KERNEL') return KERNEL_ADDRESS;
    return where === 'RO' ? this.#readOnly : this.#guard;
  }

  /** Puts a path into the scratch page; its address. */
  path(path: string): number {
    const bytes = new TextEncoder().encode(path);
    this.bytes.set(bytes, SCRATCH.path);
    this.bytes[SCRATCH.path + bytes.length] = 0;
    return this.scratch(SCRATCH.path);
  }

  /** Bytes that a call left at an address of the arena, one character each. */
  text(address: SyscallArgument, length: number): string {
    const at = this.offsetOf(address);
    return textDecoder.decode(this.bytes.subarray(at, at + length));
  }
}

/** The result of a call that answers with a number. */
export function valueOrErrno(r: number): Result {
  return r < 0 ? errnoResult(r) : { kind: 'value', value: r };
}

/** The result for minus an errno. */
export function errnoResult(r: number): Result {
  return { kind: 'errno', errno: errnoName(-r) };
}

/** The address space of the process: ranges that are readable, writable or neither, and faulting copies. */

import { atOnce } from './at-once.ts';
import { engine, type Kernel, type OpObject } from './engine.ts';
import { canFail, injectFault } from './memory.ts';
import { USER_COPY } from './wording.ts';
import { Kind } from './op.ts';

/** Addresses from here on belong to the kernel (i386 split). */
export const PAGE_OFFSET = 0xc0000000;
export const PAGE_SIZE = 4096;

export interface Range {
  readonly start: number;
  /** Bytes. */
  length: number;
  readable: boolean;
  writable: boolean;
  /** What a driver mapped here, or null for anonymous memory. */
  readonly backing: unknown;
  /** What was stored, by offset. Structures are stored whole. */
  readonly stored: Map<number, unknown>;
}

export class UserMemory {
  private readonly ranges: Range[] = [];
  private nextFree = 0x60000000;
  /** Parts that several threads touch with nothing that orders them: each access is an operation. */
  private readonly racy: {
    readonly start: number;
    readonly end: number;
    readonly object: OpObject;
  }[] = [];

  /** Maps `length` bytes (rounded up to pages) at a fresh address and answers the range. */
  map(length: number, readable: boolean, writable: boolean, backing: unknown = null): Range {
    const size = Math.max(1, Math.ceil(length / PAGE_SIZE)) * PAGE_SIZE;
    const range = this.mapAt(this.nextFree, length, readable, writable, backing);
    this.nextFree += size + PAGE_SIZE;
    return range;
  }

  /** Maps exactly `length` bytes at `start`; what stands before and behind is as it was. */
  mapAt(
    start: number,
    length: number,
    readable: boolean,
    writable: boolean,
    backing: unknown = null,
  ): Range {
    const range: Range = { start, length, readable, writable, backing, stored: new Map() };
    this.ranges.push(range);
    return range;
  }

  unmap(range: Range): void {
    const at = this.ranges.indexOf(range);
    if (at >= 0) this.ranges.splice(at, 1);
  }

  /** The range that holds the address, or null. */
  find(address: number): Range | null {
    return this.ranges.find((r) => address >= r.start && address < r.start + r.length) ?? null;
  }

  all(): readonly Range[] {
    return this.ranges;
  }

  /** access_ok(): only that the range lies below the kernel. */
  accessOk(address: number, length: number): boolean {
    return address >= 0 && address + length <= PAGE_OFFSET;
  }

  /** Whether `length` bytes at the address can be written (or read) without a fault. */
  permits(address: number, length: number, write: boolean): boolean {
    const range = this.find(address);
    if (range === null || address + length > range.start + range.length) return false;
    return write ? range.writable : range.readable;
  }

  store(address: number, value: unknown): void {
    const range = this.find(address);
    if (range === null) return;
    const offset = address - range.start;
    if (typeof value === 'string') overwrite(range, offset, offset + value.length);
    range.stored.set(offset, value);
  }

  /** From here on accesses to these bytes are operations on the object. */
  race(start: number, length: number, object: OpObject): void {
    this.racy.push({ start, end: start + length, object });
  }

  /** What an access to that address is an operation on, or null. */
  racedAt(address: number): OpObject | null {
    if (this.racy.length === 0) return null;
    return this.racy.find((r) => address >= r.start && address < r.end)?.object ?? null;
  }

  load(address: number): unknown {
    const range = this.find(address);
    return range === null ? undefined : range.stored.get(address - range.start);
  }
}

/** Forgets the strings that begin between two offsets: their bytes are others now. */
function overwrite(range: Range, offset: number, end: number): void {
  for (const [at, old] of range.stored)
    if (at > offset && at < end && typeof old === 'string') range.stored.delete(at);
}

/** An access to user memory: an operation where threads race for it, nothing elsewhere. */
export function touchUser(
  mm: UserMemory,
  address: number,
  write: boolean,
  site: string,
): Kernel<unknown> {
  const object = mm.racedAt(address);
  if (object === null || engine.inline) return atOnce(null);
  return engine.submit(write ? Kind.WRITE : Kind.READ, object, 0, site);
}

/** Whether a copy is more than a look at what is mapped: it may be made to fail, or threads race for the bytes. */
function isCopyInSteps(mm: UserMemory, address: number): boolean {
  return canFail() || mm.racedAt(address) !== null;
}

/**
 * copy_to_user / put_user of one structure: true if it was stored, false on a fault. May sleep. A store through
 * an unchecked kernel address goes through and is reported (KASAN-WILD).
 */
export function copyToUser(
  mm: UserMemory,
  address: number,
  length: number,
  value: unknown,
  site: string,
): Kernel<boolean> {
  engine.observer.mightSleep(site);
  if (isCopyInSteps(mm, address)) return copyOutInSteps(mm, address, length, value, site);
  if (isWild(address, length, site)) return atOnce(true);
  const ok = mm.permits(address, length, true);
  if (ok) mm.store(address, value);
  return atOnce(ok);
}

function isWild(address: number, length: number, site: string): boolean {
  if (address < PAGE_OFFSET) return false;
  const what = `write of ${length} bytes to a kernel address chosen by the user`;
  engine.observer.report('KASAN-WILD', site, what);
  return true;
}

function* copyOutInSteps(
  mm: UserMemory,
  address: number,
  length: number,
  value: unknown,
  site: string,
): Kernel<boolean> {
  if (yield* injectFault(site, USER_COPY)) return false;
  if (isWild(address, length, site)) return true;
  if (!mm.permits(address, length, true)) return false;
  yield* touchUser(mm, address, true, site);
  mm.store(address, value);
  return true;
}

/** copy_from_user: false on a fault. The value is what `load` finds; callers that need none ignore it. */
export function copyFromUser(
  mm: UserMemory,
  address: number,
  length: number,
  site: string,
): Kernel<boolean> {
  engine.observer.mightSleep(site);
  if (isCopyInSteps(mm, address)) return copyInInSteps(mm, address, length, site);
  return atOnce(address < PAGE_OFFSET && mm.permits(address, length, false));
}

function* copyInInSteps(
  mm: UserMemory,
  address: number,
  length: number,
  site: string,
): Kernel<boolean> {
  if (yield* injectFault(site, USER_COPY)) return false;
  if (address >= PAGE_OFFSET || !mm.permits(address, length, false)) return false;
  yield* touchUser(mm, address, false, site);
  return true;
}

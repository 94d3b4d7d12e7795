/**
 * Mappings of files: mmap, munmap, and what exit does about them.
 *
 * After Linux 2.5.44 mm/mmap.c, written from general knowledge. Differs: a mapping goes whole or not at all.
 */

import {
  PAGE_SIZE,
  RwSem,
  add,
  downWrite,
  engine,
  keepState,
  newWord,
  peek,
  read,
  upWrite,
  write,
  type Kernel,
  type Range,
  type UserMemory,
  type Word,
} from '../../machine/index.ts';
import { E } from '../kernel.ts';
import { fget, fput, lookFd, mm, type File } from '../fs/file.ts';

/** What a driver puts behind a range of user memory: the VMA with its file reference. */
export class Mapping {
  readonly file: File;
  /** Step that made it. */
  readonly site: string;
  /** vm_ops->close. */
  readonly close: () => Kernel<void>;
  /** Whether the user was ever told an address in it. */
  isKnown = false;

  constructor(file: File, site: string, close: () => Kernel<void>) {
    this.file = file;
    this.site = site;
    this.close = close;
  }
}

let sem: RwSem | null = null;
let tables: Word | null = null;
/** The address space that they are of: a kernel that maps no files makes none, and those of another are not its own. */
let owner: UserMemory | null = null;

/** Makes mmap_sem and the page tables of the process; called from boot after resetFiles(). */
export function resetMmap(): void {
  sem = new RwSem('mmap_sem');
  tables = newWord('page tables', 0);
  owner = mm;
  keepState(
    () => sem,
    () => tables,
    () => owner,
  );
}

/** current->mm->mmap_sem. */
export function mmapSem(): RwSem {
  return (sem ??= new RwSem('mmap_sem'));
}

/** The page tables as one object: who maps or unmaps writes it. */
export function pageTables(): Word {
  return (tables ??= newWord('page tables', 0));
}

/** The page table walk of a user access: one step, ordered with mmap and munmap. The mapping, or null. */
export function* walkPageTables(address: number, site: string): Kernel<Range | null> {
  yield* read(pageTables(), site);
  return mm.find(address);
}

/**
 * do_mmap(): maps `length` bytes of the file and answers the address or -errno. Needs mmap_sem for writing; the
 * mapping takes a reference on the file. The method names pageTables() in the step that maps. Length 0 succeeds with address 0.
 */
export function* doMmap(
  file: File,
  length: number,
  protection: number,
  flags: number,
  offset: number,
  site: string,
): Kernel<number> {
  if (file.ops.mmap === undefined) return -E.ENODEV;
  if (length === 0) return 0;
  // A step, because epoll_create() comes here without holding a reference of its own.
  yield* add(file.count, 1, site);
  const address = yield* file.ops.mmap(file, length, protection, flags, offset);
  if (address < 0) yield* fput(file, site);
  return address;
}

/** sys_mmap2() of a file: the address or -errno. `length` and `offset` in bytes. */
export function* sysMmap(
  fd: number,
  length: number,
  protection: number,
  flags: number,
  offset: number,
): Kernel<number> {
  const file = yield* fget(fd, 'sys_mmap');
  if (file === null) return -E.EBADF;
  yield* downWrite(mmapSem(), 'sys_mmap');
  const address =
    offset % PAGE_SIZE === 0
      ? yield* doMmap(file, length, protection, flags, offset, 'sys_mmap')
      : -E.EINVAL;
  if (address > 0) noteKnown(address);
  yield* upWrite(mmapSem(), 'sys_mmap');
  yield* fput(file, 'sys_mmap');
  return address;
}

/** sys_munmap() of the whole mapping that holds the address; 0 also when there is none. */
export function* sysMunmap(address: number): Kernel<number> {
  if (address % PAGE_SIZE !== 0) return -E.EINVAL;
  yield* downWrite(mmapSem(), 'sys_munmap');
  const range = mm.find(address);
  if (range !== null) yield* removeRange(range, 'sys_munmap');
  yield* upWrite(mmapSem(), 'sys_munmap');
  return 0;
}

/** The mappings of the file at a descriptor, or all of them for null: one look at each table. */
export function* mappingsAt(fd: number | null, site: string): Kernel<readonly Range[]> {
  const file = fd === null ? null : yield* lookFd(fd, site);
  if (owner !== mm) return [];
  yield* read(pageTables(), site);
  return fd !== null && file === null ? [] : mappingsOf(file);
}

function mappingsOf(file: File | null): Range[] {
  return mm
    .all()
    .filter((r) => r.backing instanceof Mapping && (file === null || r.backing.file === file));
}

function* removeRange(range: Range, site: string): Kernel<void> {
  yield* write(pageTables(), 0, site);
  mm.unmap(range);
  if (!(range.backing instanceof Mapping)) return;
  yield* range.backing.close();
  yield* fput(range.backing.file, site);
}

/** Notes that the user has learnt this address, and so could unmap what is there. */
export function noteKnown(address: number): void {
  const backing = mm.find(address)?.backing;
  if (backing instanceof Mapping) backing.isKnown = true;
}

/**
 * exit_mmap(). What only exit can give back, because no descriptor is left and the user never learnt the address,
 * is reported as leaked first.
 */
export function* exitMmap(): Kernel<void> {
  const ranges = mappingsOf(null);
  for (const { backing } of ranges) {
    if (!(backing instanceof Mapping) || backing.isKnown) continue;
    if (peek(backing.file.count) > mappingsOf(backing.file).length) continue;
    const what = 'a mapping that the user was never told keeps the file alive after its last close';
    engine.observer.report('LEAK', backing.site, what);
  }
  for (const range of ranges) yield* removeRange(range, 'exit_mmap');
}

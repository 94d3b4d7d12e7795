/** Anonymous mappings and fork() of 2.6.20, as far as the rings of AIO meet them (A-R25, A-B16, A-B17). */

import { downWrite, upWrite, type Kernel } from '../../machine/index.ts';
import { mm } from '../fs/file.ts';
import { aio } from '../fs/aio/kioctx.ts';
import { AioRing, unmapBetween } from '../fs/aio/ring.ts';
import { E, type Syscall } from '../kernel.ts';

/** munmap(address): the whole mapping that begins there; EINVAL if none does. */
function* sysMunmap(args: readonly number[]): Kernel<number> {
  const [address] = args;
  yield* downWrite(aio.mmapSem, 'sys_munmap');
  const range = mm.all().find((r) => r.start === address);
  if (range !== undefined) mm.unmap(range);
  yield* upWrite(aio.mmapSem, 'sys_munmap');
  return range === undefined ? -E.EINVAL : 0;
}

/**
 * mmap(fd, length, prot, flags, offset, address): anonymous memory exactly at `address` in place of what is there
 * (MAP_FIXED); answers the address. ENODEV with a descriptor: no kind of file has a mapping of its own.
 */
function* sysMmap(args: readonly number[]): Kernel<number> {
  const [fd, length, , , , address] = args;
  if (fd >= 0) return -E.ENODEV;
  if (address === undefined || address <= 0 || length <= 0) return -E.EINVAL;
  yield* downWrite(aio.mmapSem, 'sys_mmap');
  unmapBetween(address, address + length);
  mm.mapAt(address, length, true, true);
  yield* upWrite(aio.mmapSem, 'sys_mmap');
  return address;
}

const CHILD = 1001;

/** fork(): the number of a child that sleeps for ever. It has copies of all pages, made when somebody writes. */
function* sysFork(): Kernel<number> {
  yield* downWrite(aio.mmapSem, 'sys_fork');
  for (const { backing } of mm.all()) if (backing instanceof AioRing) backing.forked();
  yield* upWrite(aio.mmapSem, 'sys_fork');
  return CHILD;
}

/** The calls, by name. */
export const memorySyscalls: readonly (readonly [string, Syscall])[] = [
  ['mmap', sysMmap],
  ['munmap', sysMunmap],
  ['fork', sysFork],
];

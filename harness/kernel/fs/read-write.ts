/**
 * read, write, close, dup and fcntl: what every kind of file has in common.
 *
 * From Linux fs/read_write.c, fs/open.c and fs/fcntl.c (2.6.20; 2.5.44 is the same as far as this goes).
 */

import { andThen, atOnce, read, write, type Kernel } from '../../machine/index.ts';
import { E } from '../kernel.ts';
import { ERESTARTSYS } from './aio/abi.ts';
import {
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  closeFd,
  dupTo,
  fdInstall,
  fget,
  fput,
  getUnusedFd,
  mm,
  setCloexec,
  isCloexec,
  type AioMethod,
  type File,
} from './file.ts';

const ACCESS_MODE = 3;
/** O_APPEND, O_NONBLOCK, O_DIRECT and O_NOATIME: what F_SETFL can change. */
const SETFL_MASK = 0o2000 | O_NONBLOCK | 0o40000 | 0o1000000;

/** FMODE_READ. */
export function isReadable(file: File): boolean {
  return (file.flags & ACCESS_MODE) !== O_WRONLY;
}

/** FMODE_WRITE. */
export function isWritable(file: File): boolean {
  return (file.flags & ACCESS_MODE) !== O_RDONLY;
}

/** O_NONBLOCK, when nobody can change it meanwhile. */
export function isNonblocking(file: File): boolean {
  return (file.flags & O_NONBLOCK) !== 0;
}

/** O_NONBLOCK as it is now: an operation in programs where a thread changes flags. */
export function looksNonblocking(file: File, site: string): Kernel<boolean> {
  if (file.flagsWord === null) return atOnce(isNonblocking(file));
  return andThen(read(file.flagsWord, site), isNonblocking, file, null);
}

/** read(fd, address, count): bytes, or EBADF, EINVAL (no method, negative count), EFAULT, and the file's own. */
export function* sysRead(args: readonly number[]): Kernel<number> {
  const [fd, address, count] = args;
  const file = yield* fget(fd, 'sys_read');
  if (file === null) return -E.EBADF;
  const result = yield* vfsRead(file, address, count);
  yield* fput(file, 'sys_read');
  return result;
}

function vfsRead(file: File, address: number, count: number): Kernel<number> {
  if (!isReadable(file)) return atOnce(-E.EBADF);
  const { read: method, aioRead } = file.ops;
  if (method === undefined && aioRead === undefined) return atOnce(-E.EINVAL);
  if (count < 0) return atOnce(-E.EINVAL);
  if (!mm.accessOk(address, count)) return atOnce(-E.EFAULT);
  if (method !== undefined) return method(file, address, count);
  return aioRead === undefined ? atOnce(-E.EINVAL) : doSync(aioRead, file, address, count);
}

/** write(fd, address, count): bytes, or EBADF, EINVAL, EFAULT, and the file's own. */
export function* sysWrite(args: readonly number[]): Kernel<number> {
  const [fd, address, count] = args;
  const file = yield* fget(fd, 'sys_write');
  if (file === null) return -E.EBADF;
  const result = yield* vfsWrite(file, address, count);
  yield* fput(file, 'sys_write');
  return result;
}

function vfsWrite(file: File, address: number, count: number): Kernel<number> {
  if (!isWritable(file)) return atOnce(-E.EBADF);
  const { write: method, aioWrite } = file.ops;
  if (method === undefined && aioWrite === undefined) return atOnce(-E.EINVAL);
  if (count < 0) return atOnce(-E.EINVAL);
  if (!mm.accessOk(address, count)) return atOnce(-E.EFAULT);
  if (method !== undefined) return method(file, address, count);
  return aioWrite === undefined ? atOnce(-E.EINVAL) : doSync(aioWrite, file, address, count);
}

/**
 * do_sync_read() and do_sync_write(): the method of AIO, which waits. On the way to user mode a call that a
 * signal interrupted fails with EINTR, as every handler is taken to be installed without SA_RESTART.
 */
function* doSync(method: AioMethod, file: File, address: number, count: number): Kernel<number> {
  const result = yield* method(file, null, [{ base: address, length: count }], 0, 0);
  return result === -ERESTARTSYS ? -E.EINTR : result;
}

/** close(fd): 0 or EBADF. */
export function sysClose(args: readonly number[]): Kernel<number> {
  return closeFd(args[0], 'sys_close');
}

/** dup(fd): the lowest free number, EBADF or EMFILE. */
export function sysDup(args: readonly number[]): Kernel<number> {
  return duplicate(args[0], 'sys_dup');
}

function* duplicate(from: number, site: string): Kernel<number> {
  const file = yield* fget(from, site);
  if (file === null) return -E.EBADF;
  const fd = yield* getUnusedFd(site);
  // The reference of the lookup becomes the new descriptor's.
  if (fd < 0) yield* fput(file, site);
  else yield* fdInstall(fd, file, site);
  return fd;
}

/** dup2(from, to): `to`, or EBADF. */
export function sysDup2(args: readonly number[]): Kernel<number> {
  return dupTo(args[0], args[1], 'sys_dup2');
}

const F_DUPFD = 0;
const F_GETFD = 1;
const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;

/**
 * fcntl(fd, cmd, arg) with F_DUPFD, F_GETFD, F_SETFD, F_GETFL and F_SETFL; EBADF, EINVAL.
 * Differs: F_DUPFD takes the lowest free number whatever its argument; programs do not choose numbers.
 */
export function* sysFcntl(args: readonly number[]): Kernel<number> {
  const [fd, command, argument] = args;
  const file = yield* fget(fd, 'sys_fcntl');
  if (file === null) return -E.EBADF;
  const result = yield* doFcntl(file, fd, command, argument ?? 0);
  yield* fput(file, 'sys_fcntl');
  return result;
}

function* doFcntl(file: File, fd: number, command: number, argument: number): Kernel<number> {
  switch (command) {
    case F_DUPFD:
      return yield* duplicate(fd, 'sys_fcntl');
    case F_GETFD:
      if (file.flagsWord !== null) yield* read(file.flagsWord, 'sys_fcntl');
      return isCloexec(fd) === true ? 1 : 0;
    case F_SETFD:
      if (file.flagsWord !== null) yield* write(file.flagsWord, 0, 'sys_fcntl');
      setCloexec(fd, (argument & 1) !== 0);
      return 0;
    case F_GETFL:
      if (file.flagsWord !== null) yield* read(file.flagsWord, 'sys_fcntl');
      return file.flags;
    case F_SETFL:
      if (file.flagsWord !== null) yield* write(file.flagsWord, 0, 'sys_fcntl');
      file.flags = (file.flags & ~SETFL_MASK) | (argument & SETFL_MASK);
      return 0;
    default:
      return -E.EINVAL;
  }
}

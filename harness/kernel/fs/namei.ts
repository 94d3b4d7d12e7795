/**
 * Paths: the few that programs open, FIFOs they make, and /proc/self/fd.
 *
 * Written from the manual pages. There is no directory tree: a path is a key.
 */

import { keepState, newWord, read, write, type Kernel, type Word } from '../../machine/index.ts';
import { E } from '../kernel.ts';
import { FIRST_FD, O_CLOEXEC, File, fget, fput, installFd, mm } from './file.ts';
import {
  newRegular,
  newTty,
  openDirectory,
  openMaster,
  openRegular,
  openTty,
  openZero,
} from './regular.ts';

/** Opens what stands at a path: a new file, or -errno. */
export type Opener = (flags: number) => Kernel<File | number>;

/** What stands at a path. */
export interface PathNode {
  /** What it is about, where whoever keeps the state of the kernel can find it; null if there is no state. */
  readonly inode: object | null;
  readonly open: Opener;
}

/** What differs between kernels. */
export interface FileSystem {
  /** A new FIFO with nobody at it. */
  makeFifo(): PathNode;
  /** Devices beyond the common ones, by path. */
  readonly devices: ReadonlyMap<string, Opener>;
}

const O_CREAT = 0o100;
const O_EXCL = 0o200;
const ACCESS_MODE = 3;
const PROC_FD = '/proc/self/fd/';

let system: FileSystem | null = null;
let nodes = new Map<string, PathNode>();
let directory: Word = { id: 0, mem: null, name: 'directory' };

/** Forgets all paths but the standing ones; called from boot. */
export function resetNames(fs: FileSystem): void {
  system = fs;
  directory = newWord('directory', 0);
  nodes = new Map();
  for (const [path, open] of fs.devices) nodes.set(path, { inode: null, open });
  const terminal = newTty();
  const pair = newTty();
  nodes.set('/dev/tty', nodeOf(terminal, openTty));
  nodes.set('/dev/pts/0', nodeOf(pair, openTty));
  nodes.set('/dev/ptmx', nodeOf(pair, openMaster));
  nodes.set(
    '/dev/zero',
    nodeOf(null, (_none, flags) => openZero(flags)),
  );
  nodes.set('/tmp/file', nodeOf(newRegular(), openRegular));
  const root: PathNode = { inode: null, open: directoryOpener };
  for (const path of ['/tmp', '/', '.']) nodes.set(path, root);
  keepState(
    () => nodes,
    () => directory,
  );
}

/** A node whose opens cannot sleep. */
function nodeOf<T extends object | null>(
  inode: T,
  open: (inode: T, flags: number) => File,
): PathNode {
  return {
    inode,
    // eslint-disable-next-line require-yield -- these opens cannot sleep
    *open(flags) {
      return open(inode, flags);
    },
  };
}

// eslint-disable-next-line require-yield -- cannot sleep
function* directoryOpener(flags: number): Kernel<File | number> {
  return (flags & ACCESS_MODE) === 0 ? openDirectory(flags) : -E.EISDIR;
}

function pathAt(address: number): string | null {
  const stored = mm.load(address);
  return typeof stored === 'string' ? stored : null;
}

/** open(path, flags): a descriptor, or EFAULT, ENOENT, EEXIST, EISDIR, ENXIO, EMFILE, EINTR (a FIFO). */
export function* sysOpen(args: readonly number[]): Kernel<number> {
  const [address, flags] = args;
  const path = pathAt(address);
  if (path === null) return -E.EFAULT;
  const file = yield* openPath(path, flags);
  if (typeof file === 'number') return file;
  const fd = yield* installFd(file, 'sys_open', (flags & O_CLOEXEC) !== 0);
  if (fd < 0) yield* fput(file, 'sys_open');
  return fd;
}

function* openPath(path: string, flags: number): Kernel<File | number> {
  if (path.startsWith(PROC_FD)) return yield* openProcFd(path, flags);
  const created = yield* lookUp(path, flags);
  if (typeof created === 'number') return created;
  return yield* created.open(flags);
}

/** path lookup, with creation. One step: the directory's semaphore covers it. */
function* lookUp(path: string, flags: number): Kernel<PathNode | number> {
  const creates = (flags & O_CREAT) !== 0;
  if (creates) yield* write(directory, 0, 'sys_open');
  else yield* read(directory, 'sys_open');
  const found = nodes.get(path);
  if (found !== undefined) return creates && (flags & O_EXCL) !== 0 ? -E.EEXIST : found;
  if (!creates) return -E.ENOENT;
  const made = nodeOf(newRegular(), openRegular);
  nodes.set(path, made);
  return made;
}

function* openProcFd(path: string, flags: number): Kernel<File | number> {
  const fd = Number(path.slice(PROC_FD.length));
  if (!Number.isInteger(fd) || fd < FIRST_FD) return -E.ENOENT;
  const file = yield* fget(fd, 'proc_fd_link');
  if (file === null) return -E.ENOENT;
  const again = file.ops.reopen === undefined ? -E.ENXIO : yield* file.ops.reopen(file, flags);
  yield* fput(file, 'proc_fd_link');
  return again;
}

/** mkfifo(path): 0, EFAULT or EEXIST. */
export function* sysMkfifo(args: readonly number[]): Kernel<number> {
  const path = pathAt(args[0]);
  if (path === null || system === null) return -E.EFAULT;
  yield* write(directory, 0, 'sys_mknod');
  if (nodes.has(path)) return -E.EEXIST;
  nodes.set(path, system.makeFifo());
  return 0;
}

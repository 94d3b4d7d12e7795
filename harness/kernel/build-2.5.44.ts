/**
 * Linux 2.5.44 put together: plain, or with what a patch series has put into its parts.
 */

import type { Kernel } from '../machine/index.ts';
import { plainFiles, resetFileParts } from './fs/aio/file-parts.ts';
import { commonSyscalls } from './calls.ts';
import { newDriver, openDevice } from './drivers/char/eventpoll-device.ts';
import type { Driver, EntryPoints } from './drivers/char/eventpoll.ts';
import { sysEpollCreate, sysEpollCtl, sysEpollWait } from './drivers/char/eventpoll-calls.ts';
import { openPipeInode } from './fs/fifo-2.5.44.ts';
import {
  closeAll,
  fget,
  fput,
  mm,
  resetFiles,
  type FileOperations,
  type VfsHooks,
} from './fs/file.ts';
import { resetNames, type FileSystem, type Opener } from './fs/namei.ts';
import { PipeInode, makePipe, newPipeOperations, type SendNotify } from './fs/pipe-2.5.44.ts';
import { resetSockets, type WakeAsync } from './net/socket.ts';
import { E, type BuiltKernel, type Syscall } from './kernel.ts';
import { exitMmap, resetMmap, sysMmap, sysMunmap } from './mm/mmap-2.5.44.ts';

/** What patches replace in a 2.5.44 kernel. */
export interface Parts2544 {
  /** What happens when a file is made and when its last reference goes. */
  readonly hooks: VfsHooks;
  /** What pipes call when something has happened to a file. */
  readonly sendNotify: SendNotify;
  /** Who hears of sk_wake_async() besides fasync, or null. */
  readonly wakeAsync: WakeAsync | null;
  /** The functions of the epoll driver, or null without it. */
  readonly epoll: EntryPoints | null;
}

/** 2.5.44 as released: nobody hears of anything, and there is no epoll. */
export const plain2544: Parts2544 = {
  hooks: { fileInit() {}, *lastFput() {} },
  *sendNotify() {},
  wakeAsync: null,
  epoll: null,
};

/** A bootable kernel of these parts; `spec` is the name it answers to. */
export function build2544(spec: string, parts: Parts2544): BuiltKernel {
  const pipeOps: FileOperations = newPipeOperations(parts.sendNotify, (inode, flags) =>
    openPipeInode(pipeOps, inode, flags),
  );
  const driver = parts.epoll === null ? null : newDriver(parts.epoll);
  const files: FileSystem = {
    makeFifo() {
      const inode = new PipeInode(true);
      return { inode, open: (flags) => openPipeInode(pipeOps, inode, flags) };
    },
    devices: devicesOf(driver),
  };
  const syscalls = commonSyscalls((flags) => makePipe(pipeOps, flags));
  addMemorySyscalls(syscalls);
  if (driver !== null) addEpollSyscalls(syscalls, driver);
  return {
    spec,
    syscalls,
    get mm() {
      return mm;
    },
    boot() {
      resetFiles(parts.hooks);
      resetMmap();
      resetSockets(parts.wakeAsync);
      resetFileParts(plainFiles);
      resetNames(files);
    },
    exit,
  };
}

function devicesOf(driver: Driver | null): ReadonlyMap<string, Opener> {
  if (driver === null) return new Map();
  return new Map([['/dev/epoll', (flags: number) => openDevice(driver, flags)]]);
}

/** exit_mmap() and exit_files(). */
function* exit(): Kernel<void> {
  yield* exitMmap();
  yield* closeAll('exit_files');
}

function addMemorySyscalls(syscalls: Map<string, Syscall>): void {
  syscalls.set('mmap', ([fd, length, protection, flags, offset]) =>
    sysMmap(fd, length, protection, flags, offset),
  );
  syscalls.set('munmap', ([address]) => sysMunmap(address));
  syscalls.set('ioctl', sysIoctl);
}

/** epoll_create(maxfds), epoll_ctl(epfd, op, fd, events by value), epoll_wait(epfd, address of a pointer, ms). */
function addEpollSyscalls(syscalls: Map<string, Syscall>, driver: Driver): void {
  syscalls.set('epoll_create', ([maxfds]) => sysEpollCreate(driver, maxfds));
  syscalls.set('epoll_ctl', ([epfd, op, fd, events]) => sysEpollCtl(driver, epfd, op, fd, events));
  syscalls.set('epoll_wait', ([epfd, out, timeoutMs]) =>
    sysEpollWait(driver, epfd, out, timeoutMs),
  );
}

/** ioctl(fd, command, argument): what the file answers, EBADF, or ENOTTY without the method. */
function* sysIoctl(args: readonly number[]): Kernel<number> {
  const [fd, command, argument] = args;
  const file = yield* fget(fd, 'sys_ioctl');
  if (file === null) return -E.EBADF;
  const result =
    file.ops.ioctl === undefined ? -E.ENOTTY : yield* file.ops.ioctl(file, command, argument);
  yield* fput(file, 'sys_ioctl');
  return result;
}

/** Linux 3.1: the files of 2.6.20, AIO on a block device, and no epoll. */

import type { Kernel } from '../machine/index.ts';
import { commonSyscalls } from './calls.ts';
import { plainFiles, resetFileParts } from './fs/aio/file-parts.ts';
import { closeAll, mm, resetFiles } from './fs/file.ts';
import { resetNames, type FileSystem } from './fs/namei.ts';
import { fifoOpen, makePipe, newPipe } from './fs/pipe.ts';
import type { BuiltKernel } from './kernel.ts';
import { resetSockets } from './net/socket.ts';

/** What patches replace in a 3.1 kernel. */
export type Parts31 = Readonly<Record<never, never>>;

/** 3.1 as released. */
export const plain31: Parts31 = {};

const FILES: FileSystem = {
  makeFifo() {
    const pipe = newPipe(true);
    return (flags) => fifoOpen(pipe, flags);
  },
  devices: new Map(),
};

/** A bootable kernel of these parts; `spec` is the name it answers to. */
export function build31(spec: string, _parts: Parts31): BuiltKernel {
  return {
    spec,
    syscalls: commonSyscalls(makePipe),
    get mm() {
      return mm;
    },
    boot() {
      resetFiles({ fileInit() {}, *lastFput() {} });
      resetNames(FILES);
      resetSockets(null);
      resetFileParts(plainFiles);
    },
    *exit(): Kernel<void> {
      for (const range of [...mm.all()]) mm.unmap(range);
      yield* closeAll('do_exit');
    },
  };
}

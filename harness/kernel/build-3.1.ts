/** Linux 3.1: the files of 2.6.20, AIO on a block device, and no epoll. */

import type { Kernel } from '../machine/index.ts';
import { bootDisk } from './block/disk.ts';
import { sysDiskStat } from './block/queue.ts';
import { commonSyscalls } from './calls.ts';
import { plainFiles, resetFileParts } from './fs/aio/file-parts.ts';
import type { AioParts } from './fs/aio/parts.ts';
import { aio31 } from './fs/aio/parts-3.1.ts';
import { aioSyscalls, bootAio, exitProcess } from './fs/aio/plain.ts';
import { closeAll, mm, resetFiles } from './fs/file.ts';
import { resetNames, type PathNode } from './fs/namei.ts';
import { fifoOpen, makePipe, newPipe } from './fs/pipe.ts';
import type { BuiltKernel } from './kernel.ts';
import { memorySyscalls } from './mm/mmap.ts';
import { resetSockets } from './net/socket.ts';

/** What patches replace in a 3.1 kernel. */
export interface Parts31 {
  readonly aio: AioParts;
}

/** 3.1 as released. */
export const plain31: Parts31 = { aio: aio31 };

function makeFifo(): PathNode {
  const pipe = newPipe(true);
  return { inode: pipe, open: (flags) => fifoOpen(pipe, flags) };
}

/** A bootable kernel of these parts; `spec` is the name it answers to. */
export function build31(spec: string, parts: Parts31): BuiltKernel {
  const syscalls = commonSyscalls(makePipe);
  for (const [name, call] of [...aioSyscalls, ...memorySyscalls]) syscalls.set(name, call);
  syscalls.set('disk_stat', sysDiskStat);
  return {
    spec,
    syscalls,
    get mm() {
      return mm;
    },
    boot() {
      resetFiles({ fileInit() {}, *lastFput() {} });
      resetNames({ makeFifo, devices: bootDisk() });
      resetSockets(null);
      resetFileParts(plainFiles);
      bootAio(parts.aio);
    },
    *exit(): Kernel<void> {
      for (const range of [...mm.all()]) mm.unmap(range);
      yield* closeAll('do_exit');
    },
    exitMm: exitProcess,
  };
}

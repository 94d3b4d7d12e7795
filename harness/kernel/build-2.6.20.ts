/** The 2.6.20 kernel: its eventpoll, pipes and sockets behind the raw system calls. */

import type { Kernel } from '../machine/index.ts';
import { bootDisk } from './block/disk.ts';
import { commonSyscalls } from './calls.ts';
import { aioDevices } from './drivers/char/aio-devices.ts';
import { plainFiles, resetFileParts, type FileParts } from './fs/aio/file-parts.ts';
import {
  eventpollHooks,
  sysEpollCreate,
  sysEpollCtl,
  sysEpollPwait,
  sysEpollWait,
} from './fs/eventpoll.ts';
import { resetEventpoll } from './fs/eventpoll-object.ts';
import { plainEpoll, useEpollParts, type EpollParts } from './fs/eventpoll-wait.ts';
import { closeAll, mm, resetFiles } from './fs/file.ts';
import { resetNames, type FileSystem } from './fs/namei.ts';
import { fifoOpen, makePipe, newPipe } from './fs/pipe.ts';
import type { AioParts } from './fs/aio/parts.ts';
import { aioSyscalls, bootAio, exitProcess, plainAio } from './fs/aio/plain.ts';
import type { BuiltKernel } from './kernel.ts';
import { memorySyscalls } from './mm/mmap.ts';
import { resetSockets } from './net/socket.ts';

const FILES: FileSystem = {
  makeFifo() {
    const pipe = newPipe(true);
    return { inode: pipe, open: (flags) => fifoOpen(pipe, flags) };
  },
  devices: new Map(),
};

/** What patches replace in a 2.6.20 kernel. */
export interface Parts2620 {
  readonly aio: AioParts;
  readonly epoll: EpollParts;
  readonly files: FileParts;
}

/** 2.6.20 as released. */
export const plain2620: Parts2620 = { aio: plainAio, epoll: plainEpoll, files: plainFiles };

/** A bootable kernel of these parts; `spec` is the name it answers to. */
export function build2620(spec: string, parts: Parts2620): BuiltKernel {
  const syscalls = commonSyscalls(makePipe);
  syscalls.set('epoll_create', sysEpollCreate);
  syscalls.set('epoll_ctl', sysEpollCtl);
  syscalls.set('epoll_wait', sysEpollWait);
  syscalls.set('epoll_pwait', sysEpollPwait);
  for (const [name, call] of [...aioSyscalls, ...memorySyscalls]) syscalls.set(name, call);
  return {
    spec,
    syscalls,
    get mm() {
      return mm;
    },
    boot() {
      resetFiles(eventpollHooks);
      resetNames({ ...FILES, devices: new Map([...aioDevices(), ...bootDisk()]) });
      resetEventpoll();
      useEpollParts(parts.epoll);
      resetSockets(null);
      resetFileParts(parts.files);
      bootAio(parts.aio);
    },
    *exit(): Kernel<void> {
      for (const range of [...mm.all()]) mm.unmap(range);
      yield* closeAll('do_exit');
    },
    exitMm: exitProcess,
  };
}

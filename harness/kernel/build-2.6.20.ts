/** The 2.6.20 kernel: its eventpoll, pipes and sockets behind the raw system calls. */

import type { Kernel } from '../machine/index.ts';
import { commonSyscalls } from './calls.ts';
import {
  eventpollHooks,
  sysEpollCreate,
  sysEpollCtl,
  sysEpollPwait,
  sysEpollWait,
} from './fs/eventpoll.ts';
import { resetEventpoll } from './fs/eventpoll-object.ts';
import { closeAll, mm, resetFiles } from './fs/file.ts';
import { resetNames, type FileSystem } from './fs/namei.ts';
import { fifoOpen, makePipe, newPipe } from './fs/pipe.ts';
import type { BuiltKernel } from './kernel.ts';
import { resetSockets } from './net/socket.ts';

const FILES: FileSystem = {
  makeFifo() {
    const pipe = newPipe(true);
    return (flags) => fifoOpen(pipe, flags);
  },
  devices: new Map(),
};

/** Builds 2.6.20 without patches. One at a time: the kernel's state is the machine's. */
export function build2620(): BuiltKernel {
  const syscalls = commonSyscalls(makePipe);
  syscalls.set('epoll_create', sysEpollCreate);
  syscalls.set('epoll_ctl', sysEpollCtl);
  syscalls.set('epoll_wait', sysEpollWait);
  syscalls.set('epoll_pwait', sysEpollPwait);
  return {
    spec: '2.6.20',
    syscalls,
    get mm() {
      return mm;
    },
    boot() {
      resetFiles(eventpollHooks);
      resetNames(FILES);
      resetEventpoll();
      resetSockets(null);
    },
    *exit(): Kernel<void> {
      for (const range of [...mm.all()]) mm.unmap(range);
      yield* closeAll('do_exit');
    },
  };
}

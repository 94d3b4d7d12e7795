/** sys_epoll v11, as posted on 2002-10-28. */

import type { EntryPoints } from '../drivers/char/eventpoll.ts';
import { ctlAction, ctlOperation, takeReferences } from '../drivers/char/eventpoll-calls.ts';
import { writeElements } from '../drivers/char/eventpoll-device.ts';
import { fcblistHooks, fileSendNotify, notifySocket } from '../fs/fcblist.ts';
import type { Parts2544 } from '../build-2.5.44.ts';
import { SYS_EPOLL_THREAD, type Patch } from './patch.ts';

const v11: EntryPoints = { takeReferences, epInit() {}, ctlAction, ctlOperation, writeElements };

export const sysEpollV11: Patch<Parts2544> = {
  name: 'sys_epoll-v11',
  title:
    'sys_epoll v11: epoll_create, epoll_ctl, epoll_wait and /dev/epoll over callbacks on files',
  seed: SYS_EPOLL_THREAD,
  base: '2.5.44',
  requires: [],
  replaces: [
    'drivers/char/eventpoll.c',
    'fs/fcblist.c',
    'get_empty_filp',
    '__fput',
    'pipe_read',
    'pipe_write',
    'pipe_release',
    'sk_wake_async',
  ],
  apply: (parts) => ({
    ...parts,
    hooks: fcblistHooks,
    sendNotify: fileSendNotify,
    wakeAsync: notifySocket,
    epoll: v11,
  }),
};

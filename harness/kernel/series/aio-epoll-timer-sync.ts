/**
 * aio-epoll-timer-sync: the destructor of an epoll iocb waits for its timer's handler, the obvious remedy for a handler
 * that uses a freed request (A-B33, E-B67). Nobody posted it, and it does not work: the destructor runs under ctx_lock,
 * and the handler takes ctx_lock when the wake-up kicks another request of the context (E-B69).
 */

import { cancelTimerSync, type Kernel } from '../../machine/index.ts';
import type { Parts2620 } from '../build-2.6.20.ts';
import type { Kiocb } from '../fs/aio/kioctx.ts';
import { dropTimer, freeTimer } from './aio-epoll-wait.ts';
import { AIO_EPOLL_MAIL, type Patch } from './patch.ts';

/** aio_free_iocb_timer() with del_timer_sync(). */
function freeTimerSync(k: Kiocb): Kernel<void> {
  return dropTimer(k, cancelTimerSync);
}

export const aioEpollTimerSync: Patch<Parts2620> = {
  name: 'aio-epoll-timer-sync',
  title: 'the destructor of an epoll iocb waits for the handler of its timer: a deadlock',
  seed: AIO_EPOLL_MAIL,
  base: '2.6.20',
  requires: ['fs-aio', 'aio-epoll-wait'],
  replaces: ['aio_free_iocb_timer'],
  apply: (parts) => ({
    ...parts,
    aio: {
      ...parts.aio,
      *setupOpcode(k, opcode) {
        const result = yield* parts.aio.setupOpcode(k, opcode);
        if (k.dtor === freeTimer) k.dtor = freeTimerSync;
        return result;
      },
    },
  }),
};

/**
 * fs-aio: the series on which the epoll and fallback patches were written (A-R12), as far as it shows: every task has
 * a wait entry of its own, which code that may run for a kiocb queues instead of one on its stack.
 *
 * Differs: reads and writes of regular files never wait for a page here, so the retries that gave the series its name
 * cannot be seen, and no wake-up carries the key of a bit.
 */

import {
  autoremoveWake,
  bugOn,
  current,
  newEntry,
  type Kernel,
  type WaitEntry,
} from '../../machine/index.ts';
import type { Parts2620 } from '../build-2.6.20.ts';
import { ioWaitOfCurrent, setIoWait, type Kiocb } from '../fs/aio/kioctx.ts';
import type { AioParts } from '../fs/aio/parts.ts';
import { AIO_EPOLL_MAIL, type Patch } from './patch.ts';

/** The entry that a task starts with. Its wake function compares keys: a wake-up without one matches. */
function defaultEntry(): WaitEntry {
  // eslint-disable-next-line require-yield -- a wake-up that is for somebody else
  return newEntry(current(), function* (entry, mode, key): Kernel<boolean> {
    return key === 0 && (yield* autoremoveWake(entry, mode));
  });
}

/** aio_run_iocb() before the method: the kiocb's entry takes the place of the task's. */
function enterMethod(k: Kiocb): void {
  const before = ioWaitOfCurrent();
  bugOn(
    before !== null && before.task === null,
    'aio_run_iocb-4',
    'the wait entry of the task is that of another request',
  );
  setIoWait(k.wait);
}

function withTaskEntries(base: AioParts): AioParts {
  return {
    ...base,
    submitEncoding: 'N',
    taskEntry: defaultEntry,
    enterMethod,
    // Not the entry that was there before (A-B37).
    leaveMethod: () => setIoWait(null),
    // A wake-up with a key is for others who wait on the same queue.
    *wake(k, entry, mode, key) {
      if (key === 0) yield* base.wake(k, entry, mode, key);
      return false;
    },
  };
}

export const fsAio: Patch<Parts2620> = {
  name: 'fs-aio',
  title: 'filesystem AIO of 2.6.20-rc1: a wait entry for every task, keyed wake-ups of requests',
  seed: AIO_EPOLL_MAIL,
  base: '2.6.20',
  requires: [],
  replaces: ['aio_run_iocb', 'aio_wake_function', 'io_submit_one', 'copy_process'],
  apply: (parts) => ({ ...parts, aio: withTaskEntries(parts.aio) }),
};

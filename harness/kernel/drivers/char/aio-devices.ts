/** Devices of 2.6.20 that are there for AIO, by path. */

import { keepState } from '../../../machine/index.ts';
import type { File } from '../../fs/file.ts';
import type { Opener } from '../../fs/namei.ts';
import {
  newErrorQueue,
  newOwnedDevice,
  newTwoQueues,
  openErrorQueue,
  openOwnedDevice,
  openTwoQueues,
} from './odd-queues.ts';
import { newTun, openTun } from './tun.ts';

function opener(open: (flags: number) => File): Opener {
  // eslint-disable-next-line require-yield -- these opens cannot sleep
  return function* (flags) {
    return open(flags);
  };
}

/** The devices with nothing in them; called from boot. */
export function aioDevices(): Map<string, Opener> {
  const tun = newTun();
  const two = newTwoQueues();
  const owned = newOwnedDevice();
  const errors = newErrorQueue();
  const devices = [tun, two, owned, errors];
  keepState(() => devices);
  return new Map([
    ['/dev/tun', opener((flags) => openTun(tun, flags))],
    ['/dev/two-queues', opener((flags) => openTwoQueues(two, flags))],
    ['/dev/owner-queue', opener((flags) => openOwnedDevice(owned, flags))],
    ['/dev/error-queue', opener((flags) => openErrorQueue(errors, flags))],
  ]);
}

/** System calls on sockets: socketpair, listen, connect, accept and shutdown. */

import type { Kernel } from '../../machine/index.ts';
import { E } from '../kernel.ts';

// eslint-disable-next-line require-yield -- no sockets yet
export function* sysSocketpair(_args: readonly number[]): Kernel<number> {
  return -E.ENOSYS;
}
export const sysListen = sysSocketpair;
export const sysConnect = sysSocketpair;
export const sysAccept = sysSocketpair;
export const sysShutdown = sysSocketpair;

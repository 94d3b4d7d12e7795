/** The ABI: calls, flags, masks, errnos, and which kernel has which. */

export * from './detectors.ts';
export * from './errno.ts';
export * from './flags.ts';
export * from './iocb-ops.ts';
export * from './kernel-id.ts';
export * from './masks.ts';
export * from './syscalls.ts';

/** Poll bits as they were on i386, and the mask of files that have no poll method. */

export const POLLIN = 0x1;
export const POLLPRI = 0x2;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;
export const POLLRDNORM = 0x40;
export const POLLRDBAND = 0x80;
export const POLLWRNORM = 0x100;
export const POLLWRBAND = 0x200;
export const POLLMSG = 0x400;
export const POLLRDHUP = 0x2000;

/** Readable, as most poll methods say it. */
export const READABLE = POLLIN | POLLRDNORM;
/** Writable, as pipes and streams say it. */
export const WRITABLE = POLLOUT | POLLWRNORM;
/** E-R135: what poll(2) assumes of a file without a poll method. */
export const DEFAULT_POLLMASK = READABLE | WRITABLE;

/**
 * Opening FIFOs, and opening a pipe a second time through /proc/self/fd.
 *
 * After Linux 2.5.44 fs/fifo.c and pipe_rdwr_open(), written from general knowledge (E-R126, E-B22, E-B23): none
 * of these opens touches rdfile and wrfile.
 */

import {
  add,
  mutexLock,
  mutexUnlock,
  peek,
  plainRead,
  plainWrite,
  signalPending,
  type Kernel,
  type Word,
} from '../../machine/index.ts';
import { E } from '../kernel.ts';
import { File, O_NONBLOCK, type FileOperations } from './file.ts';
import {
  PipeEnd,
  PipeInfo,
  freeUnusedPipe,
  pipeWait,
  wakeSleepers,
  type PipeInode,
} from './pipe-2.5.44.ts';

const ACCESS_MODE = 3;
const SITE = 'fifo_open';

/** Opens the inode once more: a file with those operations, or -ENXIO (FIFO without a reader) or -EINTR. */
export function* openPipeInode(
  ops: FileOperations,
  inode: PipeInode,
  flags: number,
): Kernel<File | number> {
  const mode = flags & ACCESS_MODE;
  const reads = mode !== 1;
  const writes = mode !== 0;
  yield* mutexLock(inode.sem, SITE);
  const pipe = (inode.pipe ??= new PipeInfo(SITE));
  plainWrite(pipe.guard, SITE);
  const answer = inode.isFifo
    ? yield* fifoOpen(inode, pipe, reads, writes, (flags & O_NONBLOCK) !== 0)
    : yield* rdwrOpen(pipe, reads, writes);
  if (answer < 0) freeUnusedPipe(inode, SITE);
  yield* mutexUnlock(inode.sem, SITE);
  return answer < 0 ? answer : new File(ops, flags, new PipeEnd(inode, answer));
}

/** pipe_rdwr_open(): counts, and no more. */
function* rdwrOpen(pipe: PipeInfo, reads: boolean, writes: boolean): Kernel<number> {
  if (reads) yield* add(pipe.readers, 1, SITE);
  if (writes) yield* add(pipe.writers, 1, SITE);
  return 0;
}

/** fifo_open(): f_version of the new file, or -errno. Needs PIPE_SEM. */
function* fifoOpen(
  inode: PipeInode,
  pipe: PipeInfo,
  reads: boolean,
  writes: boolean,
  nonblocking: boolean,
): Kernel<number> {
  if (writes && !reads && nonblocking && peek(pipe.readers) === 0) return -E.ENXIO;
  if (reads) yield* engage(pipe, pipe.readers, 'rCounter');
  if (writes) yield* engage(pipe, pipe.writers, 'wCounter');
  if (reads && writes) return 0;
  if (peek(reads ? pipe.writers : pipe.readers) > 0) return 0;
  if (nonblocking) return pipe.wCounter;
  if (yield* waitForPartner(inode, pipe, reads ? 'wCounter' : 'rCounter')) return 0;
  if ((yield* add(reads ? pipe.readers : pipe.writers, -1, SITE)) === 1)
    yield* wakeSleepers(pipe, SITE);
  return -E.EINTR;
}

type Counter = 'rCounter' | 'wCounter';

/** Counts an open; the first of its kind wakes who waits for a partner. */
function* engage(pipe: PipeInfo, count: Word, counter: Counter): Kernel<void> {
  const before = yield* add(count, 1, SITE);
  // In the same step, so that poll, which looks at both without the semaphore, sees neither change alone.
  pipe[counter]++;
  if (before === 0) yield* wakeSleepers(pipe, SITE);
}

/** wait_for_partner(): sleeps until somebody has opened the other way; false if a signal came first. */
function* waitForPartner(inode: PipeInode, pipe: PipeInfo, counter: Counter): Kernel<boolean> {
  const seen = pipe[counter];
  while (pipe[counter] === seen) {
    yield* pipeWait(inode, pipe, SITE, {
      holds: () => pipe[counter] !== seen,
      describe: () => 'open: the FIFO is open the other way',
    });
    plainRead(pipe.guard, SITE);
    if (yield* signalPending(SITE)) return false;
  }
  return true;
}

/**
 * `/dev/sda`: a raw block device of 64 KiB, full of NUL bytes.
 *
 * Opened with O_DIRECT it is what AIO is asynchronous for: a read or write becomes one bio, and the interrupt completes
 * the request. Without O_DIRECT it is plain synchronous storage. There is no file system and no page cache.
 *
 * Differs: a sector is a byte, so nothing is ever misaligned.
 */

import {
  injectFault,
  keepState,
  kmalloc,
  newCompletion,
  newWord,
  read,
  waitForCompletion,
  complete,
  write,
  type Kernel,
  type Word,
} from '../../machine/index.ts';
import { aioComplete } from '../fs/aio/complete.ts';
import { EIOCBQUEUED } from '../fs/aio/abi.ts';
import type { Kiocb } from '../fs/aio/kioctx.ts';
import { File, mm, type FileOperations, type Iovec } from '../fs/file.ts';
import { lengthOf, readSegments, writeSegments } from '../fs/segments.ts';
import { bytesAt, storeBytes } from '../fs/user-bytes.ts';
import { E } from '../kernel.ts';
import type { Opener } from '../fs/namei.ts';
import { isServed, resetQueue, submitBio, type Bio } from './queue.ts';

const DISK_SIZE = 65536;
const O_DIRECT = 0o40000;

/** What is on the device. */
interface Disk {
  /** Up to the last byte that was ever written. */
  text: string;
  /** Stands for the text in operations. */
  readonly content: Word;
}

interface OpenDisk {
  readonly disk: Disk;
  readonly position: Word;
}

/** The device with nothing on it, by path. Called from boot; its interrupt needs a thread slot. */
export function bootDisk(): Map<string, Opener> {
  resetQueue();
  const disk: Disk = { text: '', content: newWord('disk.content', 0) };
  keepState(() => disk);
  // eslint-disable-next-line require-yield -- an open that cannot sleep
  const open: Opener = function* (flags) {
    return openDisk(disk, flags);
  };
  return new Map([['/dev/sda', open]]);
}

function openDisk(disk: Disk, flags: number): File {
  const open: OpenDisk = { disk, position: newWord('f_pos', 0) };
  return new File(diskOps, flags, open);
}

function openedOf(file: File): OpenDisk {
  // Every file with these operations was made by openDisk.
  return file.data as OpenDisk;
}

function* load(disk: Disk, start: number, length: number, site: string): Kernel<string> {
  yield* read(disk.content, site);
  return disk.text.slice(start, start + length).padEnd(length, '\0');
}

function* store(disk: Disk, start: number, bytes: string, site: string): Kernel<void> {
  yield* write(disk.content, 0, site);
  disk.text =
    disk.text.slice(0, start).padEnd(start, '\0') + bytes + disk.text.slice(start + bytes.length);
}

/** How many bytes a transfer has, or its answer if it has none: 0, EINVAL, ENOSPC. */
function extent(
  isWrite: boolean,
  wanted: number,
  position: number,
): { length: number; answer: number } {
  if (position < 0) return { length: 0, answer: -E.EINVAL };
  if (wanted === 0) return { length: 0, answer: 0 };
  if (position >= DISK_SIZE) return { length: 0, answer: isWrite ? -E.ENOSPC : 0 };
  return { length: Math.min(wanted, DISK_SIZE - position), answer: 0 };
}

/** A transfer as the file was opened for: bytes, -EIOCBQUEUED, or EINVAL, ENOSPC, EFAULT, ENOMEM, EIO. */
function* transfer(
  isWrite: boolean,
  file: File,
  iocb: Kiocb | null,
  table: readonly Iovec[],
  from: number,
  position: number,
): Kernel<number> {
  const { disk } = openedOf(file);
  const { length, answer } = extent(isWrite, lengthOf(table, from), position);
  if (length === 0) return answer;
  // A program without AIO has no interrupt, and nothing to see of one.
  if ((file.flags & O_DIRECT) !== 0 && isServed())
    return yield* direct(disk, isWrite, iocb, clip(table, from, length), position);
  const site = isWrite ? 'blkdev_write' : 'blkdev_read';
  if (isWrite) {
    const bytes = yield* readSegments(table, from, 0, length, site);
    if (bytes === null) return -E.EFAULT;
    yield* store(disk, position, bytes, site);
  } else {
    const bytes = yield* load(disk, position, length, site);
    if (!(yield* writeSegments(table, from, 0, bytes, site))) return -E.EFAULT;
  }
  if (iocb !== null) iocb.pos = position + length;
  return length;
}

/** The first `length` bytes of the segments, as segments of their own. */
function clip(table: readonly Iovec[], from: number, length: number): Iovec[] {
  const clipped: Iovec[] = [];
  let left = length;
  for (const segment of table.slice(from)) {
    const part = Math.min(segment.length, left);
    if (part > 0) clipped.push({ base: segment.base, length: part });
    left -= part;
  }
  return clipped;
}

/** blkdev_direct_IO(): pins the memory and submits one bio for it. */
function* direct(
  disk: Disk,
  isWrite: boolean,
  iocb: Kiocb | null,
  pinned: readonly Iovec[],
  start: number,
): Kernel<number> {
  const site = 'blkdev_direct_IO';
  for (const { base, length } of pinned) if (!mm.permits(base, length, !isWrite)) return -E.EFAULT;
  if (yield* injectFault(site)) return -E.ENOMEM;
  const length = lengthOf(pinned, 0);
  const finished = iocb === null ? newCompletion('bio.done') : null;
  let result = 0;
  const bio: Bio = {
    mem: kmalloc('bio', site),
    isWrite,
    start,
    length,
    number: 0,
    transfer: () => moveData(disk, isWrite, pinned, start, length),
    *endIo(bytes) {
      result = bytes;
      if (iocb !== null) yield* aioComplete(iocb, bytes, 0, 'blk_end_aio');
      else if (finished !== null) yield* complete(finished, 'blk_end_aio');
    },
  };
  yield* submitBio(bio);
  if (finished === null) return -EIOCBQUEUED;
  yield* waitForCompletion(finished, site);
  return result;
}

/** In the interrupt: memory is what it is now, not what it was at submission (A-R110). */
function* moveData(
  disk: Disk,
  isWrite: boolean,
  pinned: readonly Iovec[],
  start: number,
  length: number,
): Kernel<number> {
  const site = 'bio_transfer';
  if (isWrite) {
    const bytes = pinned.map((segment) => bytesAt(segment.base, segment.length)).join('');
    yield* store(disk, start, bytes, site);
    return length;
  }
  const bytes = yield* load(disk, start, length, site);
  let done = 0;
  for (const segment of pinned) {
    storeBytes(segment.base, bytes.slice(done, done + segment.length));
    done += segment.length;
  }
  return length;
}

/** read(2) and write(2): at the position of the file, which moves on. */
function* atPosition(isWrite: boolean, file: File, base: number, length: number): Kernel<number> {
  const site = isWrite ? 'sys_write' : 'sys_read';
  const { position } = openedOf(file);
  const at = yield* read(position, site);
  const result = yield* transfer(isWrite, file, null, [{ base, length }], 0, at);
  if (result >= 0) yield* write(position, at + result, site);
  return result;
}

const diskOps: FileOperations = {
  name: 'block device',
  read: (file, address, count) => atPosition(false, file, address, count),
  write: (file, address, count) => atPosition(true, file, address, count),
  aioRead: (file, iocb, table, from, position) =>
    transfer(false, file, iocb, table, from, position),
  aioWrite: (file, iocb, table, from, position) =>
    transfer(true, file, iocb, table, from, position),
};

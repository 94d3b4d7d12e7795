/**
 * `/dev/tun`: a device of packets. What is written to any descriptor of it arrives, as one packet, at whoever reads.
 *
 * After the ends of drivers/net/tun.c of Linux 2.6.20 that AIO sees (A-B69, A-B70), in own words: its methods look at
 * O_NONBLOCK and at nothing else, so that an asynchronous read of a blocking descriptor sleeps in whoever runs it, and
 * it is neither FIFO nor socket, so that a read goes on to the next packet until the buffer is full.
 *
 * Differs: it copies past the segment table and not through it, and adds no packet header.
 */

import {
  TaskState,
  autoremoveWake,
  currentEntry,
  finishWait,
  newWaitQueue,
  newWord,
  peek,
  prepareToWait,
  read,
  schedule,
  signalPending,
  update,
  wakeUpInterruptible,
  type Kernel,
  type WaitQueue,
  type Word,
} from '../../../machine/index.ts';
import { E } from '../../kernel.ts';
import { READABLE, WRITABLE } from '../../poll-bits.ts';
import { ERESTARTSYS } from '../../fs/aio/abi.ts';
import type { Kiocb } from '../../fs/aio/kioctx.ts';
import { File, type FileOperations, type Iovec, type PollTable } from '../../fs/file.ts';
import { looksNonblocking } from '../../fs/read-write.ts';
import { lengthOf, readSegments, writeSegments } from '../../fs/segments.ts';

const READ = 'tun_chr_aio_read';
const WRITE = 'tun_chr_aio_write';

/** The device; its descriptors share it. */
export interface Tun {
  readonly wait: WaitQueue;
  /** Changed in the steps that change `queued`, its length. */
  readonly packets: string[];
  readonly queued: Word;
}

/** A device without a packet. */
export function newTun(): Tun {
  return { wait: newWaitQueue('tun.read_wait'), packets: [], queued: newWord('tun.readq', 0) };
}

/** A descriptor of it. */
export function openTun(tun: Tun, flags: number): File {
  return new File(tunOps, flags, tun);
}

function tunOf(file: File): Tun {
  // Every file with these operations was made by openTun.
  return file.data as Tun;
}

function* dequeue(tun: Tun): Kernel<string | null> {
  let packet: string | null = null;
  yield* update(
    tun.queued,
    () => {
      packet = tun.packets.shift() ?? null;
      return tun.packets.length;
    },
    READ,
  );
  return packet;
}

/** One packet, the rest of which is lost if it does not fit; EAGAIN, EFAULT, or the restart code after a signal. */
function* tunRead(
  file: File,
  _iocb: Kiocb | null,
  table: readonly Iovec[],
  from: number,
): Kernel<number> {
  const tun = tunOf(file);
  const count = lengthOf(table, from);
  if (count === 0) return 0;
  let packet = yield* dequeue(tun);
  while (packet === null) {
    if (yield* looksNonblocking(file, READ)) return -E.EAGAIN;
    if (yield* signalPending(READ)) return -ERESTARTSYS;
    const entry = currentEntry(autoremoveWake);
    yield* prepareToWait(tun.wait, entry, TaskState.INTERRUPTIBLE, READ);
    if ((yield* read(tun.queued, READ)) === 0)
      yield* schedule(READ, {
        holds: () => peek(tun.queued) > 0,
        describe: () => 'a packet has come',
      });
    yield* finishWait(tun.wait, entry, READ);
    packet = yield* dequeue(tun);
  }
  const fits = packet.slice(0, count);
  return (yield* writeSegments(table, from, 0, fits, READ)) ? fits.length : -E.EFAULT;
}

/** The bytes of the packet, or EFAULT. */
function* tunWrite(
  file: File,
  _iocb: Kiocb | null,
  table: readonly Iovec[],
  from: number,
): Kernel<number> {
  const tun = tunOf(file);
  const count = lengthOf(table, from);
  const packet = yield* readSegments(table, from, 0, count, WRITE);
  if (packet === null) return -E.EFAULT;
  yield* update(tun.queued, () => tun.packets.push(packet), WRITE);
  yield* wakeUpInterruptible(tun.wait, 1, 0, WRITE);
  return count;
}

function* tunPoll(file: File, table: PollTable): Kernel<number> {
  const tun = tunOf(file);
  if (table !== null) yield* table(tun.wait);
  return maskOf(yield* read(tun.queued, 'tun_chr_poll'));
}

function maskOf(queued: number): number {
  return queued > 0 ? READABLE | WRITABLE : WRITABLE;
}

const tunOps: FileOperations = {
  name: '/dev/tun',
  aioRead: tunRead,
  aioWrite: tunWrite,
  poll: tunPoll,
  ready: (file) => maskOf(peek(tunOf(file).queued)),
};

/**
 * Character devices that give back what was written to them, for what the fallback for pollable files meets beyond
 * pipes and sockets (A-R99, A-R106).
 *
 * `/dev/net/tun` is a tun device whose packets are routed back to it: one read or write is one packet. The others stand
 * for drivers of a kind and for no one driver: `/dev/two-queues` tells readers of new data on the second of two poll
 * queues, and of a write that begins with "!" on the first; `/dev/hotplug` has its poll queue in an allocation that goes
 * away, with the file still open, when "unplug" is written.
 */

import {
  TaskState,
  autoremoveWake,
  copyFromUser,
  currentEntry,
  finishWait,
  kfree,
  kmalloc,
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
  type Mem,
  type WaitQueue,
  type Word,
} from '../../../machine/index.ts';
import { ERESTARTSYS } from '../../fs/aio/abi.ts';
import { File, mm, type FileOperations, type Iovec, type PollTable } from '../../fs/file.ts';
import type { Opener } from '../../fs/namei.ts';
import { looksNonblocking } from '../../fs/read-write.ts';
import { copyToSegments, lengthOf } from '../../fs/segments.ts';
import { bytesAt } from '../../fs/user-bytes.ts';
import { E } from '../../kernel.ts';
import { READABLE, WRITABLE } from '../../poll-bits.ts';

/** What one device is like. */
interface Traits {
  readonly path: string;
  /** How many queues its poll method names. */
  readonly queues: 1 | 2;
  /** A read gives one packet and no more, and a long packet loses its rest. */
  readonly packets: boolean;
  readonly canGo: boolean;
}

interface Device {
  readonly traits: Traits;
  /** Where the queues are: part of the device, but for one that can go. */
  readonly mem: Mem | null;
  /** Readers sleep on the last one. */
  readonly queues: readonly WaitQueue[];
  /** Pieces that were written and not read; changed in the same step as `waiting`. */
  readonly pieces: string[];
  readonly waiting: Word;
}

function newDevice(traits: Traits): Device {
  const mem = traits.canGo ? kmalloc('device', 'misc_register') : null;
  if (mem !== null) mem.permanent = true;
  const queues: WaitQueue[] = [];
  for (let i = 0; i < traits.queues; i++) queues.push(newWaitQueue('device.wait', mem));
  return { traits, mem, queues, pieces: [], waiting: newWord('device.waiting', 0, mem) };
}

function deviceOf(file: File): Device {
  // Every file with these operations was made by the opener of a device.
  return file.data as Device;
}

/** Takes bytes for a reader: whole pieces or parts of them, or of one packet what there is room for. */
function take(device: Device, count: number): string {
  const { pieces, traits } = device;
  if (traits.packets) return (pieces.shift() ?? '').slice(0, count);
  const all = pieces.splice(0).join('');
  if (all.length > count) pieces.push(all.slice(count));
  return all.slice(0, count);
}

/** The read method. Looks at O_NONBLOCK only, so that a kiocb waits here like anybody else (A-B70). */
function* deviceRead(
  file: File,
  _iocb: unknown,
  table: readonly Iovec[],
  from: number,
): Kernel<number> {
  const device = deviceOf(file);
  const site = 'device_read';
  const count = lengthOf(table, from);
  for (;;) {
    let text: string | null = null;
    const refill = (): number => {
      if (device.pieces.length > 0) text = take(device, count);
      return device.pieces.length;
    };
    yield* update(device.waiting, refill, site);
    // The parameter of another function: the compiler does not see the assignment.
    const got = text as string | null;
    if (got !== null) {
      const segments = table.slice(from).map((segment) => ({ ...segment }));
      return (yield* copyToSegments(segments, 0, got, site)) ? got.length : -E.EFAULT;
    }
    if (yield* looksNonblocking(file, site)) return -E.EAGAIN;
    if (yield* signalPending(site)) return -ERESTARTSYS;
    yield* waitForPiece(device);
  }
}

function* waitForPiece(device: Device): Kernel<void> {
  const site = 'device_read';
  const entry = currentEntry(autoremoveWake);
  const queue = device.queues[device.queues.length - 1];
  yield* prepareToWait(queue, entry, TaskState.INTERRUPTIBLE, site);
  if ((yield* read(device.waiting, site)) === 0)
    yield* schedule(site, {
      holds: () => peek(device.waiting) > 0,
      describe: () => 'something was written to the device',
    });
  yield* finishWait(queue, entry, site);
}

function* deviceWrite(file: File, address: number, count: number): Kernel<number> {
  const device = deviceOf(file);
  const site = 'device_write';
  if (!(yield* copyFromUser(mm, address, count, site))) return -E.EFAULT;
  const text = bytesAt(address, count);
  if (device.mem !== null && text === 'unplug') {
    kfree(device.mem, 'device_unplug');
    return count;
  }
  yield* update(device.waiting, () => device.pieces.push(text), site);
  const at = text.startsWith('!') ? 0 : device.queues.length - 1;
  yield* wakeUpInterruptible(device.queues[at], 1, 0, site);
  return count;
}

function* devicePoll(file: File, table: PollTable): Kernel<number> {
  const device = deviceOf(file);
  if (table !== null) for (const queue of device.queues) yield* table(queue);
  return (yield* read(device.waiting, 'device_poll')) > 0 ? READABLE | WRITABLE : WRITABLE;
}

/** A write that is an iocb is one write for each segment. */
function* deviceAioWrite(
  file: File,
  _iocb: unknown,
  table: readonly Iovec[],
  from: number,
): Kernel<number> {
  let done = 0;
  for (const { base, length } of table.slice(from)) {
    const result = yield* deviceWrite(file, base, length);
    if (result < 0) return done > 0 ? done : result;
    done += result;
  }
  return done;
}

const TRAITS: readonly Traits[] = [
  { path: '/dev/net/tun', queues: 1, packets: true, canGo: false },
  { path: '/dev/two-queues', queues: 2, packets: false, canGo: false },
  { path: '/dev/hotplug', queues: 1, packets: false, canGo: true },
];

function operationsOf(name: string): FileOperations {
  return {
    name,
    aioRead: deviceRead,
    aioWrite: deviceAioWrite,
    poll: devicePoll,
    ready: (file) => (peek(deviceOf(file).waiting) > 0 ? READABLE | WRITABLE : WRITABLE),
  };
}

/** The devices by path, each with what was written to it; one call for every boot. */
export function loopDevices(): Map<string, Opener> {
  return new Map(
    TRAITS.map((traits) => {
      const device = newDevice(traits);
      const ops = operationsOf(traits.path);
      // eslint-disable-next-line require-yield -- these opens cannot sleep
      const open: Opener = function* (flags) {
        return new File(ops, flags, device);
      };
      return [traits.path, open];
    }),
  );
}

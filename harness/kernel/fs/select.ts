/**
 * poll(2).
 *
 * From Linux fs/select.c (2.6.20): sys_poll, do_poll, do_pollfd, __pollwait, poll_freewait. Queues one
 * non-exclusive entry per wait queue in the first pass, and looks without queueing in the later ones.
 */

import {
  MAX_SCHEDULE_TIMEOUT,
  TaskState,
  addWaitQueue,
  copyFromUser,
  copyToUser,
  currentEntry,
  removeWaitQueue,
  scheduleTimeout,
  setCurrentState,
  signalPending,
  type Condition,
  type Kernel,
  type WaitEntry,
  type WaitQueue,
} from '../../machine/index.ts';
import { E, kernelConfig } from '../kernel.ts';
import { DEFAULT_POLLMASK, POLLERR, POLLHUP, POLLNVAL } from '../poll-bits.ts';
import { MAX_FDS, fget, fput, getFile, mm, type File, type PollTable } from './file.ts';

const POLLFD_SIZE = 8;

interface Pollfd {
  readonly fd: number;
  readonly events: number;
  revents: number;
}

interface PollEntry {
  readonly whead: WaitQueue;
  readonly entry: WaitEntry;
  /** The file is held for as long as the entry is queued. */
  readonly file: File;
  /** What is wanted of it. */
  readonly events: number;
}

/**
 * poll(address, nfds, ms): how many descriptors have something to say, EINVAL, EFAULT, or EINTR (a signal and
 * nothing ready). A negative timeout is for ever.
 */
export function* sysPoll(args: readonly number[]): Kernel<number> {
  const [address, nfds, timeoutMs] = args;
  if (nfds < 0 || nfds > MAX_FDS) return -E.EINVAL;
  const fds: Pollfd[] = [];
  for (let i = 0; i < nfds; i++) {
    const at = address + i * POLLFD_SIZE;
    if (!(yield* copyFromUser(mm, at, POLLFD_SIZE, 'sys_poll'))) return -E.EFAULT;
    fds.push(pollfdAt(at));
  }
  const entries: PollEntry[] = [];
  const found = yield* doPoll(fds, entries, timeoutTicks(timeoutMs));
  yield* pollFreewait(entries);
  for (const [i, { fd, events, revents }] of fds.entries()) {
    const at = address + i * POLLFD_SIZE;
    if (!(yield* copyToUser(mm, at, POLLFD_SIZE, { fd, events, revents }, 'sys_poll')))
      return -E.EFAULT;
  }
  if (found === 0 && (yield* signalPending('sys_poll'))) return -E.EINTR;
  return found;
}

function pollfdAt(address: number): Pollfd {
  const stored = mm.load(address);
  if (typeof stored !== 'object' || stored === null || !('fd' in stored) || !('events' in stored))
    return { fd: -1, events: 0, revents: 0 };
  return { fd: Number(stored.fd), events: Number(stored.events), revents: 0 };
}

/** msecs_to_jiffies(): rounded up. */
function timeoutTicks(ms: number): number {
  return ms < 0 ? MAX_SCHEDULE_TIMEOUT : Math.ceil((ms * kernelConfig.hz) / 1000);
}

function* doPoll(fds: readonly Pollfd[], entries: PollEntry[], timeout: number): Kernel<number> {
  let ticks = timeout;
  // With no time to wait nobody need ever find us: neither queued nor in a sleeping state.
  const waits = ticks !== 0;
  let queueing = waits;
  const condition = readyCondition(fds, entries);
  for (;;) {
    if (waits) yield* setCurrentState(TaskState.INTERRUPTIBLE, 'do_poll');
    let found = 0;
    for (const pollfd of fds) {
      pollfd.revents = yield* doPollfd(pollfd, queueing ? entries : null);
      if (pollfd.revents === 0) continue;
      found++;
      queueing = false;
    }
    queueing = false;
    if (found > 0 || ticks === 0 || (yield* signalPending('do_poll'))) {
      if (waits) yield* setCurrentState(TaskState.RUNNING, 'do_poll');
      return found;
    }
    ticks = yield* scheduleTimeout(ticks, 'do_poll', condition);
  }
}

function* doPollfd(pollfd: Pollfd, entries: PollEntry[] | null): Kernel<number> {
  if (pollfd.fd < 0) return 0;
  const file = yield* fget(pollfd.fd, 'do_pollfd');
  if (file === null) return POLLNVAL;
  let mask = DEFAULT_POLLMASK;
  if (file.ops.poll !== undefined)
    mask = yield* file.ops.poll(
      file,
      entries === null ? null : tableFor(file, pollfd.events, entries),
    );
  yield* fput(file, 'do_pollfd');
  return mask & (pollfd.events | POLLERR | POLLHUP);
}

/** __pollwait(). */
function tableFor(file: File, events: number, entries: PollEntry[]): PollTable {
  return function* (whead) {
    const entry = currentEntry();
    getFile(file);
    entries.push({ whead, entry, file, events });
    yield* addWaitQueue(whead, entry, 'pollwait');
  };
}

function* pollFreewait(entries: readonly PollEntry[]): Kernel<void> {
  for (const { whead, entry, file } of entries) {
    yield* removeWaitQueue(whead, entry, 'poll_freewait');
    yield* fput(file, 'poll_freewait');
  }
}

/**
 * What a sleeping poll waits for: a file that it is queued on has something wanted to say. Another file that has come
 * to a number meanwhile owes it nothing.
 */
function readyCondition(fds: readonly Pollfd[], entries: readonly PollEntry[]): Condition {
  const isReady = ({ file, events }: PollEntry): boolean =>
    ((file.ops.ready?.(file) ?? 0) & (events | POLLERR | POLLHUP)) !== 0;
  return {
    holds: () => entries.some(isReady),
    describe: () => `poll: one of ${fds.map((p) => `fd ${p.fd}`).join(', ')} is ready`,
  };
}

/**
 * aio-epoll-wait: IOCB_CMD_EPOLL_WAIT, an epoll_wait that is an iocb (E-R119 to E-R123, A-R67 to A-R90).
 *
 * An iocb whose set has nothing ready is left queued on ep.wq and answers "retry"; whatever wakes the set kicks it.
 * A timer of its own wakes the set when the time is over. After the patch, in own words. It applies to plain 2.6.20
 * as well, where an ordinary epoll_wait then has no wait entry at all (A-B37, E-B78).
 */

import {
  TaskState,
  WAKE_NORMAL,
  armTimer,
  cancelTimer,
  engine,
  finishWait,
  injectFault,
  isLinked,
  kfree,
  kmalloc,
  listDelInit,
  newTimer,
  now,
  oops,
  plainRead,
  plainWrite,
  prepareToWait,
  read,
  readLockIrqsave,
  readRef,
  readUnlock,
  scheduleTimeout,
  signalPending,
  spinLockIrqsave,
  spinUnlock,
  touch,
  wakeUpLocked,
  writeLockIrqsave,
  writeRef,
  writeUnlock,
  type Kernel,
  type Mem,
  type Timer,
  type WaitEntry,
} from '../../machine/index.ts';
import type { Parts2620 } from '../build-2.6.20.ts';
import { EIOCBRETRY, Opcode, type IoEvent } from '../fs/aio/abi.ts';
import { aioPutReq } from '../fs/aio/complete.ts';
import {
  announce,
  currentThread,
  ioWaitOfCurrent,
  kindOfIoWait,
  type Kiocb,
  kiocbOf,
} from '../fs/aio/kioctx.ts';
import type { AioParts } from '../fs/aio/parts.ts';
import { EP_MAX_EVENTS, EventPoll } from '../fs/eventpoll-object.ts';
import { epPoll, eventCondition, type Waited } from '../fs/eventpoll-wait.ts';
import type { File } from '../fs/file.ts';
import { E, kernelConfig } from '../kernel.ts';
import { nextSlot } from '../slots.ts';
import {
  asUnsignedLong,
  isInfiniteMs,
  longMax,
  offsetAsMs,
  ticksUntil,
  toAbs,
  toRel,
} from './ep-time.ts';
import { AIO_EPOLL_MAIL, type Patch } from './patch.ts';

/** What ki_private of such an iocb points to: a timer, which also keeps the absolute time. */
class EpollTimer {
  readonly mem: Mem;
  readonly timer: Timer;
  /** An unsigned long; LONG_MAX stands for never. */
  readonly expires: bigint;
  /** The same in virtual time, where nothing wraps; Infinity for a time that no run lasts until. */
  readonly deadline: number;
  /** How often the timer has gone off. */
  firings = 0;

  constructor(k: Kiocb, expires: bigint, deadline: number, site: string) {
    this.mem = kmalloc('timer_list', site);
    this.expires = expires;
    this.deadline = deadline;
    const tell = (what: string): void => announce(what, k, this.firings, '2.6-AT1');
    const firing = (): number => ++this.firings;
    function* handler(): Kernel<void> {
      firing();
      tell('timer.fired');
      yield* wakeSet(k);
      tell('timer.done');
    }
    this.timer = newTimer('aio_epoll', nextSlot('kiocb', currentThread()), handler, this.mem);
  }
}

/** Ticks that no run lasts for. A timer for "never" that is further away does not go off. */
const HORIZON = 2n ** 30n;

/** When the timer of a request that is submitted at `time` is due (see `EpollTimer.deadline`). */
function deadlineOf(expires: bigint, time: number): number {
  const left = ticksUntil(expires, jiffiesAt(time));
  return expires === longMax() && left > HORIZON ? Infinity : time + Number(left);
}

// ---- the timer ----

/** jiffies at a moment of virtual time. */
function jiffiesAt(time: number): bigint {
  return asUnsignedLong(BigInt(kernelConfig.jiffiesStart) + BigInt(time));
}

/** aio_setup_iocb_timer(): 0, -EEXIST or -ENOMEM. */
function* setupTimer(k: Kiocb): Kernel<number> {
  const site = 'aio_setup_iocb_timer';
  const ms = offsetAsMs(k.pos);
  // No step for "never", which does not depend on jiffies.
  const time = isInfiniteMs(ms) ? 0 : yield* now(site);
  announce('kiocb.promised', k, toldTicks(k.pos), site);
  const expires = toAbs(ms, jiffiesAt(time));
  if ((yield* readRef(k.private, site)) !== null) return -E.EEXIST;
  if (yield* injectFault(site)) return -E.ENOMEM;
  const record = new EpollTimer(k, expires, deadlineOf(expires, time), site);
  yield* writeRef(k.private, record, site);
  k.dtor = freeTimer;
  announceNeeds(k, record, site);
  return 0;
}

/** For the checks: what the program has asked for, before C cuts it to an int. */
function toldTicks(ms: number): number {
  return ms < 0 ? Infinity : Math.ceil((ms * kernelConfig.hz) / 1000);
}

/** For the checks: what the handler of the timer will touch. */
function announceNeeds(k: Kiocb, record: EpollTimer, site: string): void {
  const { file } = k;
  const needs = [record.mem, file.mem];
  if (file.data instanceof EventPoll) needs.push(file.data.mem);
  for (const mem of needs) engine.observer.happened('timer.needs', k.mem, 0, site, mem);
}

/** aio_free_iocb_timer(): the destructor, under ctx_lock. Does not wait for a handler that runs. */
export function* freeTimer(k: Kiocb): Kernel<void> {
  yield* dropTimer(k, cancelTimer);
}

/** The destructor with one or the other way to stop the timer. */
export function* dropTimer(
  k: Kiocb,
  stop: (timer: Timer, site: string) => Kernel<number>,
): Kernel<void> {
  const site = 'aio_free_iocb_timer';
  const record = yield* readRef(k.private, site);
  if (!(record instanceof EpollTimer)) return;
  if (record.deadline !== Infinity) yield* stop(record.timer, site);
  announce('timer.cancelled', k, 0, site);
  kfree(record.mem, site);
  yield* writeRef(k.private, null, site);
}

/**
 * mod_timer() for the time that setup has computed. A time for "never" is armed like any other (A-B43, E-B72): it goes
 * off where it has passed by signed comparison, and where it comes within the run. Further away no run sees it, so there
 * it is no step to arm it, or to stop it.
 *
 * Overdue, it goes off at the next tick, kicks the iocb, which finds nothing and arms it again: a retry for every tick
 * for as long as nothing else happens. That is reported when it is armed the second time; to keep executions finite it
 * does not go off a third time.
 */
function* modTimer(k: Kiocb, record: EpollTimer): Kernel<void> {
  const site = '2.6-AW5';
  touch(record.mem, site);
  let { deadline } = record;
  if (deadline === Infinity) return;
  if (record.expires === longMax()) {
    const time = yield* now(site);
    const left = Number(ticksUntil(record.expires, jiffiesAt(time)));
    if (left <= 0 && record.firings > 0) engine.observer.report('COUNT', site, STORM);
    if (left <= 0 && record.firings > 1) return;
    // Not before the next tick.
    deadline = time + Math.max(1, left);
  }
  yield* armTimer(record.timer, deadline, site);
  announce('timer.armed', k, 0, site);
}

const STORM =
  'the timer of an epoll wait without end goes off at every tick: the request is run over and over for nothing';

/** eventpoll_aio_timer() (E-R122, A-R82): stops the timer and wakes everybody who waits for the set. */
function* wakeSet(k: Kiocb): Kernel<void> {
  const record = yield* readRef(k.private, '2.6-AT1');
  touch(k.mem, '2.6-AT2');
  const { file } = k;
  touch(file.mem, '2.6-AT2');
  if (record instanceof EpollTimer && record.deadline !== Infinity) {
    yield* cancelTimer(record.timer, '2.6-AT1');
    announce('timer.cancelled', k, 0, '2.6-AT1');
  }
  const ep = takenForSet(file, '2.6-AT3');
  if (ep === null) return;
  yield* writeLockIrqsave(ep.lock, '2.6-AT3');
  yield* wakeUpLocked(ep.wq, WAKE_NORMAL, 1, 0, '2.6-AT3');
  yield* writeUnlock(ep.lock, '2.6-AT3');
}

/** Kinds of files whose private_data points to something that is no set; that of the others is NULL. */
const WITH_PRIVATE_DATA: ReadonlySet<string> = new Set([
  'AF_UNIX socket',
  'stream socket',
  'tty',
  'pty master',
]);

/**
 * What the helper takes for a set, without looking at the kind of file (A-B39, E-B66): a NULL pointer is fatal, another
 * object is locked and walked as if it were one. What would come of that is anybody's guess; here, nothing.
 */
function takenForSet(file: File, site: string): EventPoll | null {
  if (file.data instanceof EventPoll) return file.data;
  if (!WITH_PRIVATE_DATA.has(file.ops.name))
    oops(
      site,
      `NULL dereference: the private data of a ${file.ops.name} is taken for an epoll set`,
    );
  engine.observer.report(
    'KASAN-WILD',
    site,
    `the private data of a ${file.ops.name} is taken for an epoll set: its lock and its wait queue are used`,
  );
  return null;
}

// ---- the methods ----

/** eventpoll_aio_wait() (E-R120, A-R79): one run of the request. */
function* runEpollWait(k: Kiocb): Kernel<number> {
  const { data: ep } = k.file;
  if (!(ep instanceof EventPoll) || k.nbytes <= 0 || k.nbytes > EP_MAX_EVENTS) return -E.EINVAL;
  const record = yield* readRef(k.private, '2.6-AW2');
  if (!(record instanceof EpollTimer))
    return oops('2.6-AW2', 'NULL dereference: the timer of the request');
  touch(record.mem, '2.6-AW2');
  const { expires } = record;
  // No step for "never", as at setup.
  const ms = toRel(expires, jiffiesAt(expires === longMax() ? 0 : yield* now('2.6-AW3')));
  const result = yield* epPoll(ep, k.buf, k.nbytes, ms);
  if (result === -EIOCBRETRY) yield* modTimer(k, record);
  return result;
}

/** eventpoll_aio_cancel() (E-R122, A-R83): 0 always, whatever the request is doing. */
function* cancelEpollWait(k: Kiocb, event: IoEvent): Kernel<number> {
  yield* wakeSet(k);
  event.res = 0;
  event.res2 = 0;
  yield* aioPutReq(k, '2.6-AC3');
  return 0;
}

/**
 * finish_wait() without ep.lock, which those who wake ep.wq hold, and nothing else; here it is ep.wq.lock alone (A-B36,
 * E-B64). KCSAN sees that nothing orders the two.
 *
 * Differs: the links are looked at and changed while nobody is in the middle of a walk, so that what a walk finds does
 * not depend on where between two steps it is.
 */
function* finishUnlocked(ep: EventPoll, entry: WaitEntry): Kernel<void> {
  const site = '2.6-AP9';
  yield* betweenWalks(ep, site);
  if (!isLinked(entry.link)) return;
  yield* spinLockIrqsave(ep.wq.lock, site);
  plainWrite(ep.wq.guard, site);
  yield* spinUnlock(ep.wq.lock, site);
  yield* betweenWalks(ep, site);
  listDelInit(entry.link);
}

/** Not in the kernel: lets a walk that is under way come to its end. What follows is in the same step. */
function* betweenWalks(ep: EventPoll, site: string): Kernel<void> {
  yield* readLockIrqsave(ep.lock, site);
  yield* readUnlock(ep.lock, site);
}

/** ep_poll() from its wait entry to the unlock (E-R121, A-R80). */
function* waitWithEntry(ep: EventPoll, timeout: number): Kernel<Waited> {
  // The kiocb's when one is being run; else the task's own, if it has any.
  const entry = ioWaitOfCurrent();
  let ticks = timeout;
  let error = 0;
  let isLocked = true;
  yield* writeLockIrqsave(ep.lock, '2.6-AP2');
  plainRead(ep.guard, '2.6-AP3');
  if (ep.ready.isEmpty()) {
    // For the checks.
    engine.observer.happened('task.io-wait.used', ep.mem, kindOfIoWait(), '2.6-AP4', null);
    if (entry === null) oops('2.6-AP4', 'NULL dereference: the task has no wait entry');
    for (;;) {
      yield* prepareToWait(ep.wq, entry, TaskState.INTERRUPTIBLE, '2.6-AP4');
      if (!ep.ready.isEmpty() || ticks === 0) break;
      if (yield* signalPending('2.6-AP6')) {
        error = -E.EINTR;
        break;
      }
      yield* writeUnlock(ep.lock, '2.6-AP7');
      const k = kiocbOf(entry);
      if (k === null) ticks = yield* scheduleTimeout(ticks, '2.6-AP8', eventCondition(ep));
      // The entry stays queued: what wakes the set runs the request again.
      else if ((yield* read(k.cancelled, '2.6-AP8')) === 0)
        return { ticks, error: -EIOCBRETRY, available: false };
      else {
        // On to AP9 without ep.lock (A-B35, E-B63).
        error = -E.EINTR;
        isLocked = false;
        break;
      }
      yield* writeLockIrqsave(ep.lock, '2.6-AP8');
      plainRead(ep.guard, '2.6-AP5');
    }
    if (isLocked) yield* finishWait(ep.wq, entry, '2.6-AP9');
    else yield* finishUnlocked(ep, entry);
  }
  plainRead(ep.guard, '2.6-AP10');
  const available = !ep.ready.isEmpty();
  yield* writeUnlock(ep.lock, '2.6-AP11');
  return { ticks, error, available };
}

function announceEdges(edges: number, site: string): void {
  const entry = ioWaitOfCurrent();
  const k = entry === null ? null : kiocbOf(entry);
  if (k !== null) announce('kiocb.edges', k, edges, site);
}

/** aio_setup_iocb() of the new opcode. Neither the kind of file nor the buffer is looked at (A-R68). */
function* setupEpollWait(k: Kiocb): Kernel<number> {
  const result = yield* setupTimer(k);
  if (result !== 0) return result;
  k.retry = runEpollWait;
  // From here on io_cancel finds a method, before the first run.
  yield* writeRef(k.cancel, cancelEpollWait, 'aio_setup_iocb');
  return 0;
}

function withEpollWait(base: AioParts): AioParts {
  return {
    ...base,
    setupOpcode: (k, opcode) =>
      opcode === Opcode.EPOLL_WAIT ? setupEpollWait(k) : base.setupOpcode(k, opcode),
  };
}

export const aioEpollWait: Patch<Parts2620> = {
  name: 'aio-epoll-wait',
  title: 'IOCB_CMD_EPOLL_WAIT: an epoll_wait as an iocb, run again whenever the set is woken',
  seed: AIO_EPOLL_MAIL,
  base: '2.6.20',
  // Alone it shows what it needs from there (A-B37).
  requires: [],
  postedOn: ['fs-aio'],
  replaces: ['aio_setup_iocb', 'ep_poll', 'ep_alloc', 'ioctx_alloc'],
  apply: (parts) => ({
    ...parts,
    aio: withEpollWait(parts.aio),
    epoll: { wait: waitWithEntry, took: announceEdges },
  }),
};

/**
 * Who sleeps in AIO, who was woken for what, and when (A-I32): reapers and destroyers that sleep although what they
 * wait for is there, retries that come late or for nothing, waits that end at the wrong time, loops without progress.
 */

import { engine, INIT_SLOT, Kind, MAX_THREADS } from '../machine/index.ts';
import { EIOCBRETRY, type AioEvent, type AioState, type Ctx, type Kiocb } from './aio-state.ts';
import type { FindingList } from './findings.ts';
import { currentName, memName, threadName } from './names.ts';

/** What one thread does in io_getevents or in the wait of io_destroy. */
interface Sleeper {
  ctx: Ctx | null;
  kind: 'none' | 'reaper' | 'destroyer';
  isAsleep: boolean;
  asleepAt: number;
}

/** A reaper that was woken and left without the event. */
interface Waste {
  readonly ctx: Ctx;
  readonly thread: string;
  readonly answer: number;
  readonly position: number;
}

export class AioSleepers {
  private readonly findings: FindingList;
  private readonly state: AioState;
  private readonly sleepers: Sleeper[] = [];
  private readonly wasted: Waste[] = [];
  /** The threads that were woken and have not read anything since. */
  private readonly owes = new Uint8Array(MAX_THREADS);
  /** Requests that a thread has run in the drain that it is in, and how often. */
  private readonly drained: Map<Kiocb, number>[] = [];
  /** The request whose cancel method each thread runs. */
  private readonly cancels: (Kiocb | null)[] = [];

  constructor(findings: FindingList, state: AioState) {
    this.findings = findings;
    this.state = state;
    for (let t = 0; t < MAX_THREADS; t++) {
      this.sleepers.push({ ctx: null, kind: 'none', isAsleep: false, asleepAt: -1 });
      this.drained.push(new Map());
      this.cancels.push(null);
    }
  }

  begin(): void {
    for (const sleeper of this.sleepers) awake(sleeper);
    for (const runs of this.drained) runs.clear();
    this.cancels.fill(null);
    this.owes.fill(0);
    this.wasted.length = 0;
  }

  happened(e: AioEvent): void {
    if (e.kiocb !== null) this.request(e, e.kiocb);
    if (e.ctx !== null) this.context(e, e.ctx);
  }

  // ---- who sleeps on a context ----

  private context(e: AioEvent, ctx: Ctx): void {
    const t = engine.current;
    switch (e.what) {
      case 'getevents.asleep':
        this.asleep(t, ctx, 'reaper');
        return;
      case 'wait-all.asleep':
        this.asleep(t, ctx, 'destroyer');
        return;
      case 'getevents.woken':
        this.sleepers[t].isAsleep = false;
        this.owes[t] = 1;
        return;
      case 'wait-all.woken':
        awake(this.sleepers[t]);
        return;
      case 'event.read':
        this.owes[t] = 0;
        return;
      case 'getevents.return':
        this.returned(e, ctx, t);
        return;
      case 'wake.completion':
        this.woken(e, ctx);
        return;
      case 'work.late':
        this.late(e, ctx);
        return;
      case 'submit.begin':
      case 'getevents.begin':
        this.drained[t].clear();
        return;
      default:
    }
  }

  private asleep(t: number, ctx: Ctx, kind: Sleeper['kind']): void {
    const sleeper = this.sleepers[t];
    sleeper.ctx = ctx;
    sleeper.kind = kind;
    sleeper.isAsleep = true;
    sleeper.asleepAt = engine.position();
    this.owes[t] = 0;
  }

  private returned(e: AioEvent, ctx: Ctx, t: number): void {
    awake(this.sleepers[t]);
    if (this.owes[t] === 1) {
      const position = engine.position();
      this.wasted.push({ ctx, thread: currentName(), answer: e.value, position });
    }
    this.owes[t] = 0;
  }

  /** One completion wakes one reaper if one sleeps, and no second one. */
  private woken(e: AioEvent, ctx: Ctx): void {
    const position = engine.position();
    if (e.value > 1) {
      const message = `one completion at ${e.site} wakes ${e.value} reapers of ${memName(ctx.mem)}`;
      this.findings.add('WAKEUP', 'too-many', message, [position]);
    }
    if (e.value > 0 || ctx.unread.size === 0) return;
    const t = this.sleepers.findIndex((one, at) => one.ctx === ctx && isFastAsleep(one, at));
    if (t < 0) return;
    const message = `a completion at ${e.site} wakes nobody, and ${threadName(t)} sleeps in io_getevents`;
    this.findings.add('WAKEUP', 'none', message, [this.sleepers[t].asleepAt, position]);
  }

  /** A-B26: a kicked request could be run for the sleeper at once. */
  private late(e: AioEvent, ctx: Ctx): void {
    const isWaited = this.sleepers.some((one) => one.ctx === ctx && one.isAsleep);
    if (e.value <= 0 || !isWaited) return;
    const message = `the next run for a sleeper on ${memName(ctx.mem)} comes ${e.value} ticks later than asked at ${e.site}`;
    this.findings.add('LATENCY', 'A-R34', message, [engine.position()]);
  }

  // ---- what happens to one request ----

  private request(e: AioEvent, k: Kiocb): void {
    switch (e.what) {
      case 'kiocb.ran':
        this.ran(e, k);
        return;
      case 'kiocb.accepted':
        // Each request of a list drains anew.
        this.drained[engine.current].clear();
        return;
      case 'submit.ran-other':
        this.ranOther(e, k);
        return;
      case 'kiocb.promised':
        k.promised = e.value;
        k.since = engine.jiffies;
        return;
      case 'timer.fired':
        this.fired(e, k);
        return;
      case 'kiocb.posted':
        this.early(e, k);
        return;
      case 'cancel.begin':
        this.cancels[engine.current] = k;
        return;
      case 'cancel.end':
        this.cancels[engine.current] = null;
        return;
      default:
    }
  }

  private ran(e: AioEvent, k: Kiocb): void {
    const isForNothing = e.value === EIOCBRETRY && k.runs > 1 && !k.byCancel && !k.byCancelAll;
    if (isForNothing) {
      const message = `${memName(k.mem)} is run again by ${currentName()} and finds nothing to do`;
      this.findings.add('WAKEUP', 'herd', message, [k.runAt, engine.position()]);
    }
    const isInterrupted = e.value === -4 || (e.value <= -512 && e.value >= -516);
    if (!isInterrupted || k.byCancel || k.byCancelAll || !isOther(k)) return;
    const message = `a signal for ${currentName()} ends ${memName(k.mem)}, which ${threadName(k.submitter)} submitted`;
    this.findings.add('FOREIGN', 'A-R35 / interrupted', message, [engine.position()]);
  }

  /** A-R37: each further round of the drain is at the mercy of others. */
  private ranOther(e: AioEvent, k: Kiocb): void {
    const runs = this.drained[engine.current];
    const times = (runs.get(k) ?? 0) + 1;
    runs.set(k, times);
    if (times < 2) return;
    const message = `${currentName()} runs ${memName(k.mem)} ${times} times in one drain (${e.site}), as often as others kick it`;
    this.findings.add('LIVELOCK', 'A-R37', message, [engine.position()]);
  }

  /** A-B43: a wait without an end has no time-out. */
  private fired(e: AioEvent, k: Kiocb): void {
    k.firings++;
    if (k.promised !== Infinity || k.firings < 2) return;
    const message = `the timer of ${memName(k.mem)}, which waits without a time-out, fires again and again (${e.site})`;
    this.findings.add('LIVELOCK', 'A-R79', message, [engine.position()]);
  }

  /** A wait that reports nothing lasts as long as it was told, less one tick. */
  private early(e: AioEvent, k: Kiocb): void {
    if (k.promised < 0 || k.result !== 0 || k.byCancel || k.byCancelAll) return;
    const lasted = engine.jiffies - k.since;
    if (lasted >= k.promised - 1) return;
    const told = k.promised === Infinity ? 'without a time-out' : `of ${k.promised} ticks`;
    const message = `${memName(k.mem)}, a wait ${told}, ends with nothing after ${lasted} ticks (${e.site})`;
    this.findings.add('LATENCY', 'early', message, [engine.position()]);
  }

  /** A task was woken: by a cancel method it is one that has nothing to do with the request. */
  woke(did: boolean, woken: number): void {
    const k = this.cancels[engine.current];
    if (!did || k === null || k === undefined || woken < 0) return;
    if (this.sleepers[woken].isAsleep) return;
    const message = `io_cancel of ${memName(k.mem)} wakes ${threadName(woken)}, which does not wait for it`;
    this.findings.add('WAKEUP', 'cancel', message, [engine.position()]);
  }

  // ---- nothing can run any more ----

  quiet(): void {
    for (const [t, sleeper] of this.sleepers.entries())
      if (sleeper.ctx !== null && isFastAsleep(sleeper, t)) this.sleeps(t, sleeper, sleeper.ctx);
    for (const k of this.state.kiocbs.values()) {
      this.neverEnds(k);
      this.blocked(k);
    }
  }

  private sleeps(t: number, sleeper: Sleeper, ctx: Ctx): void {
    const name = memName(ctx.mem);
    const who = threadName(t);
    if (sleeper.kind === 'destroyer') {
      if (ctx.live > 0) return;
      const message = `${who} waits for ever for the requests of ${name}, and none is in flight`;
      this.findings.add('WAKEUP', 'destroyer', message, [sleeper.asleepAt]);
      return;
    }
    if (ctx.unread.size > 0) {
      const waste = this.wasted.findLast((one) => one.ctx === ctx);
      const message = `${who} sleeps in io_getevents for ever although an event lies in the ring of ${name}`;
      this.findings.add('WAKEUP', 'reaper', `${message}${wasteWords(waste)}`, [
        sleeper.asleepAt,
        waste?.position ?? -1,
      ]);
    } else if (ctx.isDead) {
      const message = `${who} sleeps in io_getevents for ever on ${name}, which was destroyed`;
      this.findings.add('WAKEUP', 'destroyed', message, [sleeper.asleepAt]);
    }
  }

  /** A-B46: a wait with an end that never comes. */
  private neverEnds(k: Kiocb): void {
    const isFinite = k.promised >= 0 && k.promised !== Infinity;
    if (!isFinite || !k.accepted || k.completed > 0 || k.isGone || k.runner >= 0) return;
    if (k.byCancel || k.byCancelAll || k.kicked || k.runs === 0) return;
    const message = `${memName(k.mem)}, a wait of ${k.promised} ticks, never ends`;
    this.findings.add('LATENCY', 'never', message, [k.runAt]);
  }

  /** A-R63: whoever runs a request sleeps instead of it. */
  private blocked(k: Kiocb): void {
    const t = k.runner;
    if (t < 0 || !engine.isLive(t) || engine.isEnabled(t) || engine.pKind[t] !== Kind.AWAIT) return;
    const message = `${threadName(t)} sleeps for ever in the method of ${memName(k.mem)}, at ${engine.pSite[t]}`;
    this.findings.add('LATENCY', 'A-R63', message, [k.runAt]);
  }
}

function awake(sleeper: Sleeper): void {
  sleeper.ctx = null;
  sleeper.kind = 'none';
  sleeper.isAsleep = false;
  sleeper.asleepAt = -1;
}

/** It sleeps, and nobody has woken it yet. */
function isFastAsleep(sleeper: Sleeper, t: number): boolean {
  if (!sleeper.isAsleep) return false;
  return engine.isLive(t) && engine.pKind[t] === Kind.AWAIT && !engine.isEnabled(t);
}

/** Another task than the submitter, or a worker, runs it; what init submitted belongs to every thread. */
function isOther(k: Kiocb): boolean {
  return k.submitter !== INIT_SLOT && engine.current !== k.submitter;
}

function wasteWords(waste: Waste | undefined): string {
  if (waste === undefined) return '';
  return `; ${waste.thread} was woken for it and returned ${waste.answer} without reading it`;
}

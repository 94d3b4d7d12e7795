/**
 * KASAN: lifetimes of allocations, judged by happens-before (exploration.md 14) and not by luck. A free that is
 * not ordered after every access is a use after free in an equivalent run: reported as predicted.
 *
 * An operation on a part of an object happens at its event. A touch between two operations happens somewhere
 * before the next event of its thread: that is the event that has to be ordered before the free.
 */

import { engine, MAX_THREADS, type Lifetime } from '../machine/index.ts';
import type { FindingDetail, FindingList } from './findings.ts';
import { isLockWait, lockOf } from './held-locks.ts';
import { currentName, memName, threadName } from './names.ts';

/** Where a free stands: its thread and the event before it. */
interface Free {
  readonly mem: Lifetime;
  readonly position: number;
  readonly thread: string;
  /** A use of it has been reported: what follows in this execution is the same fault. */
  used: boolean;
}

export class Kasan {
  private readonly findings: FindingList;
  /** The object that the event at a position accessed; null beyond `reached`. */
  private readonly eventMem: (Lifetime | null)[];
  // Touches between operations, in order.
  private touches = 0;
  private readonly touchMem: (Lifetime | null)[] = [];
  private readonly touchSite: string[] = [];
  private touchThread = new Uint8Array(1024);
  private touchPosition = new Int32Array(1024);
  private frees: Free[] = [];
  /** What init freed, in the executions that start from what it built. */
  private initFrees: readonly Free[] = [];
  /** One more than the last position with an object. */
  private reached = 0;

  constructor(findings: FindingList) {
    this.findings = findings;
    this.eventMem = new Array<Lifetime | null>(engine.log.capacity).fill(null);
  }

  begin(): void {
    this.touches = 0;
    if (this.frees.length > 0) this.frees = [];
    // Objects that init made may be the same in the next execution.
    for (let d = 0; d < this.reached; d++) this.eventMem[d] = null;
    this.reached = 0;
  }

  /** Init is over: remembers what it freed. */
  initDone(): void {
    this.initFrees = this.frees.slice();
  }

  /** As `begin`, but with what init freed. */
  beginAgain(): void {
    this.begin();
    for (const free of this.initFrees) this.frees.push({ ...free, used: false });
  }

  access(mem: Lifetime, site: string): void {
    if (mem.freed) this.useAfterFree(mem, site);
    if (engine.inline) return;
    const d = engine.position();
    this.eventMem[d] = mem;
    if (d >= this.reached) this.reached = d + 1;
  }

  touched(mem: Lifetime, site: string): void {
    if (mem.freed) this.useAfterFree(mem, site);
    if (engine.inline) return;
    const n = this.touches;
    if (n === this.touchThread.length) this.grow();
    this.touchMem[n] = mem;
    this.touchSite[n] = site;
    this.touchThread[n] = engine.current;
    this.touchPosition[n] = engine.position();
    this.touches = n + 1;
  }

  private grow(): void {
    const thread = new Uint8Array(this.touches * 2);
    thread.set(this.touchThread);
    this.touchThread = thread;
    const position = new Int32Array(this.touches * 2);
    position.set(this.touchPosition);
    this.touchPosition = position;
  }

  /** Called before the object is marked as freed. */
  freed(mem: Lifetime, site: string): void {
    if (mem.freed) {
      this.doubleFree(mem, site);
      return;
    }
    this.frees.push({ mem, position: engine.position(), thread: currentName(), used: false });
    if (engine.inline) return;
    this.predictFromEvents(mem, site);
    this.predictFromTouches(mem, site);
  }

  private predictFromEvents(mem: Lifetime, site: string): void {
    const log = engine.log;
    for (let d = 0; d < engine.depth; d++) {
      if (this.eventMem[d] !== mem || !this.isUnordered(log.thr[d], log.idx[d])) continue;
      this.predict(mem, log.site[d], site, d, log.thr[d]);
    }
  }

  private predictFromTouches(mem: Lifetime, site: string): void {
    const log = engine.log;
    for (let i = 0; i < this.touches; i++) {
      if (this.touchMem[i] !== mem) continue;
      const t = this.touchThread[i];
      const d = this.touchPosition[i];
      const index = d < 0 ? 0 : log.idx[d];
      if (!this.isUnordered(t, index + 1)) continue;
      if (d >= 0 && this.isUnordered(t, index)) this.predict(mem, this.touchSite[i], site, d, t);
      else this.unprotected(mem, this.touchSite[i], site, d, t);
    }
  }

  /** Whether event `index` of thread t does not happen before what the current thread does now. */
  private isUnordered(t: number, index: number): boolean {
    if (t === engine.current) return false;
    const last = engine.position();
    return last < 0 || index > engine.log.clk[last * MAX_THREADS + t];
  }

  private predict(mem: Lifetime, use: string, free: string, access: number, t: number): void {
    const f = engine.position();
    if (f < 0) {
      this.unprotected(mem, use, free, access, t);
      return;
    }
    this.findings.add(
      'KASAN-UAF',
      `${use} / ${free}`,
      `${memName(mem)} is used by ${threadName(t)} at ${use} and freed by ${currentName()} at ${free}, ` +
        'and nothing orders the two: the free can come first',
      [access, f],
      {
        predicted: { afterEvent: access, mustPrecede: f },
        demand: { first: f, second: access },
      },
    );
  }

  /** The steps of the model cannot be reordered, but the instructions between two steps can. */
  private unprotected(mem: Lifetime, use: string, free: string, access: number, t: number): void {
    this.findings.add(
      'KASAN-UAF',
      `${use} / ${free}`,
      `${memName(mem)} is used by ${threadName(t)} at ${use}, outside of what keeps ${currentName()} from ` +
        `freeing it at ${free}`,
      [access, engine.position()],
    );
  }

  /** At the end: whoever waits for the lock of a freed object looks at freed memory for ever. */
  quiet(): void {
    for (let t = 0; t < engine.width; t++) {
      if (!engine.isLive(t) || engine.isEnabled(t) || !isLockWait(engine.pKind[t])) continue;
      const mem = lockOf(engine.pObj[t]).mem;
      if (mem === null || !mem.freed) continue;
      const site = engine.pSite[t];
      const free = this.frees.find((f) => f.mem === mem);
      this.findings.add(
        'KASAN-UAF',
        `${site} / ${mem.freeSite}`,
        `${threadName(t)} waits at ${site} for a lock in ${memName(mem)}, which ${free?.thread ?? 'init'} ` +
          `freed at ${mem.freeSite}`,
        [free?.position ?? -1, engine.log.lastOf[t]],
      );
    }
  }

  private useAfterFree(mem: Lifetime, site: string): void {
    const free = this.frees.find((f) => f.mem === mem);
    if (free?.used === true) return;
    if (free !== undefined) free.used = true;
    this.findings.add(
      'KASAN-UAF',
      `${site} / ${mem.freeSite}`,
      `${memName(mem)} is used by ${currentName()} at ${site} after ${free?.thread ?? 'init'} freed it at ` +
        `${mem.freeSite} (allocated at ${mem.allocSite})`,
      [free?.position ?? -1, engine.position()],
      demandOf(free),
    );
  }

  private doubleFree(mem: Lifetime, site: string): void {
    const first = this.frees.find((f) => f.mem === mem);
    this.findings.add(
      'DOUBLE-FREE',
      `${mem.freeSite} / ${site}`,
      `${memName(mem)} is freed by ${currentName()} at ${site}, but ${first?.thread ?? 'init'} freed it at ` +
        `${mem.freeSite}`,
      [first?.position ?? -1, engine.position()],
      demandOf(first),
    );
  }
}

/** First the free, then what happens now: the other way round it is another fault, or none. */
function demandOf(free: Free | undefined): FindingDetail {
  const second = engine.position();
  return free === undefined || free.position < 0 || second < 0
    ? {}
    : { demand: { first: free.position, second } };
}

/** All sanitizers behind the one interface that the machine knows. */

import type { Lifetime, Observer, Oops, PlainLocation } from '../machine/index.ts';
import { engine, INIT_SLOT } from '../machine/index.ts';
import { Aio } from './aio.ts';
import { FindingList, type SanitizerFinding } from './findings.ts';
import { HeldLocks } from './held-locks.ts';
import { HungTask } from './hung-task.ts';
import { InitStory } from './init-story.ts';
import { Kasan } from './kasan.ts';
import { Kcsan } from './kcsan.ts';
import { findLeaks } from './kmemleak.ts';
import { Lockdep } from './lockdep.ts';
import { addOops } from './oops.ts';
import { findSoftLockups } from './soft-lockup.ts';
import { SoftirqCount } from './softirq-count.ts';

export type { SanitizerFinding } from './findings.ts';

/**
 * Every sanitizer at once. Set it as `engine.observer`; ask for `findings()` after each execution.
 *
 * Lock order and usage are kept over executions until `forget()`: call that (or make a new one) before another
 * scenario is explored.
 */
export class Sanitizers implements Observer {
  private readonly list = new FindingList();
  private readonly held = new HeldLocks();
  private readonly kasan = new Kasan(this.list);
  private readonly kcsan = new Kcsan(this.list);
  private readonly lockdep = new Lockdep(this.list, this.held);
  private readonly softirqCount = new SoftirqCount(this.list);
  private readonly hung = new HungTask(this.list, this.held);
  private readonly aio = new Aio(this.list);
  private readonly story = new InitStory();

  /** What was seen in the execution that runs or ran last: one finding per signature, in order of discovery. */
  findings(): readonly SanitizerFinding[] {
    return this.list.all();
  }

  forget(): void {
    this.list.clear();
    this.lockdep.forget();
  }

  /** Whether lockdep saw something in the last execution that it had not seen since `forget()`. */
  hasLearnt(): boolean {
    return this.lockdep.learnt;
  }

  /** Which lock classes were taken under which since `forget()`. */
  lockOrders(): readonly { readonly from: string; readonly to: string }[] {
    return this.lockdep.orders();
  }

  begin(): void {
    this.list.clear();
    this.kasan.begin();
    this.kcsan.begin();
    this.lockdep.begin();
    this.softirqCount.begin();
    this.hung.begin();
    this.aio.begin();
    this.story.clear();
  }

  /** An init that was complained of, or that leaves a lock or the softirq count behind, is run every time. */
  initDone(): boolean {
    this.kasan.initDone();
    if (!this.story.canBeTold || this.held.depth[INIT_SLOT] > 0 || !this.softirqCount.isBalanced())
      return false;
    return this.list.all().length === 0;
  }

  beginAgain(): void {
    this.list.clear();
    this.kasan.beginAgain();
    this.kcsan.begin();
    this.lockdep.begin();
    this.softirqCount.begin();
    this.hung.begin();
    this.aio.begin();
    this.story.tell(this);
  }

  acquired(lock: number, kind: number, site: string): void {
    if (engine.inline) this.story.lock(true, lock, kind, site);
    this.lockdep.acquired(lock, kind, site);
  }

  released(lock: number, kind: number, site: string): void {
    if (engine.inline) this.story.lock(false, lock, kind, site);
    this.lockdep.released(lock, kind, site);
  }

  woke(state: number, did: boolean): void {
    if (engine.inline && did) this.story.changed();
    this.hung.woke(state);
    this.aio.woke(state, did);
  }

  softirqs(change: number, site: string): void {
    this.softirqCount.changed(change, site);
  }

  mightSleep(site: string): void {
    this.lockdep.mightSleep(site);
    this.softirqCount.mightSleep(site);
  }

  access(mem: Lifetime, site: string): void {
    this.kasan.access(mem, site);
  }

  touched(mem: Lifetime, _write: boolean, site: string): void {
    this.kasan.touched(mem, site);
  }

  allocated(): void {}

  freed(mem: Lifetime, site: string): void {
    if (engine.inline) this.story.changed();
    this.kasan.freed(mem, site);
    this.aio.freed(mem, site);
  }

  plain(location: PlainLocation, write: boolean, site: string): void {
    this.kcsan.plain(location, write, site);
  }

  oops(error: Oops): void {
    addOops(this.list, error);
  }

  /** What the kernel code itself complains about: KASAN-OOB, KASAN-WILD, WARN, INFOLEAK, STALE, COUNT, ... */
  report(detector: string, site: string, message: string): void {
    this.list.add(detector, site, message, [engine.position()]);
  }

  /** What subsystems announce for checks of their own. */
  happened(what: string, mem: Lifetime, value: number, site: string, of: Lifetime | null): void {
    if (engine.inline) this.story.happened(what, mem, value, site, of);
    this.aio.happened(what, mem, value, site, of);
  }

  quiet(): void {
    this.kasan.quiet();
    this.lockdep.quiet();
    this.softirqCount.quiet();
    this.hung.quiet();
    this.aio.quiet();
    findSoftLockups(this.list);
  }

  end(): void {
    findLeaks(this.list);
    this.aio.end();
  }
}

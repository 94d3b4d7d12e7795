/** What sanitizers may see of the machine, as it happens. */

import type { Lifetime, Oops } from './engine.ts';

export interface Observer {
  /** A new execution starts. */
  begin(): void;
  /**
   * Init is over. True if all that this observer has learnt from it can be had again by `beginAgain`; without these
   * two init runs in every execution.
   */
  initDone?(): boolean;
  /** A new execution starts from the state that init had built when `initDone` was called last. */
  beginAgain?(): void;
  /** A lock was taken or let go by the current thread. */
  acquired(lock: number, kind: number, site: string): void;
  released(lock: number, kind: number, site: string): void;
  /** A wake-up of the task whose state object this is; `did` is false when it was not asleep. */
  woke(state: number, did: boolean, site: string): void;
  /** The softirq-disable count of the CPU that the current thread runs on changes by `change`. */
  softirqs(change: number, site: string): void;
  /** The current thread is about to do something that may sleep. */
  mightSleep(site: string): void;
  /** The operation that is being applied is on a part of this allocation. */
  access(mem: Lifetime, site: string, kind: number): void;
  /** The current thread touches an allocation between two operations. */
  touched(mem: Lifetime, write: boolean, site: string): void;
  allocated(mem: Lifetime, site: string): void;
  freed(mem: Lifetime, site: string): void;
  /** Plain data guarded by some lock was read or written. */
  plain(location: PlainLocation, write: boolean, site: string): void;
  oops(error: Oops): void;
  /** Something a kernel would print a warning for. */
  report(detector: string, site: string, message: string): void;
  /**
   * Something that checks of one subsystem keep books about (`kiocb.posted`): it is about `mem`, and about the
   * owner `of` of it if there is one; `value` is said with each kind.
   */
  happened(what: string, mem: Lifetime, value: number, site: string, of: Lifetime | null): void;
  /** Nothing can run any more. */
  quiet(): void;
  /** After the exit of the process. */
  end(): void;
}

/** Data that is no operation because one lock guards it; KCSAN checks that this is so. */
export interface PlainLocation {
  readonly name: string;
  readonly mem: Lifetime | null;
  /** Execution in which `slot` was given. */
  epoch: number;
  /** Where the data-race detector keeps what it knows of this location. */
  slot: number;
}

export const NO_OBSERVER: Observer = {
  begin() {},
  initDone: () => true,
  beginAgain() {},
  acquired() {},
  released() {},
  woke() {},
  softirqs() {},
  mightSleep() {},
  access() {},
  touched() {},
  allocated() {},
  freed() {},
  plain() {},
  oops() {},
  report() {},
  happened() {},
  quiet() {},
  end() {},
};

/** What sanitizers may see of the machine, as it happens. */

import type { Lifetime, Oops } from './engine.ts';

export interface Observer {
  /** A new execution starts. */
  begin(): void;
  /** A lock was taken or let go by the current thread. */
  acquired(lock: number, kind: number, site: string): void;
  released(lock: number, kind: number, site: string): void;
  /** A wake-up of the task whose state object this is; `did` is false when it was not asleep. */
  woke(state: number, did: boolean, site: string): void;
  /** The current thread is about to do something that may sleep. */
  mightSleep(site: string): void;
  /** The current thread touches an allocation (an operation on a part of it, or plain data). */
  access(mem: Lifetime, site: string, kind: number): void;
  allocated(mem: Lifetime, site: string): void;
  freed(mem: Lifetime, site: string): void;
  /** Plain data guarded by some lock was read or written. */
  plain(location: PlainLocation, write: boolean, site: string): void;
  oops(error: Oops): void;
  /** Something a kernel would print a warning for. */
  report(detector: string, site: string, message: string): void;
  /** Nothing can run any more. */
  quiet(): void;
  /** After the exit of the process. */
  end(): void;
}

/** Data that is no operation because one lock guards it; KCSAN checks that this is so. */
export interface PlainLocation {
  readonly name: string;
  readonly mem: Lifetime | null;
  /** Execution in which the fields below were last reset. */
  epoch: number;
  writer: number;
  writerIndex: number;
  writerSite: string;
  readers: Uint16Array | null;
}

export const NO_OBSERVER: Observer = {
  begin() {},
  acquired() {},
  released() {},
  woke() {},
  mightSleep() {},
  access() {},
  allocated() {},
  freed() {},
  plain() {},
  oops() {},
  report() {},
  quiet() {},
  end() {},
};

/** What a call can answer with: the values outcomes are made of. */

export type Result =
  | { readonly kind: 'value'; readonly value: number }
  | { readonly kind: 'errno'; readonly errno: string }
  /** Descriptor-making calls; the numbers are the target's own and never compared. */
  | { readonly kind: 'fds'; readonly fds: readonly number[] }
  /** epoll_wait and poll: in the order delivered. `name` is the symbol given at registration, or the data. */
  | {
      readonly kind: 'events';
      readonly events: readonly ReportedEvent[];
      /** sys_epoll v11: events more that were returned at an address that is not mapped. */
      readonly unread?: number;
    }
  /** io_getevents and its like: in the order delivered. */
  | { readonly kind: 'completions'; readonly events: readonly Completion[] }
  /** read: the count, and the bytes where the target keeps them. */
  | { readonly kind: 'bytes'; readonly count: number; readonly data: string }
  /** The call never returned, and never can. */
  | { readonly kind: 'hang' }
  /** The kernel killed the thread inside the call (oops). */
  | { readonly kind: 'killed' };

export interface ReportedEvent {
  readonly name: string;
  readonly mask: number;
}

/** One io_event as a program sees it. */
export interface Completion {
  /** The name of the iocb its `obj` points at, or that address as a number. */
  readonly name: string;
  /** Bytes or events, or a negative errno. */
  readonly res: number;
  readonly res2: number;
  /** What a read put into its buffer; only when `res` is positive. */
  readonly data?: string;
  /** What an epoll_wait request stored. */
  readonly events?: readonly ReportedEvent[];
}

/** The result of one call of a program; thread -1 is init, `index` counts from 0. */
export interface CallResult {
  readonly thread: number;
  readonly index: number;
  readonly result: Result;
}

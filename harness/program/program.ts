/**
 * A program: what threads ask of a kernel. Plain immutable data; the text form is in `text.ts`.
 *
 * Near relatives: syzkaller's program text, herd7's litmus files.
 */

/** One argument as written. Names stand for descriptors bound earlier by the same thread or by init. */
export type Arg =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'name'; readonly name: string }
  /** `EPOLLIN|EPOLLET`, `EPOLL_CTL_ADD`; unknown bits as hexadecimal literals in `names`. */
  | { readonly kind: 'flags'; readonly names: readonly string[] }
  | { readonly kind: 'string'; readonly value: string }
  /** poll(2) sets: `[r:POLLIN, w:POLLOUT]`; also the pollfd array written to `/dev/epoll`. */
  | { readonly kind: 'pollfds'; readonly entries: readonly PollfdArg[] }
  /** NULL, BAD (unmapped), RO (mapped read-only), KERNEL (kernel address). */
  | { readonly kind: 'pointer'; readonly where: PointerName }
  /** `mapped(n)`: a buffer of which only the first n elements are mapped. */
  | { readonly kind: 'mapped'; readonly elements: number }
  /** io_submit()'s list: `[a: pread(r, 4), b, BAD]`. */
  | { readonly kind: 'iocbs'; readonly entries: readonly IocbArg[] }
  /** The segments of a vectored request: `[1, 4096]` lengths, `["ab", "c"]` bytes. */
  | { readonly kind: 'iovec'; readonly segments: readonly Arg[] }
  /** `{SIGUSR1}`; the empty set is `{}`. */
  | { readonly kind: 'signals'; readonly names: readonly string[] }
  /** `buf=RO`, `data=7`: an optional argument by name. */
  | { readonly kind: 'labelled'; readonly label: string; readonly value: Arg };

export type PointerName = 'NULL' | 'BAD' | 'RO' | 'KERNEL';

export interface PollfdArg {
  readonly fd: Arg;
  readonly events: Arg;
}

/** One element of io_submit()'s list. */
export type IocbArg =
  /** A request block by name; without `op` it is submitted as it stands in memory. */
  | { readonly kind: 'iocb'; readonly name: string; readonly op: IocbOp | null }
  /** An address that is no iocb. */
  | { readonly kind: 'pointer'; readonly where: PointerName };

/** What a request block is filled with: `pread(r, 4, buf=BAD)`; the table is IOCB_OPS in the ABI. */
export interface IocbOp {
  readonly name: string;
  readonly args: readonly Arg[];
}

/** The call runs only if the named earlier result of the same thread (or of init) is as said. */
export interface Condition {
  readonly name: string;
  readonly negated: boolean;
  readonly value: ValuePattern;
}

export interface Call {
  /** Names on the left of `=`: descriptors for calls that make them, else one result name, or none. */
  readonly bind: readonly string[];
  readonly name: string;
  readonly args: readonly Arg[];
  readonly when?: Condition;
}

/** What a result must look like. */
export type ValuePattern =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'errno'; readonly errno: string }
  | { readonly kind: 'hang' }
  /** The call was never reached or its condition was false. */
  | { readonly kind: 'none' }
  /** Any success (a return that is not an errno and not a hang). */
  | { readonly kind: 'ok' }
  /** The task died in the call. */
  | { readonly kind: 'killed' }
  | { readonly kind: 'data'; readonly value: string }
  /** `{s:IN|OUT, t:IN}` any order, `[...]` this order. Masks may leave out bits only with a trailing `+`. */
  | {
      readonly kind: 'events';
      readonly ordered: boolean;
      readonly entries: readonly EventPattern[];
    }
  /** `{a:1, b:EINTR}` any order, `[...]` this order: what io_getevents() reported. */
  | {
      readonly kind: 'completions';
      readonly ordered: boolean;
      readonly entries: readonly CompletionPattern[];
    };

export interface CompletionPattern {
  /** The name of the iocb, or the number reported in its place. */
  readonly name: string;
  readonly value: CompletionValue;
}

/** What the result of a request must look like. */
export type CompletionValue =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'errno'; readonly errno: string }
  /** `ok`: not negative. */
  | { readonly kind: 'ok' }
  /** `"abc"`: what a read put into its buffer. */
  | { readonly kind: 'data'; readonly value: string }
  /** `{r:IN}`: what an epoll_wait request stored. */
  | {
      readonly kind: 'events';
      readonly ordered: boolean;
      readonly entries: readonly EventPattern[];
    }
  /** `*`: anything. */
  | { readonly kind: 'any' };

export interface EventPattern {
  readonly name: string;
  readonly mask: number;
  /** True for `IN+`: these bits at least. */
  readonly atLeast: boolean;
}

/** `x=0 y=hang`: every named result is as said. */
export interface Conjunction {
  readonly terms: readonly { readonly name: string; readonly values: readonly ValuePattern[] }[];
}

export type Expectation =
  | { readonly kind: 'always' | 'sometimes' | 'never'; readonly outcome: Conjunction }
  /** All `outcome` lines of a block together are the exact set, over the names they mention. */
  | { readonly kind: 'exactly'; readonly outcomes: readonly Conjunction[] }
  /** Exploration must produce a finding of this detector, at this site when given. */
  | { readonly kind: 'finding'; readonly detector: string; readonly site?: string }
  /** Exploration must not produce such a finding. */
  | { readonly kind: 'absent'; readonly detector: string; readonly site?: string }
  /** Exploration must produce no finding (complete exploration: proof). */
  | { readonly kind: 'clean' };

export interface ExpectBlock {
  /** Which targets this block is for: `2.6.20`, `2.5.44+sys_epoll-v11`, `host`, `2.*`; empty: all others. */
  readonly selectors: readonly string[];
  readonly expectations: readonly Expectation[];
}

export interface Program {
  readonly name: string;
  /** Header lines in order: `about`, `docs`, `on`, `not`, `schedule`, ... */
  readonly meta: readonly { readonly key: string; readonly value: string }[];
  readonly init: readonly Call[];
  readonly threads: readonly (readonly Call[])[];
  readonly expect: readonly ExpectBlock[];
}

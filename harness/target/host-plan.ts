/**
 * A program made ready for the host: names become slots of one table of descriptors, and whatever the host
 * cannot or must not run is refused with a reason. Pure data in, plain data out (it travels as JSON).
 */

import { iocbOpOf, kernelIdOf, syscallOf, type ArgSpec } from '../abi/index.ts';
import type {
  Arg,
  Call,
  Condition,
  IocbArg,
  IocbOp,
  PointerName,
  Program,
} from '../program/program.ts';
import { HostRefusal, refuseCall, refuseContent, refuseOwnDescriptor } from './host-refusals.ts';

/** An argument whose names are resolved. */
export type HostArg =
  | { readonly kind: 'int'; readonly value: number }
  /** A descriptor: its slot, and how the program calls it. */
  | { readonly kind: 'slot'; readonly slot: number; readonly name: string }
  /** Position of the thread, 0 for T1. */
  | { readonly kind: 'thread'; readonly thread: number }
  | { readonly kind: 'flags'; readonly names: readonly string[] }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'pollfds'; readonly entries: readonly HostPollfd[] }
  | { readonly kind: 'pointer'; readonly where: PointerName }
  | { readonly kind: 'mapped'; readonly elements: number }
  | { readonly kind: 'signals'; readonly names: readonly string[] }
  /** An AIO context: its slot among the contexts. */
  | { readonly kind: 'context'; readonly slot: number }
  /** A request block: its number, which is its place in memory. */
  | { readonly kind: 'iocb'; readonly iocb: number }
  | { readonly kind: 'iocbs'; readonly entries: readonly HostIocb[] }
  | { readonly kind: 'iovec'; readonly segments: readonly HostArg[] };

/** An element of io_submit()'s list. */
export type HostIocb =
  | { readonly kind: 'pointer'; readonly where: PointerName }
  | { readonly kind: 'iocb'; readonly iocb: number; readonly op: HostIocbOp | null };

/** What a request block is filled with. */
export interface HostIocbOp {
  readonly name: string;
  readonly opcode: number;
  /** Of the descriptor and what follows it. */
  readonly args: readonly HostArg[];
  readonly labels: Readonly<Record<string, HostArg>>;
}

export interface HostPollfd {
  readonly fd: HostArg;
  readonly events: HostArg;
}

export interface HostCall {
  readonly name: string;
  readonly args: readonly HostArg[];
  readonly labels: Readonly<Record<string, HostArg>>;
  /** Names of the result, for conditions. */
  readonly bind: readonly string[];
  /** One slot for every descriptor the call makes. */
  readonly slots: readonly number[];
  /** The slot of the AIO context it makes. */
  readonly context?: number;
  readonly when?: Condition;
}

export interface HostPlan {
  /** init, then T1, T2, ... */
  readonly parts: readonly (readonly HostCall[])[];
  /** What the data of a registration stands for. */
  readonly symbols: readonly string[];
  /** Paths made by the program, below the private folder. */
  readonly made: readonly string[];
  readonly usesFile: boolean;
  readonly usesTcp: boolean;
  /** Names of the request blocks, by number. */
  readonly iocbs: readonly string[];
  /** Number of AIO contexts that it makes. */
  readonly contexts: number;
}

/** Bounds of what one program may ask. */
export const CALLS_MAX = 1000;
export const THREADS_MAX = 4;
export const SLOTS_MAX = 1024;
export const CONTEXTS_MAX = 256;
export const IOCBS_MAX = 64;
/** Room in the buffer of an iocb, in bytes. */
export const IOCB_BYTES_MAX = 62 * 4096;

const devices = ['/dev/null', '/dev/zero', '/dev/full', '/dev/tty', '/dev/random', '/dev/urandom'];

/** The plan of a program. Throws HostRefusal with one line when the host cannot run it. */
export function planFor(program: Program): HostPlan {
  return new Planner(program).plan();
}

/** What the names of descriptors and contexts stand for. */
type Names = Map<string, HostArg>;

class Planner {
  readonly #program: Program;
  readonly #symbols: string[] = [];
  readonly #made = new Set<string>();
  readonly #iocbs: string[] = [];
  #slots = 0;
  #contexts = 0;
  #usesFile = false;
  #usesTcp = false;

  constructor(program: Program) {
    this.#program = program;
  }

  plan(): HostPlan {
    const { init, threads } = this.#program;
    if (threads.length > THREADS_MAX)
      throw new HostRefusal(`host runs at most ${THREADS_MAX} threads`);
    const shared = new Map<string, HostArg>();
    const parts = [this.#part(init, shared)];
    for (const calls of threads) parts.push(this.#part(calls, new Map(shared)));
    return {
      parts,
      symbols: this.#symbols,
      made: [...this.#made],
      usesFile: this.#usesFile,
      usesTcp: this.#usesTcp,
      iocbs: this.#iocbs,
      contexts: this.#contexts,
    };
  }

  #part(calls: readonly Call[], names: Names): readonly HostCall[] {
    if (calls.length > CALLS_MAX) {
      throw new HostRefusal(
        `host runs at most ${CALLS_MAX} calls in a thread, not ${calls.length}`,
      );
    }
    return calls.map((call) => this.#call(call, names));
  }

  #call(call: Call, names: Names): HostCall {
    const spec = syscallOf(call.name);
    if (spec === null || !spec.exists(kernelIdOf('host'))) {
      throw new HostRefusal(`host has no ${call.name}()`);
    }
    refuseCall(call);
    if (call.name === 'open' || call.name === 'mkfifo') this.#path(call);
    if (call.name === 'listen') this.#usesTcp = true;
    const { args, labels } = this.#arguments(call.args, spec.args, names);
    if (call.name === 'epoll_ctl' && labels['data'] === undefined) {
      const watched = args[2];
      if (watched !== undefined) labels['symbol'] = { kind: 'int', value: this.#symbol(watched) };
    }
    const made = spec.returns === 'fds2' ? 2 : spec.returns === 'fd' ? 1 : 0;
    const slots = this.#slotsFor(call, made, names);
    const context = spec.returns === 'context' ? this.#contextFor(call, names) : undefined;
    return {
      name: call.name,
      args,
      labels,
      bind: call.bind,
      slots,
      ...(context === undefined ? {} : { context }),
      ...(call.when === undefined ? {} : { when: call.when }),
    };
  }

  #arguments(
    given: readonly Arg[],
    specs: readonly ArgSpec[],
    names: Names,
  ): { args: HostArg[]; labels: Record<string, HostArg> } {
    const args: HostArg[] = [];
    const labels: Record<string, HostArg> = {};
    for (const [at, arg] of given.entries()) {
      if (arg.kind === 'labelled') {
        const isFd = specs.find((spec) => spec.name === arg.label)?.type.kind === 'fd';
        labels[arg.label] = this.#argument(arg.value, names, isFd);
      } else if (specs[at]?.type.kind === 'iocb' && arg.kind === 'name') {
        args.push({ kind: 'iocb', iocb: this.#iocb(arg.name) });
      } else args.push(this.#argument(arg, names, specs[at]?.type.kind === 'fd'));
    }
    return { args, labels };
  }

  #contextFor(call: Call, names: Names): number {
    if (this.#contexts === CONTEXTS_MAX)
      throw new HostRefusal(`host runs programs of at most ${CONTEXTS_MAX} AIO contexts`);
    const slot = this.#contexts;
    this.#contexts += 1;
    const name = call.bind[0];
    if (name !== undefined) names.set(name, { kind: 'context', slot });
    return slot;
  }

  #iocb(name: string): number {
    const at = this.#iocbs.indexOf(name);
    if (at >= 0) return at;
    if (this.#iocbs.length === IOCBS_MAX)
      throw new HostRefusal(`host runs programs of at most ${IOCBS_MAX} iocbs`);
    return this.#iocbs.push(name) - 1;
  }

  #iocbEntry(entry: IocbArg, names: Names): HostIocb {
    if (entry.kind === 'pointer') return entry;
    const iocb = this.#iocb(entry.name);
    return { kind: 'iocb', iocb, op: entry.op === null ? null : this.#iocbOp(entry.op, names) };
  }

  #iocbOp(op: IocbOp, names: Names): HostIocbOp {
    const spec = iocbOpOf(op.name);
    if (spec === null) throw new HostRefusal(`host has no request ${op.name}()`);
    const { args, labels } = this.#arguments(op.args, spec.args, names);
    refuseContent(op.name, args[1]);
    if (spec.opcode !== null) return { name: op.name, opcode: spec.opcode, args, labels };
    const [number, ...rest] = args;
    const opcode = number?.kind === 'int' ? number.value : 0;
    return { name: op.name, opcode, args: rest, labels };
  }

  #slotsFor(call: Call, made: number, names: Names): number[] {
    const slots: number[] = [];
    for (let at = 0; at < made; at += 1) {
      if (this.#slots === SLOTS_MAX) {
        throw new HostRefusal(`host runs programs of at most ${SLOTS_MAX} descriptors`);
      }
      slots.push(this.#slots);
      const name = call.bind[at];
      if (name !== undefined) names.set(name, { kind: 'slot', slot: this.#slots, name });
      this.#slots += 1;
    }
    return slots;
  }

  #symbol(watched: HostArg): number {
    const name = nameOfDescriptor(watched);
    const at = this.#symbols.indexOf(name);
    return at >= 0 ? at : this.#symbols.push(name) - 1;
  }

  #argument(arg: Arg, names: Names, isFd: boolean): HostArg {
    switch (arg.kind) {
      case 'name':
        return this.#named(arg.name, names);
      case 'int':
        if (isFd) refuseOwnDescriptor(arg.value);
        return arg;
      case 'pollfds':
        return {
          kind: 'pollfds',
          entries: arg.entries.map((entry) => ({
            fd: this.#argument(entry.fd, names, true),
            events: this.#argument(entry.events, names, false),
          })),
        };
      case 'labelled':
        return this.#argument(arg.value, names, isFd);
      case 'iocbs':
        return {
          kind: 'iocbs',
          entries: arg.entries.map((entry) => this.#iocbEntry(entry, names)),
        };
      case 'iovec':
        return {
          kind: 'iovec',
          segments: arg.segments.map((segment) => this.#argument(segment, names, false)),
        };
      case 'flags':
      case 'string':
      case 'pointer':
      case 'mapped':
      case 'signals':
        return arg;
      default:
        return arg satisfies never;
    }
  }

  #named(name: string, names: ReadonlyMap<string, HostArg>): HostArg {
    const known = names.get(name);
    if (known !== undefined) return known;
    const thread = /^T([1-9])$/.exec(name)?.[1];
    if (thread !== undefined && Number(thread) <= this.#program.threads.length) {
      return { kind: 'thread', thread: Number(thread) - 1 };
    }
    throw new HostRefusal(`host cannot use "${name}": no descriptor or thread of that name`);
  }

  #path(call: Call): void {
    const path = call.args[0];
    if (path?.kind !== 'string') return;
    const { value } = path;
    if (value === '/proc/self/fd/' || value === '/tmp' || devices.includes(value)) return;
    if (value === '/tmp/file') {
      this.#usesFile = true;
      return;
    }
    const name = privateName(value);
    if (name === null) throw new HostRefusal(`host does not open "${value}"`);
    this.#made.add(name);
  }
}

/** `f` for "f" and "/tmp/f": the name below the program's private folder; null for other places. */
export function privateName(path: string): string | null {
  return /^(?:\/tmp\/)?([A-Za-z0-9_-][A-Za-z0-9_.-]{0,60})$/.exec(path)?.[1] ?? null;
}

/** How a program calls a descriptor: its name, or the literal. */
export function nameOfDescriptor(arg: HostArg): string {
  if (arg.kind === 'slot') return arg.name;
  return arg.kind === 'int' ? String(arg.value) : '?';
}

/**
 * The memory that the child's threads share: one buffer, laid out by hand so that what different threads write
 * lies in different cache lines.
 */

import { CALLS_MAX, CONTEXTS_MAX, SLOTS_MAX, THREADS_MAX } from './host-plan.ts';

/** Global words; indices into `words`. */
export const WORD = {
  /** Total order of call starts and returns. */
  stamp: 0,
  /** How many actors have ended the current iteration. */
  finished: 16,
  /** How many stand at the barrier. */
  arrived: 32,
  /** 1: every actor still in a call hangs for ever; whatever the call returns now is our doing. */
  hung: 48,
  /** Changes whenever an actor does something the conductor waits for. */
  activity: 64,
  mode: 80,
  seed: 81,
  /** Longest random delay before a call, in turns of an empty loop. */
  delay: 82,
  parties: 83,
  /** 1: an actor failed; `text` says how. */
  fault: 84,
} as const;

/** How an iteration is driven. */
export const MODE = { race: 0, steps: 1 } as const;

/** Words of one actor; add to `actorAt(n)`. */
export const ACTOR = {
  /** Count of commands given times 8, plus the command. */
  command: 0,
  phase: 1,
  /** The system call it is in. */
  nr: 2,
  /** Count of system calls entered. */
  sequence: 3,
  tid: 4,
  /** Count of calls it may begin, in steps mode. */
  grant: 5,
  /** 1: the call it is in ends by itself (time-out). */
  wakesItself: 6,
  /** Count of messages answered. */
  answers: 7,
} as const;

export const PHASE = { parked: 0, waiting: 1, calling: 2, finished: 3 } as const;

export const COMMAND = { load: 1, init: 2, run: 3, dump: 4 } as const;

const ACTOR_WORDS = 32;
const ACTORS_AT = 128;
export const RECORD_WORDS = 3;
const FDS_MAX = 8192;

/** Words of one call's record; the result is 1 + the index in the part's table of results, 0 if not reached. */
export const RECORD = { result: 0, start: 1, end: 2 } as const;

export interface Shared {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  /** Descriptor of every slot, -1 if none. */
  readonly fds: Int32Array;
  /** Port of every listening socket, by slot. */
  readonly ports: Int32Array;
  /** 1 for every open descriptor that the program made, 2 for a TCP socket. */
  readonly owned: Uint8Array;
  /** Handle of every AIO context by slot, 0 if none; it stays when the context is destroyed. */
  readonly contexts: Float64Array;
  /** 1 for every AIO context that must be destroyed, by slot. */
  readonly contextsOwned: Uint8Array;
  readonly records: Int32Array;
  /** [0]: until when (monotonic ms) a timer may still end a blocked call. */
  readonly times: Float64Array;
  /** How long each call took, in ms; the index is that of `records` by RECORD_WORDS. */
  readonly lengths: Float64Array;
  /** Results of init as JSON, for conditions in threads: length, then bytes. */
  readonly text: Uint8Array;
}

const WORDS = ACTORS_AT + ACTOR_WORDS * THREADS_MAX;
const RECORDS = (THREADS_MAX + 1) * CALLS_MAX * RECORD_WORDS;
const TEXT_BYTES = 1 << 18;

/** Index of the first word of an actor; actor n runs thread n, and actor 0 init as well. */
export function actorAt(actor: number): number {
  return ACTORS_AT + actor * ACTOR_WORDS;
}

/** Index in `records` of a call; part 0 is init. */
export function recordAt(part: number, call: number): number {
  return (part * CALLS_MAX + call) * RECORD_WORDS;
}

/** Views of the shared buffer; makes a new one when none is given. */
export function sharedMemory(given?: SharedArrayBuffer): Shared {
  let at = 0;
  const take = (bytes: number): number => {
    const start = at;
    at += Math.ceil(bytes / 64) * 64;
    return start;
  };
  const words = take(WORDS * 4);
  const fds = take(SLOTS_MAX * 4);
  const ports = take(SLOTS_MAX * 4);
  const owned = take(FDS_MAX);
  const records = take(RECORDS * 4);
  const times = take(64);
  const lengths = take((RECORDS / RECORD_WORDS) * 8);
  const contexts = take(CONTEXTS_MAX * 8);
  const contextsOwned = take(CONTEXTS_MAX);
  const text = take(TEXT_BYTES);
  const buffer = given ?? new SharedArrayBuffer(at);
  return {
    buffer,
    words: new Int32Array(buffer, words, WORDS),
    fds: new Int32Array(buffer, fds, SLOTS_MAX),
    ports: new Int32Array(buffer, ports, SLOTS_MAX),
    owned: new Uint8Array(buffer, owned, FDS_MAX),
    contexts: new Float64Array(buffer, contexts, CONTEXTS_MAX),
    contextsOwned: new Uint8Array(buffer, contextsOwned, CONTEXTS_MAX),
    records: new Int32Array(buffer, records, RECORDS),
    times: new Float64Array(buffer, times, 1),
    lengths: new Float64Array(buffer, lengths, RECORDS / RECORD_WORDS),
    text: new Uint8Array(buffer, text, TEXT_BYTES),
  };
}

/** Leaves a text for the other threads. Throws RangeError if it is too long for its place. */
export function writeText({ text }: Shared, content: string): void {
  const bytes = Buffer.from(content);
  if (bytes.length + 4 > text.length) throw new RangeError(`Cannot pass ${bytes.length} bytes on`);
  new DataView(text.buffer, text.byteOffset).setUint32(0, bytes.length);
  text.set(bytes, 4);
}

/** The text left last. */
export function readText({ text }: Shared): string {
  const length = new DataView(text.buffer, text.byteOffset).getUint32(0);
  return Buffer.from(text.subarray(4, 4 + length)).toString();
}

/** Milliseconds of CLOCK_MONOTONIC, the same in every thread of the process. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * Whether an actor is asleep in its system call, from /proc: no time-out has to decide that.
 *
 * /proc/self/task/TID/syscall says `running`, or the number of the system call a task sleeps in.
 */

import { type Arena, type Libc, NR } from './host-libc.ts';
import { ACTOR, PHASE, actorAt, type Shared } from './host-shared.ts';

const BYTES = 512;
const LETTER_R = 0x72;
const SPACE = 0x20;
const MINUS = 0x2d;
const LETTER_S = 0x53;
const PARENTHESIS = 0x29;
/** Descriptors kept open are moved up here, out of the way of numbers that programs name. */
const HIGH_FD = 700;
const F_DUPFD_CLOEXEC = 1030;

/** An open file of /proc that can be read again and again. */
class ProcFile {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #arena: Arena;

  constructor(libc: Libc, arena: Arena, path: string) {
    this.#libc = libc;
    this.#arena = arena;
    arena.bytes.set(Buffer.from(`${path}\0`));
    const fd = libc.sys(NR.open, arena.base, 0);
    if (fd < 0) throw new Error(`cannot open ${path} (errno ${-fd})`);
    const high = libc.sys(NR.fcntl, fd, F_DUPFD_CLOEXEC, HIGH_FD);
    this.#fd = high < 0 ? fd : high;
    if (high >= 0) libc.sys(NR.close, fd);
  }

  /** How many bytes it has now; they are at the beginning of the arena. */
  read(): number {
    return this.#libc.sys(NR.pread64, this.#fd, this.#arena.base, BYTES, 0);
  }
}

export class ActorWatch {
  readonly #shared: Shared;
  readonly #bytes: Uint8Array;
  readonly #at: number;
  readonly #syscall: ProcFile;
  readonly #stat: ProcFile;

  /** Throws Error when /proc does not let us look. */
  constructor(libc: Libc, arena: Arena, shared: Shared, actor: number) {
    this.#shared = shared;
    this.#bytes = arena.bytes;
    this.#at = actorAt(actor);
    const tid = Atomics.load(shared.words, this.#at + ACTOR.tid);
    this.#syscall = new ProcFile(libc, arena, `/proc/self/task/${tid}/syscall`);
    this.#stat = new ProcFile(libc, arena, `/proc/self/task/${tid}/stat`);
    const r = this.#syscall.read();
    if (r <= 0) throw new Error(`cannot read /proc/self/task/${tid}/syscall (errno ${-r})`);
  }

  get phase(): number {
    return Atomics.load(this.#shared.words, this.#at + ACTOR.phase);
  }

  /** The call it is in will end by itself. */
  get wakesItself(): boolean {
    return Atomics.load(this.#shared.words, this.#at + ACTOR.wakesItself) === 1;
  }

  /** Count of system calls it has entered. */
  get sequence(): number {
    return Atomics.load(this.#shared.words, this.#at + ACTOR.sequence);
  }

  /** Whether that is the system call it has said it would make. */
  isIn(nr: number): boolean {
    return Atomics.load(this.#shared.words, this.#at + ACTOR.nr) === nr;
  }

  /** True if it was asleep in the system call it said it would make. */
  isAsleep(): boolean {
    if (this.phase !== PHASE.calling) return false;
    const expected = Atomics.load(this.#shared.words, this.#at + ACTOR.nr);
    const length = this.#syscall.read();
    if (length <= 0 || this.#bytes[0] === LETTER_R || this.#bytes[0] === MINUS) return false;
    let nr = 0;
    for (let i = 0; i < length; i += 1) {
      const byte = this.#bytes[i] ?? SPACE;
      if (byte === SPACE) break;
      nr = nr * 10 + byte - 0x30;
    }
    return nr === expected;
  }

  /** True if a signal could wake it: it is not merely waiting for a disk or a lock inside the kernel. */
  isInterruptible(): boolean {
    const length = this.#stat.read();
    const text = this.#bytes.subarray(0, Math.max(0, length));
    return text[text.lastIndexOf(PARENTHESIS) + 2] === LETTER_S;
  }
}

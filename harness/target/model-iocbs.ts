/**
 * The request blocks of a program in the address space of the model: a place for each name, the same for all threads.
 *
 * At the place: the iocb, then its table of segments, then its buffer. Structures are those of `kernel/fs/aio/abi.ts`.
 */

import { bytesAt } from '../kernel/fs/user-bytes.ts';
import { asIocb, iovecSize, Opcode, type Iocb } from '../kernel/fs/aio/abi.ts';
import type { Iovec } from '../kernel/fs/file.ts';
import {
  newWord,
  touchUser,
  type Kernel,
  type OpObject,
  type UserMemory,
} from '../machine/index.ts';
import type { Arg, IocbOp, Program } from '../program/program.ts';
import { placedCalls } from '../program/scope.ts';
import { iocbOpOf } from '../abi/index.ts';
import {
  bitsOf,
  fdOf,
  intOf,
  labelled,
  pointerAddress,
  positional,
  type Scope,
} from './model-values.ts';

const PLACE = 0x20000000;
const STRIDE = 0x80000;
const SEGMENTS_AT = 0x1000;
const BUFFER_AT = 0x10000;
/** Buffers of which only the first bytes are mapped. */
const PARTLY = 0x60000000;
const PARTLY_STRIDE = 0x400000;
const EVENT_SIZE = 12;

/** aio_data of the first name; of the others one more each. */
const FIRST_DATA = 0x100;

export class Iocbs {
  readonly names: readonly string[];
  /** Numbers of those that are submitted more than once, so that threads can race for their memory. */
  private readonly raced: readonly number[];
  private mm: UserMemory;

  constructor(program: Program, mm: UserMemory) {
    this.mm = mm;
    const names: string[] = [];
    const times: number[] = [];
    const note = (name: string, submitted: number): void => {
      let at = names.indexOf(name);
      if (at < 0) {
        at = names.push(name) - 1;
        times.push(0);
      }
      times[at] += submitted;
    };
    for (const { call } of placedCalls(program)) {
      for (const arg of call.args) {
        if (arg.kind === 'iocbs')
          for (const entry of arg.entries) if (entry.kind === 'iocb') note(entry.name, 1);
      }
      if (call.name === 'io_cancel' && call.args[1]?.kind === 'name') note(call.args[1].name, 0);
    }
    this.names = names;
    this.raced = names.map((_, i) => i).filter((i) => times[i] > 1);
  }

  /** Starts over in the address space of a new run. */
  reset(mm: UserMemory): void {
    this.mm = mm;
    for (let i = 0; i < this.names.length; i++) mm.mapAt(PLACE + i * STRIDE, STRIDE, true, true);
    for (const i of this.raced) this.raceFor(i, newWord(`user.${this.names[i]}`, 0));
  }

  private raceFor(i: number, word: OpObject): void {
    this.mm.race(PLACE + i * STRIDE, STRIDE, word);
    this.mm.race(PARTLY + i * PARTLY_STRIDE, PARTLY_STRIDE, word);
  }

  addressOf(name: string): number {
    return PLACE + this.names.indexOf(name) * STRIDE;
  }

  /** The name of the iocb at an address, or the address as a number. */
  nameOf(address: number): string {
    return this.names[(address - PLACE) / STRIDE] ?? String(address);
  }

  /** Writes a request into the memory of its iocb, and its data into the buffer. */
  *fill(name: string, op: IocbOp, scope: Scope): Kernel<void> {
    const at = this.addressOf(name);
    yield* touchUser(this.mm, at, true, 'user-iocb');
    this.mm.find(at)?.stored.clear();
    const args = positional(op.args);
    const number = iocbOpOf(op.name)?.opcode ?? null;
    const fd = number === null ? args[1] : args[0];
    const { buf, nbytes } = this.content(at, op, args);
    const field = (label: string, otherwise: number): number =>
      intOf(labelled(op.args, label), otherwise);
    const resfd = labelled(op.args, 'resfd');
    const offset = op.name === 'epoll_wait' ? intOf(args[2]) : 0;
    const iocb: Iocb = {
      data: FIRST_DATA + this.names.indexOf(name),
      key: 0,
      lioOpcode: number ?? intOf(args[0]),
      fildes: fdOf(fd, scope),
      buf,
      nbytes: field('nbytes', nbytes),
      offset: field('offset', offset),
      // What is aio_rw_flags today.
      reserved1: field('rw_flags', 0),
      reserved2: field('reserved', 0),
      reserved3: 0,
      resfd: resfd === undefined ? null : fdOf(resfd, scope),
    };
    this.mm.store(at, iocb);
  }

  /** aio_buf and aio_nbytes; what is to be written is put into the buffer. */
  private content(
    at: number,
    op: IocbOp,
    args: readonly Arg[],
  ): { readonly buf: number; readonly nbytes: number } {
    const data = args[1];
    const given = labelled(op.args, 'buf') ?? (data?.kind === 'pointer' ? data : undefined);
    const buf = this.bufferFor(given, at, op.name === 'epoll_wait' ? EVENT_SIZE : 1);
    switch (op.name) {
      case 'pread':
        return { buf, nbytes: intOf(data) };
      case 'pwrite':
        return { buf, nbytes: this.put(at + BUFFER_AT, data) };
      case 'preadv':
      case 'pwritev': {
        const segments = data?.kind === 'iovec' ? data.segments : [];
        this.putSegments(at, segments, op.name === 'pwritev');
        return { buf: given === undefined ? at + SEGMENTS_AT : buf, nbytes: segments.length };
      }
      case 'poll':
        return { buf: bitsOf(data), nbytes: 0 };
      case 'epoll_wait':
        return { buf, nbytes: intOf(data) };
      default:
        return { buf: given === undefined ? 0 : buf, nbytes: 0 };
    }
  }

  private bufferFor(arg: Arg | undefined, at: number, elementSize: number): number {
    if (arg?.kind === 'pointer') return pointerAddress(arg.where);
    if (arg?.kind === 'int') return arg.value;
    if (arg?.kind !== 'mapped') return at + BUFFER_AT;
    const bytes = arg.elements * elementSize;
    const start = PARTLY + ((at - PLACE) / STRIDE) * PARTLY_STRIDE + bytes * 0x1000;
    if (bytes > 0 && this.mm.find(start) === null) this.mm.mapAt(start, bytes, true, true);
    return start;
  }

  private putSegments(at: number, segments: readonly Arg[], put: boolean): void {
    let base = at + BUFFER_AT;
    for (const [i, segment] of segments.entries()) {
      const length = put ? this.put(base, segment) : intOf(segment, 1);
      const bad = segment.kind === 'pointer' ? pointerAddress(segment.where) : null;
      const iovec: Iovec = { base: bad ?? base, length };
      this.mm.store(at + SEGMENTS_AT + i * iovecSize(), iovec);
      if (bad === null) base += Math.max(0, length);
    }
  }

  /** Puts a text, or that many bytes of no particular content, into memory; answers the length. */
  private put(address: number, data: Arg | undefined): number {
    if (data?.kind === 'string') {
      this.mm.store(address, data.value);
      return data.value.length;
    }
    // What nobody has stored reads as x.
    return data?.kind === 'pointer' ? 1 : intOf(data);
  }

  /** What a read has put into the buffer of an iocb, or null if it is no read that has read something. */
  *readBack(address: number, res: number): Kernel<string | null> {
    const iocb = yield* this.iocbAt(address);
    if (iocb === null || res <= 0) return null;
    if (iocb.lioOpcode === Opcode.PREAD) return bytesAt(iocb.buf, res);
    return iocb.lioOpcode === Opcode.PREADV ? bytesAt(address + BUFFER_AT, res) : null;
  }

  /** Where an epoll_wait request has stored its events, or null if it is none. */
  *eventsOf(address: number): Kernel<number | null> {
    const iocb = yield* this.iocbAt(address);
    return iocb !== null && iocb.lioOpcode === Opcode.EPOLL_WAIT ? iocb.buf : null;
  }

  private *iocbAt(address: number): Kernel<Iocb | null> {
    yield* touchUser(this.mm, address, false, 'user-buffer');
    return asIocb(this.mm.load(address));
  }
}

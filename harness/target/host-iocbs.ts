/**
 * The request blocks of a program in the memory of the child: one place for each name, known to all threads.
 *
 * struct iocb and struct io_event of the x86-64 ABI (include/uapi/linux/aio_abi.h).
 */

import type { Completion } from '../program/result.ts';
import { bitsOf, wide } from './host-action.ts';
import type { Arena, SyscallArgument } from './host-libc.ts';
import { IOCBS_MAX, IOCB_BYTES_MAX, type HostArg, type HostIocbOp } from './host-plan.ts';

const PAGE = 4096;
/** A page for the block and its segments, the buffer, a page that faults. */
const STRIDE = PAGE + IOCB_BYTES_MAX + PAGE;
const SEGMENTS_AT = 64;
const SEGMENTS_MAX = (PAGE - SEGMENTS_AT) / 16;
const PREAD = 0;
const PREADV = 7;
const IOCB_FLAG_RESFD = 1;

/** Bytes of the memory in which all request blocks lie. */
export const IOCBS_BYTES = IOCBS_MAX * STRIDE;

/** Offset of the page behind a block's buffer, which must not be accessible. */
export function guardOf(iocb: number): number {
  return iocb * STRIDE + PAGE + IOCB_BYTES_MAX;
}

/** What an address or a descriptor is for the thread that asks. */
export interface Resolver {
  fd(arg: HostArg | undefined): number;
  pointer(where: 'NULL' | 'BAD' | 'RO' | 'KERNEL'): SyscallArgument;
}

const textDecoder = new TextDecoder('latin1');

export class Iocbs {
  readonly #arena: Arena;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  addressOf(iocb: number): number {
    return this.#arena.base + iocb * STRIDE;
  }

  /** Writes a request into its block, and its data into the buffer. */
  fill(iocb: number, op: HostIocbOp, who: Resolver): void {
    const { view, bytes } = this.#arena;
    const at = iocb * STRIDE;
    const [address, length] = this.#content(iocb, op, who);
    const set = (offset: number, label: string, otherwise: SyscallArgument): void => {
      const given = op.labels[label];
      const value = given === undefined ? otherwise : wide(bitsOf(given));
      view.setBigInt64(at + offset, BigInt.asIntN(64, BigInt(value)), true);
    };
    bytes.fill(0, at, at + SEGMENTS_AT);
    view.setUint32(at + 12, bitsOf(op.labels['rw_flags']), true);
    view.setUint16(at + 16, op.opcode, true);
    view.setInt32(at + 20, who.fd(op.args[0]), true);
    view.setBigInt64(at + 24, BigInt.asIntN(64, BigInt(address)), true);
    set(32, 'nbytes', length);
    set(40, 'offset', 0);
    set(48, 'reserved', 0);
    if (op.labels['resfd'] === undefined) return;
    view.setUint32(at + 56, IOCB_FLAG_RESFD, true);
    view.setInt32(at + 60, who.fd(op.labels['resfd']), true);
  }

  /** aio_buf and aio_nbytes; what is to be written is put into the buffer. */
  #content(iocb: number, op: HostIocbOp, who: Resolver): [SyscallArgument, number] {
    const data = op.args[1];
    const given = op.labels['buf'] ?? (data?.kind === 'pointer' ? data : undefined);
    const own = this.addressOf(iocb) + PAGE;
    let address: SyscallArgument = own;
    if (given?.kind === 'pointer') address = who.pointer(given.where);
    else if (given?.kind === 'mapped')
      address =
        this.#arena.base + guardOf(iocb) - given.elements * (op.name === 'epoll_wait' ? 12 : 1);
    else if (given?.kind === 'int') address = wide(given.value);
    switch (op.name) {
      case 'pread':
        return [address, bitsOf(data)];
      case 'pwrite':
        return [address, this.#put(iocb, 0, data)];
      case 'preadv':
      case 'pwritev':
        if (data?.kind !== 'iovec') return [address, 0];
        this.#segments(iocb, data.segments, who, op.name === 'pwritev');
        return [
          given === undefined ? this.addressOf(iocb) + SEGMENTS_AT : address,
          data.segments.length,
        ];
      case 'poll':
        return [bitsOf(data), 0];
      case 'epoll_wait':
        return [address, bitsOf(data)];
      default:
        return [given === undefined ? 0 : address, 0];
    }
  }

  /** A segment table over the buffer, one segment behind the other. */
  #segments(iocb: number, segments: readonly HostArg[], who: Resolver, put: boolean): void {
    const start = this.addressOf(iocb) + PAGE;
    let offset = 0;
    for (const [i, segment] of segments.slice(0, SEGMENTS_MAX).entries()) {
      const at = iocb * STRIDE + SEGMENTS_AT + 16 * i;
      const isBad = segment.kind === 'pointer';
      const address = isBad ? who.pointer(segment.where) : start + offset;
      const given = put ? this.#put(iocb, offset, segment) : bitsOf(segment);
      const length = isBad ? 1 : given;
      this.#arena.view.setBigInt64(at, BigInt.asIntN(64, BigInt(address)), true);
      this.#arena.view.setBigInt64(at + 8, BigInt(length), true);
      if (!isBad) offset += Math.max(0, length);
    }
  }

  /** Puts a text, or that many bytes of no particular content, into the buffer; answers the length. */
  #put(iocb: number, offset: number, data: HostArg | undefined): number {
    const at = iocb * STRIDE + PAGE + offset;
    if (data?.kind === 'string') {
      const bytes = Buffer.from(data.value, 'latin1');
      this.#arena.bytes.set(bytes, at);
      return bytes.length;
    }
    if (data?.kind !== 'int') return data?.kind === 'pointer' ? 1 : 0;
    this.#arena.bytes.fill(0x78, at, at + Math.max(0, data.value));
    return data.value;
  }

  /** An io_event as a program sees it. */
  completion(view: DataView, at: number, names: readonly string[]): Completion {
    const object = Number(view.getBigUint64(at + 8, true));
    const res = Number(view.getBigInt64(at + 16, true));
    const res2 = Number(view.getBigInt64(at + 24, true));
    const iocb = (object - this.#arena.base) / STRIDE;
    const name = Number.isInteger(iocb) ? names[iocb] : undefined;
    if (name === undefined) return { name: String(object), res, res2 };
    const data = this.#readBack(iocb, res);
    return data === null ? { name, res, res2 } : { name, res, res2, data };
  }

  /** What a read has put into the block's own buffer. */
  #readBack(iocb: number, res: number): string | null {
    const { view, bytes } = this.#arena;
    const opcode = view.getUint16(iocb * STRIDE + 16, true);
    if (res <= 0 || (opcode !== PREAD && opcode !== PREADV)) return null;
    const first = opcode === PREAD ? 24 : SEGMENTS_AT;
    const start = Number(view.getBigUint64(iocb * STRIDE + first, true)) - this.#arena.base;
    const own = iocb * STRIDE + PAGE;
    if (start < own || start + res > own + IOCB_BYTES_MAX) return '';
    return textDecoder.decode(bytes.subarray(start, start + res));
  }
}

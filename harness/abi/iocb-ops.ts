/** The table of AIO requests: what an iocb can ask for, and how a program writes it. */

import { argSpecOf, type ArgSpec, type ArgText } from './syscalls.ts';

/** One kind of request. */
export interface IocbOpSpec {
  /** As in a program: `pread`. */
  readonly name: string;
  /** The number in aio_lio_opcode; null where the request says it itself. */
  readonly opcode: number | null;
  readonly args: readonly ArgSpec[];
  /** Whether the descriptor is a set, and what is stored are events. */
  readonly storesEvents: boolean;
}

/** Fields of the iocb that any request can set to something else than its kind would. */
const FIELDS: readonly ArgText[] = [
  ['buf', 'buffer', 'label'],
  ['offset', 'int', 'label'],
  ['nbytes', 'int', 'label'],
  ['reserved', 'int', 'label'],
  // RWF_ bits; the first reserved field of kernels that have none.
  ['rw_flags', 'int', 'label'],
  // Sets IOCB_FLAG_RESFD too: completion is counted in that eventfd.
  ['resfd', 'fd', 'label'],
];

const rows: Readonly<Record<string, readonly [opcode: number | null, ...args: ArgText[]]>> = {
  pread: [0, ['fd', 'fd'], ['count', 'int']],
  pwrite: [1, ['fd', 'fd'], ['data', 'data']],
  fsync: [2, ['fd', 'fd']],
  fdsync: [3, ['fd', 'fd']],
  poll: [5, ['fd', 'fd'], ['events', 'events']],
  noop: [6, ['fd', 'fd']],
  preadv: [7, ['fd', 'fd'], ['segments', 'iovec']],
  pwritev: [8, ['fd', 'fd'], ['segments', 'iovec']],
  epoll_wait: [9, ['epfd', 'fd'], ['maxevents', 'int'], ['timeout', 'timeout']],
  opcode: [null, ['number', 'int'], ['fd', 'fd']],
};

/** All requests, in order of their numbers. */
export const IOCB_OPS: readonly IocbOpSpec[] = Object.entries(rows).map(
  ([name, [opcode, ...args]]) => ({
    name,
    opcode,
    args: [...args, ...FIELDS].map(argSpecOf),
    storesEvents: name === 'epoll_wait',
  }),
);

const byName: ReadonlyMap<string, IocbOpSpec> = new Map(IOCB_OPS.map((op) => [op.name, op]));

/** The row of a request, or null if the table has none. */
export function iocbOpOf(name: string): IocbOpSpec | null {
  return byName.get(name) ?? null;
}

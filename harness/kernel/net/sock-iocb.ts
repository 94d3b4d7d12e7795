/** struct sock_iocb: the record that a socket operation keeps of its kiocb (A-R62). */

import {
  injectFault,
  kfree,
  kmalloc,
  readRef,
  writeRef,
  type Kernel,
  type Mem,
} from '../../machine/index.ts';
import type { Kiocb } from '../fs/aio/kioctx.ts';

/** What k.private points to after an operation on a socket. */
export class SocketRecord {
  readonly mem: Mem;

  constructor() {
    this.mem = kmalloc('sock_iocb', 'alloc_sock_iocb');
  }
}

/**
 * alloc_sock_iocb(): a record in k.private of an asynchronous kiocb, over whatever was there (A-B22); false when there
 * is no memory. A synchronous one has its record on the stack.
 */
export function* newSocketRecord(iocb: Kiocb | null): Kernel<boolean> {
  if (iocb === null) return true;
  if (yield* injectFault('alloc_sock_iocb')) return false;
  const record = new SocketRecord();
  iocb.dtor = freeSocketRecord;
  yield* writeRef(iocb.private, record, 'alloc_sock_iocb');
  return true;
}

/** sock_aio_dtor(): frees what k.private points to. */
function* freeSocketRecord(iocb: Kiocb): Kernel<void> {
  const record = yield* readRef(iocb.private, 'sock_aio_dtor');
  if (record instanceof SocketRecord) kfree(record.mem, 'sock_aio_dtor');
}

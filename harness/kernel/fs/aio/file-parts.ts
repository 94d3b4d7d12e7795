/**
 * What pipes and sockets do differently for an asynchronous kiocb, as functions that a patch replaces.
 *
 * The plain kernel makes no difference: both sleep like read(2) and write(2) (A-R63). The fallback for pollable files
 * needs them not to (A-R96, A-R98).
 */

import { engine, type Kernel } from '../../../machine/index.ts';
import { kernelConfig } from '../../kernel.ts';
import type { File, Iovec } from '../file.ts';
import { looksNonblocking } from '../read-write.ts';
import type { Kiocb } from './kioctx.ts';

/** A table of segments, from one on. */
export interface Segments {
  readonly table: Iovec[];
  readonly from: number;
}

export interface FileParts {
  /** The segments that a pipe operation moves on as it copies. */
  pipeTable(table: Iovec[], from: number, site: string): Segments;
  /** Whether a pipe operation answers EAGAIN instead of sleeping. */
  pipeDontWait(file: File, iocb: Kiocb | null, site: string): Kernel<boolean>;
  /** MSG_DONTWAIT of a send or receive. */
  sockDontWait(file: File, iocb: Kiocb | null, site: string): Kernel<boolean>;
}

/** 2.6.20 as released: the caller's own table (A-R60), and O_NONBLOCK alone counts. */
export const plainFiles: FileParts = {
  pipeTable: (table, from) => ({ table, from }),
  pipeDontWait: (file, _iocb, site) => looksNonblocking(file, site),
  sockDontWait: (file, _iocb, site) => looksNonblocking(file, site),
};

/** With the fallback: a copy of the table on the stack, and no sleep for an asynchronous kiocb. */
export const fallbackFiles: FileParts = {
  pipeTable(table, from, site) {
    const copy = table.slice(from).map((segment) => ({ ...segment }));
    accountStack(copy.length, site);
    return { table: copy, from: 0 };
  },
  pipeDontWait: dontWait,
  sockDontWait: dontWait,
};

function* dontWait(file: File, iocb: Kiocb | null, site: string): Kernel<boolean> {
  return (yield* looksNonblocking(file, site)) || iocb !== null;
}

/** THREAD_SIZE: what a call chain may use of the stack. */
const STACK_BUDGET = 8192;
/** Differs: an estimate of what the frames of the chain take without the table. */
const FRAMES = 512;

/** A-R108, A-I34: reports a table on the stack that does not fit there. */
function accountStack(segments: number, site: string): void {
  const table = (segments * 2 * kernelConfig.longBits) / 8;
  if (FRAMES + table <= STACK_BUDGET) return;
  engine.observer.report(
    'STACK',
    site,
    `${segments} segments take ${table} bytes of a kernel stack of ${STACK_BUDGET}`,
  );
}

/** Those of the kernel that runs. */
export let fileParts: FileParts = plainFiles;

/** Says which kernel runs; called from boot. */
export function resetFileParts(parts: FileParts): void {
  fileParts = parts;
}

/**
 * send_sig(SIGPIPE, current) that goes with EPIPE. Programs are taken to ignore the signal; but when it does not hit
 * the task that submitted the request, it hits somebody else, or a worker and so nobody (A-B66).
 */
export function sendSigpipe(iocb: Kiocb | null, site: string): void {
  if (iocb === null || engine.inline || engine.current === iocb.owner) return;
  engine.observer.report(
    'FOREIGN',
    `${site}-SIGPIPE`,
    'SIGPIPE goes to the task that runs the request, not to the one that submitted it',
  );
}

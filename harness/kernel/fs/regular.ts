/**
 * Files that are neither pipes nor sockets: regular files, directories and a zero device (none of them has a poll
 * method, E-R135), and a terminal that has one (E-R134).
 *
 * Written from the manual pages: just enough to say who can be registered and what poll answers.
 */

import {
  TaskState,
  autoremoveWake,
  copyFromUser,
  currentEntry,
  finishWait,
  newWaitQueue,
  newWord,
  peek,
  prepareToWait,
  read,
  schedule,
  signalPending,
  update,
  wakeUpInterruptible,
  write,
  type Condition,
  type Kernel,
  type WaitQueue,
  type Word,
} from '../../machine/index.ts';
import { E } from '../kernel.ts';
import { READABLE, WRITABLE } from '../poll-bits.ts';
import type { Kiocb } from './aio/kioctx.ts';
import { File, mm, type FileOperations, type Iovec, type PollTable } from './file.ts';
import { looksNonblocking } from './read-write.ts';
import { lengthOf, readSegments, writeSegments } from './segments.ts';
import { appendToUser, bytesAt } from './user-bytes.ts';

/** An inode on disk. */
interface Regular {
  text: string;
  /** Stands for the text in operations. */
  readonly content: Word;
}

interface OpenRegular {
  readonly inode: Regular;
  /** f_pos: read at the start of a call and stored at its end, without a lock. */
  readonly position: Word;
}

/** A regular file, empty. */
export function newRegular(): Regular {
  return { text: '', content: newWord('inode.text', 0) };
}

export function openRegular(inode: Regular, flags: number): File {
  const open: OpenRegular = { inode, position: newWord('f_pos', 0) };
  return new File(regularOps, flags, open);
}

function openedOf(file: File): OpenRegular {
  // Every file with these operations was made by openRegular.
  return file.data as OpenRegular;
}

/** generic_file_aio_read(): plain synchronous storage. Moves the kiocb's position on. */
function* regularRead(
  file: File,
  iocb: Kiocb | null,
  table: readonly Iovec[],
  from: number,
  position: number,
): Kernel<number> {
  const { inode } = openedOf(file);
  yield* read(inode.content, 'generic_file_read');
  if (position < 0) return 0;
  const chunk = inode.text.slice(position, position + lengthOf(table, from));
  if (!(yield* writeSegments(table, from, 0, chunk, 'generic_file_read'))) return -E.EFAULT;
  if (iocb !== null) iocb.pos = position + chunk.length;
  return chunk.length;
}

/** generic_file_aio_write(): bytes, EFAULT, EINVAL before the start of the file. Moves the kiocb's position on. */
function* regularWrite(
  file: File,
  iocb: Kiocb | null,
  table: readonly Iovec[],
  from: number,
  position: number,
): Kernel<number> {
  const { inode } = openedOf(file);
  if (position < 0) return -E.EINVAL;
  const bytes = yield* readSegments(table, from, 0, lengthOf(table, from), 'generic_file_write');
  if (bytes === null) return -E.EFAULT;
  // atomic because i_sem (i_mutex) of the inode covers it
  yield* write(inode.content, 0, 'generic_file_write');
  const { text } = inode;
  const start = text.slice(0, position).padEnd(bytes === '' ? 0 : position, '\0');
  inode.text = start + bytes + text.slice(position + bytes.length);
  if (iocb !== null) iocb.pos = position + bytes.length;
  return bytes.length;
}

const regularOps: FileOperations = {
  name: 'regular file',
  *read(file, address, count) {
    const open = openedOf(file);
    const table = [{ base: address, length: count }];
    const position = yield* read(open.position, 'sys_read');
    const result = yield* regularRead(file, null, table, 0, position);
    if (result >= 0) yield* write(open.position, position + result, 'sys_read');
    return result;
  },
  *write(file, address, count) {
    const open = openedOf(file);
    const table = [{ base: address, length: count }];
    const position = yield* read(open.position, 'sys_write');
    const result = yield* regularWrite(file, null, table, 0, position);
    if (result >= 0) yield* write(open.position, position + result, 'sys_write');
    return result;
  },
  aioRead: regularRead,
  aioWrite: regularWrite,
};

const directoryOps: FileOperations = {
  name: 'directory',
  // eslint-disable-next-line require-yield -- a method that cannot sleep
  *read() {
    return -E.EISDIR;
  },
};

export function openDirectory(flags: number): File {
  return new File(directoryOps, flags, null);
}

const zeroOps: FileOperations = {
  name: '/dev/zero',
  *read(_file, address, count) {
    const ok = yield* appendToUser(address, '', '\0'.repeat(count), 'read_zero');
    return ok ? count : -E.EFAULT;
  },
  // eslint-disable-next-line require-yield -- a method that cannot sleep
  *write(_file, _address, count) {
    return count;
  },
};

export function openZero(flags: number): File {
  return new File(zeroOps, flags, null);
}

/**
 * A terminal in canonical mode. What is written to the master side is typed: a line ends with \n. Nobody types on
 * /dev/tty, which is the slave side of a pair without a master.
 */
interface Tty {
  readonly readWait: WaitQueue;
  /** Changed in the same step as `lines`. */
  typed: string;
  /** Complete lines typed and not read. */
  readonly lines: Word;
}

export function newTty(): Tty {
  return {
    readWait: newWaitQueue('tty.read_wait'),
    typed: '',
    lines: newWord('tty.lines', 0),
  };
}

export function openTty(tty: Tty, flags: number): File {
  return new File(ttyOps, flags, tty);
}

/** The master side of a pseudo-terminal: a write is typed at the slave side. */
export function openMaster(tty: Tty, flags: number): File {
  return new File(masterOps, flags, tty);
}

function ttyOf(file: File): Tty {
  // Every file with these operations was made by openTty or openMaster.
  return file.data as Tty;
}

function linesIn(text: string): number {
  return text.split('\n').length - 1;
}

function lineCondition(tty: Tty): Condition {
  return { holds: () => peek(tty.lines) > 0, describe: () => 'a line was typed' };
}

/** Reads at most one line. */
function* ttyRead(file: File, address: number, count: number): Kernel<number> {
  const tty = ttyOf(file);
  while ((yield* read(tty.lines, 'n_tty_read')) === 0) {
    if (yield* looksNonblocking(file, 'tty_read')) return -E.EAGAIN;
    if (yield* signalPending('n_tty_read')) return -E.EINTR;
    const entry = currentEntry(autoremoveWake);
    yield* prepareToWait(tty.readWait, entry, TaskState.INTERRUPTIBLE, 'n_tty_read');
    if ((yield* read(tty.lines, 'n_tty_read')) === 0)
      yield* schedule('n_tty_read', lineCondition(tty));
    yield* finishWait(tty.readWait, entry, 'n_tty_read');
  }
  let chunk = '';
  yield* update(
    tty.lines,
    () => {
      chunk = tty.typed.slice(0, Math.min(count, tty.typed.indexOf('\n') + 1));
      tty.typed = tty.typed.slice(chunk.length);
      return linesIn(tty.typed);
    },
    'n_tty_read',
  );
  return (yield* appendToUser(address, '', chunk, 'n_tty_read')) ? chunk.length : -E.EFAULT;
}

function* ttyPoll(file: File, table: PollTable): Kernel<number> {
  const tty = ttyOf(file);
  if (table !== null) yield* table(tty.readWait);
  return (yield* read(tty.lines, 'n_tty_poll')) > 0 ? READABLE | WRITABLE : WRITABLE;
}

const ttyOps: FileOperations = {
  name: 'tty',
  read: ttyRead,
  // eslint-disable-next-line require-yield -- what is printed on a terminal never comes back here
  *write(_file, _address, count) {
    return count;
  },
  poll: ttyPoll,
  ready: (file) => (peek(ttyOf(file).lines) > 0 ? READABLE | WRITABLE : WRITABLE),
};

const masterOps: FileOperations = {
  name: 'pty master',
  *write(file, address, count) {
    const tty = ttyOf(file);
    if (!(yield* copyFromUser(mm, address, count, 'n_tty_receive_buf'))) return -E.EFAULT;
    const before = yield* update(
      tty.lines,
      () => {
        tty.typed += bytesAt(address, count);
        return linesIn(tty.typed);
      },
      'n_tty_receive_buf',
    );
    if (peek(tty.lines) > before)
      yield* wakeUpInterruptible(tty.readWait, 1, 0, 'n_tty_receive_buf');
    return count;
  },
  // eslint-disable-next-line require-yield -- the master of a model terminal never has anything to read
  *poll() {
    return WRITABLE;
  },
};

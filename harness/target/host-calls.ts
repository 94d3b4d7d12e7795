/**
 * The calls of a program as raw system calls of this machine: arguments into memory, the call, the answer back.
 *
 * One row a call; epoll's are in `host-epoll.ts`. From the manual pages and the x86-64 ABI.
 */

import type { ReportedEvent, Result } from '../history/history.ts';
import { AIO_CALLS } from './host-aio.ts';
import { type Prepare, type Action, bitsOf, madeOne, storeTime, wide } from './host-action.ts';
import { type Caller, POLLFDS_MAX, SCRATCH, errnoResult, valueOrErrno } from './host-caller.ts';
import { EPOLL_CALLS } from './host-epoll.ts';
import { NR } from './host-libc.ts';
import { type HostArg, type HostCall, nameOfDescriptor, privateName } from './host-plan.ts';

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const LOOPBACK = 0x7f000001;
const BACKLOG = 16;

/** A call that takes a descriptor and numbers, and answers with a number. */
function plain(nr: number, raw: (args: readonly HostArg[]) => readonly number[]): Prepare {
  return ({ args }) => {
    const rest = raw(args);
    return (c) => valueOrErrno(c.sys(nr, c.fd(args[0]), ...rest));
  };
}

function madeTwo(c: Caller, r: number, at: number, call: HostCall): Result {
  const [first = 0, second = 0] = call.slots;
  if (r < 0) {
    Atomics.store(c.shared.fds, first, -1);
    Atomics.store(c.shared.fds, second, -1);
    return errnoResult(r);
  }
  c.own(c.view.getInt32(at, true), first);
  c.own(c.view.getInt32(at + 4, true), second);
  return { kind: 'fds', fds: [first, second] };
}

const pipe: Prepare = (call) => {
  const flags = bitsOf(call.args[0]);
  const given = call.labels['pipefd'];
  const nr = call.name === 'pipe' ? NR.pipe : NR.pipe2;
  return (c) => {
    const at = given === undefined ? c.scratch(SCRATCH.pair) : c.target(given, 4);
    return madeTwo(c, c.sys(nr, at, flags), c.offsetOf(at), call);
  };
};

const socketpair: Prepare = (call) => {
  const domain = bitsOf(call.args[0]);
  const type = bitsOf(call.args[1]);
  return (c) =>
    madeTwo(c, c.sys(NR.socketpair, domain, type, 0, c.scratch(SCRATCH.pair)), SCRATCH.pair, call);
};

/** Puts 127.0.0.1 and a port (in the order of the net) into the scratch page; its address. */
function loopback(c: Caller, port: number): number {
  c.view.setUint16(SCRATCH.address, AF_INET, true);
  c.view.setUint16(SCRATCH.address + 2, port, false);
  c.view.setUint32(SCRATCH.address + 4, LOOPBACK, false);
  return c.scratch(SCRATCH.address);
}

/** The port a socket is bound to, or minus an errno. */
function portOf(c: Caller, fd: number): number {
  c.view.setUint32(SCRATCH.length, 16, true);
  const r = c.sys(NR.getsockname, fd, c.scratch(SCRATCH.address), c.scratch(SCRATCH.length));
  return r < 0 ? r : c.view.getUint16(SCRATCH.address + 2, false);
}

const listen: Prepare = (call) => {
  const type = bitsOf(call.args[0]);
  return (c) => {
    const fd = c.sys(NR.socket, AF_INET, SOCK_STREAM | type, 0);
    if (fd < 0) return madeOne(c, fd, call);
    c.own(fd, undefined, 2);
    let r = c.sys(NR.bind, fd, loopback(c, 0), 16);
    if (r >= 0) r = c.sys(NR.listen, fd, BACKLOG);
    if (r >= 0) r = portOf(c, fd);
    if (r < 0) return madeOne(c, r, call);
    Atomics.store(c.shared.ports, call.slots[0] ?? 0, r);
    return madeOne(c, fd, call, 2);
  };
};

/** socket() and connect() to the port of a listening socket, also of one that is closed by now. */
const connect: Prepare = (call) => {
  const listener = call.args[0];
  const nonBlocking = (bitsOf(call.args[1]) & SOCK_NONBLOCK) !== 0;
  return (c) => {
    const known = listener?.kind === 'slot' ? Atomics.load(c.shared.ports, listener.slot) : 0;
    const port = known > 0 ? known : portOf(c, c.fd(listener));
    if (port < 0) return madeOne(c, port, call);
    const fd = c.sys(NR.socket, AF_INET, SOCK_STREAM, 0);
    if (fd < 0) return madeOne(c, fd, call);
    c.own(fd, undefined, 2);
    const r = c.sys(NR.connect, fd, loopback(c, port), 16);
    if (r < 0) return madeOne(c, r, call);
    // Set only now: a non-blocking connect() would be in progress for ever so briefly.
    if (nonBlocking) c.sys(NR.fcntl, fd, 4, 2 | SOCK_NONBLOCK);
    return madeOne(c, fd, call, 2);
  };
};

const accept: Prepare = (call) => {
  const type = bitsOf(call.args[1]);
  return (c) => {
    const fd = c.fd(call.args[0]);
    const r = type === 0 ? c.sys(NR.accept, fd, 0, 0) : c.sys(NR.accept4, fd, 0, 0, type);
    return madeOne(c, r, call, 2);
  };
};

const read: Prepare = ({ args, labels }) => {
  const count = wide(bitsOf(args[1]));
  return (c) => {
    const at = c.target(labels['buf'], 1);
    const r = c.sys(NR.read, c.fd(args[0]), at, count);
    return r < 0 ? errnoResult(r) : { kind: 'bytes', count: r, data: c.text(at, r) };
  };
};

/** What a write puts into the buffer: the text, or that many bytes of no particular content. */
function contentOf(data: HostArg | undefined): Uint8Array | null {
  if (data?.kind === 'string') return Uint8Array.from(Buffer.from(data.value, 'latin1'));
  return data?.kind === 'int' ? new Uint8Array(Math.max(0, data.value)).fill(0x78) : null;
}

const write: Prepare = ({ args }) => {
  const data = args[1];
  const content = contentOf(data);
  const length = args[2] === undefined ? (content?.length ?? 1) : wide(bitsOf(args[2]));
  return (c) => {
    if (content !== null) c.bytes.set(content, c.offsetOf(c.buffer));
    const at = data?.kind === 'pointer' ? c.target(data, 1) : c.buffer;
    return valueOrErrno(c.sys(NR.write, c.fd(args[0]), at, length));
  };
};

const close: Prepare =
  ({ args }) =>
  (c) => {
    const fd = c.fd(args[0]);
    // Before the call: as soon as the number is free another thread can get it for a new file.
    if (fd >= 0) c.shared.owned[fd] = 0;
    return valueOrErrno(c.sys(NR.close, fd));
  };

const dup: Prepare = (call) => (c) => {
  const fd = c.fd(call.args[0]);
  const kind = c.shared.owned[fd] === 2 ? 2 : 1;
  return madeOne(c, c.sys(NR.dup, fd), call, kind);
};

const dup2: Prepare = (call) => (c) =>
  madeOne(c, c.sys(NR.dup2, c.fd(call.args[0]), c.fd(call.args[1])), call);

const fcntl: Prepare = ({ args }) => {
  const command = bitsOf(args[1]);
  const argument = bitsOf(args[2]);
  return (c) => valueOrErrno(c.sys(NR.fcntl, c.fd(args[0]), command, argument));
};

/** The third argument is a number in memory, as FIONBIO and FIONREAD want it. */
const ioctl: Prepare = ({ args }) => {
  const request = bitsOf(args[1]);
  const argument = args[2]?.kind === 'int' ? args[2].value : 0;
  return (c) => {
    c.view.setInt32(SCRATCH.value, argument, true);
    return valueOrErrno(c.sys(NR.ioctl, c.fd(args[0]), request, c.scratch(SCRATCH.value)));
  };
};

const poll: Prepare = ({ args }) => {
  const set = args[0];
  const entries = set?.kind === 'pollfds' ? set.entries.slice(0, POLLFDS_MAX) : [];
  const masks = entries.map((entry) => bitsOf(entry.events));
  const timeout = bitsOf(args[1]);
  return (c) => {
    if (set?.kind !== 'pollfds') return valueOrErrno(c.sys(NR.poll, c.target(set, 8), 1, timeout));
    for (const [i, entry] of entries.entries()) {
      c.view.setInt32(SCRATCH.pollfds + 8 * i, c.fd(entry.fd), true);
      c.view.setUint32(SCRATCH.pollfds + 8 * i + 4, (masks[i] ?? 0) & 0xffff, true);
    }
    const r = c.timedSys(timeout, NR.poll, c.scratch(SCRATCH.pollfds), entries.length, timeout);
    if (r < 0) return errnoResult(r);
    const events: ReportedEvent[] = [];
    for (const [i, entry] of entries.entries()) {
      const mask = c.view.getUint16(SCRATCH.pollfds + 8 * i + 6, true);
      if (mask !== 0) events.push({ name: nameOfDescriptor(entry.fd), mask });
    }
    return { kind: 'events', events };
  };
};

const O_CREAT = 0o100;
const MODE = 0o600;
const PTMX = 0o402; // O_RDWR | O_NOCTTY
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;

/** A terminal of the program's own stands in for /dev/tty: there may be none, and nobody may type. */
function openTerminal(c: Caller, flags: number): number {
  const master = c.sys(NR.open, c.path('/dev/ptmx'), PTMX);
  if (master < 0) return c.sys(NR.open, c.path('/dev/tty'), flags);
  c.own(master, undefined);
  c.view.setInt32(SCRATCH.value, 0, true);
  c.sys(NR.ioctl, master, TIOCSPTLCK, c.scratch(SCRATCH.value));
  return c.sys(NR.ioctl, master, TIOCGPTPEER, flags | 0o400);
}

const open: Prepare = (call) => {
  const path = call.args[0]?.kind === 'string' ? call.args[0].value : null;
  const how = call.args[1];
  const flags = how?.kind === 'slot' ? bitsOf(call.args[2]) : bitsOf(how);
  return (c) => {
    if (path === null) return madeOne(c, c.sys(NR.open, c.target(call.args[0], 1), flags), call);
    if (path === '/dev/tty') return madeOne(c, openTerminal(c, flags), call);
    let where = path;
    if (path === '/tmp') where = c.folder;
    else if (path === '/proc/self/fd/') where = `${path}${c.fd(how)}`;
    else if (!path.startsWith('/dev/')) where = `${c.folder}/${privateName(path) ?? ''}`;
    const extra = path === '/tmp/file' ? O_CREAT : 0;
    return madeOne(c, c.sys(NR.open, c.path(where), flags | extra, MODE), call);
  };
};

const S_IFIFO = 0o10000;

const mkfifo: Prepare = ({ args }) => {
  const name = args[0]?.kind === 'string' ? privateName(args[0].value) : null;
  return (c) =>
    valueOrErrno(c.sys(NR.mknod, c.path(`${c.folder}/${name ?? ''}`), S_IFIFO | MODE, 0));
};

const eventfd: Prepare = (call) => {
  const initial = bitsOf(call.args[0]);
  const flags = bitsOf(call.args[1]);
  return (c) => madeOne(c, c.sys(NR.eventfd2, initial, flags), call);
};

const eventfdRead: Prepare =
  ({ args }) =>
  (c) => {
    const r = c.sys(NR.read, c.fd(args[0]), c.scratch(SCRATCH.value), 8);
    return r < 0
      ? errnoResult(r)
      : { kind: 'value', value: Number(c.view.getBigUint64(SCRATCH.value, true)) };
  };

const eventfdWrite: Prepare = ({ args }) => {
  const value = BigInt.asUintN(64, BigInt(Math.trunc(bitsOf(args[1]))));
  return (c) => {
    c.view.setBigUint64(SCRATCH.value, value, true);
    const r = c.sys(NR.write, c.fd(args[0]), c.scratch(SCRATCH.value), 8);
    // The library function of that name answers with 0, not with the 8 bytes.
    return r < 0 ? errnoResult(r) : { kind: 'value', value: 0 };
  };
};

const timerfdCreate: Prepare = (call) => {
  const clock = bitsOf(call.args[0]);
  const flags = bitsOf(call.args[1]);
  return (c) => madeOne(c, c.sys(NR.timerfd_create, clock, flags), call);
};

const timerfdSettime: Prepare = ({ args }) => {
  const value = bitsOf(args[1]);
  const interval = bitsOf(args[2]);
  return (c) => {
    storeTime(c, SCRATCH.timer, interval);
    storeTime(c, SCRATCH.timer + 16, value);
    // Who still sleeps when the timer has fired three times is not waiting for it.
    if (value > 0) c.timerArmed(value + 2 * interval + 5);
    return valueOrErrno(c.sys(NR.timerfd_settime, c.fd(args[0]), 0, c.scratch(SCRATCH.timer), 0));
  };
};

const kill: Prepare = ({ args }) => {
  const thread = args[0]?.kind === 'thread' ? args[0].thread : 0;
  const signal = bitsOf(args[1]);
  return (c) => valueOrErrno(c.sys(NR.tgkill, process.pid, c.threadId(thread), signal));
};

const sleep: Prepare = ({ args }) => {
  const ms = bitsOf(args[0]);
  return (c) => {
    storeTime(c, SCRATCH.time, Math.max(0, ms));
    return valueOrErrno(c.timedSys(ms, NR.nanosleep, c.scratch(SCRATCH.time), 0));
  };
};

const CALLS: Readonly<Record<string, Prepare>> = {
  pipe,
  pipe2: pipe,
  socketpair,
  listen,
  connect,
  accept,
  read,
  write,
  close,
  dup,
  dup2,
  shutdown: plain(NR.shutdown, (args) => [bitsOf(args[1])]),
  fcntl,
  ioctl,
  poll,
  open,
  mkfifo,
  eventfd,
  eventfd_read: eventfdRead,
  eventfd_write: eventfdWrite,
  timerfd_create: timerfdCreate,
  timerfd_settime: timerfdSettime,
  kill,
  sleep,
  ...EPOLL_CALLS,
  ...AIO_CALLS,
};

/** Prepares a call of a plan. Throws RangeError for one that has no row here. */
export function prepare(call: HostCall): Action {
  const row = CALLS[call.name];
  if (row === undefined)
    throw new RangeError(`Cannot run ${call.name}() on the host: no row for it`);
  return row(call);
}

/** Whether there is a row for the call. */
export function isHostCall(name: string): boolean {
  return CALLS[name] !== undefined;
}

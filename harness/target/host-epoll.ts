/** The epoll calls on the host: struct epoll_event is packed to 12 bytes on x86-64. */

import type { ReportedEvent, Result } from '../history/history.ts';
import {
  type Prepare,
  bitsOf,
  madeOne,
  signalsOf,
  storeSignals,
  storeTime,
  storeTimespec,
  wide,
} from './host-action.ts';
import { type Caller, SCRATCH, errnoResult, valueOrErrno } from './host-caller.ts';
import { NR, type SyscallArgument } from './host-libc.ts';
import type { HostCall } from './host-plan.ts';

const EVENT_BYTES = 12;
/** Upper half of the data of registrations that were given none: the lower half is the symbol. */
const SYMBOL_TAG = 0x6c77_0000;

/** Writes an epoll_event into the scratch page. */
function storeEvent(c: Caller, events: number, data: bigint): number {
  c.view.setUint32(SCRATCH.event, events, true);
  c.view.setBigUint64(SCRATCH.event + 4, data, true);
  return c.scratch(SCRATCH.event);
}

function dataOf(call: HostCall): bigint {
  const { data, symbol } = call.labels;
  if (data === undefined) return (BigInt(SYMBOL_TAG) << 32n) | BigInt(bitsOf(symbol));
  return BigInt.asUintN(64, BigInt(Math.trunc(bitsOf(data))));
}

const epollCtl: Prepare = (call) => {
  const { args } = call;
  const op = bitsOf(args[1]);
  const event = args[3];
  const events = bitsOf(event) >>> 0;
  const data = dataOf(call);
  return (c) => {
    const at =
      event?.kind === 'pointer' ? c.target(event, EVENT_BYTES) : storeEvent(c, events, data);
    return valueOrErrno(c.sys(NR.epoll_ctl, c.fd(args[0]), op, c.fd(args[2]), at));
  };
};

/** Reads the events a wait returned, in the order delivered. */
function eventsAt(c: Caller, at: SyscallArgument, count: number): Result {
  if (count < 0) return errnoResult(count);
  const events: ReportedEvent[] = [];
  let offset = c.offsetOf(at);
  for (let i = 0; i < count; i += 1) {
    const mask = c.view.getUint32(offset, true);
    const tag = c.view.getUint32(offset + 8, true);
    const name =
      tag === SYMBOL_TAG
        ? (c.symbols[c.view.getUint32(offset + 4, true)] ?? '?')
        : String(c.view.getBigInt64(offset + 4, true));
    events.push({ name, mask });
    offset += EVENT_BYTES;
  }
  return { kind: 'events', events };
}

const epollWait: Prepare = ({ args, labels }) => {
  const maxevents = bitsOf(args[1]);
  const timeout = bitsOf(args[2]);
  return (c) => {
    const at = c.target(labels['buf'], EVENT_BYTES);
    return eventsAt(
      c,
      at,
      c.timedSys(timeout, NR.epoll_wait, c.fd(args[0]), at, maxevents, timeout),
    );
  };
};

const epollPwait: Prepare = ({ args, labels }) => {
  const maxevents = bitsOf(args[1]);
  const timeout = bitsOf(args[2]);
  const mask = signalsOf(args[3]);
  const size = labels['sigsetsize'] === undefined ? 8 : wide(bitsOf(labels['sigsetsize']));
  return (c) => {
    const at = c.target(labels['buf'], EVENT_BYTES);
    const signals = storeSignals(c, args[3], mask);
    const fd = c.fd(args[0]);
    return eventsAt(
      c,
      at,
      c.timedSys(timeout, NR.epoll_pwait, fd, at, maxevents, timeout, signals, size),
    );
  };
};

/** As epoll_pwait(), with the time as a timespec; below 0 there is none. `sec=` and `nsec=` are the timespec itself. */
const epollPwait2: Prepare = ({ args, labels }) => {
  const maxevents = bitsOf(args[1]);
  const given = labels['sec'] !== undefined || labels['nsec'] !== undefined;
  const sec = bitsOf(labels['sec']);
  const nsec = bitsOf(labels['nsec']);
  const timeout = given ? Math.max(0, sec * 1000 + Math.ceil(nsec / 1e6)) : bitsOf(args[2]);
  const mask = signalsOf(args[3]);
  return (c) => {
    const at = c.target(labels['buf'], EVENT_BYTES);
    const signals = storeSignals(c, args[3], mask);
    if (given) storeTimespec(c, SCRATCH.time, sec, nsec);
    else storeTime(c, SCRATCH.time, Math.max(0, timeout));
    const time = timeout < 0 ? 0 : c.scratch(SCRATCH.time);
    const fd = c.fd(args[0]);
    return eventsAt(
      c,
      at,
      c.timedSys(timeout, NR.epoll_pwait2, fd, at, maxevents, time, signals, 8),
    );
  };
};

/** Rows of the epoll family, by name. */
export const EPOLL_CALLS: Readonly<Record<string, Prepare>> = {
  epoll_create: (call) => {
    const size = bitsOf(call.args[0]);
    return (c) => madeOne(c, c.sys(NR.epoll_create, size), call);
  },
  epoll_create1: (call) => {
    const flags = bitsOf(call.args[0]);
    return (c) => madeOne(c, c.sys(NR.epoll_create1, flags), call);
  },
  epoll_ctl: epollCtl,
  epoll_wait: epollWait,
  epoll_pwait: epollPwait,
  epoll_pwait2: epollPwait2,
};

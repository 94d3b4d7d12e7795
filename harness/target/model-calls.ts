/**
 * The C library of the model: calls of a program as raw system calls, and raw answers as results.
 *
 * One function per call name, all alike: marshal into user memory, call, read back.
 */

import { syscallOf } from '../abi/index.ts';
import type { ReportedEvent, Result } from '../history/history.ts';
import { loadSlots } from '../kernel/drivers/char/eventpoll-map.ts';
import { mappingsAt } from '../kernel/mm/mmap-2.5.44.ts';
import { atOnce, type Kernel } from '../machine/index.ts';
import type { Arg, Call } from '../program/program.ts';
import { AIO_MARSHAL } from './model-aio.ts';
import {
  EVENT_SIZE,
  descriptors,
  eventsAt,
  sys,
  value,
  type Caller,
  type Marshal,
} from './model-caller.ts';
import { bitsOf, fdOf, intOf, labelOf, labelled, positional } from './model-values.ts';

export interface PollfdValue {
  readonly fd: number;
  readonly events: number;
  readonly revents: number;
}

/** A call whose raw arguments are computed one by one. */
function plain(name: string, raw: (c: Caller, args: readonly Arg[]) => readonly number[]): Marshal {
  return function* (c, args) {
    return value(yield* sys(c, name, raw(c, args)));
  };
}

function makesFd(
  name: string,
  raw: (c: Caller, args: readonly Arg[]) => readonly number[],
): Marshal {
  return function* (c, args) {
    const fd = yield* sys(c, name, raw(c, args));
    return descriptors(fd, [fd]);
  };
}

/** pipe and socketpair: two descriptors through memory. */
function makesTwo(
  name: string,
  raw: (c: Caller, args: readonly Arg[], address: number) => readonly number[],
): Marshal {
  return function* (c, args, call) {
    const address = c.arenas.bufferFor(labelled(call.args, 'pipefd'), c.thread, 4);
    const r = yield* sys(c, name, raw(c, args, address));
    if (r < 0) return value(r);
    return descriptors(r, [
      Number(c.kernel.mm.load(address)),
      Number(c.kernel.mm.load(address + 4)),
    ]);
  };
}

function* read(c: Caller, args: readonly Arg[], call: Call): Kernel<Result> {
  const address = c.arenas.bufferFor(labelled(call.args, 'buf'), c.thread, 1);
  const r = yield* sys(c, 'read', [fdOf(args[0], c.scope), address, intOf(args[1])]);
  if (r < 0) return value(r);
  const data = c.kernel.mm.load(address);
  return { kind: 'bytes', count: r, data: typeof data === 'string' ? data.slice(0, r) : '' };
}

const filler = new Map<number, string>();

/** That many bytes of no particular content. */
function bytes(n: number): string {
  let text = filler.get(n);
  if (text === undefined) {
    text = 'x'.repeat(n);
    filler.set(n, text);
  }
  return text;
}

function* write(c: Caller, args: readonly Arg[]): Kernel<Result> {
  const fd = fdOf(args[0], c.scope);
  const data = args[1];
  if (data?.kind === 'pointer') {
    const bad = c.arenas.bufferFor(data, c.thread, 1);
    return value(yield* sys(c, 'write', [fd, bad, intOf(args[2], 1)]));
  }
  const address = c.arenas.of(c.thread);
  if (data?.kind === 'pollfds') {
    const count = storePollfds(c, data, address);
    const length = intOf(args[2], count * POLLFD_SIZE);
    return value(yield* sys(c, 'write', [fd, address, length]));
  }
  const text = data?.kind === 'string' ? data.value : bytes(intOf(data));
  c.kernel.mm.store(address, text);
  return value(yield* sys(c, 'write', [fd, address, intOf(args[2], text.length)]));
}

const POLLFD_SIZE = 8;

/** Stores a pollfd array and answers its length. Registrations through the device are named here. */
function storePollfds(c: Caller, arg: Arg, address: number): number {
  if (arg.kind !== 'pollfds') return 0;
  for (const [i, entry] of arg.entries.entries()) {
    const fd = fdOf(entry.fd, c.scope);
    if (!c.numberNames.has(fd)) c.numberNames.set(fd, labelOf(entry.fd));
    c.kernel.mm.store(address + POLLFD_SIZE * i, { fd, events: bitsOf(entry.events), revents: 0 });
  }
  return arg.entries.length;
}

function* poll(c: Caller, args: readonly Arg[]): Kernel<Result> {
  const set = args[0];
  let address = c.arenas.of(c.thread);
  let count = 0;
  if (set?.kind === 'pollfds') count = storePollfds(c, set, address);
  else {
    address = c.arenas.bufferFor(set, c.thread, POLLFD_SIZE);
    count = 1;
  }
  const r = yield* sys(c, 'poll', [address, count, intOf(args[1])]);
  if (r < 0) return value(r);
  const events: ReportedEvent[] = [];
  if (set?.kind === 'pollfds')
    for (const [i, entry] of set.entries.entries()) {
      const stored = pollfdAt(c, address + POLLFD_SIZE * i);
      if (stored.revents !== 0) events.push({ name: labelOf(entry.fd), mask: stored.revents });
    }
  return { kind: 'events', events };
}

/** A pollfd in user memory. */
function pollfdAt(c: Caller, address: number): PollfdValue {
  // Whole structures are stored by address: what the kernel put there is what is read.
  return (c.kernel.mm.load(address) ?? { fd: -1, events: 0, revents: 0 }) as PollfdValue;
}

function* epollCtl(c: Caller, args: readonly Arg[], call: Call): Kernel<Result> {
  const epfd = fdOf(args[0], c.scope);
  const op = bitsOf(args[1]);
  const fd = fdOf(args[2], c.scope);
  const event = args[3];
  const symbol = labelOf(args[2]);
  if (c.sysEpoll) {
    const adds = op === 1 || op === 4;
    if (adds && !c.numberNames.has(fd)) c.numberNames.set(fd, symbol);
    const r = yield* sys(c, 'epoll_ctl', [epfd, op, fd, bitsOf(event)]);
    if (adds && r === 0) c.numberNames.set(fd, symbol);
    return value(r);
  }
  let address = c.arenas.of(c.thread);
  if (event?.kind === 'pointer') address = c.arenas.bufferFor(event, c.thread, EVENT_SIZE);
  else {
    const given = labelled(call.args, 'data');
    const data = given === undefined ? c.symbols.dataOf(symbol) : intOf(given);
    c.kernel.mm.store(address, { events: bitsOf(event), data });
  }
  return value(yield* sys(c, 'epoll_ctl', [epfd, op, fd, address]));
}

function* epollWait(c: Caller, args: readonly Arg[], call: Call): Kernel<Result> {
  const epfd = fdOf(args[0], c.scope);
  const given = labelled(call.args, 'buf');
  if (c.sysEpoll) {
    const out = c.arenas.bufferFor(given, c.thread, 4);
    const r = yield* sys(c, 'epoll_wait', [epfd, out, intOf(args[2])]);
    return r < 0 ? value(r) : yield* batch(c, Number(c.kernel.mm.load(out)), r);
  }
  const address = c.arenas.bufferFor(given, c.thread, EVENT_SIZE);
  const r = yield* sys(c, 'epoll_wait', [epfd, address, intOf(args[1]), intOf(args[2])]);
  return r < 0 ? value(r) : { kind: 'events', events: eventsAt(c, address, r) };
}

/** What a sys_epoll wait returned: pollfds in the mapped buffer. */
function* batch(c: Caller, address: number, count: number): Kernel<Result> {
  if (count === 0) return { kind: 'events', events: [] };
  const slots = yield* loadSlots(address, count);
  const events = slots.map((p) => ({
    name: c.numberNames.get(p.fd) ?? String(p.fd),
    mask: p.revents,
  }));
  const unread = count - slots.length;
  return unread === 0 ? { kind: 'events', events } : { kind: 'events', events, unread };
}

function* epollPwait(c: Caller, args: readonly Arg[], call: Call): Kernel<Result> {
  const epfd = fdOf(args[0], c.scope);
  const address = c.arenas.bufferFor(labelled(call.args, 'buf'), c.thread, EVENT_SIZE);
  const mask = args[3];
  let maskAddress = c.arenas.of(c.thread) + 0x8000;
  if (mask?.kind === 'signals') c.kernel.mm.store(maskAddress, mask.names);
  else if (mask?.kind === 'pointer') maskAddress = c.arenas.bufferFor(mask, c.thread, 8);
  const r = yield* sys(c, 'epoll_pwait', [
    epfd,
    address,
    intOf(args[1]),
    intOf(args[2]),
    maskAddress,
    intOf(labelled(call.args, 'sigsetsize'), 8),
  ]);
  return r < 0 ? value(r) : { kind: 'events', events: eventsAt(c, address, r) };
}

function* open(c: Caller, args: readonly Arg[]): Kernel<Result> {
  const path = args[0]?.kind === 'string' ? args[0].value : '';
  const how = args[1];
  const reopened = how?.kind === 'name';
  const text = reopened ? `${path}${fdOf(how, c.scope)}` : path;
  const address = c.arenas.of(c.thread);
  c.kernel.mm.store(address, text);
  const fd = yield* sys(c, 'open', [address, reopened ? 0 : bitsOf(how)]);
  return descriptors(fd, [fd]);
}

function* mkfifo(c: Caller, args: readonly Arg[]): Kernel<Result> {
  const address = c.arenas.of(c.thread);
  c.kernel.mm.store(address, args[0]?.kind === 'string' ? args[0].value : '');
  return value(yield* sys(c, 'mkfifo', [address]));
}

const EP_POLL = 'EP_POLL';

function* ioctl(c: Caller, args: readonly Arg[]): Kernel<Result> {
  const fd = fdOf(args[0], c.scope);
  const command = bitsOf(args[1]);
  const isPoll = args[1]?.kind === 'flags' && args[1].names[0] === EP_POLL;
  const argument = args[2];
  const address = c.arenas.of(c.thread);
  if (isPoll) {
    c.kernel.mm.store(address, { timeout: intOf(argument), resoff: 0 });
    const r = yield* sys(c, 'ioctl', [fd, command, address]);
    if (r <= 0) return value(r);
    const answer = c.kernel.mm.load(address) as { readonly resoff: number } | undefined;
    const [mapping] = yield* mappingsAt(fd, 'user-load');
    const base = mapping?.start ?? 0;
    return yield* batch(c, base + (answer?.resoff ?? 0), r);
  }
  if (argument?.kind === 'name') {
    c.kernel.mm.store(address, { fd: fdOf(argument, c.scope), events: 0, revents: 0 });
    return value(yield* sys(c, 'ioctl', [fd, command, address]));
  }
  return value(yield* sys(c, 'ioctl', [fd, command, intOf(argument)]));
}

const PAGE = 4096;
/** PROT_READ|PROT_WRITE, and MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS. */
const READ_WRITE = 3;
const FIXED_ANONYMOUS = 0x32;

function* mmap(c: Caller, args: readonly Arg[], call: Call): Kernel<Result> {
  const at = labelled(call.args, 'at');
  const r = at === undefined ? yield* mapFile(c, args, call) : yield* mapAt(c, at, call);
  if (r >= 0 && call.bind.length === 1) c.scope.bindAddress(call.bind[0], r);
  return r < 0 ? value(r) : { kind: 'fds', fds: [] };
}

function* mapFile(c: Caller, args: readonly Arg[], call: Call): Kernel<number> {
  return yield* sys(c, 'mmap', [
    fdOf(args[0], c.scope),
    intOf(args[1]) * PAGE,
    labelled(call.args, 'prot') === undefined ? 1 : bitsOf(labelled(call.args, 'prot')),
    labelled(call.args, 'flags') === undefined ? 2 : bitsOf(labelled(call.args, 'flags')),
    intOf(labelled(call.args, 'offset')),
  ]);
}

/** Anonymous memory exactly where the ring of a context is or was. */
function mapAt(c: Caller, at: Arg, call: Call): Kernel<number> {
  const address = at.kind === 'name' ? c.scope.get(at.name).address : intOf(at);
  const pages = intOf(positional(call.args)[1], 1);
  return sys(c, 'mmap', [-1, pages * PAGE, READ_WRITE, FIXED_ANONYMOUS, 0, address]);
}

function* munmap(c: Caller, args: readonly Arg[]): Kernel<Result> {
  const what = args[0];
  if (what?.kind !== 'flags') {
    const address = what?.kind === 'name' ? c.scope.get(what.name).address : intOf(what);
    return value(yield* sys(c, 'munmap', [address]));
  }
  // ALL: every mapping of the descriptor's file, the one that epoll_create made included.
  const fd = args[1] === undefined ? null : fdOf(args[1], c.scope);
  let r = 0;
  for (const range of yield* mappingsAt(fd, 'user-munmap'))
    r = yield* sys(c, 'munmap', [range.start]);
  return value(r);
}

const first = (c: Caller, args: readonly Arg[]): readonly number[] => [fdOf(args[0], c.scope)];

const MARSHAL: Readonly<Record<string, Marshal>> = {
  pipe: makesTwo('pipe', (_c, _args, address) => [address]),
  pipe2: makesTwo('pipe2', (_c, args, address) => [address, bitsOf(args[0])]),
  socketpair: makesTwo('socketpair', (_c, args, address) => [
    bitsOf(args[0]),
    bitsOf(args[1]),
    0,
    address,
  ]),
  listen: makesFd('listen', (_c, args) => [bitsOf(args[0])]),
  connect: makesFd('connect', (c, args) => [fdOf(args[0], c.scope), bitsOf(args[1])]),
  accept: makesFd('accept', (c, args) => [fdOf(args[0], c.scope), bitsOf(args[1])]),
  dup: makesFd('dup', first),
  dup2: makesFd('dup2', (c, args) => [fdOf(args[0], c.scope), fdOf(args[1], c.scope)]),
  epoll_create: makesFd('epoll_create', (_c, args) => [intOf(args[0])]),
  epoll_create1: makesFd('epoll_create1', (_c, args) => [bitsOf(args[0])]),
  close: plain('close', first),
  shutdown: plain('shutdown', (c, args) => [fdOf(args[0], c.scope), bitsOf(args[1])]),
  fcntl: plain('fcntl', (c, args) => [fdOf(args[0], c.scope), bitsOf(args[1]), bitsOf(args[2])]),
  kill: plain('kill', (_c, args) => [threadOf(args[0]), bitsOf(args[1])]),
  sleep: plain('sleep', (_c, args) => [intOf(args[0])]),
  read,
  write,
  poll,
  epoll_ctl: epollCtl,
  epoll_wait: epollWait,
  epoll_pwait: epollPwait,
  open,
  mkfifo,
  ioctl,
  mmap,
  munmap,
  ...AIO_MARSHAL,
};

/** Slot of `T2`: 1. */
export function threadOf(arg: Arg | undefined): number {
  return arg?.kind === 'name' && /^T\d$/.test(arg.name) ? Number(arg.name.slice(1)) - 1 : -1;
}

/** Whether the model has a way to make the call. */
export function isModelled(name: string): boolean {
  return MARSHAL[name] !== undefined;
}

/** How a call is made, and with what: looked up once. */
export interface PlannedCall {
  readonly marshal: Marshal;
  readonly args: readonly Arg[];
  /** It makes descriptors, which its names are bound to. */
  readonly makesDescriptors: boolean;
}

/** What the model does for a call; a call that it does not know fails with ENOSYS. */
export function planOf(call: Call): PlannedCall {
  const returns = syscallOf(call.name)?.returns;
  return {
    marshal: MARSHAL[call.name] ?? (() => atOnce<Result>({ kind: 'errno', errno: 'ENOSYS' })),
    args: positional(call.args),
    makesDescriptors: returns === 'fd' || returns === 'fds2',
  };
}

/** Binds the names of a call to the descriptors that it has made. */
export function bindDescriptors(c: Caller, call: Call, result: Result): void {
  for (const [i, name] of call.bind.entries())
    c.scope.bindFd(name, result.kind === 'fds' ? (result.fds[i] ?? -1) : -1);
}

/**
 * Open files and descriptors as a history alone tells them: what was opened, by which name and number, and when
 * it was closed for sure or perhaps. Where calls overlap or a number is ambiguous, only "perhaps" is said.
 */

import { kernelIdOf, isSysEpoll, type KernelId } from '../abi/index.ts';
import type { CallRecord, History } from '../history/history.ts';
import type { Arg, IocbOp } from '../program/program.ts';

export type FileKind =
  | 'pipe-read'
  | 'pipe-write'
  | 'fifo'
  | 'stream'
  | 'datagram'
  | 'listener'
  | 'set'
  | 'always-ready'
  | 'tty'
  | 'eventfd'
  | 'unknown';

/** An open file description. */
export interface OpenFile {
  readonly id: number;
  readonly kind: FileKind;
  /** The two ends of a pipe have the same channel; also every open of one named FIFO. */
  readonly channel: string;
  /** A connected AF_UNIX pair; false for loopback TCP. */
  readonly unix: boolean;
  /** The other end of a stream, if the history tells which one it is. */
  peer: OpenFile | null;
  readonly descriptors: Descriptor[];
  /** Calls that named a descriptor of it anywhere, in order of start: they hold the file while they run. */
  readonly uses: CallRecord[];
  /** Those that were made on it: it is their first argument. */
  readonly calls: CallRecord[];
}

export interface Descriptor {
  readonly id: number;
  readonly name: string;
  readonly number: number;
  readonly file: OpenFile;
  readonly made: CallRecord;
  /** What made it: `pipe2`, `dup`, `open`. */
  readonly how: string;
  /** Calls that may have closed it, and whether each can have closed nothing else. */
  readonly closers: { readonly record: CallRecord; readonly certain: boolean }[];
}

export interface World {
  readonly history: History;
  readonly kernel: KernelId;
  /** The 2.5.44 patch: keys are numbers, edges are notifications. */
  readonly isV11: boolean;
  readonly descriptors: readonly Descriptor[];
  readonly files: readonly OpenFile[];
  /** A thread died inside the kernel, or it cannot be told what a call was about: no check speaks. */
  isUnclear: boolean;
  /** It is unclear, or requests do in the background what epoll's checks would have to know. */
  isCorrupt: boolean;
}

/** A point at which facts are asked for: while a call ran, or (null) the end of the history. */
export type Moment = CallRecord | null;

/** True if the call came back to the program. */
export function hasReturned(record: CallRecord): boolean {
  return record.result.kind !== 'hang' && record.result.kind !== 'killed';
}

/** True if the call was over before the moment in every equivalent execution. */
export function isSurelyBefore(world: World, record: CallRecord, moment: Moment): boolean {
  if (moment === null) return hasReturned(record);
  return record !== moment && world.history.before(record, moment);
}

/** True if the call may have had its effect by the end of the moment. */
export function isPerhapsBefore(world: World, record: CallRecord, moment: Moment): boolean {
  if (moment === null) return true;
  return record !== moment && !world.history.before(moment, record);
}

/** True if the descriptor was open during the whole moment. */
export function isSurelyOpen(world: World, descriptor: Descriptor, moment: Moment): boolean {
  if (!isSurelyBefore(world, descriptor.made, moment)) return false;
  return descriptor.closers.every((one) => !isPerhapsBefore(world, one.record, moment));
}

/** True if the descriptor was closed before the moment began. */
export function isSurelyClosed(world: World, descriptor: Descriptor, moment: Moment): boolean {
  return descriptor.closers.some((one) => one.certain && isSurelyBefore(world, one.record, moment));
}

/** True if no descriptor and no running call kept the file open when the moment began. */
export function isSurelyReleased(world: World, file: OpenFile, moment: Moment): boolean {
  return (
    file.descriptors.every((descriptor) => isSurelyClosed(world, descriptor, moment)) &&
    file.uses.every((record) => isSurelyBefore(world, record, moment))
  );
}

/** True if some descriptor may have been the last one to be closed by the end of the moment. */
export function isPerhapsReleased(world: World, file: OpenFile, moment: Moment): boolean {
  return file.descriptors.every((descriptor) =>
    descriptor.closers.some((one) => isPerhapsBefore(world, one.record, moment)),
  );
}

/**
 * The descriptor an argument of a call means, by what was open at its number while the call ran: null if that cannot
 * be told. If nothing was, the descriptor that had the name.
 */
export function descriptorOf(
  world: World,
  record: CallRecord,
  arg: Arg | undefined,
): Descriptor | null {
  const named = namedDescriptor(world.descriptors, record, arg);
  const number = arg?.kind === 'int' ? arg.value : named?.number;
  if (number === undefined) return null;
  const open = openAt(world, number, record);
  return open.length === 0 ? named : open.length === 1 ? (open[0] ?? null) : null;
}

/** Descriptors that may have been open at the number during the call. */
function openAt(world: World, number: number, record: CallRecord): Descriptor[] {
  return world.descriptors.filter(
    (one) =>
      one.number === number &&
      isPerhapsBefore(world, one.made, record) &&
      !isSurelyClosed(world, one, record),
  );
}

/** The descriptor that was bound to the name last, for the thread of the call. */
function namedDescriptor(
  descriptors: readonly Descriptor[],
  record: CallRecord,
  arg: Arg | undefined,
): Descriptor | null {
  if (arg?.kind !== 'name') return null;
  let found: Descriptor | null = null;
  for (const one of descriptors) {
    if (one.name !== arg.name) continue;
    const isVisible =
      one.made.thread === record.thread ? one.made.index < record.index : one.made.thread < 0;
    if (isVisible) found = one;
  }
  return found;
}

/** The text that names a descriptor argument: `s`, `99`. */
export function nameOf(arg: Arg | undefined): string {
  if (arg === undefined) return '';
  if (arg.kind === 'name') return arg.name;
  return arg.kind === 'int' ? String(arg.value) : '';
}

/** Reads a history once; every check works on what this answers. */
export function worldOf(history: History): World {
  const selector = history.model?.kernel ?? history.target.replace(/^model:/, '');
  const kernel = kernelIdOf(selector);
  const descriptors: Descriptor[] = [];
  const files: OpenFile[] = [];
  for (const record of history.calls) addDescriptors(descriptors, files, record);
  const world: World = {
    history,
    kernel,
    isV11: isSysEpoll(kernel),
    descriptors,
    files,
    isUnclear: history.calls.some((record) => record.result.kind === 'killed'),
    isCorrupt: false,
  };
  addClosers(world);
  world.isUnclear ||= isAmbiguous(world) || mayReuseNumbers(world);
  addUses(world);
  pairStreams(world);
  world.isCorrupt = world.isUnclear || hasHiddenEffects(world);
  return world;
}

function addDescriptors(descriptors: Descriptor[], files: OpenFile[], record: CallRecord): void {
  // A context is no descriptor, though its handle is told like one.
  if (record.result.kind !== 'fds' || record.call.name === 'io_setup') return;
  const made = filesMadeBy(descriptors, files, record);
  for (const [at, number] of record.result.fds.entries()) {
    const file = made[at] ?? newFile(files, 'unknown', '');
    const descriptor: Descriptor = {
      id: descriptors.length,
      name: record.call.bind[at] ?? '',
      number,
      file,
      made: record,
      how: record.call.name,
      closers: [],
    };
    descriptors.push(descriptor);
    file.descriptors.push(descriptor);
  }
}

function newFile(files: OpenFile[], kind: FileKind, channel: string, unix = false): OpenFile {
  const id = files.length;
  const file = { id, kind, channel, unix, peer: null, descriptors: [], uses: [], calls: [] };
  files.push(file);
  return file;
}

function filesMadeBy(
  descriptors: readonly Descriptor[],
  files: OpenFile[],
  record: CallRecord,
): OpenFile[] {
  const { name, args } = record.call;
  const channel = `c${files.length}`;
  switch (name) {
    case 'pipe':
    case 'pipe2':
      return [newFile(files, 'pipe-read', channel), newFile(files, 'pipe-write', channel)];
    case 'socketpair':
      return socketPair(files, channel, record);
    case 'listen':
      return [newFile(files, isDatagram(args[0]) ? 'datagram' : 'listener', channel)];
    case 'connect':
      return [connected(descriptors, files, record, channel)];
    case 'accept':
      return [newFile(files, 'stream', channel)];
    case 'epoll_create':
    case 'epoll_create1':
      return [newFile(files, 'set', channel)];
    case 'eventfd':
      return [newFile(files, 'eventfd', channel)];
    case 'dup':
    case 'dup2': {
      const original = namedDescriptor(descriptors, record, args[0]);
      return original === null ? [] : [original.file];
    }
    case 'open':
      return [opened(descriptors, files, record, channel)];
    default:
      return [];
  }
}

function isDatagram(type: Arg | undefined): boolean {
  return type?.kind === 'flags' && type.names.includes('SOCK_DGRAM');
}

/** A stream, or a datagram socket that sends to one with an address. */
function connected(
  descriptors: readonly Descriptor[],
  files: OpenFile[],
  record: CallRecord,
  channel: string,
): OpenFile {
  const receiver = namedDescriptor(descriptors, record, record.call.args[0])?.file;
  if (receiver?.kind !== 'datagram') return newFile(files, 'stream', channel);
  const file = newFile(files, 'datagram', channel, true);
  file.peer = receiver;
  return file;
}

function socketPair(files: OpenFile[], channel: string, record: CallRecord): OpenFile[] {
  const kind = isDatagram(record.call.args[1]) ? 'datagram' : 'stream';
  const first = newFile(files, kind, channel, true);
  const second = newFile(files, kind, channel, true);
  first.peer = second;
  second.peer = first;
  return [first, second];
}

function opened(
  descriptors: readonly Descriptor[],
  files: OpenFile[],
  record: CallRecord,
  channel: string,
): OpenFile {
  const [path, how] = record.call.args;
  const text = path?.kind === 'string' ? path.value : '';
  if (text === '/proc/self/fd/') {
    const original = namedDescriptor(descriptors, record, how)?.file;
    const isPipe = original?.kind === 'pipe-read' || original?.kind === 'pipe-write';
    return newFile(files, isPipe ? original.kind : 'unknown', isPipe ? original.channel : channel);
  }
  if (text === '/dev/epoll') return newFile(files, 'set', channel);
  if (text === '/dev/tty') return newFile(files, 'tty', channel);
  if (text.startsWith('/dev/sd')) return newFile(files, 'unknown', channel);
  if (text === '/dev/zero' || text.startsWith('/tmp'))
    return newFile(files, 'always-ready', channel);
  return newFile(files, 'fifo', `path ${text}`);
}

/** close() of a number closes whatever is open there; a closer is certain if nothing else can be meant. */
function addClosers(world: World): void {
  for (const record of world.history.calls) {
    const number = closedNumber(world, record);
    if (number === null) continue;
    const open = world.descriptors.filter((one) => canClose(world, record, one, number));
    const certain = open.length === 1 && record.result.kind === 'value';
    for (const descriptor of open) descriptor.closers.push({ record, certain });
  }
}

function canClose(
  world: World,
  record: CallRecord,
  descriptor: Descriptor,
  number: number,
): boolean {
  if (descriptor.number !== number || descriptor.made === record) return false;
  if (world.history.before(record, descriptor.made)) return false;
  return !descriptor.closers.some((one) => one.certain && world.history.before(one.record, record));
}

function closedNumber(world: World, record: CallRecord): number | null {
  const { name, args } = record.call;
  if (name !== 'close' && name !== 'dup2') return null;
  if (record.result.kind === 'errno') return null;
  const arg = name === 'close' ? args[0] : args[1];
  if (arg?.kind === 'int') return arg.value;
  return namedDescriptor(world.descriptors, record, arg)?.number ?? null;
}

/** Some call may mean one file or another, because its number was closed and given out again meanwhile. */
function isAmbiguous(world: World): boolean {
  return world.history.calls.some((record) =>
    descriptorArgsOf(record).some((arg) => {
      const number =
        arg.kind === 'int' && isNumberOfCall(record, arg)
          ? arg.value
          : namedDescriptor(world.descriptors, record, arg)?.number;
      return number !== undefined && openAt(world, number, record).length > 1;
    }),
  );
}

/**
 * The host counts descriptors instead of telling their numbers, so what a closed one means is open as soon as
 * another one is made.
 */
function mayReuseNumbers(world: World): boolean {
  if (!world.kernel.host) return false;
  const closes = world.descriptors.flatMap((one) => one.closers.map((closer) => closer.record));
  return closes.some((close) =>
    world.descriptors.some((one) => !world.history.before(one.made, close)),
  );
}

/** Literal descriptors stand first, or third in epoll_ctl(). */
function isNumberOfCall(record: CallRecord, arg: Arg): boolean {
  const { name, args } = record.call;
  return arg === args[0] || (name === 'epoll_ctl' && arg === args[2]) || !args.includes(arg);
}

function addUses(world: World): void {
  for (const record of world.history.calls) {
    if (record.call.name === 'close') continue;
    for (const arg of descriptorArgsOf(record)) {
      const file = descriptorOf(world, record, arg)?.file;
      if (file !== undefined && !file.uses.includes(record)) file.uses.push(record);
    }
    if (isAioCall(record)) continue;
    descriptorOf(world, record, record.call.args[0])?.file.calls.push(record);
  }
}

/** io_setup() and its like, whose numbers are sizes and handles. */
function isAioCall(record: CallRecord): boolean {
  return /^(io|aio)_/.test(record.call.name);
}

/** The arguments of a call that may be descriptors; those of requests that it submits are in its list. */
function descriptorArgsOf(record: CallRecord): readonly Arg[] {
  const { args } = record.call;
  if (isAioCall(record)) return args.flatMap(requestArgs);
  if (!args.some((arg) => arg.kind === 'pollfds')) return args;
  return args.flatMap((arg) =>
    arg.kind === 'pollfds' ? arg.entries.map((entry) => entry.fd) : [arg],
  );
}

function requestArgs(arg: Arg): Arg[] {
  if (arg.kind !== 'iocbs') return [];
  return arg.entries.flatMap((entry) => {
    const fd = entry.kind === 'iocb' && entry.op !== null ? descriptorArgOf(entry.op) : undefined;
    return fd === undefined ? [] : [fd];
  });
}

/** The descriptor that a request is about. */
export function descriptorArgOf(op: IocbOp): Arg | undefined {
  return op.args[op.name === 'opcode' ? 1 : 0];
}

/** Where there are sets, a request that reads, writes or waits leaves marks that no call of the history tells. */
function hasHiddenEffects(world: World): boolean {
  if (!world.files.some((file) => file.kind === 'set')) return false;
  return world.history.calls.some((record) => record.call.name === 'io_submit');
}

/** The n-th connection made to a listener is the n-th accepted, if both orders are certain. */
function pairStreams(world: World): void {
  for (const listener of world.files) {
    if (listener.kind !== 'listener') continue;
    const clients = madeFrom(world, listener, 'connect');
    const servers = madeFrom(world, listener, 'accept');
    if (!isChain(world, clients) || !isChain(world, servers)) continue;
    if (listener.uses.some((one) => one.call.name === 'connect' && one.result.kind !== 'fds'))
      continue;
    for (const [at, server] of servers.entries()) {
      const client = clients[at];
      if (client === undefined) continue;
      server.file.peer = client.file;
      client.file.peer = server.file;
    }
  }
}

function madeFrom(world: World, listener: OpenFile, call: string): Descriptor[] {
  return world.descriptors.filter(
    (one) =>
      one.how === call && descriptorOf(world, one.made, one.made.call.args[0])?.file === listener,
  );
}

function isChain(world: World, descriptors: readonly Descriptor[]): boolean {
  return descriptors.every((one, at) => {
    const next = descriptors[at + 1];
    return next === undefined || world.history.before(one.made, next.made);
  });
}

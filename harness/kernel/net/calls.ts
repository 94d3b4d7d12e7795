/** System calls on sockets: socketpair, listen, connect, accept and shutdown. */

import type { Kernel } from '../../machine/index.ts';
import { E } from '../kernel.ts';
import { File, O_CLOEXEC, O_NONBLOCK, O_RDWR, fget, fput, installFd } from '../fs/file.ts';
import { installTwo } from '../fs/install-two.ts';
import { LISTENING, Sock, setFile, sockOf } from './socket.ts';
import { acceptFrom, connectTo, tcpOps, tcpShutdown } from './stream.ts';
import { unixOps, unixShutdown } from './unix.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const TYPE_MASK = 0xf;

/** The file of a sock; `type` has SOCK_NONBLOCK, whose bit is that of O_NONBLOCK. */
function* socketFile(sk: Sock, type: number, site: string): Kernel<File> {
  const file = new File(sk.kind === 'tcp' ? tcpOps : unixOps, O_RDWR | (type & O_NONBLOCK), sk);
  yield* setFile(sk, file, site);
  return file;
}

function* installSocket(sk: Sock, type: number, site: string): Kernel<number> {
  const file = yield* socketFile(sk, type, site);
  const fd = yield* installFd(file, site, (type & O_CLOEXEC) !== 0);
  if (fd < 0) yield* fput(file, site);
  return fd;
}

/** socketpair(domain, type, protocol, address): 0 and two ints stored, EAFNOSUPPORT, ESOCKTNOSUPPORT, EMFILE, EFAULT. */
export function* sysSocketpair(args: readonly number[]): Kernel<number> {
  const [domain, type, , address] = args;
  if (domain !== AF_UNIX) return -E.EAFNOSUPPORT;
  const style = type & TYPE_MASK;
  if (style !== SOCK_STREAM && style !== SOCK_DGRAM) return -E.ESOCKTNOSUPPORT;
  const kind = style === SOCK_STREAM ? 'unix-stream' : 'unix-dgram';
  const first = new Sock(kind);
  const second = new Sock(kind);
  first.peer = second;
  second.peer = first;
  const site = 'sys_socketpair';
  const files = [
    yield* socketFile(first, type, site),
    yield* socketFile(second, type, site),
  ] as const;
  return yield* installTwo(files, address, (type & O_CLOEXEC) !== 0, 'sys_socketpair');
}

/**
 * listen(type): a listening loopback stream socket; with SOCK_DGRAM an AF_UNIX datagram socket with an address. A
 * convenience for socket(), bind() and listen(): EMFILE.
 */
export function* sysListen(args: readonly number[]): Kernel<number> {
  const type = args[0] ?? 0;
  const sk =
    (type & TYPE_MASK) === SOCK_DGRAM ? new Sock('unix-dgram') : new Sock('tcp', LISTENING);
  return yield* installSocket(sk, type, 'sys_listen');
}

/**
 * connect(descriptor of a listener, type): a new socket connected to where it listens; ECONNREFUSED if nobody
 * does any more, EMFILE. The descriptor stands for an address, so it is not held.
 */
export function* sysConnect(args: readonly number[]): Kernel<number> {
  const [fd, type = 0] = args;
  const file = yield* fget(fd, 'sys_connect');
  if (file === null) return -E.ECONNREFUSED;
  const listener = sockOf(file);
  yield* fput(file, 'sys_connect');
  if (listener === null) return -E.ENOTSOCK;
  let sk: Sock | number;
  if (listener.kind === 'tcp') sk = yield* connectTo(listener);
  else sk = connectDatagram(listener);
  return typeof sk === 'number' ? sk : yield* installSocket(sk, type, 'sys_connect');
}

/** A datagram socket that sends to the given one, which does not send back. */
function connectDatagram(receiver: Sock): Sock | number {
  if (receiver.kind !== 'unix-dgram') return -E.ECONNREFUSED;
  const sk = new Sock('unix-dgram');
  sk.peer = receiver;
  return sk;
}

/** accept(fd, type): a descriptor, or EBADF, ENOTSOCK, EOPNOTSUPP, EINVAL, EAGAIN, EINTR, EMFILE. */
export function* sysAccept(args: readonly number[]): Kernel<number> {
  const [fd, type = 0] = args;
  const file = yield* fget(fd, 'sys_accept');
  if (file === null) return -E.EBADF;
  const result = yield* doAccept(file, type);
  yield* fput(file, 'sys_accept');
  return result;
}

/** Differs: C takes the number before it waits for a connection, and gives it back if none comes. */
function* doAccept(file: File, type: number): Kernel<number> {
  const listener = sockOf(file);
  if (listener === null) return -E.ENOTSOCK;
  if (listener.kind === 'unix-dgram') return -E.EOPNOTSUPP;
  if (listener.kind !== 'tcp') return -E.EINVAL;
  const child = yield* acceptFrom(listener, file);
  return typeof child === 'number' ? child : yield* installSocket(child, type, 'sys_accept');
}

/** shutdown(fd, how): 0, or EBADF, ENOTSOCK, EINVAL, ENOTCONN. */
export function* sysShutdown(args: readonly number[]): Kernel<number> {
  const [fd, how] = args;
  const file = yield* fget(fd, 'sys_shutdown');
  if (file === null) return -E.EBADF;
  const sk = sockOf(file);
  let result = sk === null ? -E.ENOTSOCK : -E.EINVAL;
  // SHUT_RD, SHUT_WR, SHUT_RDWR are 0, 1, 2; the bits they stand for are one more.
  if (sk !== null && how >= 0 && how <= 2)
    result = sk.kind === 'tcp' ? yield* tcpShutdown(sk, how + 1) : yield* unixShutdown(sk, how + 1);
  yield* fput(file, 'sys_shutdown');
  return result;
}

/**
 * The libc of this process through koffi: raw system calls, memory at fixed addresses, signal handlers.
 *
 * Only processes that the host target starts load this file: it needs Linux on x86-64.
 */

import koffi from 'koffi';

/** System call numbers of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl). */
export const NR = {
  read: 0,
  write: 1,
  open: 2,
  close: 3,
  poll: 7,
  mprotect: 10,
  ioctl: 16,
  pread64: 17,
  pipe: 22,
  sched_yield: 24,
  dup: 32,
  dup2: 33,
  nanosleep: 35,
  socket: 41,
  connect: 42,
  accept: 43,
  shutdown: 48,
  bind: 49,
  listen: 50,
  getsockname: 51,
  socketpair: 53,
  setsockopt: 54,
  fcntl: 72,
  mknod: 133,
  gettid: 186,
  io_setup: 206,
  io_destroy: 207,
  personality: 135,
  io_getevents: 208,
  io_submit: 209,
  io_cancel: 210,
  epoll_create: 213,
  exit_group: 231,
  epoll_wait: 232,
  epoll_ctl: 233,
  tgkill: 234,
  epoll_pwait: 281,
  timerfd_create: 283,
  timerfd_settime: 286,
  timerfd_gettime: 287,
  accept4: 288,
  eventfd2: 290,
  epoll_create1: 291,
  pipe2: 293,
  io_pgetevents: 333,
  epoll_pwait2: 441,
} as const;

export type SyscallName = keyof typeof NR;

export type SyscallArgument = number | bigint;

/** Memory at a fixed address that system calls can be pointed at. */
export interface Arena {
  readonly base: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export interface Libc {
  /** The result, or minus the errno. Missing arguments are 0. */
  sys(nr: number, ...args: readonly SyscallArgument[]): number;
  /** Anonymous private memory, zeroed, readable and writable; whole pages. */
  map(length: number): Arena;
  /** Memory that another thread has mapped. The address must be one of its map(). */
  view(base: number, length: number): Arena;
  /** A system call with one argument that another thread makes, later; resolves with its result. */
  later(nr: number, argument: SyscallArgument): Promise<number>;
  /** Makes `signal` interrupt blocking calls and do nothing else (no SA_RESTART). */
  installNoopHandler(signal: number): void;
}

const PAGE = 4096;
/** Calls of later() that may be under way. */
export const LATER_MAX = 1024;

/**
 * Loads libc. Throws an Error whose message says what is missing (koffi's binary, a C library).
 */
export function loadLibc(): Libc {
  koffi.config({ max_async_calls: LATER_MAX });
  const libc = koffi.load('libc.so.6');
  const syscall = libc.func(
    'int64_t syscall(int64_t n, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f)',
  );
  const mmap = libc.func('void *mmap(void *a, size_t n, int prot, int flags, int fd, int64_t off)');
  const dlsym = libc.func('void *dlsym(void *handle, const char *name)');
  const sigaction = libc.func('int sigaction(int signal, void *action, void *old)');

  const sys = (nr: number, ...a: readonly SyscallArgument[]): number => {
    const r: unknown = syscall(
      nr,
      a[0] ?? 0,
      a[1] ?? 0,
      a[2] ?? 0,
      a[3] ?? 0,
      a[4] ?? 0,
      a[5] ?? 0,
    );
    return r === -1 ? -koffi.errno() : Number(r);
  };

  const map = (length: number): Arena => {
    const size = Math.ceil(length / PAGE) * PAGE;
    // PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS
    const pointer: unknown = mmap(null, size, 3, 0x22, -1, 0);
    if (typeof pointer !== 'bigint') throw new Error('Cannot map memory for system calls');
    return view(Number(pointer), size);
  };

  const view = (base: number, length: number): Arena => {
    const buffer = koffi.view(BigInt(base), length);
    return { base, bytes: new Uint8Array(buffer), view: new DataView(buffer) };
  };

  const later = (nr: number, argument: SyscallArgument): Promise<number> =>
    new Promise((resolve, reject) => {
      syscall.async(nr, argument, 0, 0, 0, 0, 0, (error: unknown, r: unknown) => {
        if (error === null || error === undefined) resolve(Number(r));
        else reject(error instanceof Error ? error : new Error(String(error)));
      });
    });

  const installNoopHandler = (signal: number): void => {
    // A handler has to be native code: a callback into JavaScript from a signal would crash.
    // abs(3) touches nothing but its argument, which is all a handler is given here.
    const handler: unknown = dlsym(null, 'abs');
    if (typeof handler !== 'bigint') throw new Error('Cannot find a signal handler in libc');
    const action = map(PAGE);
    action.view.setBigUint64(0, handler, true);
    if (Number(sigaction(signal, BigInt(action.base), null)) !== 0) {
      throw new Error(`Cannot handle signal ${signal}: errno ${koffi.errno()}`);
    }
  };

  return { sys, map, view, later, installNoopHandler };
}

/** The system calls that all kernels have alike, by name. */

import {
  TaskState,
  scheduleTimeout,
  sendSignal,
  setCurrentState,
  tasks,
  type Kernel,
} from '../machine/index.ts';
import { E, kernelConfig, type Syscall } from './kernel.ts';
import { O_CLOEXEC, O_NONBLOCK, type File } from './fs/file.ts';
import { installTwo } from './fs/install-two.ts';
import { sysMkfifo, sysOpen } from './fs/namei.ts';
import { sysClose, sysDup, sysDup2, sysFcntl, sysRead, sysWrite } from './fs/read-write.ts';
import { sysPoll } from './fs/select.ts';
import { sysAccept, sysConnect, sysListen, sysShutdown, sysSocketpair } from './net/calls.ts';

/** Makes the two ends of a pipe, reading end first; `flags` has O_NONBLOCK or nothing. */
export type PipeMaker = (flags: number) => readonly [File, File];

/** read, write, close, dup, dup2, fcntl, poll, open, mkfifo, pipe, pipe2, the socket calls, kill and sleep. */
export function commonSyscalls(makePipe: PipeMaker): Map<string, Syscall> {
  return new Map<string, Syscall>([
    ['read', sysRead],
    ['write', sysWrite],
    ['close', sysClose],
    ['dup', sysDup],
    ['dup2', sysDup2],
    ['fcntl', sysFcntl],
    ['poll', sysPoll],
    ['open', sysOpen],
    ['mkfifo', sysMkfifo],
    ['pipe', (args) => sysPipe(makePipe, args[0], 0)],
    ['pipe2', (args) => sysPipe(makePipe, args[0], args[1])],
    ['socketpair', sysSocketpair],
    ['listen', sysListen],
    ['connect', sysConnect],
    ['accept', sysAccept],
    ['shutdown', sysShutdown],
    ['kill', sysKill],
    ['sleep', sysSleep],
  ]);
}

/** pipe(address) and pipe2(address, flags): 0, EINVAL, EMFILE or EFAULT. A fault leaves both ends open. */
function* sysPipe(makePipe: PipeMaker, address: number, flags: number): Kernel<number> {
  if ((flags & ~(O_NONBLOCK | O_CLOEXEC)) !== 0) return -E.EINVAL;
  return yield* installTwo(
    makePipe(flags & O_NONBLOCK),
    address,
    (flags & O_CLOEXEC) !== 0,
    'sys_pipe',
  );
}

const SIGNALS: ReadonlyMap<number, string> = new Map([
  [1, 'SIGHUP'],
  [2, 'SIGINT'],
  [9, 'SIGKILL'],
  [10, 'SIGUSR1'],
  [12, 'SIGUSR2'],
  [13, 'SIGPIPE'],
  [14, 'SIGALRM'],
  [15, 'SIGTERM'],
  [17, 'SIGCHLD'],
]);

/**
 * kill(thread slot, signal number): 0, ESRCH or EINVAL. Every signal is taken to have a handler that does nothing
 * and that was installed without SA_RESTART.
 */
function* sysKill(args: readonly number[]): Kernel<number> {
  const [slot, number] = args;
  const task = tasks[slot];
  const signal = SIGNALS.get(number);
  if (signal === undefined) return number === 0 && task !== undefined ? 0 : -E.EINVAL;
  if (task === undefined) return -E.ESRCH;
  yield* sendSignal(task, signal, 'sys_kill');
  return 0;
}

/** sleep(ms): 0 after that long, rounded up to ticks, or EINTR. */
function* sysSleep(args: readonly number[]): Kernel<number> {
  const ticks = Math.ceil((Math.max(0, args[0]) * kernelConfig.hz) / 1000);
  if (ticks === 0) return 0;
  yield* setCurrentState(TaskState.INTERRUPTIBLE, 'nanosleep');
  return (yield* scheduleTimeout(ticks, 'nanosleep')) > 0 ? -E.EINTR : 0;
}

/** A C library and an explorer for the tests of 2.5.44. */

import { Dpor } from '../explore/dpor.ts';
import { explore } from '../explore/explore.ts';
import {
  engine,
  faults,
  handleSignals,
  resetMemory,
  resetTasks,
  resetTimers,
  taskConfig,
  type Kernel,
  type Scenario,
} from '../machine/index.ts';
import { Sanitizers } from '../sanitizers/index.ts';
import { loadSlots } from './drivers/char/eventpoll-map.ts';
import { E, kernelConfig, type BuiltKernel } from './kernel.ts';
import { buildKernel } from './series/index.ts';

export const V11 = '2.5.44+sys_epoll-v11';
export const ACSEM = `${V11}+epoll-acsem`;
export const ADDT = `${V11}+epoll-add-and-test`;

export const IN = 0x1;
export const OUT = 0x4;
export const HUP = 0x10;
export const RDNORM = 0x40;
export const POLLREMOVE = 0x1000;
export const O_NONBLOCK = 0o4000;
export const ADD = 1;
export const DEL = 2;
export const MOD = 3;
export const ADD_AND_TEST = 4;

export const ERRNO = new Map(Object.entries(E).map(([name, n]) => [-n, name]));

/** An answer as text: a number or the name of the errno. */
export function show(result: number): string {
  return ERRNO.get(result) ?? String(result);
}

/** A C library small enough for these tests: one per thread. */
export class Libc {
  readonly kernel: BuiltKernel;
  readonly out: Record<string, string>;
  readonly fd: Record<string, number>;
  readonly buffer: number;

  constructor(kernel: BuiltKernel, out: Record<string, string>, fd: Record<string, number>) {
    this.kernel = kernel;
    this.out = out;
    this.fd = fd;
    this.buffer = kernel.mm.map(65536, true, true).start;
  }

  *call(name: string, ...args: number[]): Kernel<number> {
    const syscall = this.kernel.syscalls.get(name);
    if (syscall === undefined) return -E.ENOSYS;
    return yield* syscall(args);
  }

  *pipe(r: string, w: string, flags = O_NONBLOCK): Kernel<void> {
    const result = yield* this.call('pipe2', this.buffer, flags);
    if (result < 0) throw new Error(`pipe2: ${show(result)}`);
    this.fd[r] = Number(this.kernel.mm.load(this.buffer));
    this.fd[w] = Number(this.kernel.mm.load(this.buffer + 4));
  }

  *write(name: string, text: string | number): Kernel<number> {
    const bytes = typeof text === 'number' ? 'x'.repeat(text) : text;
    this.kernel.mm.store(this.buffer, bytes);
    return yield* this.call('write', this.fd[name], this.buffer, bytes.length);
  }

  *read(name: string, count: number): Kernel<number> {
    return yield* this.call('read', this.fd[name], this.buffer, count);
  }

  *ctl(set: string, op: number, name: string | number, events = 0): Kernel<number> {
    const fd = typeof name === 'number' ? name : this.fd[name];
    return yield* this.call('epoll_ctl', this.fd[set], op, fd, events);
  }

  /** Waits and shows the batch as `{r:1,w:4}` in order. */
  *wait(set: string, timeoutMs: number): Kernel<string> {
    const n = yield* this.call('epoll_wait', this.fd[set], this.buffer, timeoutMs);
    if (n <= 0) return show(n);
    return yield* this.batch(Number(this.kernel.mm.load(this.buffer)), n);
  }

  *batch(address: number, n: number): Kernel<string> {
    const slots = yield* loadSlots(address, n);
    const names = Object.entries(this.fd);
    const nameOf = (fd: number): string =>
      names.find(([, value]) => value === fd)?.[0] ?? `fd${fd}`;
    return `{${slots.map((slot) => `${nameOf(slot.fd)}:${slot.revents}`).join(',')}}`;
  }

  *poll(name: string, events: number, timeoutMs: number): Kernel<number> {
    const at = this.buffer + 32768;
    this.kernel.mm.store(at, { fd: this.fd[name], events, revents: 0 });
    const n = yield* this.call('poll', at, 1, timeoutMs);
    const stored = this.kernel.mm.load(at);
    const revents =
      typeof stored === 'object' && stored !== null && 'revents' in stored
        ? Number(stored.revents)
        : 0;
    return n < 0 ? n : revents;
  }

  *open(name: string, path: string, flags: number): Kernel<number> {
    this.kernel.mm.store(this.buffer, path);
    const fd = yield* this.call('open', this.buffer, flags);
    if (fd >= 0) this.fd[name] = fd;
    return fd;
  }

  *make(set: string, maxfds: number): Kernel<number> {
    const fd = yield* this.call('epoll_create', maxfds);
    this.fd[set] = fd;
    return fd;
  }

  /** write(2) of pollfds to a set. */
  *device(set: string, entries: readonly (readonly [string | number, number])[]): Kernel<number> {
    for (const [i, [name, events]] of entries.entries()) {
      const fd = typeof name === 'number' ? name : this.fd[name];
      this.kernel.mm.store(this.buffer + 8 * i, { fd, events, revents: 0 });
    }
    return yield* this.call('write', this.fd[set], this.buffer, 8 * entries.length);
  }

  *note(name: string, body: Kernel<number | string>): Kernel<void> {
    const result = yield* body;
    this.out[name] = typeof result === 'number' ? show(result) : result;
  }
}

export type Body = (u: Libc) => Kernel<void>;

export interface Litmus {
  readonly init?: Body;
  readonly threads?: readonly Body[];
  /** Names that may be missing in an outcome: shown as ⊥. */
  readonly names?: readonly string[];
  readonly signals?: boolean;
  readonly faults?: number;
  readonly most?: number;
}

export interface Seen {
  readonly outcomes: readonly string[];
  readonly findings: ReadonlySet<string>;
  readonly executions: number;
  readonly end: string;
}

export function has(seen: Seen, finding: string): boolean {
  return [...seen.findings].some((f) => f.startsWith(finding));
}

/** Explores every trace and collects outcomes and findings. */
export function all(spec: string, litmus: Litmus): Seen {
  const kernel = buildKernel(spec);
  const { init, threads = [], names = [] } = litmus;
  let out: Record<string, string> = {};
  let users: Libc[] = [];
  const scenario: Scenario = {
    threads: threads.length,
    *init() {
      resetMemory();
      resetTimers();
      resetTasks(threads.length);
      kernelConfig.hz = 1000;
      kernelConfig.closesInThreads = true;
      taskConfig.signalsInUse = litmus.signals ?? false;
      faults.perThread = litmus.faults ?? 0;
      faults.taken.fill(0);
      kernel.boot();
      out = {};
      const first = new Libc(kernel, out, {});
      users = threads.map(() => new Libc(kernel, out, Object.create(first.fd)));
      if (init !== undefined) yield* init(first);
      for (const user of users) Object.assign(user.fd, first.fd);
    },
    *body(thread) {
      yield* threads[thread](users[thread]);
      if (litmus.signals === true) yield* handleSignals('signals');
    },
    *exit() {
      yield* kernel.exit();
    },
  };
  const sanitizers = new Sanitizers();
  engine.observer = sanitizers;
  engine.timers = 'idle';
  const outcomes = new Set<string>();
  const findings = new Set<string>();
  let executions = 0;
  const end = explore(
    engine,
    scenario,
    new Dpor(engine),
    () => {
      executions++;
      const shown = new Set([...names, ...Object.keys(out)]);
      outcomes.add([...shown].map((name) => `${name}=${out[name] ?? '⊥'}`).join(' '));
      for (const f of sanitizers.findings()) findings.add(`${f.detector} ${f.site}`);
    },
    { executions: litmus.most ?? 20000 },
  );
  return { outcomes: [...outcomes].sort(), findings, executions, end };
}

/** Runs one thread alone and answers what it noted, with the findings. */
export function alone(spec: string, body: Body): { readonly out: string } & Seen {
  const seen = all(spec, { threads: [body] });
  if (seen.outcomes.length !== 1) throw new Error(`one thread, but ${seen.outcomes.join(' / ')}`);
  return { ...seen, out: seen.outcomes[0] };
}

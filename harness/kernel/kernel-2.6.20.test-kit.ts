/** A C library and an explorer for the tests of 2.6.20. */

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
import { build2620, plain2620 } from './build-2.6.20.ts';
import { E, kernelConfig, type BuiltKernel } from './kernel.ts';

export const IN = 0x1;
export const OUT = 0x4;
export const ET = 0x80000000;
export const ONESHOT = 0x40000000;
export const O_NONBLOCK = 0o4000;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const ADD = 1;
export const DEL = 2;
export const MOD = 3;
export const EVENT_SIZE = 12;

export const ERRNO = new Map(Object.entries(E).map(([name, n]) => [-n, name]));
export const MASKS: readonly (readonly [string, number])[] = [
  ['IN', 1],
  ['PRI', 2],
  ['OUT', 4],
  ['ERR', 8],
  ['HUP', 16],
  ['NVAL', 32],
  ['RDNORM', 64],
  ['WRNORM', 256],
  ['WRBAND', 512],
  ['RDHUP', 0x2000],
];

export function show(result: number): string {
  return ERRNO.get(result) ?? String(result);
}

export function maskText(mask: number): string {
  return MASKS.filter(([, bit]) => (mask & bit) !== 0)
    .map(([name]) => name)
    .join('|');
}

/** A C library small enough for these tests: one per thread. The user data of a registration is its name. */
export class Libc {
  readonly kernel: BuiltKernel;
  readonly fd: Record<string, number>;
  /** Results by name, in the order they came. */
  readonly out: Map<string, string>;
  readonly buffer: number;

  constructor(kernel: BuiltKernel, fd: Record<string, number>, out: Map<string, string>) {
    this.kernel = kernel;
    this.fd = fd;
    this.out = out;
    this.buffer = kernel.mm.map(0x40000, true, true).start;
  }

  number(name: string | number): number {
    return typeof name === 'number' ? name : (this.fd[name] ?? -1);
  }

  *call(name: string, ...args: number[]): Kernel<number> {
    const syscall = this.kernel.syscalls.get(name);
    const result = syscall === undefined ? -E.ENOSYS : yield* syscall(args);
    if (taskConfig.signalsInUse && !engine.inline) yield* handleSignals('test');
    return result;
  }

  *two(call: string, first: string, second: string, args: readonly number[]): Kernel<void> {
    const result = yield* this.call(call, ...args);
    if (result < 0) throw new Error(`${call}: ${show(result)}`);
    this.fd[first] = Number(this.kernel.mm.load(this.buffer));
    this.fd[second] = Number(this.kernel.mm.load(this.buffer + 4));
  }

  *pipe(r: string, w: string, flags = O_NONBLOCK): Kernel<void> {
    yield* this.two('pipe2', r, w, [this.buffer, flags]);
  }

  *pair(s: string, u: string, type = SOCK_STREAM | O_NONBLOCK): Kernel<void> {
    yield* this.two('socketpair', s, u, [1, type, 0, this.buffer]);
  }

  /** A call that answers a descriptor, which gets the name. */
  *make(name: string, call: string, ...args: number[]): Kernel<string> {
    const fd = yield* this.call(call, ...args);
    this.fd[name] = fd;
    return fd < 0 ? show(fd) : 'ok';
  }

  *open(name: string, path: string, flags: number): Kernel<string> {
    this.kernel.mm.store(this.buffer, path);
    return yield* this.make(name, 'open', this.buffer, flags);
  }

  *write(name: string | number, data: string | number): Kernel<string> {
    const text = typeof data === 'number' ? 'x'.repeat(data) : data;
    this.kernel.mm.store(this.buffer, text);
    return show(yield* this.call('write', this.number(name), this.buffer, text.length));
  }

  /** Short data in quotes, else the count. */
  *read(name: string | number, count: number): Kernel<string> {
    const n = yield* this.call('read', this.number(name), this.buffer, count);
    const data = this.kernel.mm.load(this.buffer);
    return n > 0 && n < 10 && typeof data === 'string' ? `"${data.slice(0, n)}"` : show(n);
  }

  *close(name: string | number): Kernel<string> {
    return show(yield* this.call('close', this.number(name)));
  }

  *ctl(set: string | number, op: number, name: string | number, events = 0): Kernel<string> {
    this.kernel.mm.store(this.buffer, { events, data: String(name) });
    return show(
      yield* this.call('epoll_ctl', this.number(set), op, this.number(name), this.buffer),
    );
  }

  /** The batch in order, as `r:IN w:OUT`. */
  *wait(
    set: string | number,
    max: number,
    timeoutMs: number,
    address = this.buffer,
  ): Kernel<string> {
    const n = yield* this.call('epoll_wait', this.number(set), address, max, timeoutMs);
    if (n <= 0) return show(n);
    const events: string[] = [];
    for (let i = 0; i < n; i++)
      events.push(eventText(this.kernel.mm.load(address + i * EVENT_SIZE)));
    return events.join(' ');
  }

  *poll(name: string | number, events: number, timeoutMs: number): Kernel<string> {
    this.kernel.mm.store(this.buffer, { fd: this.number(name), events, revents: 0 });
    const n = yield* this.call('poll', this.buffer, 1, timeoutMs);
    const stored = this.kernel.mm.load(this.buffer);
    const hasMask = typeof stored === 'object' && stored !== null && 'revents' in stored;
    return n <= 0 || !hasMask ? show(n) : maskText(Number(stored.revents));
  }

  *note(name: string, body: Kernel<string>): Kernel<void> {
    this.out.set(name, yield* body);
  }
}

export function eventText(event: unknown): string {
  if (typeof event !== 'object' || event === null || !('events' in event) || !('data' in event))
    return '?';
  return `${String(event.data)}:${maskText(Number(event.events))}`;
}

export type Body = (u: Libc) => Kernel<void>;

export interface Litmus {
  readonly init?: Body;
  readonly threads?: readonly Body[];
  readonly signals?: boolean;
  readonly faults?: number;
  readonly hz?: number;
}

export interface Seen {
  readonly outcomes: string[];
  readonly findings: string[];
  readonly executions: number;
}

/** Explores to the end; an outcome is every noted result by name, in order of names. */
export function run(litmus: Litmus): Seen {
  const kernel = build2620('2.6.20', plain2620);
  const threads = litmus.threads ?? [];
  const out = new Map<string, string>();
  const fd: Record<string, number> = {};
  const users: Libc[] = [];
  const scenario: Scenario = {
    threads: threads.length,
    *init() {
      out.clear();
      resetMemory();
      resetTimers();
      resetTasks(threads.length);
      faults.taken.fill(0);
      kernel.boot();
      users.length = 0;
      for (let i = 0; i < threads.length; i++) users.push(new Libc(kernel, fd, out));
      if (litmus.init !== undefined) yield* litmus.init(new Libc(kernel, fd, out));
    },
    body: (i) => threads[i](users[i]),
    exit: () => kernel.exit(),
  };
  faults.perThread = litmus.faults ?? 0;
  taskConfig.signalsInUse = litmus.signals ?? false;
  kernelConfig.hz = litmus.hz ?? 1000;
  kernelConfig.closesInThreads = true;
  const sanitizers = new Sanitizers();
  engine.observer = sanitizers;
  const outcomes = new Set<string>();
  const findings = new Set<string>();
  let executions = 0;
  explore(engine, scenario, new Dpor(engine), () => {
    executions++;
    const names = [...out.keys()].sort();
    outcomes.add(names.map((name) => `${name}=${out.get(name)}`).join(', '));
    for (const f of sanitizers.findings()) findings.add(`${f.detector} ${f.site}`);
  });
  return { outcomes: [...outcomes].sort(), findings: [...findings].sort(), executions };
}

/** One thread, no choice: the results in the order they were noted, then findings. */
export function sequence(body: Body, options: Omit<Litmus, 'threads'> = {}): string[] {
  const lines: string[] = [];
  const seen = run({
    ...options,
    threads: [
      function* (u) {
        lines.length = 0;
        yield* body(u);
        for (const [name, value] of u.out) lines.push(`${name}=${value}`);
      },
    ],
  });
  return [...lines, ...seen.findings];
}

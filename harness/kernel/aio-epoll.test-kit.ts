/** A C library for AIO and an explorer, for the tests of epoll iocbs and of the fallback. */

import { Dpor } from '../explore/dpor.ts';
import { explore } from '../explore/explore.ts';
import { Pct } from '../explore/pct.ts';
import {
  down,
  engine,
  faults,
  newSemaphore,
  resetMemory,
  resetTasks,
  resetTimers,
  sendSignal,
  taskConfig,
  tasks,
  up,
  type Kernel,
  type Scenario,
  type Semaphore,
} from '../machine/index.ts';
import { Sanitizers } from '../sanitizers/index.ts';
import { IOCB_SIZE, IO_EVENT_SIZE, type IoEvent, type Iocb } from './fs/aio/abi.ts';
import { Libc, eventText, EVENT_SIZE, show } from './kernel-2.6.20.test-kit.ts';
import { kernelConfig, type BuiltKernel, type KernelConfig } from './kernel.ts';
import { buildKernel } from './series/index.ts';
import { resetSlots } from './slots.ts';

export const PF = '2.6.20+fs-aio+aio-epoll-wait+aio-fallback-nonblock';
export const PE = '2.6.20+fs-aio+aio-epoll-wait';

/** What is submitted: the rest of an iocb is zero, and its buffer is its own. */
export interface Request {
  readonly op: 'read' | 'write' | 'epoll' | number;
  readonly fd: string | number;
  readonly nbytes?: number;
  readonly offset?: number;
  readonly text?: string;
  readonly buf?: number;
}

const OPCODES = { read: 0, write: 1, epoll: 9 } as const;

/** The memory of iocbs and of their buffers, by name. */
class Places {
  private readonly names: string[] = [];
  private readonly iocbs: number;
  private readonly buffers: number;

  constructor(kernel: BuiltKernel) {
    this.iocbs = kernel.mm.map(4096, true, true).start;
    this.buffers = kernel.mm.map(64 * BUFFER, true, true).start;
  }

  private index(name: string): number {
    const at = this.names.indexOf(name);
    return at >= 0 ? at : this.names.push(name) - 1;
  }

  iocb(name: string): number {
    return this.iocbs + IOCB_SIZE * this.index(name);
  }

  buffer(name: string): number {
    return this.buffers + BUFFER * this.index(name);
  }

  nameAt(iocb: number): string {
    return this.names[(iocb - this.iocbs) / IOCB_SIZE] ?? '?';
  }
}

const BUFFER = 4096;

export class AioLibc extends Libc {
  private readonly places: Places;
  private readonly contexts: Record<string, number>;

  constructor(
    kernel: BuiltKernel,
    shared: { fd: Record<string, number>; contexts: Record<string, number>; places: Places },
    out: Map<string, string>,
  ) {
    super(kernel, shared.fd, out);
    this.contexts = shared.contexts;
    this.places = shared.places;
  }

  *setup(context: string, nr = 4): Kernel<string> {
    this.kernel.mm.store(this.buffer, 0);
    const result = yield* this.call('io_setup', nr, this.buffer);
    if (result === 0) this.contexts[context] = Number(this.kernel.mm.load(this.buffer));
    return show(result);
  }

  /** Submits one request; its name is that of its iocb. */
  *sub(context: string, name: string, request: Request): Kernel<string> {
    const { mm } = this.kernel;
    const address = this.places.iocb(name);
    const buf = request.buf ?? this.places.buffer(name);
    if (request.text !== undefined) mm.store(buf, request.text);
    const iocb: Iocb = {
      data: 0,
      key: 0,
      lioOpcode: typeof request.op === 'number' ? request.op : OPCODES[request.op],
      fildes: this.number(request.fd),
      buf,
      nbytes: request.nbytes ?? request.text?.length ?? 8,
      offset: request.offset ?? (request.op === 'epoll' ? -1 : 0),
      reserved1: 0,
      reserved2: 0,
      reserved3: 0,
      resfd: null,
    };
    mm.store(address, iocb);
    mm.store(this.buffer, address);
    return show(yield* this.call('io_submit', this.contexts[context] ?? 0, 1, this.buffer));
  }

  /** Events in the order in which they came: `a:1` or `a:EINTR`. Timeout in milliseconds; -1 for none. */
  *get(context: string, min: number, nr: number, timeoutMs = -1): Kernel<string> {
    const { mm } = this.kernel;
    const events = this.buffer + 0x1000;
    let timeout = 0;
    if (timeoutMs >= 0) {
      timeout = this.buffer + 0x800;
      const sec = Math.floor(timeoutMs / 1000);
      mm.store(timeout, { sec, nsec: (timeoutMs % 1000) * 1000000 });
    }
    const n = yield* this.call(
      'io_getevents',
      this.contexts[context] ?? 0,
      min,
      nr,
      events,
      timeout,
    );
    if (n <= 0) return show(n);
    return Array.from({ length: n }, (_, i) =>
      this.eventText(mm.load(events + i * IO_EVENT_SIZE)),
    ).join(' ');
  }

  private eventText(stored: unknown): string {
    // What the kernel stores there is an event.
    const event = stored as IoEvent;
    return `${this.places.nameAt(event.obj)}:${show(event.res)}`;
  }

  /** `0`, or the errno. */
  *cancel(context: string, name: string): Kernel<string> {
    const result = this.buffer + 0x400;
    return show(
      yield* this.call('io_cancel', this.contexts[context] ?? 0, this.places.iocb(name), result),
    );
  }

  *destroy(context: string): Kernel<string> {
    return show(yield* this.call('io_destroy', this.contexts[context] ?? 0));
  }

  /** What an epoll iocb stored: `r:IN`. */
  stored(name: string, n = 1): string {
    const at = this.places.buffer(name);
    return Array.from({ length: n }, (_, i) =>
      eventText(this.kernel.mm.load(at + i * EVENT_SIZE)),
    ).join(' ');
  }

  *kill(thread: number): Kernel<void> {
    yield* sendSignal(tasks[thread - 1], 'SIGUSR1', 'kill');
  }
}

export type AioBody = (u: AioLibc) => Kernel<void>;

export interface AioLitmus {
  readonly kernel?: string;
  readonly init?: AioBody;
  readonly threads: readonly AioBody[];
  /** Contexts and timed requests, those of init first. */
  readonly contexts?: readonly number[];
  readonly timed?: readonly number[];
  readonly timers?: 'idle' | 'any';
  readonly signals?: boolean;
  readonly config?: Partial<KernelConfig>;
  /** Samples that many runs instead of exploring all. */
  readonly runs?: number;
  /** Executions at most when all are explored. */
  readonly max?: number;
  /** Ends the exploration once this was found: `DETECTOR site`. */
  readonly until?: string;
  /** No exit of the process at the end. */
  readonly stays?: boolean;
}

export interface AioSeen {
  readonly outcomes: string[];
  readonly findings: string[];
  readonly executions: number;
}

/** Explores. A last thread ends the process when the others are done. */
export function explored(litmus: AioLitmus): AioSeen {
  const kernel = buildKernel(litmus.kernel ?? PE);
  const { threads } = litmus;
  const out = new Map<string, string>();
  const users: AioLibc[] = [];
  let done: Semaphore[] = [];
  const scenario: Scenario = {
    threads: threads.length + 1,
    *init() {
      out.clear();
      resetMemory();
      resetTimers();
      resetTasks(threads.length + 1);
      faults.taken.fill(0);
      resetSlots(threads.length + 1, {
        exit: false,
        worker: true,
        irq: false,
        contexts: litmus.contexts ?? [1],
        kiocbs: litmus.timed ?? [],
      });
      kernel.boot();
      const shared = { fd: {}, contexts: {}, places: new Places(kernel) };
      done = threads.map(() => newSemaphore('thread.done', 0));
      users.length = 0;
      for (let i = 0; i <= threads.length; i++) users.push(new AioLibc(kernel, shared, out));
      if (litmus.init !== undefined) yield* litmus.init(users[threads.length]);
    },
    *body(i) {
      if (i < threads.length) {
        yield* threads[i](users[i]);
        yield* up(done[i], 'exit');
        return;
      }
      for (const semaphore of done) yield* down(semaphore, 'exit');
      if (litmus.stays !== true && kernel.exitMm !== undefined) yield* kernel.exitMm();
    },
  };
  return watch(scenario, litmus, out);
}

function watch(scenario: Scenario, litmus: AioLitmus, out: ReadonlyMap<string, string>): AioSeen {
  const saved = { ...kernelConfig };
  Object.assign(kernelConfig, { hz: 1000, closesInThreads: true, ...litmus.config });
  faults.perThread = 0;
  taskConfig.signalsInUse = litmus.signals ?? false;
  engine.timers = litmus.timers ?? 'idle';
  const sanitizers = new Sanitizers();
  engine.observer = sanitizers;
  const outcomes = new Set<string>();
  const findings = new Set<string>();
  let executions = 0;
  const sampling = litmus.runs !== undefined;
  const strategy = sampling ? new Pct(engine, { seed: 1, depth: 4 }) : new Dpor(engine);
  explore(
    engine,
    scenario,
    strategy,
    () => {
      executions++;
      const names = [...out.keys()].sort();
      outcomes.add(names.map((name) => `${name}=${out.get(name)}`).join(', '));
      for (const f of sanitizers.findings()) findings.add(`${f.detector} ${f.site}`);
    },
    {
      executions: litmus.runs ?? litmus.max ?? 200000,
      stop: () => litmus.until !== undefined && findings.has(litmus.until),
    },
  );
  engine.timers = 'idle';
  Object.assign(kernelConfig, saved);
  return { outcomes: [...outcomes].sort(), findings: [...findings].sort(), executions };
}

/** One thread: what it noted, in order, then the findings. */
export function sequential(body: AioBody, options: Omit<AioLitmus, 'threads'> = {}): string[] {
  let lines: string[] = [];
  const seen = explored({
    ...options,
    threads: [
      function* (u) {
        yield* body(u);
        lines = [...u.out].map(([name, value]) => `${name}=${value}`);
      },
    ],
  });
  return [...lines, ...seen.findings];
}

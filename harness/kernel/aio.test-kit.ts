/** A C library and an explorer for the tests of AIO: contexts, iocbs and events, and the exit of the process. */

import { Dpor } from '../explore/dpor.ts';
import { explore } from '../explore/explore.ts';
import {
  down,
  engine,
  faults,
  newKernelTask,
  newSemaphore,
  resetMemory,
  resetTasks,
  resetTimers,
  taskConfig,
  up,
  type Kernel,
  type Scenario,
  type Semaphore,
} from '../machine/index.ts';
import { Kind } from '../machine/op.ts';
import { Sanitizers } from '../sanitizers/index.ts';
import { build2620, plain2620, type Parts2620 } from './build-2.6.20.ts';
import { IO_EVENT_SIZE, Opcode, type Iocb, type IoEvent } from './fs/aio/abi.ts';
import { bytesAt } from './fs/user-bytes.ts';
import { Libc, show, type Seen } from './kernel-2.6.20.test-kit.ts';
import { kernelConfig, type BuiltKernel } from './kernel.ts';
import { resetSlots, slotOf, type SlotNeeds } from './slots.ts';

export { EIOCBQUEUED, EIOCBRETRY } from './fs/aio/abi.ts';
export { show } from './kernel-2.6.20.test-kit.ts';

const EMPTY: Iocb = {
  data: 0,
  key: 0,
  lioOpcode: 0,
  fildes: -1,
  buf: 0,
  nbytes: 0,
  offset: 0,
  reserved1: 0,
  reserved2: 0,
  reserved3: 0,
  resfd: null,
};

export const BAD = 0x1000;
const IOCBS = 0x1000;
const EVENTS = 0x2000;
const ARRAY = 0x3000;
const TEXT = 0x4000;

/** User memory of all threads: what iocbs are called. */
export interface Shared {
  ctx: Record<string, number>;
  names: Map<number, string>;
}

export class AioLibc extends Libc {
  shared: Shared = { ctx: {}, names: new Map() };

  handle(ctx: string | number): number {
    return typeof ctx === 'number' ? ctx : (this.shared.ctx[ctx] ?? 0);
  }

  *setup(name: string, nr: number, ctxp = this.buffer, initial = 0): Kernel<string> {
    this.kernel.mm.store(ctxp, initial);
    const result = yield* this.call('io_setup', nr, ctxp);
    if (result === 0) this.shared.ctx[name] = Number(this.kernel.mm.load(ctxp));
    return show(result);
  }

  *destroy(ctx: string | number): Kernel<string> {
    return show(yield* this.call('io_destroy', this.handle(ctx)));
  }

  /** The address of the iocb of that name; the first 26 letters are names. */
  iocbAt(name: string): number {
    const address = IOCB_PAGE + (name.charCodeAt(0) - 97) * 64;
    this.shared.names.set(address, name);
    return address;
  }

  /** Writes an iocb. */
  iocb(name: string, fields: Partial<Iocb>): number {
    const address = this.iocbAt(name);
    this.kernel.mm.store(address, { ...EMPTY, data: name.charCodeAt(0), ...fields });
    return address;
  }

  /** The buffer of an iocb. */
  bufferOf(name: string): number {
    return IOCB_PAGE + TEXT + (name.charCodeAt(0) - 97) * 256;
  }

  pread(name: string, fd: string | number, nbytes: number): number {
    const buf = this.bufferOf(name);
    return this.iocb(name, { lioOpcode: Opcode.PREAD, fildes: this.number(fd), buf, nbytes });
  }

  pwrite(name: string, fd: string | number, text: string): number {
    const buf = this.bufferOf(name);
    this.kernel.mm.store(buf, text);
    const fildes = this.number(fd);
    return this.iocb(name, { lioOpcode: Opcode.PWRITE, fildes, buf, nbytes: text.length });
  }

  /** Submits iocbs at these addresses. */
  *submit(ctx: string | number, ...addresses: number[]): Kernel<string> {
    for (const [i, address] of addresses.entries())
      this.kernel.mm.store(this.buffer + ARRAY + 4 * i, address);
    return show(
      yield* this.call('io_submit', this.handle(ctx), addresses.length, this.buffer + ARRAY),
    );
  }

  /** As `a:3 b:EAGAIN`, or the error. `timeoutMs` below 0 is none. */
  *reap(
    ctx: string | number,
    minNr: number,
    nr: number,
    timeoutMs = -1,
    at = this.buffer + EVENTS,
  ): Kernel<string> {
    let timeout = 0;
    if (timeoutMs >= 0) {
      timeout = this.buffer + IOCBS;
      this.kernel.mm.store(timeout, { sec: 0, nsec: timeoutMs * 1_000_000 });
    }
    const n = yield* this.call('io_getevents', this.handle(ctx), minNr, nr, at, timeout);
    if (n <= 0) return show(n);
    const texts: string[] = [];
    for (let i = 0; i < n; i++) texts.push(this.eventText(at + i * IO_EVENT_SIZE));
    return texts.join(' ');
  }

  *cancel(ctx: string | number, iocb: number, at = this.buffer + EVENTS): Kernel<string> {
    const result = yield* this.call('io_cancel', this.handle(ctx), iocb, at);
    return result === 0 ? this.eventText(at) : show(result);
  }

  /** The bytes at an address, quoted. */
  // eslint-disable-next-line require-yield -- for `note`
  *text(address: number, count: number): Kernel<string> {
    return JSON.stringify(bytesAt(address, count));
  }

  /** A number of the block device. */
  *stat(name: string): Kernel<string> {
    this.kernel.mm.store(this.buffer, name);
    return show(yield* this.call('disk_stat', this.buffer));
  }

  eventText(address: number): string {
    const event = this.kernel.mm.load(address);
    if (typeof event !== 'object' || event === null || !('obj' in event)) return '?';
    // Only the kernel stores something with an obj.
    const { obj, res } = event as IoEvent;
    return `${this.shared.names.get(obj) ?? obj}:${show(res)}`;
  }
}

export const IOCB_PAGE = 0x20000000;

export type AioBody = (u: AioLibc) => Kernel<void>;

export interface AioLitmus {
  readonly parts?: Parts2620;
  /** Another kernel than 2.6.20 of these parts. */
  readonly kernel?: BuiltKernel;
  readonly init?: AioBody;
  readonly threads?: readonly AioBody[];
  readonly contexts?: readonly number[];
  readonly kiocbs?: readonly number[];
  readonly signals?: boolean;
  readonly faults?: number;
  readonly ring?: number;
  readonly maxNr?: number;
  readonly hz?: number;
  readonly timers?: 'idle' | 'any';
  /** False leaves the contexts to the end of the run. */
  readonly exits?: boolean;
  /** The program uses the block device, with that many request slots and ticks for a request. */
  readonly disk?: { readonly slots: number; readonly service: number };
}

/** Explores to the end; an outcome is every noted result by name. */
export function runAio(litmus: AioLitmus): Seen {
  const kernel = litmus.kernel ?? build2620('2.6.20', litmus.parts ?? plain2620);
  const threads = litmus.threads ?? [];
  const out = new Map<string, string>();
  const fd: Record<string, number> = {};
  const users: AioLibc[] = [];
  const shared: Shared = { ctx: {}, names: new Map() };
  const needs: SlotNeeds = {
    exit: litmus.exits ?? true,
    worker: true,
    irq: litmus.disk !== undefined,
    contexts: litmus.contexts ?? [1],
    kiocbs: litmus.kiocbs ?? [],
  };
  let ended: Semaphore[] = [];
  const libc = (): AioLibc => {
    const u = new AioLibc(kernel, fd, out);
    u.shared = shared;
    return u;
  };
  const scenario: Scenario = {
    threads: threads.length,
    *init() {
      out.clear();
      shared.ctx = {};
      shared.names.clear();
      resetMemory();
      resetTimers();
      resetTasks(threads.length);
      resetSlots(threads.length, needs);
      faults.taken.fill(0);
      kernel.boot();
      kernel.mm.mapAt(IOCB_PAGE, 0x10000, true, true);
      ended = threads.map(() => newSemaphore('end', 0));
      if (needs.exit) startExit(kernel.exitMm, ended);
      users.length = 0;
      for (let i = 0; i < threads.length; i++) users.push(libc());
      if (litmus.init !== undefined) yield* litmus.init(libc());
    },
    *body(i) {
      yield* threads[i](users[i]);
      yield* up(ended[i], 'do_exit');
    },
  };
  faults.perThread = litmus.faults ?? 0;
  taskConfig.signalsInUse = litmus.signals ?? false;
  kernelConfig.hz = litmus.hz ?? 1000;
  kernelConfig.closesInThreads = true;
  kernelConfig.aioRing = litmus.ring ?? 0;
  kernelConfig.aioMaxNr = litmus.maxNr ?? 65536;
  kernelConfig.diskSlots = litmus.disk?.slots ?? 0;
  kernelConfig.diskService = litmus.disk?.service ?? 0;
  engine.timers = litmus.timers ?? 'idle';
  const sanitizers = new Sanitizers();
  engine.observer = sanitizers;
  const outcomes = new Set<string>();
  const findings = new Set<string>();
  let executions = 0;
  explore(engine, scenario, new Dpor(engine), (end) => {
    executions++;
    const names = [...out.keys()].sort();
    const text = names.map((name) => `${name}=${out.get(name)}`).join(', ');
    outcomes.add(end === 'done' ? text : `${text} (${end})`);
    for (const f of sanitizers.findings()) findings.add(`${f.detector} ${f.site}`);
  });
  engine.timers = 'idle';
  return { outcomes: [...outcomes].sort(), findings: [...findings].sort(), executions };
}

/** The task that ends the process when every thread has ended. */
function startExit(exitMm: (() => Kernel<void>) | undefined, ended: readonly Semaphore[]): void {
  const slot = slotOf('exit');
  if (slot === null || exitMm === undefined || ended.length === 0) return;
  newKernelTask(slot);
  engine.startPseudoThread(slot, 'exit', 'task', Kind.DOWN, ended[0], 'do_exit', function* () {
    for (const semaphore of ended.slice(1)) yield* down(semaphore, 'do_exit');
    engine.daemon[slot] = 0;
    yield* exitMm();
  });
}

/** One thread, no choice: the results in the order they were noted, then findings. */
export function sequenceAio(body: AioBody, options: Omit<AioLitmus, 'threads'> = {}): string[] {
  const lines: string[] = [];
  const seen = runAio({
    contexts: [0, 4],
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

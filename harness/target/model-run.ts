/** One program on one model kernel as a scenario of the engine, with a recorder of calls and results. */

import { isSysEpoll, kernelIdOf } from '../abi/index.ts';
import type { CallRecord, History, Result } from '../history/history.ts';
import { kernelConfig, type BuiltKernel } from '../kernel/kernel.ts';
import { MAX_SLOTS, resetSlots, slotsNeeded, type SlotNeeds } from '../kernel/slots.ts';
import {
  current,
  engine,
  faults,
  handleSignals,
  keepState,
  resetMemory,
  resetTasks,
  resetTimers,
  STORE_BUFFER_TOP,
  StoreBuffers,
  taskConfig,
  type Kernel,
  type Scenario,
} from '../machine/index.ts';
import { MAX_THREADS } from '../machine/op.ts';
import type { Call, Program } from '../program/program.ts';
import { metaOf } from '../program/meta.ts';
import { matches } from '../program/values.ts';
import { ExitTask } from './exit-task.ts';
import { bindDescriptors, planOf, type PlannedCall } from './model-calls.ts';
import type { Caller } from './model-caller.ts';
import { Iocbs } from './model-iocbs.ts';
import { contextsDie, racesOnDescriptors } from './model-races.ts';
import type { MemoryModel } from './target.ts';
import { slotNeedsOf } from './model-slots.ts';
import { Arenas, Scope, Symbols } from './model-values.ts';

export interface ModelRunOptions {
  readonly hz: number;
  readonly faults: number;
  readonly timers: 'idle' | 'any';
  /** How stores of user threads reach memory. */
  readonly memory: MemoryModel;
}

/** What was seen of one call; reused between executions. */
interface Slot {
  readonly call: Call;
  readonly plan: PlannedCall;
  readonly thread: number;
  readonly index: number;
  result: Result | null;
  reached: boolean;
  /** Number of the thread's last event when the call began and when it returned. */
  from: number;
  to: number;
  startTick: number;
  endTick: number;
}

const INIT = -1;
/** Calls that send signals. */
const SIGNALLING = new Set(['kill', 'exit_group']);
const HANG: Result = { kind: 'hang' };
const KILLED: Result = { kind: 'killed' };

export class ModelRun implements Scenario {
  readonly threads: number;
  readonly program: Program;
  private readonly kernel: BuiltKernel;
  private readonly options: ModelRunOptions;
  private readonly sysEpoll: boolean;
  private readonly initSlots: Slot[];
  private readonly threadSlots: Slot[][];
  private readonly callers: readonly Caller[];
  private readonly initCaller: Caller;
  private readonly arenas: Arenas;
  private readonly outer = new Scope(null);
  private readonly scopes: Scope[];
  private readonly symbols = new Symbols();
  private readonly numberNames = new Map<number, string>();
  private readonly iocbs: Iocbs;
  private readonly needs: SlotNeeds;
  /** Ends the process, in programs with AIO. */
  private readonly exitTask: ExitTask | null;
  private readonly hasSignals: boolean;
  private readonly tableRaces: boolean;
  private readonly flagsRace: boolean;

  constructor(program: Program, kernel: BuiltKernel, options: ModelRunOptions) {
    this.program = program;
    this.kernel = kernel;
    this.options = options;
    this.threads = program.threads.length;
    this.sysEpoll = isSysEpoll(kernelIdOf(kernel.spec));
    this.initSlots = program.init.map((call, index) => newSlot(call, INIT, index));
    this.threadSlots = program.threads.map((calls, t) =>
      calls.map((call, i) => newSlot(call, t, i)),
    );
    this.scopes = program.threads.map(() => new Scope(this.outer));
    this.arenas = new Arenas(kernel.mm);
    this.iocbs = new Iocbs(program, kernel.mm);
    this.needs = slotNeedsOf(program, kernel.spec);
    if (
      options.memory === 'tso' &&
      slotsNeeded(this.threads, this.needs) + this.threads > MAX_SLOTS
    )
      throw new RangeError(
        'Cannot run with store buffers: the program takes more threads, timers and workers than there is room for ' +
          'beside them; leave a thread or a context out',
      );
    const { exitMm } = kernel;
    this.exitTask =
      this.needs.exit && exitMm !== undefined ? new ExitTask(this.threads, () => exitMm()) : null;
    this.initCaller = this.callerOf(INIT, this.outer);
    this.callers = this.scopes.map((scope, thread) => this.callerOf(thread, scope));
    this.hasSignals = program.threads.flat().some((c) => SIGNALLING.has(c.name));
    this.flagsRace = this.threads > 1 && program.threads.flat().some((c) => c.name === 'fcntl');
    this.tableRaces = racesOnDescriptors(program);
  }

  /** What init builds is the kernel's, or is named at its end; the bodies forget what they noted themselves. */
  readonly repeatable = true;
  readonly exitUnseen = true;

  /** What the header says of the kernel and its machine. */
  private configure(): void {
    const number = (key: string, otherwise: number): number =>
      Number(metaOf(this.program, key) ?? otherwise);
    kernelConfig.hz = this.options.hz;
    kernelConfig.closesInThreads = this.tableRaces;
    kernelConfig.flagsRace = this.flagsRace;
    kernelConfig.contextsDie = contextsDie(this.program);
    kernelConfig.longBits = metaOf(this.program, 'long-bits') === '64' ? 64 : 32;
    kernelConfig.jiffiesStart = number('jiffies', 0);
    kernelConfig.aioRing = number('ring', 0);
    kernelConfig.aioMaxNr = number('aio-max-nr', 65536);
    kernelConfig.diskSlots = number('slots', 0);
    kernelConfig.diskService = number('service', 0);
  }

  *init(): Kernel<void> {
    this.configure();
    taskConfig.signalsInUse = this.hasSignals;
    faults.perThread = this.options.faults;
    faults.taken.fill(0);
    engine.timers = this.options.timers;
    resetMemory();
    resetTimers();
    resetTasks(this.threads);
    resetSlots(this.threads, this.needs);
    engine.storeBuffers =
      this.options.memory === 'tso'
        ? new StoreBuffers(engine, this.threads, STORE_BUFFER_TOP)
        : null;
    this.kernel.boot();
    this.exitTask?.start();
    for (const slot of this.initSlots) resetSlot(slot);
    for (const slots of this.threadSlots) for (const slot of slots) resetSlot(slot);
    this.resetCallers();
    keepState(
      () => this.arenas,
      () => this.numberNames,
    );
    yield* this.calls(this.initSlots, this.initCaller);
  }

  /** The callers are made once; what they know of a run is forgotten. */
  private resetCallers(): void {
    this.arenas.reset(this.kernel.mm);
    this.iocbs.reset(this.kernel.mm);
    this.numberNames.clear();
    this.outer.clear();
    for (const scope of this.scopes) scope.clear();
  }

  private callerOf(thread: number, scope: Scope): Caller {
    const { kernel, sysEpoll, threads, symbols, arenas, numberNames, iocbs } = this;
    return { kernel, sysEpoll, thread, threads, scope, symbols, arenas, numberNames, iocbs };
  }

  body(thread: number): Kernel<void> {
    for (const slot of this.threadSlots[thread]) resetSlot(slot);
    this.scopes[thread].clear();
    return this.calls(this.threadSlots[thread], this.callers[thread]);
  }

  *exit(): Kernel<void> {
    if (this.exitTask === null) yield* this.kernel.exit();
  }

  /** Makes the calls of a thread, or of init, that are wanted. In one generator: all that runs is below it. */
  private *calls(slots: readonly Slot[], caller: Caller): Kernel<void> {
    const signals = this.hasSignals && caller.thread !== INIT;
    for (const slot of slots) {
      if (!this.isWanted(slot, slots)) continue;
      // A signal that came while the thread was in user mode has had its handler by now.
      if (signals && (yield* isKilled())) break;
      const { plan } = slot;
      slot.reached = true;
      if (this.options.faults > 0) current().interrupted = false;
      slot.from = engine.indexOf(engine.current);
      slot.startTick = engine.jiffies;
      slot.result = yield* plan.marshal(caller, plan.args, slot.call);
      if (plan.makesDescriptors) bindDescriptors(caller, slot.call, slot.result);
      slot.endTick = engine.jiffies;
      slot.to = engine.indexOf(engine.current);
      if (slot.call.name === 'exit_group') break;
      if (!signals || !(yield* isKilled())) continue;
      slot.result = KILLED;
      break;
    }
    if (this.exitTask !== null && caller.thread !== INIT)
      yield* this.exitTask.threadEnds(caller.thread);
  }

  private isWanted(slot: Slot, own: readonly Slot[]): boolean {
    const { when } = slot.call;
    if (when === undefined) return true;
    const earlier =
      own.find((s) => s.index < slot.index && s.call.bind.includes(when.name)) ??
      this.initSlots.find((s) => s.call.bind.includes(when.name));
    return matches(when.value, earlier?.result ?? undefined) !== when.negated;
  }

  /** The calls that were reached in the execution that has just ended, in order of start. */
  /** Calls of threads that have returned. */
  returned(): number {
    let n = 0;
    for (const slots of this.threadSlots) for (const slot of slots) if (slot.result !== null) n++;
    return n;
  }

  records(): CallRecord[] {
    const positions = this.positions();
    const records: CallRecord[] = [];
    for (const slot of this.initSlots) this.addRecord(records, slot, positions);
    for (const slots of this.threadSlots)
      for (const slot of slots) this.addRecord(records, slot, positions);
    return records.sort((a, b) => a.start - b.start || a.thread - b.thread || a.index - b.index);
  }

  private addRecord(records: CallRecord[], slot: Slot, positions: readonly number[][]): void {
    if (!slot.reached) return;
    const tickMs = 1000 / this.options.hz;
    if (slot.thread === INIT) {
      const at = slot.index - this.initSlots.length - 1;
      const result = slot.result ?? HANG;
      records.push({
        thread: INIT,
        index: slot.index,
        call: slot.call,
        result,
        start: at,
        end: at,
      });
      return;
    }
    const result = slot.result ?? (engine.oops[slot.thread] === null ? HANG : KILLED);
    const [start, end] = span(slot, positions[slot.thread], slot.result !== null);
    records.push({
      thread: slot.thread,
      index: slot.index,
      call: slot.call,
      result,
      start,
      end,
      elapsed: { ms: (slot.endTick - slot.startTick) * tickMs, tickMs },
    });
  }

  /** Positions of each thread's events in the log. */
  private positions(): number[][] {
    const { log } = engine;
    const positions: number[][] = [];
    for (let t = 0; t < Math.max(this.threads, log.width); t++) positions.push([]);
    for (let d = 0; d < log.length; d++) positions[log.thr[d]].push(d);
    return positions;
  }

  history(records: readonly CallRecord[]): History {
    return {
      target: `model:${this.kernel.spec}`,
      calls: records,
      before: (a, b) => a.end < b.start || (a.thread === b.thread && a.index < b.index),
      ...(this.options.faults > 0 ? { hasFaults: true } : {}),
    };
  }

  /** Which call, if any, thread t was in at its event number idx. */
  callAt(thread: number, idx: number): { readonly call: Call; readonly index: number } | null {
    return this.slotAt(thread, idx);
  }

  private slotAt(thread: number, idx: number): Slot | null {
    if (thread >= this.threads) return null;
    for (const slot of this.threadSlots[thread]) {
      if (slot.reached && idx > slot.from && (slot.result === null || idx <= slot.to)) return slot;
    }
    return null;
  }

  /** The call of a thread at its event number idx, and the number of the last event of that call. */
  spanAt(thread: number, idx: number): { readonly name: string; readonly last: number } | null {
    const slot = this.slotAt(thread, idx);
    if (slot === null) return null;
    return { name: slot.call.name, last: slot.result === null ? Infinity : slot.to };
  }

  /** Result of a call of the last execution, for reports. */
  resultOf(thread: number, index: number): Result | null {
    return (
      (thread === INIT ? this.initSlots : (this.threadSlots[thread] ?? []))[index]?.result ?? null
    );
  }
}

/** On the border to user mode: handles what signals are pending; true if one of them ends the thread. */
function* isKilled(): Kernel<boolean> {
  return (yield* handleSignals('signal delivery')).includes('SIGKILL');
}

function newSlot(call: Call, thread: number, index: number): Slot {
  return {
    call,
    plan: planOf(call),
    thread,
    index,
    result: null,
    reached: false,
    from: 0,
    to: 0,
    startTick: 0,
    endTick: 0,
  };
}

function resetSlot(slot: Slot): void {
  slot.result = null;
  slot.reached = false;
}

/** Start and end of a call among the steps of the run; a call without a step stands between two. */
function span(slot: Slot, own: readonly number[], returned: boolean): readonly [number, number] {
  const behind = slot.from === 0 ? -0.5 : own[slot.from - 1] + 0.5;
  const start = own[slot.from] ?? behind;
  if (!returned) return [slot.from < own.length ? start : behind, Infinity];
  if (slot.to === slot.from) return [behind, behind];
  return [start, own[slot.to - 1]];
}

/** Slots of threads above the program's: timers and workers. */
export function slotName(t: number): string {
  return engine.threadName[t] === '' ? `slot ${t} of ${MAX_THREADS}` : engine.threadName[t];
}

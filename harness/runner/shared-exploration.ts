/**
 * One exploration on several threads (exploration.md 15): the same executions, outcomes and findings as on one,
 * whatever the threads do when; and one that can be killed and go on from its checkpoint.
 */

import { Worker } from 'node:worker_threads';
import { Frontier, type Lease } from '../explore/frontier.ts';
import type { Program } from '../program/program.ts';
import { modelTarget } from '../target/model.ts';
import { mergeParts, type Part } from '../target/part.ts';
import type { Behaviour, Progress, RunOptions } from '../target/target.ts';
import {
  Signal,
  WHOLE,
  type BranchMessage,
  type BranchOrder,
  type BranchStart,
} from './branch-worker.ts';
import type { Checkpoint } from './checkpoint.ts';

export interface SharedRequest {
  readonly kernel: string;
  readonly hz: number | undefined;
  readonly program: Program;
  readonly options: RunOptions;
  /** Threads. */
  readonly jobs: number;
  /** Where the exploration is saved now and then, and continued from if something is there. */
  readonly checkpoint?: Checkpoint;
  /** Milliseconds between two checkpoints. */
  readonly saveEvery?: number;
}

/** How often `interrupted` is asked, in milliseconds. */
const LOOK_EVERY = 100;
const NO_LIMIT = 2 ** 31 - 1;
/** How often a checkpoint is written, in milliseconds. */
const SAVE_EVERY = 10_000;

interface Lane {
  readonly worker: Worker;
  ready: boolean;
  lease: Lease | null;
  part: Part | null;
}

/** Explores with the exact explorer on so many threads. */
export async function exploreShared(request: SharedRequest): Promise<Behaviour> {
  return await new SharedExploration(request).run();
}

class SharedExploration {
  readonly #request: SharedRequest;
  readonly #signals: Int32Array;
  readonly #signatures = new Set<string>();
  readonly #frontier = new Frontier();
  readonly #lanes: Lane[] = [];
  /** What was seen before this exploration was resumed. */
  #before: readonly Part[] = [];
  #incomplete = false;
  #lost = false;
  /** Parts are asked for: to end with, or to save and go on. */
  #reporting = false;
  #savedAt = performance.now();
  #finish: () => void = () => undefined;
  #fail: (reason: Error) => void = () => undefined;

  constructor(request: SharedRequest) {
    this.#request = request;
    const integers = Signal.DONE + request.jobs;
    this.#signals = new Int32Array(new SharedArrayBuffer(integers * Int32Array.BYTES_PER_ELEMENT));
  }

  async run(): Promise<Behaviour> {
    const { kernel, hz, program, options, jobs, checkpoint } = this.#request;
    Atomics.store(this.#signals, Signal.LIMIT, Math.min(options.runs ?? NO_LIMIT, NO_LIMIT));
    const saved = checkpoint?.load() ?? null;
    if (saved !== null) {
      this.#frontier.restore(saved.frontier);
      this.#before = [saved.part];
      for (const { key } of saved.part.findings) this.#signatures.add(key);
      Atomics.store(this.#signals, Signal.EXECUTIONS, saved.part.executions);
    }
    const watch = setInterval(() => this.#look(), LOOK_EVERY);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#finish = resolve;
        this.#fail = reject;
        for (let n = 0; n < jobs; n += 1) this.#lanes.push(this.#startLane());
      });
    } finally {
      clearInterval(watch);
      await Promise.all(this.#lanes.map((lane) => lane.worker.terminate()));
    }
    const target = modelTarget(kernel, hz === undefined ? {} : { hz });
    const why = this.#whyIncomplete();
    const behaviour = target.exploration(program, options).join(this.#parts(), why, this.#done());
    // Not before: a kill in the meantime would leave neither a result nor what it comes from.
    if (this.#frontier.finished) checkpoint?.remove();
    return behaviour;
  }

  #whyIncomplete(): string | undefined {
    if (!this.#incomplete || (this.#frontier.finished && !this.#lost)) return undefined;
    const { runs } = this.#request.options;
    const executions = Atomics.load(this.#signals, Signal.EXECUTIONS);
    return runs !== undefined && executions >= runs ? `executions ${runs}` : 'stopped';
  }

  #parts(): Part[] {
    return [...this.#before, ...this.#lanes.flatMap(({ part }) => (part === null ? [] : [part]))];
  }

  #startLane(): Lane {
    const { kernel, hz, program, options } = this.#request;
    const { checks: _, uninteresting: _u, interrupted: _i, ...plain } = options;
    const start: BranchStart = {
      kernel,
      hz,
      program,
      options: plain,
      signals: this.#signals,
      lane: this.#lanes.length,
    };
    const worker = new Worker(new URL('./branch-worker.js', import.meta.url), {
      workerData: start,
    });
    const lane: Lane = { worker, ready: false, lease: null, part: null };
    worker.on('message', (message: BranchMessage) => this.#hear(lane, message));
    worker.on('error', (thrown) => {
      this.#fail(thrown instanceof Error ? thrown : new Error(String(thrown)));
    });
    worker.on('exit', (code) => {
      this.#fail(new Error(`A thread of the exploration ended with ${code}`));
    });
    return lane;
  }

  #hear(lane: Lane, message: BranchMessage): void {
    const { lease } = lane;
    if (message.kind === 'ready') lane.ready = true;
    else if (message.kind === 'part') lane.part = message.part;
    else if (message.kind === 'found')
      for (const signature of message.signatures) this.#signatures.add(signature);
    else if (lease !== null) this.#enter(lane, lease, message);
    this.#go();
  }

  #enter(lane: Lane, lease: Lease, message: BranchMessage): void {
    if (message.kind === 'above')
      for (const reversal of message.reversals) this.#frontier.insert(lease, reversal);
    else if (message.kind === 'share') this.#frontier.share(lease, message.levels);
    else if (message.kind === 'surrender') {
      this.#frontier.surrender(lease, message.levels, message.below);
      lane.lease = null;
    } else if (message.kind === 'done') {
      this.#frontier.finish(lease);
      lane.lease = null;
      // Broken: what was left of the branch is not known any more, so there is nothing to save.
      if (message.stopped) this.#incomplete = this.#lost = true;
    }
  }

  /** Gives out what waits; asks for more if somebody is left with nothing; saves; ends when all is done. */
  #go(): void {
    const idle = this.#lanes.filter((lane) => lane.ready && lane.lease === null);
    const executions = Atomics.load(this.#signals, Signal.EXECUTIONS);
    if (executions >= Atomics.load(this.#signals, Signal.LIMIT)) this.#incomplete = true;
    const surrender = Atomics.load(this.#signals, Signal.SURRENDER) !== 0;
    if (this.#reporting || surrender || this.#incomplete || this.#frontier.finished) {
      if (idle.length === this.#lanes.length) this.#report();
      return;
    }
    let hungry = 0;
    for (const lane of idle) {
      lane.lease = this.#frontier.take();
      if (lane.lease === null) hungry += 1;
      else tell(lane, { kind: 'explore', branch: lane.lease.branch });
    }
    Atomics.store(this.#signals, Signal.WANTED, hungry);
  }

  /** Asks everybody what was seen; when all have answered, that is saved or the end. */
  #report(): void {
    if (!this.#reporting) {
      for (const lane of this.#lanes) {
        lane.part = null;
        tell(lane, { kind: 'report' });
      }
      this.#reporting = true;
    }
    if (this.#lanes.some((lane) => lane.part === null)) return;
    this.#reporting = false;
    try {
      this.#save();
    } catch (thrown) {
      this.#fail(thrown instanceof Error ? thrown : new Error(String(thrown)));
      return;
    }
    if (this.#incomplete || this.#frontier.finished) this.#finish();
    else this.#go();
  }

  #save(): void {
    Atomics.store(this.#signals, Signal.SURRENDER, 0);
    this.#savedAt = performance.now();
    const { checkpoint } = this.#request;
    if (checkpoint === undefined || this.#lost || this.#frontier.finished) return;
    checkpoint.save({ frontier: this.#frontier.save(), part: mergeParts(this.#parts()) });
  }

  #progress(executions: number): Progress {
    return {
      executions,
      traces: executions,
      findings: this.#signatures.size,
      done: this.#done(),
    };
  }

  /** Share of the known tree that is behind us. */
  #done(): number {
    const lanes = new Map<Lease, number>();
    for (const [at, { lease }] of this.#lanes.entries())
      if (lease !== null) lanes.set(lease, Atomics.load(this.#signals, Signal.DONE + at) / WHOLE);
    return this.#frontier.done([...lanes.keys()], (lease) => lanes.get(lease) ?? 0);
  }

  #look(): void {
    const executions = Atomics.load(this.#signals, Signal.EXECUTIONS);
    const { checkpoint, saveEvery } = this.#request;
    const ends =
      this.#request.options.interrupted?.(executions, () => this.#progress(executions)) === true;
    const due =
      checkpoint !== undefined && performance.now() - this.#savedAt > (saveEvery ?? SAVE_EVERY);
    if (!ends && !due) return;
    if (ends) this.#incomplete = true;
    // Giving back what is left takes no longer than stopping, and loses nothing.
    Atomics.store(this.#signals, Signal.SURRENDER, 1);
    this.#go();
  }
}

function tell(lane: Lane, order: BranchOrder): void {
  lane.worker.postMessage(order);
}

/**
 * One exploration on several threads (exploration.md 15): the same executions, outcomes and findings as on one,
 * whatever the threads do when.
 */

import { Worker } from 'node:worker_threads';
import { Frontier, type Lease } from '../explore/frontier.ts';
import type { Program } from '../program/program.ts';
import type { Part } from '../target/exploration.ts';
import { modelTarget } from '../target/model.ts';
import type { Behaviour, RunOptions } from '../target/target.ts';
import { Signal, type BranchMessage, type BranchOrder, type BranchStart } from './branch-worker.ts';

export interface SharedRequest {
  readonly kernel: string;
  readonly hz: number | undefined;
  readonly program: Program;
  readonly options: RunOptions;
  /** Threads. */
  readonly jobs: number;
}

/** How often `interrupted` is asked, in milliseconds. */
const LOOK_EVERY = 100;

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
  readonly #signals = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
  readonly #frontier = new Frontier();
  readonly #lanes: Lane[] = [];
  #incomplete = false;
  #reporting = false;
  #finish: () => void = () => undefined;
  #fail: (reason: Error) => void = () => undefined;

  constructor(request: SharedRequest) {
    this.#request = request;
  }

  async run(): Promise<Behaviour> {
    const { kernel, hz, program, options, jobs } = this.#request;
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
    const parts = this.#lanes.flatMap((lane) => (lane.part === null ? [] : [lane.part]));
    const target = modelTarget(kernel, hz === undefined ? {} : { hz });
    const why = this.#incomplete ? 'stopped' : undefined;
    return target.exploration(program, options).join(parts, why);
  }

  #startLane(): Lane {
    const { kernel, hz, program, options } = this.#request;
    const { checks: _, uninteresting: _u, interrupted: _i, ...plain } = options;
    const start: BranchStart = { kernel, hz, program, options: plain, signals: this.#signals };
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
    else if (lease !== null) this.#enter(lane, lease, message);
    this.#go();
  }

  #enter(lane: Lane, lease: Lease, message: BranchMessage): void {
    if (message.kind === 'above')
      for (const reversal of message.reversals) this.#frontier.insert(lease, reversal);
    else if (message.kind === 'share') this.#frontier.share(lease, message.levels);
    else if (message.kind === 'done') {
      this.#frontier.finish(lease);
      lane.lease = null;
      if (!message.complete) this.#incomplete = true;
    }
  }

  /** Gives out what waits; asks for more if somebody is left with nothing; ends when all is done. */
  #go(): void {
    const idle = this.#lanes.filter((lane) => lane.ready && lane.lease === null);
    if (this.#reporting || this.#incomplete || this.#frontier.finished) {
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

  #report(): void {
    if (!this.#reporting) for (const lane of this.#lanes) tell(lane, { kind: 'report' });
    this.#reporting = true;
    if (this.#lanes.every((lane) => lane.part !== null)) this.#finish();
  }

  #look(): void {
    const executions = Atomics.load(this.#signals, Signal.EXECUTIONS);
    const { runs, interrupted } = this.#request.options;
    const enough = runs !== undefined && executions >= runs;
    if (!enough && interrupted?.(executions) !== true) return;
    Atomics.store(this.#signals, Signal.STOP, 1);
    this.#incomplete = true;
  }
}

function tell(lane: Lane, order: BranchOrder): void {
  lane.worker.postMessage(order);
}

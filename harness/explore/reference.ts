/**
 * Every trace of a toy program, by trying every interleaving on the reference interpreter: what the exact explorer is
 * compared with (exploration.md 13.1).
 *
 * With `merge` an interleaving is not followed where an earlier one has come to the same trace so far *and* the same
 * state, clocks included: what could follow is literally the same, so nothing is left out, and the interleavings are
 * still counted. Two prefixes of one trace that have come to different states throw: then the dependence relation is
 * wrong.
 */

import { ReferenceMachine } from './reference-machine.ts';
import { DEPTHS } from './reference-state.ts';
import { LaneTable } from './trace-key.ts';
import type { ToyProgram } from './toy-program.ts';

export interface ReferenceTraces {
  /** By lanes of the trace: how it ends, as `verdictOf` says. Good until the next program. */
  readonly traces: LaneTable;
  readonly interleavings: number;
  /** Steps that were really taken. */
  readonly steps: number;
  /** How often each kind of operation was executed. */
  readonly kinds: Float64Array;
}

export interface ReferenceOptions {
  readonly merge: boolean;
  /** Steps at most. */
  readonly limit: number;
  /** Told of each interleaving that is followed to its end: lanes of the trace, and who went (up to `length`). */
  readonly each?: (a: number, b: number, threads: Uint8Array, length: number) => void;
}

/** Outcome and whether somebody never ends, in one number. */
export function verdictOf(outcome: number, stuck: boolean): number {
  return (outcome >>> 0) * 2 + (stuck ? 1 : 0);
}

const traces = new LaneTable();
const known = new LaneTable();
const states = new LaneTable();

class Walk {
  readonly machine: ReferenceMachine;
  private readonly options: ReferenceOptions;
  private readonly threads = new Uint8Array(DEPTHS);
  steps = 0;

  constructor(program: ToyProgram, options: ReferenceOptions) {
    this.machine = new ReferenceMachine(program);
    this.options = options;
  }

  /** Interleavings from depth d on; a and b are the lanes of what has happened. NaN above the limit. */
  from(d: number, a: number, b: number): number {
    const { machine } = this;
    let count = 0;
    let isEnd = true;
    for (let t = 0; t < machine.n; t++) {
      machine.use(d);
      const ways = machine.ways(t);
      for (let alternative = 0; alternative < ways; alternative++) {
        isEnd = false;
        if (++this.steps > this.options.limit) return NaN;
        machine.descend(d);
        this.threads[d] = machine.cast[t].slot;
        machine.step(t, alternative);
        count += this.after(d + 1, (a + machine.laneA) | 0, (b + machine.laneB) | 0);
        if (Number.isNaN(count)) return NaN;
      }
    }
    if (!isEnd) return count;
    machine.use(d);
    this.note(a, b);
    this.options.each?.(a, b, this.threads, d);
    return 1;
  }

  private after(d: number, a: number, b: number): number {
    if (!this.options.merge) return this.from(d, a, b);
    const state = this.machine.stateHash(d);
    const before = known.get(a, b);
    if (before !== undefined) {
      const same = states.get(a, b);
      if (same !== state)
        throw new Error('Two prefixes of one trace have come to different states');
      return before;
    }
    const count = this.from(d, a, b);
    known.set(a, b, count);
    states.set(a, b, state);
    return count;
  }

  private note(a: number, b: number): void {
    const { machine } = this;
    const verdict = verdictOf(machine.outcome(), machine.isStuck());
    const other = traces.get(a, b);
    if (other === undefined) traces.set(a, b, verdict);
    else if (other !== verdict) throw new Error('Two interleavings of one trace end differently');
  }
}

/** Null above the limit. */
export function referenceTraces(
  program: ToyProgram,
  options: ReferenceOptions,
): ReferenceTraces | null {
  traces.clear();
  known.clear();
  states.clear();
  const walk = new Walk(program, options);
  const interleavings = walk.from(0, 0, 0);
  if (Number.isNaN(interleavings)) return null;
  return { traces, interleavings, steps: walk.steps, kinds: walk.machine.steps };
}

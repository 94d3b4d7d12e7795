/** What is said between those who plan a fuzzing run and those who carry out its rounds: plain data. */

import type { CounterexampleView } from '../history/counterexample.ts';
import type { Finding } from '../history/history.ts';
import type { Bounds } from '../program/arbitrary/index.ts';
import type { Program } from '../program/program.ts';

/** What every round of a run has in common. */
export interface RoundOptions {
  readonly kernel: string;
  readonly seed: number;
  /** Threads, and calls of each. */
  readonly threads: Bounds;
  readonly calls: Bounds;
  /** dpor, or a sampling strategy for everything. */
  readonly strategy: string;
  /** Executions per program before it is sampled instead of explored. */
  readonly runs: number;
  /** When timers fire; default: as the header of a program says, or at idle. */
  readonly timers?: 'idle' | 'any';
  readonly faults: number;
  readonly maxSteps: number;
  readonly preemptions?: number;
  readonly hz: number;
  /** Where counterexamples are saved. */
  readonly folder: string;
  /** Detectors to leave out. */
  readonly ignore: readonly string[];
  /** What programs show decides which are generated, or is only counted, or nobody looks. */
  readonly coverage: CoverageUse;
}

/** The words of --coverage. */
export type CoverageUse = 'steer' | 'count' | 'off';

/** Programs of a round, if none of them shows anything new. */
export const ROUND_SIZE = 50;

/** What somebody is told to do with a round. */
export interface RoundOrder {
  /**
   * scout: look for something new; hunt: and shrink it; shrink: the first program is known to show something, so
   * it is run even if no more programs are wanted.
   */
  readonly kind: 'scout' | 'hunt' | 'shrink';
  readonly round: number;
  /** Programs of the round, from 0: the first, and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Signatures that say nothing new. */
  readonly known: readonly string[];
  /** Texts of programs to make mutants of. */
  readonly kept: readonly string[];
  /** Text of the one program of the round; null: they are generated. */
  readonly given: string | null;
}

/** What one program showed. */
export interface Observed {
  /** The features that no program before it in the order showed. */
  readonly brings: readonly string[];
  /** Its text, if it brings any. */
  readonly program: string;
  /** Stands for its outcomes together with its calls; null if nobody looked. */
  readonly outcomes: number | null;
}

/** What one program cost. */
export interface Tried extends Observed {
  readonly executions: number;
  readonly complete: boolean;
  /** Of one that was sampled: the chance that one more execution is a new trace, by Good and Turing. */
  readonly unseen?: number;
}

/** What was seen of the programs of an order. */
export interface Scouted {
  readonly tried: readonly Tried[];
  /** The signature that is new; the last program shows it. */
  readonly hit: string | null;
  /** The harness contradicted itself in the last program. */
  readonly broken: Broken | null;
  /** Each signature of which it mattered that it is not known, and the program where it mattered first. */
  readonly asked: readonly (readonly [signature: string, program: number])[];
}

/** What the harness said of a program, if it knows which. */
export interface Broken {
  readonly message: string;
  readonly program?: Program;
}

/** A shrunk finding. */
export interface Caught {
  readonly signature: string;
  readonly finding: Finding;
  /** Catalogued bugs with this signature: `E-B2`. */
  readonly ids: readonly string[];
  /** Shrunk. */
  readonly program: Program;
  /** The same with everything in its header that a replay needs. */
  readonly saved: Program;
  /** Calls before and after shrinking. */
  readonly callsFound: number;
  readonly schedule: string;
  readonly complete: boolean;
  readonly view: CounterexampleView;
  /** The file to save it in, and the command that replays it. */
  readonly file: string;
  readonly replay: string;
}

/** What is said of an order while it is carried out; `end` comes last. */
export type RoundNews =
  | {
      readonly kind: 'progress';
      readonly programs: number;
      readonly executions: number;
      /** `shrinking KASAN-UAF ...`, or nothing. */
      readonly doing: string;
    }
  /** Something is found, and will be shrunk. */
  | { readonly kind: 'hit'; readonly scouted: Scouted }
  | {
      readonly kind: 'end';
      readonly scouted: Scouted;
      readonly caught: Caught | null;
      /** Executions for shrinking. */
      readonly spent: number;
      /** The harness contradicted itself while shrinking. */
      readonly broken: Broken | null;
    };

/** Places of the integers by which a run is told to come to its end. */
export const Halt = {
  /** Not zero: no more programs. */
  PROGRAMS: 0,
  /** Not zero: no more shrinking either. */
  SHRINKING: 1,
} as const;

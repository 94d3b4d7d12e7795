/** A target: anything that runs a program and yields histories. */

import type { Coverage } from '../coverage/index.ts';
import type { CallRecord, Finding, History } from '../history/history.ts';
import type { Sample } from '../explore/statistics.ts';
import type { Program } from '../program/program.ts';

/** One distinct outcome of a program, with a history that shows it. */
export interface Observation {
  /** Canonical text: `x={r:IN} y=EAGAIN`, names in program order; equal text, equal outcome. */
  readonly text: string;
  readonly records: readonly CallRecord[];
  readonly history: History;
  /** How many runs (traces) ended this way. */
  readonly times: number;
  /** Number of the first of them, from 1; absent on the host, and where several threads explored. */
  readonly since?: number;
  /** Replays it, on a model. */
  readonly schedule?: string;
}

export interface FoundFinding {
  readonly finding: Finding;
  readonly times: number;
  /** As in an Observation. */
  readonly since?: number;
  readonly schedule?: string;
  /**
   * What is known of the schedule's switches: `proven` that no run of the program with this signature has fewer, or
   * the fewest that were found.
   */
  readonly fewest?: 'proven' | 'found';
  readonly history: History;
}

/** Everything that was seen of one program on one target. */
export interface Behaviour {
  readonly target: string;
  /** True only if every schedule (up to equivalence) was visited and no bound was met. */
  readonly complete: boolean;
  /** Why not: `steps 20000`, `executions 100000`, `time 10 s`, `sampled`. */
  readonly incomplete?: string;
  /** Complete runs. */
  readonly executions: number;
  /** Distinct Mazurkiewicz traces seen (host: 0). */
  readonly traces: number;
  /** How often they were met, where executions are samples: they say something of the traces that were not. */
  readonly sample?: Sample;
  /** Executions that the known part of the tree lets expect, where exact exploration was cut off. */
  readonly ahead?: number;
  readonly outcomes: readonly Observation[];
  readonly findings: readonly FoundFinding[];
  /** Set-up that must work did not: the target is broken for this program, nothing is said of the kernel. */
  readonly broken?: string;
}

/** `sc`: a store is seen by all at once. `tso`: it waits in its processor's buffer. */
export type MemoryModel = 'sc' | 'tso';

/** How far an exploration is. */
export interface Progress {
  readonly executions: number;
  /** Distinct traces so far. */
  readonly traces: number;
  /** Distinct signatures so far. */
  readonly findings: number;
  /** Share of the known tree that is behind us, from 0 to 1; absent where there is no such tree. */
  readonly done?: number;
}

export interface RunOptions {
  /** Exploration strategy by name: dpor (exact, default), dfs, random, pct, pos. */
  readonly strategy?: string;
  readonly seed?: number;
  /** Bound on executions (model) or iterations (host); reaching it makes the behaviour incomplete. */
  readonly runs?: number;
  readonly maxSteps?: number;
  readonly preemptions?: number;
  readonly timers?: 'idle' | 'any';
  /** Sequentially consistent (default), or with store buffers as on x86. */
  readonly memory?: MemoryModel;
  /** Injected failures per thread. */
  readonly faults?: number;
  /** Ends the exploration as soon as something was found. */
  readonly stopAtFirst?: boolean;
  /** Ends the exploration as soon as there is a finding of such a signature. */
  readonly stopAt?: (signature: string) => boolean;
  /** Nobody will look at outcomes, and findings of samples are shortened later if at all. */
  readonly brief?: boolean;
  /** Judges each history; what it proves is added to the findings. */
  readonly checks?: (history: History, program: Program) => readonly Finding[];
  /** Signatures nobody wants to hear of again: such findings are left out, and not confirmed by replays. */
  readonly uninteresting?: (signature: string) => boolean;
  /** Observes what the program makes the kernel do (model). Absent: nothing is observed, and nothing is paid for it. */
  readonly coverage?: Coverage;
  /** Asked now and then with executions so far; true means stop (time limit, Ctrl-C). */
  readonly interrupted?: (executions: number, progress: () => Progress) => boolean;
}

export interface Target {
  /** `model:2.6.20`, `host`. */
  readonly name: string;
  /** What expect-block selectors are matched against: `2.6.20`, `host`. */
  readonly selector: string;
  /** Null if the program can run here, else why not (a CONF). */
  refuses(program: Program): string | null;
  run(program: Program, options: RunOptions): Behaviour | Promise<Behaviour>;
}

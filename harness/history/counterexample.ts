/** A failing run made readable: plain data, filled from a run's event log and printed by the reports. */

import type { Program } from '../program/program.ts';

/** One step of the run. A row that only carries `switchCause` stands between two steps. */
export interface CounterexampleRow {
  /** Number of the step in the run; rows of one step share it. */
  readonly step: number;
  /** Whose column: one of the view's `columns`. */
  readonly column: string;
  /** What happened: `epoll_wait(ep#1)`, `  lock ep#1.lock`, `= EAGAIN`. Leading blanks are kept. */
  readonly text: string;
  /** What it changed in shared state: `ep#1.ready [] -> [epi#1]`. */
  readonly changed?: string;
  /** The first step after which every continuation fails; or the offending access. */
  readonly decisive?: boolean;
  /** Why the run came to this column here: `T1 preempted by the schedule`, `T1 sleeps`, `T1 finished`. */
  readonly switchCause?: string;
}

/** Everything the text form of a counterexample says. */
export interface CounterexampleView {
  /** Class, object, consequence, in one sentence. */
  readonly sentence: string;
  readonly program: Program;
  /** Threads and contexts in the order of their columns: `init`, `T1`, `T2`, `softirq`. */
  readonly columns: readonly string[];
  readonly rows: readonly CounterexampleRow[];
  /** How often the run goes from one column to another. */
  readonly switches?: number;
  /** Whether no run of the program that shows the same has fewer, or they are the fewest that were found. */
  readonly fewest?: 'proven' | 'found';
  /** Who is who among the columns that are no threads of the program. One sentence each. */
  readonly legend?: readonly string[];
  /** Lost edges and wake-ups: edges produced, reported, pending; waiters woken, and by whom. One sentence each. */
  readonly ledger?: readonly string[];
  /** What the decisive mark means: `after step 8 every continuation fails`; a general sentence if absent. */
  readonly decisiveMeans?: string;
  /** Where the source of the decisive steps is: `fs/eventpoll.c: ep_poll_callback`. */
  readonly source?: readonly string[];
  /** Ids of the rules and bugs it touches: `E-B2`. */
  readonly docs: readonly string[];
  /** How it was found and what that covers: `dpor, complete`, `pct depth 3, seed 42; replayed twice`. */
  readonly search: string;
  /** The command that shows this run again. */
  readonly replay: string;
}

/** What runs in each thread of a shared exploration: takes branches, answers with what belongs above them. */

import { parentPort, workerData } from 'node:worker_threads';
import { checkHistory } from '../check/checks.ts';
import type { Dpor } from '../explore/dpor.ts';
import type { Branch, Level, Reversal, Twig } from '../explore/frontier.ts';
import type { Program } from '../program/program.ts';
import type { Exploration } from '../target/exploration.ts';
import { modelTarget } from '../target/model.ts';
import type { Part } from '../target/part.ts';
import type { RunOptions } from '../target/target.ts';

/** Places in the integers that all threads see. */
export const Signal = {
  /** Not zero: stop. */
  STOP: 0,
  /** How many branches somebody waits for. */
  WANTED: 1,
  /** Executions so far, of all. */
  EXECUTIONS: 2,
  /** Not zero: give back what is left. */
  SURRENDER: 3,
  /** Executions after which everybody gives back what is left. */
  LIMIT: 4,
  /** From here on, by lane: how much of its branch is explored, of `WHOLE`. */
  DONE: 5,
} as const;

export const WHOLE = 2 ** 30;
/** Executions after which a lane says how far it is. */
const TELL_EVERY = 32;

export interface BranchStart {
  readonly kernel: string;
  readonly hz: number | undefined;
  readonly program: Program;
  /** Without functions: a thread has checks of its own. */
  readonly options: Omit<RunOptions, 'checks' | 'uninteresting' | 'interrupted'>;
  readonly signals: Int32Array;
  /** Number of this thread. */
  readonly lane: number;
}

/** What a thread is told. */
export type BranchOrder =
  | { readonly kind: 'explore'; readonly branch: Branch }
  /** Nothing is left: say what was seen. */
  | { readonly kind: 'report' };

/** What a thread says. */
export type BranchMessage =
  | { readonly kind: 'ready' }
  /** In the order in which they happened. */
  | { readonly kind: 'above'; readonly reversals: readonly Reversal[] }
  | { readonly kind: 'share'; readonly levels: readonly Level[] }
  /** What is left of the branch, given back. */
  | {
      readonly kind: 'surrender';
      readonly levels: readonly Level[];
      readonly below: readonly Twig[];
    }
  /** Nothing is left of the branch, or `stopped`. */
  | { readonly kind: 'done'; readonly stopped: boolean }
  /** Something was found that this thread had not found before. */
  | { readonly kind: 'found'; readonly signatures: readonly string[] }
  | { readonly kind: 'part'; readonly part: Part };

/** Reversals that are sent together, unless somebody waits. */
const BATCH = 64;

if (parentPort !== null) serve(parentPort);

function serve(port: NonNullable<typeof parentPort>): void {
  // Only the coordinator starts this file, and with a BranchStart.
  const start = workerData as BranchStart;
  const say = (message: BranchMessage) => port.postMessage(message);
  const target = modelTarget(start.kernel, start.hz === undefined ? {} : { hz: start.hz });
  const exploration = target.exploration(start.program, {
    ...start.options,
    checks: checkHistory,
    interrupted: () => Atomics.load(start.signals, Signal.STOP) !== 0,
  });
  port.on('message', (order: BranchOrder) => {
    if (order.kind === 'report') say({ kind: 'part', part: exploration.part() });
    else explore(exploration, order.branch, start, say);
  });
  say({ kind: 'ready' });
}

function explore(
  exploration: Exploration,
  branch: Branch,
  { signals, lane }: BranchStart,
  say: (message: BranchMessage) => void,
): void {
  let reversals: Reversal[] = [];
  let surrendered = false;
  let findings = exploration.found;
  let own = 0;
  Atomics.store(signals, Signal.DONE + lane, 0);
  const flush = (): void => {
    if (reversals.length > 0) say({ kind: 'above', reversals });
    reversals = [];
  };
  const complete = exploration.branch(branch, (explorer: Dpor) => {
    const executions = Atomics.add(signals, Signal.EXECUTIONS, 1) + 1;
    const enough = executions >= Atomics.load(signals, Signal.LIMIT);
    if (own++ % TELL_EVERY === 0)
      Atomics.store(signals, Signal.DONE + lane, Math.floor(explorer.done() * WHOLE));
    if (exploration.found > findings) {
      say({ kind: 'found', signatures: exploration.signatures().slice(findings) });
      findings = exploration.found;
    }
    reversals.push(...explorer.takeAbove());
    surrendered = enough || Atomics.load(signals, Signal.SURRENDER) !== 0;
    const wanted = Atomics.load(signals, Signal.WANTED) > 0;
    if (surrendered || wanted || reversals.length >= BATCH) flush();
    if (surrendered) say({ kind: 'surrender', ...explorer.surrender() });
    else if (wanted) share(explorer, signals, say);
    return surrendered;
  });
  flush();
  if (!surrendered) say({ kind: 'done', stopped: !complete });
}

function share(explorer: Dpor, signals: Int32Array, say: (message: BranchMessage) => void): void {
  const levels = explorer.share();
  if (levels === null) return;
  Atomics.sub(signals, Signal.WANTED, 1);
  say({ kind: 'share', levels });
}

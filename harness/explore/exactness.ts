/** The exact explorer on toy programs, held against the reference. */

import { engine } from '../machine/index.ts';
import type { EndReason, Strategy } from '../machine/index.ts';
import { Dpor, type DporMutation } from './dpor.ts';
import { explore } from './explore.ts';
import { Prng, mixSeed } from './prng.ts';
import { referenceTraces, verdictOf } from './reference.ts';
import { SourceDpor } from './source-dpor.ts';
import { toyScenario } from './toy.ts';
import { familyOf, randomToy, type ToyProgram } from './toy-program.ts';
import { LaneTable, traceLanes } from './trace-key.ts';

/** Steps of the reference for one program at most. */
export const REFERENCE_STEPS = 80_000;
/** Interleavings up to which every one of them is followed to its end where that is asked for. */
const WALKED = 5_000;

const seen = new LaneTable();

/**
 * What is wrong with the executions that a strategy completes of this program whose traces are `all`; '' if it is
 * each of them once, and with the same end. Executions that it abandons do not count.
 */
export function defectOf(program: ToyProgram, all: LaneTable, strategy: Strategy): string {
  const scenario = toyScenario(program);
  seen.clear();
  let wrong = '';
  const see = (end: EndReason): void => {
    if (end === 'abandoned') return;
    const [a, b] = traceLanes(engine.log);
    if (seen.get(a, b) !== undefined) wrong ||= 'a trace twice';
    seen.set(a, b, 1);
    const verdict = all.get(a, b);
    if (verdict === undefined) wrong ||= 'a trace that the reference does not have';
    else if (verdict !== verdictOf(scenario.outcome(), end === 'blocked'))
      wrong ||= 'another end than in the reference';
  };
  try {
    const end = explore(engine, scenario, strategy, see, {
      executions: all.size * 50 + 1000,
      stop: () => wrong !== '',
    });
    if (end === 'executions') wrong ||= 'does not terminate';
  } catch (error) {
    return `throws ${String(error)}`;
  }
  if (wrong !== '' || seen.size === all.size) return wrong;
  return `${all.size - seen.size} of ${all.size} traces missing`;
}

/** The same for the exact explorer, which abandons none. */
export function defect(program: ToyProgram, all: LaneTable, mutation: DporMutation = {}): string {
  const dpor = new Dpor(engine, mutation);
  const wrong = defectOf(program, all, dpor);
  if (wrong !== '') return wrong;
  if (dpor.executions !== all.size) return `${dpor.executions} executions for ${all.size} traces`;
  if (dpor.sleepSetBlocked > 0) return 'sleep-set blocked';
  return dpor.tree.size === 0 ? '' : 'tree not empty';
}

/** The n-th random program of a seed. */
export function toyNumber(seed: number, n: number): ToyProgram {
  return randomToy(new Prng(mixSeed(seed, n)), familyOf(n));
}

/** What became of one program. */
export interface Examined {
  /** '' if nothing. */
  readonly wrong: string;
  /** The reference has given it up: nothing was compared. */
  readonly isOver: boolean;
  readonly traces: number;
  readonly interleavings: number;
  /**
   * Every interleaving was followed to its end, none was merged with another; and source-DPOR completes the same
   * traces.
   */
  readonly isWalked: boolean;
  readonly kinds: Float64Array;
}

const NO_KINDS = new Float64Array(0);

/**
 * Compares the exact explorer with the reference; with `walk` also source-DPOR, and the reference with itself without
 * merging. `limit`:
 * steps of the reference at most.
 */
export function examine(program: ToyProgram, walk: boolean, limit = REFERENCE_STEPS): Examined {
  const nothing = { wrong: '', isOver: false, traces: 0, interleavings: 0, isWalked: false };
  try {
    const all = referenceTraces(program, { merge: true, limit });
    if (all === null) return { ...nothing, isOver: true, kinds: NO_KINDS };
    const { interleavings, kinds } = all;
    const traces = all.traces.size;
    let wrong = defect(program, all.traces);
    const isWalked = walk && interleavings <= WALKED;
    if (isWalked) {
      wrong ||= defectOf(program, all.traces, new SourceDpor(engine));
      wrong ||= unlikeWalked(program, all.traces, interleavings);
    }
    return { wrong, isOver: false, traces, interleavings, isWalked, kinds };
  } catch (error) {
    return { ...nothing, wrong: `throws ${String(error)}`, kinds: NO_KINDS };
  }
}

function unlikeWalked(program: ToyProgram, merged: LaneTable, interleavings: number): string {
  const before = merged.entries();
  const all = referenceTraces(program, { merge: false, limit: Infinity });
  if (all === null) return 'the reference gives up without a limit';
  if (all.interleavings !== interleavings)
    return `${interleavings} interleavings by merging, ${all.interleavings} without`;
  if (before.length !== all.traces.size)
    return `${before.length} traces by merging, ${all.traces.size} without`;
  const differs = before.some(([a, b, verdict]) => all.traces.get(a, b) !== verdict);
  return differs ? 'other traces by merging than without' : '';
}

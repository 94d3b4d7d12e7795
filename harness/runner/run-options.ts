/** How one program is run: what the command line says, else what the program's header says, else the target's own. */

import type { Program } from '../program/program.ts';
import type { MemoryModel, RunOptions } from '../target/target.ts';
import { metaValue } from './load-case.ts';
import { UsageError } from './usage-error.ts';

/** What a command line may say about every run. */
export interface Overrides {
  readonly strategy?: string;
  readonly seed?: number;
  readonly runs?: number;
  readonly maxSteps?: number;
  readonly preemptions?: number;
  readonly timers?: 'idle' | 'any';
  readonly memory?: MemoryModel;
  readonly faults?: number;
  readonly hz?: number;
  /** Time limit of one row on one target, in milliseconds. */
  readonly timeLimit?: number;
}

/** Seconds for one row on one target unless `--time` says otherwise; a factor comes on top. */
const DEFAULT_TIME_LIMIT = 60_000;

/** Options of one run. Throws a UsageError that names the program for a header value that cannot be. */
export function optionsFor(program: Program, overrides: Overrides, isHost: boolean): RunOptions {
  const options: { -readonly [Key in keyof RunOptions]: RunOptions[Key] } = {};
  if (overrides.strategy !== undefined && !isHost) options.strategy = overrides.strategy;
  if (overrides.seed !== undefined) options.seed = overrides.seed;
  // A model is explored to the end: only a command line bounds that.
  const runs = overrides.runs ?? (isHost ? metaCount(program, 'runs') : undefined);
  if (runs !== undefined) options.runs = runs;
  const maxSteps = overrides.maxSteps ?? metaCount(program, 'max-steps');
  if (maxSteps !== undefined) options.maxSteps = maxSteps;
  if (overrides.preemptions !== undefined) options.preemptions = overrides.preemptions;
  const timers = overrides.timers ?? metaTimers(program);
  if (timers !== undefined) options.timers = timers;
  const memory = overrides.memory ?? metaMemory(program);
  if (memory !== undefined) options.memory = memory;
  const faults = overrides.faults ?? metaCount(program, 'faults');
  if (faults !== undefined) options.faults = faults;
  return options;
}

/** Ticks per second that the run's model is built with. */
export function hzFor(program: Program, overrides: Overrides): number | undefined {
  return overrides.hz ?? metaCount(program, 'hz');
}

/** Milliseconds until a run is stopped and says so. */
export function timeLimitFor(overrides: Overrides): number {
  return (overrides.timeLimit ?? DEFAULT_TIME_LIMIT) * timeFactor();
}

/** `LOSTWAKE_TIMEOUT_MUL`, for slow machines, as LTP_TIMEOUT_MUL is for LTP. */
function timeFactor(): number {
  const factor = Number(process.env['LOSTWAKE_TIMEOUT_MUL'] ?? '1');
  return Number.isFinite(factor) && factor > 0 ? factor : 1;
}

function metaCount(program: Program, key: string): number | undefined {
  const text = metaValue(program, key);
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text.trim())) return Number(text);
  throw new UsageError(`${program.name}: Cannot read "${key}: ${text}": not a whole number`);
}

function metaMemory(program: Program): MemoryModel | undefined {
  const text = metaValue(program, 'memory');
  if (text === undefined || text === 'sc' || text === 'tso') return text;
  throw new UsageError(`${program.name}: Cannot read "memory: ${text}": sc or tso`);
}

function metaTimers(program: Program): 'idle' | 'any' | undefined {
  const text = metaValue(program, 'timers');
  if (text === undefined || text === 'idle' || text === 'any') return text;
  throw new UsageError(`${program.name}: Cannot read "timers: ${text}": idle or any`);
}

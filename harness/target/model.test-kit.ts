/** Whether the exact explorer is exact: against brute force, against sampling, and against other orders of a trace. */

import { Dpor } from '../explore/dpor.ts';
import { explore } from '../explore/explore.ts';
import { RandomWalk } from '../explore/random.ts';
import { Replay } from '../explore/replay.ts';
import { strategyNamed } from '../explore/strategies.ts';
import type { Schedule } from '../explore/token.ts';
import { MAX_THREADS, engine } from '../machine/index.ts';
import type { EventLog } from '../machine/log.ts';
import type { Program } from '../program/program.ts';
import { outcomeText } from '../program/values.ts';
import { modelTarget } from './model.ts';
import type { Behaviour, RunOptions } from './target.ts';

/** Traces above which brute force is not tried, its executions, and those of sampling. */
const SMALL = 8;
const BRUTE_FORCE = 600;
const SAMPLES = 25;
const SAMPLE_SEED = 20_261_120;

/** What runs ended with, in order. */
export function texts(behaviour: Behaviour): string[] {
  return behaviour.outcomes.map((o) => o.text);
}

/** How many traces sampling meets that the exact explorer does not. */
export function tracesMissed(kernel: string, program: Program, options: RunOptions): number {
  const run = modelTarget(kernel).modelRun(program, options);
  const visited = new Set<number>();
  const missed = new Set<number>();
  explore(engine, run, new Dpor(engine), () => visited.add(engine.log.traceHash()));
  const note = (): void => {
    const trace = engine.log.traceHash();
    if (!visited.has(trace)) missed.add(trace);
  };
  explore(engine, run, new RandomWalk(engine, { seed: SAMPLE_SEED }), note, {
    executions: SAMPLES,
  });
  return missed.size;
}

/** Every trace that a strategy completes, with what it ends with; and how many executions it took for them. */
export function tracesOf(
  kernel: string,
  program: Program,
  strategy: string,
): { readonly executions: number; readonly traces: readonly string[] } {
  const run = modelTarget(kernel).modelRun(program, {});
  const traces = new Set<string>();
  let executions = 0;
  const making = { seed: 1, programHash: 1 };
  explore(engine, run, strategyNamed(strategy).make(engine, making), (end) => {
    executions++;
    if (end === 'abandoned') return;
    traces.add(`${engine.log.traceHash()} ${end} ${outcomeText(program, run.records())}`);
  });
  return { executions, traces: [...traces].sort() };
}

/** What another strategy sees and the exact one does not, or '' if nothing. */
export function difference(kernel: string, program: Program, options: RunOptions): string {
  const target = modelTarget(kernel);
  const brief = { ...options, brief: true };
  const exact = target.run(program, brief);
  if (exact.broken !== undefined || !exact.complete)
    return exact.broken ?? `incomplete: ${exact.incomplete ?? ''}`;
  const known = texts(exact);
  if (exact.traces <= SMALL) {
    const all = target.run(program, { ...brief, strategy: 'dfs', runs: BRUTE_FORCE });
    if (all.complete && all.traces !== exact.traces)
      return `${all.traces} traces by brute force, ${exact.traces} by dpor`;
    if (all.complete && texts(all).join('\n') !== known.join('\n'))
      return `outcomes ${texts(all).join('; ')} by brute force, ${known.join('; ')} by dpor`;
  }
  const sampled = target.run(program, {
    ...brief,
    strategy: 'random',
    runs: SAMPLES,
    seed: SAMPLE_SEED,
  });
  const strange = texts(sampled).filter((text) => !known.includes(text));
  if (strange.length > 0) return `only by sampling: ${strange.join('; ')}`;
  const missed = tracesMissed(kernel, program, options);
  return missed > 0 ? `${missed} traces only by sampling` : '';
}

/** The same trace in another order: always the last thread that can go on. */
function reordered(log: EventLog): Schedule {
  const queues: number[][] = Array.from({ length: log.width }, () => []);
  for (let d = 0; d < log.length; d++) queues[log.thr[d]]?.push(d);
  const done = new Array<number>(log.width).fill(0);
  const isFree = (d: number, t: number): boolean =>
    done.every((n, u) => u === t || n >= log.clk[d * MAX_THREADS + u]);
  const threads: number[] = [];
  const choices: number[] = [];
  while (threads.length < log.length) {
    let t = log.width - 1;
    while (t >= 0) {
      const next = queues[t]?.[done[t] ?? 0];
      if (next !== undefined && isFree(next, t)) break;
      t--;
    }
    const d = queues[t]?.[done[t] ?? 0] ?? 0;
    if (log.alts[d] > 1) choices.push(log.alt[d]);
    done[t] = (done[t] ?? 0) + 1;
    threads.push(t);
  }
  return { programHash: '', threads, choices, check: null };
}

/** A trace of the program that ends otherwise in another order of its steps, or '' if there is none. */
export function hiddenState(kernel: string, program: Program, options: RunOptions): string {
  const run = modelTarget(kernel).modelRun(program, options);
  const seen: { readonly trace: number; readonly text: string; readonly again: Schedule }[] = [];
  const note = (): void => {
    const text = outcomeText(program, run.records());
    seen.push({ trace: engine.log.traceHash(), text, again: reordered(engine.log) });
  };
  explore(engine, run, new Dpor(engine), note, { executions: 25 });
  for (const { trace, text, again } of seen) {
    let found = '';
    explore(engine, run, new Replay(engine, again), () => {
      const now = outcomeText(program, run.records());
      if (engine.log.traceHash() !== trace)
        found = `the trace of ${text} in another order is another trace`;
      else if (now !== text) found = `one trace ends with ${text} and with ${now}`;
    });
    if (found !== '') return found;
  }
  return '';
}

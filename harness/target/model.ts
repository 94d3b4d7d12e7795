/** The model target: a program on a model kernel, explored. */

import { kernelIdOf, syscallOf } from '../abi/index.ts';
import { Dfs } from '../explore/dfs.ts';
import { Dpor } from '../explore/dpor.ts';
import { explore } from '../explore/explore.ts';
import { strategyNamed, type StrategyEntry } from '../explore/strategies.ts';
import { formatSchedule, scheduleOf } from '../explore/token.ts';
import { signatureOf, type Finding, type History } from '../history/history.ts';
import type { BuiltKernel } from '../kernel/kernel.ts';
import { buildKernel, listKernels as listSeries, parseKernelSpec } from '../kernel/series/index.ts';
import { engine, type EndReason } from '../machine/index.ts';
import type { Program } from '../program/program.ts';
import { programHash } from '../program/print.ts';
import { formatResult, outcomeText } from '../program/values.ts';
import { Sanitizers, type SanitizerFinding } from '../sanitizers/index.ts';
import { explainRun, type ToExplain } from './counterexample.ts';
import { confirm } from './confirm.ts';
import { isModelled } from './model-calls.ts';
import { ModelRun } from './model-run.ts';
import type { Behaviour, FoundFinding, Observation, RunOptions, Target } from './target.ts';
import type { CounterexampleView } from '../history/counterexample.ts';

/** A kernel of the catalogue, for lists. */
export interface KernelEntry {
  /** `2.5.44+sys_epoll-v11`. */
  readonly spec: string;
  readonly title: string;
  /** Seed documents that it is built from. */
  readonly documents: readonly string[];
  /** Runs every program that does not say where it belongs. */
  readonly primary: boolean;
}

const PRIMARY = new Set(['2.5.44+sys_epoll-v11', '2.6.20']);

/** Every kernel that the series table knows. */
export function listKernels(): KernelEntry[] {
  return listSeries().map(({ spec, title, seed }) => ({
    spec,
    title,
    documents: seed === null ? [] : [seed],
    primary: PRIMARY.has(spec),
  }));
}

export interface ModelOptions {
  /** Ticks per second; 1000 if absent. */
  readonly hz?: number;
}

/** Steps of one execution before it is given up as endless. */
export const DEFAULT_MAX_STEPS = 5000;

export class ModelTarget implements Target {
  readonly name: string;
  readonly selector: string;
  private readonly kernel: BuiltKernel;
  private readonly hz: number;

  constructor(spec: string, options: ModelOptions) {
    this.kernel = buildKernel(parseKernelSpec(spec));
    this.selector = this.kernel.spec;
    this.name = `model:${this.selector}`;
    this.hz = options.hz ?? 1000;
  }

  refuses(program: Program): string | null {
    const id = kernelIdOf(this.selector);
    for (const call of [...program.init, ...program.threads.flat()]) {
      const spec = syscallOf(call.name);
      if (spec === null || !isModelled(call.name)) return `${call.name}() is not modelled`;
      if (!spec.exists(id))
        return `${call.name}() does not exist on ${this.selector}: it is on ${spec.where}`;
    }
    return null;
  }

  run(program: Program, options: RunOptions): Behaviour {
    const entry = strategyNamed(options.strategy ?? 'dpor');
    return new Exploration(
      this,
      program,
      this.modelRun(program, options),
      entry,
      options,
    ).behaviour();
  }

  /** The scenario of a program on this kernel. */
  modelRun(program: Program, options: RunOptions): ModelRun {
    return new ModelRun(program, this.kernel, {
      hz: this.hz,
      faults: options.faults ?? 0,
      timers: options.timers ?? 'idle',
    });
  }

  /** One run of the program, told step by step. */
  explain(program: Program, what: ToExplain): CounterexampleView {
    const options = what.options ?? {};
    return explainRun(this.modelRun(program, options), program, what, options.checks);
  }
}

/** Opens a model by kernel spec; throws a RangeError with one line for a spec that cannot be. */
export function modelTarget(spec: string, options: ModelOptions = {}): ModelTarget {
  return new ModelTarget(spec, options);
}

interface Tally<T> {
  readonly first: T;
  times: number;
}

/** One set for all explorations: making it costs more than exploring a small program. */
const shared = new Sanitizers();

interface Noted extends FoundFinding {
  readonly raw: SanitizerFinding;
  readonly schedule: string;
}

/** One exploration of one program, and what is collected on the way. */
class Exploration {
  private readonly target: ModelTarget;
  private readonly program: Program;
  private readonly run: ModelRun;
  private readonly entry: StrategyEntry;
  private readonly options: RunOptions;
  private readonly hash: string;
  private readonly sanitizers = shared;
  private readonly outcomes = new Map<string, Tally<Observation>>();
  private readonly findings = new Map<string, Tally<Noted>>();
  /** What the checks said of a history, by everything they can see of it. */
  private readonly judged = new Map<string, readonly Finding[]>();
  private readonly traces = new Set<string>();
  private executions = 0;
  private outOfSteps = 0;
  private broken: string | undefined;

  constructor(
    target: ModelTarget,
    program: Program,
    run: ModelRun,
    entry: StrategyEntry,
    options: RunOptions,
  ) {
    this.target = target;
    this.program = program;
    this.run = run;
    this.entry = entry;
    this.options = options;
    this.hash = programHash(program);
  }

  behaviour(): Behaviour {
    const { options } = this;
    this.sanitizers.forget();
    engine.maxSteps = Math.min(options.maxSteps ?? DEFAULT_MAX_STEPS, engine.log.capacity - 1);
    engine.observer = this.sanitizers;
    const strategy = this.entry.make(engine, {
      seed: options.seed ?? 1,
      programHash: Number.parseInt(this.hash.slice(0, 8), 16),
      ...(options.preemptions === undefined ? {} : { preemptions: options.preemptions }),
    });
    const runs = options.runs ?? (this.entry.exhaustive ? Infinity : 1000);
    let stopped = '';
    const end = explore(engine, this.run, strategy, (reason) => this.see(reason), {
      executions: runs,
      stop: (n) => {
        if (this.broken !== undefined) stopped = 'broken';
        else if (options.stopAtFirst === true && this.findings.size > 0) stopped = 'first finding';
        else if (options.interrupted?.(n) === true) stopped = 'stopped';
        return stopped !== '';
      },
    });
    if (strategy instanceof Dpor && strategy.sleepSetBlocked > 0)
      this.broken ??= `${strategy.sleepSetBlocked} executions were sleep-set blocked: the explorer is not exact here`;
    const bounded =
      strategy instanceof Dfs && strategy.bounded ? `preemptions ${options.preemptions ?? 0}` : '';
    return this.result(this.whyIncomplete(end, runs, stopped, bounded));
  }

  private whyIncomplete(
    end: string,
    runs: number,
    stopped: string,
    bounded: string,
  ): string | undefined {
    if (!this.entry.exhaustive) return `sampled, ${this.executions} runs`;
    if (end === 'executions') return `executions ${runs}`;
    if (stopped !== '') return stopped;
    if (this.outOfSteps > 0)
      return `steps ${engine.maxSteps} reached in ${this.outOfSteps} executions`;
    return bounded === '' ? undefined : bounded;
  }

  private result(incomplete: string | undefined): Behaviour {
    const findings = this.confirmed();
    const outcomes = [...this.outcomes.values()].map(({ first, times }) => ({ ...first, times }));
    outcomes.sort((a, b) => (a.text < b.text ? -1 : 1));
    return {
      target: this.target.name,
      complete: incomplete === undefined,
      ...(incomplete === undefined ? {} : { incomplete }),
      executions: this.executions,
      traces: this.entry.name === 'dpor' ? this.executions : this.traces.size,
      outcomes,
      findings,
      ...(this.broken === undefined ? {} : { broken: this.broken }),
    };
  }

  /** After every execution. */
  private see(reason: EndReason): void {
    if (reason === 'init-blocked') {
      this.broken = 'The init part blocks: a call in it can never return';
      return;
    }
    if (reason === 'abandoned') return;
    this.executions++;
    if (this.entry.name !== 'dpor') this.traces.add(engine.log.traceHash());
    if (reason === 'steps') this.outOfSteps++;
    const records = this.run.records();
    const text = reason === 'steps' ? 'step limit' : outcomeText(this.program, records);
    const history = this.run.history(records);
    const outcome = this.outcomes.get(text);
    if (outcome !== undefined) outcome.times++;
    else if (reason !== 'steps')
      this.outcomes.set(text, {
        first: { text, records, history, times: 1, schedule: this.token() },
        times: 1,
      });
    for (const finding of this.sanitizers.findings()) this.note(finding, history);
    if (reason !== 'steps') for (const finding of this.check(history)) this.note(finding, history);
  }

  private token(): string {
    return formatSchedule(scheduleOf(engine.log, this.hash));
  }

  private check(history: History): readonly Finding[] {
    const { checks } = this.options;
    if (checks === undefined) return [];
    const key = historyKey(history);
    let verdict = this.judged.get(key);
    if (verdict === undefined) {
      verdict = checks(history, this.program);
      this.judged.set(key, verdict);
    }
    return verdict;
  }

  private note(raw: SanitizerFinding, history: History): void {
    const signature = signatureOf(raw);
    const known = this.findings.get(signature);
    if (known === undefined) {
      const first = { finding: raw, raw, times: 1, schedule: this.token(), history };
      this.findings.set(signature, { first, times: 1 });
    } else {
      known.times++;
      // A run that shows the fault itself is better than one from which it follows.
      if (known.first.raw.predicted !== undefined && raw.predicted === undefined) {
        const first = { finding: raw, raw, times: 1, schedule: this.token(), history };
        this.findings.set(signature, { first, times: known.times });
      }
    }
  }

  /** Replays every finding, gives it its shortest schedule, and drops none silently. */
  private confirmed(): FoundFinding[] {
    const list: FoundFinding[] = [];
    for (const [signature, { first, times }] of this.findings) {
      if (this.options.uninteresting?.(signature) === true) continue;
      const { raw, schedule, history } = first;
      const shown = confirm(
        this.run,
        this.program,
        { finding: raw, schedule, history },
        this.sanitizers,
        this.options.checks,
      );
      if (typeof shown === 'string') this.broken ??= shown;
      else if (shown !== null) list.push({ ...shown, times });
    }
    return list;
  }
}

/** Everything that a check can ask of a history: results, ranks of starts and ends, virtual times. */
function historyKey(history: History): string {
  const points: { readonly at: number; readonly id: string }[] = [];
  for (const [i, record] of history.calls.entries()) {
    if (record.thread < 0) continue;
    points.push({ at: record.start, id: `${i}(` }, { at: record.end, id: `${i})` });
  }
  points.sort((a, b) => a.at - b.at);
  const results = history.calls.map((r) => {
    const data = r.result.kind === 'bytes' ? r.result.data : '';
    return `${formatResult(r.result)}${data}@${r.elapsed?.ms ?? 0}`;
  });
  return `${points.map((p) => p.id).join('')};${results.join(';')}`;
}

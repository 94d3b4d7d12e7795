/** One exploration of one program on one model kernel: what is seen of every execution, and what it comes to. */

import { Dfs } from '../explore/dfs.ts';
import { Dpor } from '../explore/dpor.ts';
import { explore } from '../explore/explore.ts';
import type { Branch } from '../explore/frontier.ts';
import { Replay } from '../explore/replay.ts';
import type { StrategyEntry } from '../explore/strategies.ts';
import { formatSchedule, parseSchedule, scheduleOf } from '../explore/token.ts';
import { signatureOf, type Finding, type History } from '../history/history.ts';
import { engine, type EndReason, type Strategy } from '../machine/index.ts';
import { printCall, programHash } from '../program/print.ts';
import type { Program } from '../program/program.ts';
import { outcomeText } from '../program/values.ts';
import { Sanitizers, type SanitizerFinding } from '../sanitizers/index.ts';
import { confirm } from './confirm.ts';
import { historyKey, orderKey } from './history-key.ts';
import type { ModelRun } from './model-run.ts';
import type { Behaviour, FoundFinding, Observation, RunOptions } from './target.ts';

const NO_FINDINGS: readonly Finding[] = [];

/** Steps of one execution before it is given up as endless. */
export const DEFAULT_MAX_STEPS = 5000;

/** Something that was seen, how often, and the schedule of the least trace that shows it. */
export interface Sighting {
  readonly key: string;
  readonly times: number;
  readonly schedule: string;
  readonly order: number;
}

/** What one of several explorers saw, as plain data. */
export interface Part {
  readonly executions: number;
  readonly outOfSteps: number;
  readonly outcomes: readonly Sighting[];
  readonly findings: readonly Sighting[];
  /** Schedules of runs in which lockdep learnt something: a circle can have links from several explorers. */
  readonly lessons: readonly string[];
  readonly broken?: string;
}

interface Tally<T> {
  first: T;
  times: number;
  /** Number of the execution that met it first; 0 where there were several explorers, who have no common order. */
  since: number;
}

/** One set for all explorations: making it costs more than exploring a small program. */
const shared = new Sanitizers();

/** An outcome in the least trace that shows it. */
interface Shown extends Observation {
  readonly schedule: string;
  readonly order: number;
}

/** A finding in the least trace that shows it. */
interface Noted extends FoundFinding {
  readonly raw: SanitizerFinding;
  readonly schedule: string;
  readonly order: number;
}

/** One exploration of one program, and what is collected on the way. */
export class Exploration {
  private readonly target: string;
  private readonly program: Program;
  private readonly run: ModelRun;
  private readonly entry: StrategyEntry;
  private readonly options: RunOptions;
  private readonly hash: string;
  private readonly sanitizers = shared;
  private readonly outcomes = new Map<string, Tally<Shown>>();
  private readonly findings = new Map<string, Tally<Noted>>();
  /** Histories to which no check objected, and what they said of the others. */
  private readonly clean = new Set<string>();
  private readonly judged = new Map<string, readonly Finding[]>();
  private readonly traces = new Set<number>();
  private readonly lessons: string[] = [];
  private executions = 0;
  private outOfSteps = 0;
  private broken: string | undefined;
  private enough = false;

  constructor(
    target: string,
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

  /** Explores the whole of it. */
  behaviour(): Behaviour {
    const { options } = this;
    this.prepare();
    const strategy = this.entry.make(engine, {
      seed: options.seed ?? 1,
      programHash: Number.parseInt(this.hash.slice(0, 8), 16),
      ...(options.preemptions === undefined ? {} : { preemptions: options.preemptions }),
    });
    const runs = options.runs ?? (this.entry.exhaustive ? Infinity : 1000);
    const { end, stopped } = this.follow(strategy, runs, () => false);
    const bounded =
      strategy instanceof Dfs && strategy.bounded ? `preemptions ${options.preemptions ?? 0}` : '';
    return this.result(this.whyIncomplete(end, runs, stopped, bounded));
  }

  /** Explores one branch; `each` is called after every execution, true ends it. Whether it came to its end. */
  branch(branch: Branch, each: (explorer: Dpor) => boolean): boolean {
    if (this.executions === 0) this.prepare();
    const explorer = new Dpor(engine, {}, branch);
    return this.follow(explorer, Infinity, () => each(explorer)).stopped === '';
  }

  /** What was seen in all branches so far. */
  part(): Part {
    const sightings = <T extends Shown | Noted>(map: Map<string, Tally<T>>): Sighting[] =>
      [...map].map(([key, { first, times }]) => ({
        key,
        times,
        schedule: first.schedule,
        order: first.order,
      }));
    return {
      executions: this.executions,
      outOfSteps: this.outOfSteps,
      outcomes: sightings(this.outcomes),
      findings: sightings(this.findings),
      lessons: this.lessons,
      ...(this.broken === undefined ? {} : { broken: this.broken }),
    };
  }

  /** Puts together what several explorers saw; `incomplete` says why that is not everything. */
  join(parts: readonly Part[], incomplete: string | undefined): Behaviour {
    this.prepare();
    const schedules = parts.flatMap((part) => [
      ...part.lessons,
      ...[...part.outcomes, ...part.findings].map((sighting) => sighting.schedule),
    ]);
    for (const schedule of [...new Set(schedules)].sort())
      explore(engine, this.run, new Replay(engine, parseSchedule(schedule)), (reason) =>
        this.see(reason),
      );
    this.executions = sum(parts.map((part) => part.executions));
    this.outOfSteps = sum(parts.map((part) => part.outOfSteps));
    for (const part of parts) this.broken ??= part.broken;
    recount(
      this.outcomes,
      parts.flatMap((part) => part.outcomes),
    );
    recount(
      this.findings,
      parts.flatMap((part) => part.findings),
    );
    return this.result(incomplete ?? this.whyIncomplete('exhausted', Infinity, '', ''));
  }

  private prepare(): void {
    this.sanitizers.forget();
    const most = this.options.maxSteps ?? DEFAULT_MAX_STEPS;
    engine.maxSteps = Math.min(most, engine.log.capacity - 1);
    engine.observer = this.sanitizers;
  }

  private follow(
    strategy: Strategy,
    executions: number,
    each: () => boolean,
  ): { readonly end: string; readonly stopped: string } {
    const { options } = this;
    let stopped = '';
    const end = explore(engine, this.run, strategy, (reason) => this.see(reason), {
      executions,
      stop: (n) => {
        if (each()) stopped = 'given back';
        else if (this.broken !== undefined) stopped = 'broken';
        else if (options.stopAtFirst === true && this.findings.size > 0) stopped = 'first finding';
        else if (this.enough) stopped = 'a finding that was looked for';
        else if (options.interrupted?.(n) === true) stopped = 'stopped';
        return stopped !== '';
      },
    });
    if (strategy instanceof Dpor && strategy.sleepSetBlocked > 0)
      this.broken ??= `${strategy.sleepSetBlocked} executions were sleep-set blocked: the explorer is not exact here`;
    return { end, stopped };
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
    const outcomes = [...this.outcomes.values()].map(({ first, times, since }) => ({
      ...first,
      times,
      ...(since === 0 ? {} : { since }),
    }));
    outcomes.sort((a, b) => (a.text < b.text ? -1 : 1));
    return {
      target: this.target,
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
      this.broken = this.whatBlocks();
      return;
    }
    if (reason === 'abandoned') return;
    this.executions++;
    const order = engine.log.traceHash();
    if (this.entry.name !== 'dpor') this.traces.add(order);
    if (this.sanitizers.hasLearnt()) this.lessons.push(this.token());
    if (reason === 'steps') this.outOfSteps++;
    const records = this.run.records();
    const text = reason === 'steps' ? 'step limit' : outcomeText(this.program, records);
    const history = this.run.history(records);
    if (reason !== 'steps') this.noteOutcome(text, order, records, history);
    for (const finding of this.sanitizers.findings()) this.note(finding, order, history);
    if (reason === 'steps') return;
    for (const finding of this.check(history)) this.note(finding, order, history);
  }

  /** The call of init that made the run end before it began. */
  private whatBlocks(): string {
    const last = this.run.records().at(-1);
    if (last === undefined) return 'The init part blocks';
    const call = `init.${last.index + 1}, ${printCall(last.call)}`;
    return `The init part blocks: ${call}, can never return; a call that waits for another belongs in a thread`;
  }

  private token(): string {
    return formatSchedule(scheduleOf(engine.log, this.hash));
  }

  private noteOutcome(
    text: string,
    order: number,
    records: Observation['records'],
    history: History,
  ): void {
    const known = this.outcomes.get(text);
    if (known !== undefined && ++known.times > 0 && order >= known.first.order) return;
    const first = { text, records, history, times: 1, schedule: this.token(), order };
    if (known === undefined) this.outcomes.set(text, { first, times: 1, since: this.executions });
    else known.first = first;
  }

  private check(history: History): readonly Finding[] {
    const { checks } = this.options;
    if (checks === undefined) return [];
    const order = orderKey(history);
    if (this.clean.has(order)) return NO_FINDINGS;
    const key = historyKey(history);
    let verdict = this.judged.get(key);
    if (verdict !== undefined) return verdict;
    verdict = checks(history, this.program);
    if (verdict.length === 0) this.clean.add(order);
    else this.judged.set(key, verdict);
    return verdict;
  }

  private note(raw: SanitizerFinding, order: number, history: History): void {
    const signature = signatureOf(raw);
    const known = this.findings.get(signature);
    if (known !== undefined) {
      known.times++;
      if (!isBetter(raw, order, known.first)) return;
    }
    const first = { finding: raw, raw, times: 1, schedule: this.token(), history, order };
    if (known !== undefined) {
      known.first = first;
      return;
    }
    this.findings.set(signature, { first, times: 1, since: this.executions });
    this.enough ||= this.options.stopAt?.(signature) === true;
  }

  /** Replays every finding, gives it its shortest schedule, and drops none silently. */
  private confirmed(): FoundFinding[] {
    const list: FoundFinding[] = [];
    const all = [...this.findings].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [signature, { first, times, since }] of all) {
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
      else if (shown !== null) list.push({ ...shown, times, ...(since === 0 ? {} : { since }) });
    }
    return list;
  }
}

/** A run that shows the fault itself is better than one from which it follows; then the least trace is best. */
function isBetter(raw: SanitizerFinding, order: number, than: Noted): boolean {
  const follows = raw.predicted !== undefined;
  if (follows !== (than.raw.predicted !== undefined)) return !follows;
  return order < than.order;
}

/** What several parts say together. */
export function mergeParts(parts: readonly Part[]): Part {
  const broken = parts.find((part) => part.broken !== undefined)?.broken;
  return {
    executions: sum(parts.map((part) => part.executions)),
    outOfSteps: sum(parts.map((part) => part.outOfSteps)),
    outcomes: mergeSightings(parts.flatMap((part) => part.outcomes)),
    findings: mergeSightings(parts.flatMap((part) => part.findings)),
    lessons: [...new Set(parts.flatMap((part) => part.lessons))],
    ...(broken === undefined ? {} : { broken }),
  };
}

function mergeSightings(all: readonly Sighting[]): Sighting[] {
  const byKey = new Map<string, Sighting>();
  for (const one of all) {
    const other = byKey.get(one.key);
    if (other === undefined) byKey.set(one.key, one);
    else {
      const least = one.order < other.order ? one : other;
      byKey.set(one.key, { ...least, times: one.times + other.times });
    }
  }
  return [...byKey.values()];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

/** How often each was seen by all explorers together; who of them was first depends on their speed. */
function recount(
  map: Map<string, { times: number; since: number }>,
  sightings: readonly Sighting[],
): void {
  for (const tally of map.values()) tally.times = tally.since = 0;
  for (const { key, times } of sightings) {
    const tally = map.get(key);
    if (tally !== undefined) tally.times += times;
  }
  for (const tally of map.values()) tally.times = Math.max(1, tally.times);
}

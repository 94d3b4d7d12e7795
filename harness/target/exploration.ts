/** One exploration of one program on one model kernel: what is seen of every execution, and what it comes to. */

import { Dfs } from '../explore/dfs.ts';
import { Dpor } from '../explore/dpor.ts';
import { explore, exploreInSlices } from '../explore/explore.ts';
import type { Branch } from '../explore/frontier.ts';
import { Ranker } from '../explore/rank.ts';
import { Replay } from '../explore/replay.ts';
import type { StrategyEntry } from '../explore/strategies.ts';
import { TraceTally } from '../explore/statistics.ts';
import { formatSchedule, parseSchedule, scheduleOf } from '../explore/token.ts';
import { signatureOf, type Finding, type History } from '../history/history.ts';
import type { Coverage } from '../coverage/index.ts';
import { engine, type EndReason, type Strategy } from '../machine/index.ts';
import { printCall, programHash } from '../program/print.ts';
import type { Program } from '../program/program.ts';
import { outcomeText } from '../program/values.ts';
import { Sanitizers, type SanitizerFinding } from '../sanitizers/index.ts';
import { Confirmer } from './confirm.ts';
import { coverOutcomes } from './cover-outcomes.ts';
import { FindingBook } from './finding-book.ts';
import { historyKey, orderKey } from './history-key.ts';
import type { ModelRun } from './model-run.ts';
import { scheduleOfCycle } from './livelock.ts';
import { leastOf, sum, type Part, type Sighting } from './part.ts';
import type { Behaviour, FoundFinding, Observation, Progress, RunOptions } from './target.ts';

const NO_FINDINGS: readonly Finding[] = [];

/** Steps of one execution before it is given up as endless. */
export const DEFAULT_MAX_STEPS = 5000;

/** Steps below which a bound is too small to tell a circle from a loop that counts. */
const TELLING_STEPS = 1000;
/** Steps in endless executions after which an exploration is given up: what is endless has no last trace. */
const HOPELESS = 160_000;
/** The same where nobody waits for the whole of it: the next program says more. */
const HOPELESS_IN_BRIEF = 16_000;

/** How a strategy came to its end. */
interface Followed {
  readonly end: string;
  readonly stopped: string;
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

/** One exploration of one program, and what is collected on the way. */
export class Exploration {
  private readonly target: string;
  private readonly program: Program;
  private readonly run: ModelRun;
  private readonly entry: StrategyEntry;
  private readonly options: RunOptions;
  private readonly hash: string;
  private readonly confirmer: Confirmer;
  private readonly sanitizers = shared;
  private readonly outcomes = new Map<string, Tally<Shown>>();
  private readonly ranker = new Ranker(engine.log);
  private readonly findings: FindingBook;
  /** Histories to which no check objected, and what they said of the others. */
  private readonly clean = new Set<string>();
  private readonly judged = new Map<string, readonly Finding[]>();
  private readonly traces = new TraceTally();
  /** Share of the tree that was behind us at the end. */
  private done = 0;
  private readonly lessons: string[] = [];
  /** Schedules of executions that did not end. */
  private endless: string[] = [];
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
    this.findings = new FindingBook(this.ranker, options.uninteresting);
    this.confirmer = new Confirmer(run, program, shared, options.checks);
  }

  /** Explores the whole of it. */
  behaviour(): Behaviour {
    const slices = this.slices(false);
    for (;;) {
      const { done, value } = slices.next();
      if (done === true) return value;
    }
  }

  /** Explores the whole of it, some executions with each `next` if `pauses`: nothing else may use the machine then. */
  *slices(pauses: boolean): Generator<undefined, Behaviour> {
    const { options } = this;
    this.prepare();
    const strategy = this.entry.make(engine, {
      seed: options.seed ?? 1,
      programHash: Number.parseInt(this.hash.slice(0, 8), 16),
      ...(options.preemptions === undefined ? {} : { preemptions: options.preemptions }),
    });
    const runs = options.runs ?? (this.entry.exhaustive ? Infinity : 1000);
    const never = (): boolean => false;
    const { end, stopped } = pauses
      ? yield* this.followInSlices(strategy, runs, never)
      : this.follow(strategy, runs, never);
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

  /** How many signatures were found so far. */
  get found(): number {
    return this.findings.size;
  }

  /** In order of discovery. */
  signatures(): string[] {
    return this.findings.signatures();
  }

  /** What was seen in all branches so far. */
  part(): Part {
    return {
      executions: this.executions,
      outOfSteps: this.outOfSteps,
      outcomes: [...this.outcomes].map(([key, { first, times }]) => {
        const { schedule, order } = first;
        return { key, times, schedule, order };
      }),
      findings: this.findings.sightings(),
      lessons: this.lessons,
      endless: leastOf(this.endless),
      ...(this.broken === undefined ? {} : { broken: this.broken }),
    };
  }

  /**
   * Puts together what several explorers saw; `incomplete` says why that is not everything, `done` what share of the
   * tree it is.
   */
  join(parts: readonly Part[], incomplete: string | undefined, done = 0): Behaviour {
    this.prepare();
    this.done = done;
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
    this.endless = parts.flatMap((part) => part.endless ?? []);
    for (const part of parts) this.broken ??= part.broken;
    recount(
      this.outcomes,
      parts.flatMap((part) => part.outcomes),
    );
    this.findings.recount(parts.flatMap((part) => part.findings));
    if (this.isHopeless()) return this.result(this.stepsReached());
    return this.result(incomplete ?? this.whyIncomplete('exhausted', Infinity, '', ''));
  }

  private prepare(): void {
    this.sanitizers.forget();
    const most = this.options.maxSteps ?? DEFAULT_MAX_STEPS;
    engine.maxSteps = Math.min(most, engine.log.capacity - 1);
    engine.observer = this.sanitizers;
  }

  private follow(strategy: Strategy, executions: number, each: () => boolean): Followed {
    const limits = this.limits(strategy, executions, each);
    const end = explore(engine, this.run, strategy, (reason) => this.see(reason), limits);
    return this.followed(strategy, end, limits.stopped);
  }

  private *followInSlices(
    strategy: Strategy,
    executions: number,
    each: () => boolean,
  ): Generator<undefined, Followed> {
    const limits = this.limits(strategy, executions, each);
    const see = (reason: EndReason): void => this.see(reason);
    const end = yield* exploreInSlices(engine, this.run, strategy, see, limits);
    return this.followed(strategy, end, limits.stopped);
  }

  /** When to stop; `stopped` says why it did. */
  private limits(strategy: Strategy, executions: number, each: () => boolean) {
    const { options } = this;
    const limits = {
      executions,
      stopped: '',
      stop: (n: number): boolean => {
        if (each()) limits.stopped = 'given back';
        else if (this.broken !== undefined) limits.stopped = 'broken';
        else if (options.stopAtFirst === true && this.findings.size > 0)
          limits.stopped = 'first finding';
        else if (this.enough) limits.stopped = 'a finding that was looked for';
        else if (this.entry.exhaustive && this.isHopeless()) limits.stopped = this.stepsReached();
        else if (options.interrupted?.(n, () => this.progress(strategy)) === true)
          limits.stopped = 'stopped';
        return limits.stopped !== '';
      },
    };
    return limits;
  }

  private followed(strategy: Strategy, end: string, stopped: string): Followed {
    if (strategy instanceof Dpor) this.done = strategy.done();
    if (strategy instanceof Dpor && strategy.sleepSetBlocked > 0)
      this.broken ??= `${strategy.sleepSetBlocked} executions were sleep-set blocked: the explorer is not exact here`;
    return { end, stopped };
  }

  private get seen(): number {
    return this.entry.name === 'dpor' ? this.executions : this.traces.distinct;
  }

  private progress(strategy: Strategy): Progress {
    return {
      executions: this.executions,
      traces: this.seen,
      findings: this.findings.size,
      ...(strategy instanceof Dpor ? { done: strategy.done() } : {}),
    };
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
    if (this.outOfSteps > 0) return this.stepsReached();
    return bounded === '' ? undefined : bounded;
  }

  private isHopeless(): boolean {
    const most = this.options.brief === true ? HOPELESS_IN_BRIEF : HOPELESS;
    return this.outOfSteps * engine.maxSteps >= most;
  }

  private stepsReached(): string {
    return `steps ${engine.maxSteps} reached in ${this.outOfSteps} executions`;
  }

  private result(incomplete: string | undefined): Behaviour {
    const { executions, done } = this;
    const isCut = incomplete !== undefined && done > 0 && done < 1;
    const findings = this.confirmed(incomplete === undefined);
    const isKnown = (one: FoundFinding): boolean =>
      findings.some((other) => signatureOf(other.finding) === signatureOf(one.finding));
    for (const one of this.circles()) if (!isKnown(one)) findings.push(one);
    const outcomes = [...this.outcomes.values()].map(({ first, times, since }) => ({
      ...(this.options.brief === true ? first : this.canonical(first)),
      times,
      ...(since === 0 ? {} : { since }),
    }));
    outcomes.sort((a, b) => (a.text < b.text ? -1 : 1));
    if (this.options.coverage !== undefined) this.cover(this.options.coverage, outcomes);
    return {
      target: this.target,
      complete: incomplete === undefined,
      ...(incomplete === undefined ? {} : { incomplete }),
      executions: this.executions,
      traces: this.seen,
      ...(this.entry.exhaustive ? {} : { sample: this.traces.sample() }),
      ...(isCut ? { ahead: (executions * (1 - done)) / done } : {}),
      outcomes,
      findings,
      ...(this.broken === undefined ? {} : { broken: this.broken }),
    };
  }

  /** What is known when all executions are over. */
  private cover(coverage: Coverage, outcomes: readonly Observation[]): void {
    for (const { from, to } of this.sanitizers.lockOrders())
      coverage.add('order', `${from} < ${to}`);
    for (const signature of this.findings.signatures()) coverage.add('finding', signature);
    coverOutcomes(coverage, this.program, outcomes);
  }

  /** After every execution. */
  private see(reason: EndReason): void {
    if (reason === 'init-blocked') {
      this.broken = this.whatBlocks();
      return;
    }
    if (reason === 'abandoned') return;
    this.executions++;
    this.options.coverage?.execution(engine.log, this.run);
    const order = engine.log.traceHash();
    if (this.entry.name !== 'dpor') this.traces.add(order);
    if (this.sanitizers.hasLearnt()) this.lessons.push(this.token());
    if (reason === 'steps') this.noteEndless();
    const records = this.run.records();
    const text = reason === 'steps' ? 'step limit' : outcomeText(this.program, records);
    const history = this.run.history(records);
    if (reason !== 'steps') this.noteOutcome(text, order, records, history);
    this.ranker.begin(order);
    for (const finding of this.sanitizers.findings()) this.note(finding, history);
    if (reason === 'steps') return;
    for (const finding of this.check(history)) this.note(finding, history);
  }

  /** Which are kept does not depend on their order: explorers meet them in different ones. */
  private noteEndless(): void {
    this.outOfSteps++;
    if (engine.maxSteps >= TELLING_STEPS) this.endless = leastOf([...this.endless, this.token()]);
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
    const schedule = this.options.brief === true ? '' : this.token();
    const first = { text, records, history, times: 1, schedule, order };
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

  private note(finding: SanitizerFinding, history: History): void {
    if (!this.findings.note(finding, history, this.executions, () => this.token())) return;
    this.enough ||= this.options.stopAt?.(signatureOf(finding)) === true;
  }

  /** An outcome's trace in the order that depends on nothing but the trace, if it comes to the same. */
  private canonical(shown: Shown): Shown {
    const text = (): string => outcomeText(this.program, this.run.records());
    const schedule = this.confirmer.inCanonicalOrder(shown.schedule, () => text() === shown.text);
    return schedule === null ? shown : { ...shown, schedule };
  }

  /** Circles that executions went round in until they were out of steps. */
  private circles(): FoundFinding[] {
    const list: FoundFinding[] = [];
    const uninteresting = this.options.uninteresting ?? (() => false);
    // One loop: whoever knows it by one of the names need not hear the other.
    const known = (site: string): boolean =>
      uninteresting(`LIVELOCK ${site}`) || uninteresting(`SOFT-LOCKUP ${site}`);
    for (const token of leastOf(this.endless)) {
      const schedule = scheduleOfCycle(this.run, token, known);
      if (schedule === null) continue;
      const shown = this.confirmer.showCircle(schedule);
      if (typeof shown === 'string') this.broken ??= shown;
      else list.push({ ...shown, times: this.outOfSteps, fewest: 'found' });
    }
    return list.filter((one) => !uninteresting(signatureOf(one.finding)));
  }

  /** Replays every finding, gives it its shortest schedule, and drops none silently. */
  private confirmed(complete: boolean): FoundFinding[] {
    const list: FoundFinding[] = [];
    for (const of of this.findings.candidates()) {
      const shown = this.confirmer.best(of.noted);
      if (typeof shown === 'string') this.broken ??= shown;
      if (shown === null || typeof shown === 'string') continue;
      const proven = complete && of.exact && shown.isBest;
      const { finding, schedule, history } =
        proven || this.options.brief === true ? shown : this.confirmer.shortened(shown);
      const fewest = proven ? ('proven' as const) : ('found' as const);
      const { times, since } = of;
      const first = since === 0 ? {} : { since };
      list.push({ finding, schedule, history, times, fewest, ...first });
    }
    return list;
  }
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

/**
 * A finding is believed when its replay shows it: turned into a run that goes wrong by itself if it was only
 * predicted, given the fewest context switches, and replayed twice.
 */

import { explore } from '../explore/explore.ts';
import { countSwitches, fewestSwitches, mergedRuns, witnessOrder } from '../explore/minimise.ts';
import { Ranker, type Rank } from '../explore/rank.ts';
import { Replay, ScheduleEnded } from '../explore/replay.ts';
import { formatSchedule, parseSchedule, scheduleOf, type Schedule } from '../explore/token.ts';
import { signatureOf, type Finding, type History } from '../history/history.ts';
import { Nondeterminism, engine, type EndReason } from '../machine/index.ts';
import { programHash } from '../program/print.ts';
import type { Program } from '../program/program.ts';
import type { Sanitizers, SanitizerFinding } from '../sanitizers/index.ts';
import type { Noted } from './finding-book.ts';
import { cycleFinding } from './livelock.ts';
import type { ModelRun } from './model-run.ts';

export type Checks = ((history: History, program: Program) => readonly Finding[]) | undefined;

/** A finding with the schedule to show it by. */
export interface Confirmed {
  readonly finding: SanitizerFinding;
  readonly schedule: string;
  readonly history: History;
  /** Whether it is the best trace that there was, in the best of its orders. */
  readonly isBest: boolean;
}

/** One replayed run: what it showed. The event log is left as the run made it. */
export interface Replayed {
  readonly end: EndReason;
  readonly findings: readonly SanitizerFinding[];
  readonly history: History;
  /** The circle in which it goes when the schedule is at its end. */
  readonly circle: SanitizerFinding | null;
}

/** Replays a schedule; strictly throws Nondeterminism if it does not fit. */
export function replayOnce(
  run: ModelRun,
  program: Program,
  schedule: Schedule,
  sanitizers: Sanitizers,
  checks: Checks,
  mode: 'strict' | 'prefix' = 'strict',
): Replayed {
  let end: EndReason = 'abandoned';
  engine.observer = sanitizers;
  let strategy = new Replay(engine, schedule, { mode });
  try {
    explore(engine, run, strategy, (reason) => (end = reason));
  } catch (error) {
    if (!(error instanceof ScheduleEnded)) throw error;
    strategy = new Replay(engine, schedule, { mode, returned: () => run.returned() });
    explore(engine, run, strategy, (reason) => (end = reason));
  }
  const history = run.history(run.records());
  const findings: SanitizerFinding[] = [...sanitizers.findings()];
  const circle = strategy.cycle === null ? null : cycleFinding(strategy.cycle);
  if (circle !== null) findings.push(circle);
  if (checks !== undefined && circle === null) findings.push(...checks(history, program));
  return { end, findings, history, circle };
}

/** What says that steps of a run are in no order that the log knows of. */
const TEARING = new Set(['LOCKDEP', 'KCSAN']);

/** Replays at most for shortening one finding. */
const SHORTENING = 300;

export class Confirmer {
  private readonly run: ModelRun;
  private readonly program: Program;
  private readonly sanitizers: Sanitizers;
  private readonly checks: Checks;
  private readonly hash: string;
  private readonly ranker = new Ranker(engine.log);
  /**
   * Where threads meet in memory that no lock or lifetime keeps apart, another order of the same steps may take
   * another turn: that is the kernel's fault and not the harness's, and what it shows counts all the same.
   */
  private isTorn = false;

  constructor(run: ModelRun, program: Program, sanitizers: Sanitizers, checks: Checks) {
    this.run = run;
    this.program = program;
    this.sanitizers = sanitizers;
    this.checks = checks;
    this.hash = programHash(program);
  }

  /**
   * The first of these, best first, that a run bears out; null if none was more than a prediction; a sentence if the
   * harness contradicts itself.
   */
  best(noted: readonly Noted[]): Confirmed | null | string {
    let other: Confirmed | null = null;
    for (const [at, one] of noted.entries()) {
      const confirmed = this.attempt(one);
      if (typeof confirmed === 'string') return confirmed;
      if (confirmed === null) continue;
      if (confirmed.isBest) return { ...confirmed, isBest: at === 0 };
      other ??= confirmed;
    }
    return other;
  }

  private attempt(noted: Noted): Confirmed | null | string {
    const signature = signatureOf(noted.finding);
    this.isTorn = false;
    try {
      return this.confirm(signature, noted);
    } catch (error) {
      if (!(error instanceof Nondeterminism)) throw error;
      return `${signature}: ${error.message}`;
    }
  }

  private confirm(signature: string, noted: Noted): Confirmed | null | string {
    let shown = this.replay(signature, parseSchedule(noted.schedule));
    if (shown === undefined) {
      // Lock order is learnt from several runs: no single one needs to show it.
      return noted.finding.acrossRuns === true
        ? { ...noted, isBest: false }
        : `${signature} did not show again in its own replay`;
    }
    // The same trace in an order that depends on nothing but the trace.
    const least = this.inBestOrder(signature, shown);
    if (least !== null && least.predicted === undefined)
      return this.showTwice(signature, this.token(), this.isOf(noted.rank));
    shown = least ?? this.replay(signature, parseSchedule(noted.schedule));
    if (shown?.predicted !== undefined) {
      shown = this.inOrder(signature, witnessOrder(engine.log, shown.predicted.mustPrecede));
      if (shown === undefined || shown.predicted !== undefined) return null;
    }
    const asFound = this.token();
    const shorter = shown === undefined ? null : this.inBestOrder(signature, shown);
    const isShown = shorter !== null && shorter.predicted === undefined;
    return this.showTwice(signature, isShown ? this.token() : asFound, false);
  }

  /** Whether the log has an order of that trace with the switches of that rank. */
  private isOf(rank: Rank): boolean {
    const { log } = engine;
    const switches = countSwitches([...log.thr.subarray(0, log.length)]);
    return rank.exact && switches === rank.switches && log.traceHash() === rank.trace;
  }

  private replay(
    signature: string,
    schedule: Schedule,
    mode?: 'prefix',
  ): SanitizerFinding | undefined {
    const { run, program, sanitizers, checks } = this;
    const { findings } = replayOnce(run, program, schedule, sanitizers, checks, mode);
    this.isTorn ||= findings.some((f) => f.predicted !== undefined || TEARING.has(f.detector));
    return findings.find((f) => signatureOf(f) === signature);
  }

  /** Runs the events of the log in another order. */
  private inOrder(
    signature: string,
    order: readonly number[],
    mode: 'prefix' | undefined = this.isTorn ? 'prefix' : undefined,
  ): SanitizerFinding | undefined {
    return this.replay(signature, reordered(order, this.hash), mode);
  }

  /** Runs the trace in the log, which shows the finding, in its best order; null if that does not show it. */
  private inBestOrder(signature: string, shown: SanitizerFinding): SanitizerFinding | null {
    const best = fewestSwitches(engine.log, shown.demand ?? null);
    return best === null ? null : (this.inOrder(signature, best.order) ?? null);
  }

  private token(): string {
    return formatSchedule(scheduleOf(engine.log, this.hash));
  }

  private showTwice(signature: string, schedule: string, isBest: boolean): Confirmed | string {
    const { run, program, sanitizers, checks } = this;
    let last: Confirmed | string = '';
    for (let i = 0; i < 2; i++) {
      const again = replayOnce(run, program, parseSchedule(schedule), sanitizers, checks);
      const finding = again.findings.find((f) => signatureOf(f) === signature);
      if (finding === undefined)
        return `${signature} did not show in replay ${i + 1} of its schedule`;
      last = { finding, schedule, history: again.history, isBest };
    }
    return last;
  }

  /** The circle at the end of a schedule, replayed twice; a sentence if it does not show. */
  showCircle(schedule: string): Confirmed | string {
    const { run, program, sanitizers, checks } = this;
    const first = replayOnce(run, program, parseSchedule(schedule), sanitizers, checks);
    const { circle } = first;
    return circle === null
      ? `${schedule} did not go round in its own replay`
      : this.showTwice(signatureOf(circle), this.token(), false);
  }

  /**
   * The schedule's trace in the order that depends on nothing but the trace; null if that, where steps are torn, does
   * not come to what is wanted.
   */
  inCanonicalOrder(schedule: string, isWanted: () => boolean): string | null {
    const { run, program, sanitizers } = this;
    const show = (one: Schedule): void =>
      void replayOnce(run, program, one, sanitizers, undefined, 'prefix');
    show(parseSchedule(schedule));
    const trace = engine.log.traceHash();
    const best = fewestSwitches(engine.log);
    if (best === null) return null;
    show(reordered(best.order, this.hash));
    return engine.log.traceHash() === trace && isWanted() ? this.token() : null;
  }

  /**
   * A shorter run with the same finding, if a small change makes one (exploration.md 12.2): two runs of a thread are
   * brought together, what follows is left to itself, and the trace that comes of it is put in its best order.
   */
  shortened(confirmed: Confirmed): Confirmed {
    const signature = signatureOf(confirmed.finding);
    let { schedule } = confirmed;
    // What follows a change is another trace in any case.
    this.isTorn = true;
    let replays = 0;
    for (let next: string | null = schedule; next !== null;) {
      schedule = next;
      next = null;
      const shown = this.replay(signature, parseSchedule(schedule));
      const rank = shown === undefined ? null : this.rank(shown);
      if (rank === null) return confirmed;
      for (const changed of mergedRuns(engine.log).map((o) => reordered(o, this.hash))) {
        if (++replays > SHORTENING) break;
        next = this.shorter(signature, changed, rank);
        if (next !== null) break;
      }
    }
    if (schedule === confirmed.schedule) return confirmed;
    const again = this.showTwice(signature, schedule, false);
    return typeof again === 'string' ? confirmed : again;
  }

  /** The best order of what comes of the schedule, if that shows the finding and is below the rank. */
  private shorter(signature: string, schedule: Schedule, rank: Rank): string | null {
    const shown = this.replay(signature, schedule, 'prefix');
    if (shown === undefined || this.rank(shown, rank) === null) return null;
    const least = this.inBestOrder(signature, shown);
    if (least === null || least.predicted !== undefined) return null;
    return this.rank(least, rank) === null ? null : this.token();
  }

  private rank(shown: SanitizerFinding, below: Rank | null = null): Rank | null {
    this.ranker.begin(engine.log.traceHash());
    return this.ranker.below(below, shown.demand ?? null);
  }
}

/** The schedule of the log's events in another order. */
function reordered(order: readonly number[], hash: string): Schedule {
  const { log } = engine;
  return {
    programHash: hash,
    threads: order.map((d) => log.thr[d]),
    choices: order.filter((d) => log.alts[d] > 1).map((d) => log.alt[d]),
    check: null,
  };
}

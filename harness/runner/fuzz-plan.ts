/**
 * The order of the rounds of a fuzzing run. A round depends on the rounds before it only by the signatures that are
 * known; so later rounds are tried with those known so far, and what depended on a signature that an earlier round
 * turns out to find is tried again. What is told is the same as if each round had waited for the one before.
 */

import { Feedback } from './fuzz-feedback.ts';
import {
  ROUND_SIZE,
  type Broken,
  type Caught,
  type RoundNews,
  type RoundOrder,
  type Scouted,
  type Tried,
} from './fuzz-order.ts';

/** One of several runs that share the rounds of a seed: `index` from 1 to `of`. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

export interface PlanLimits {
  readonly programs: number;
  readonly until: number;
  readonly shard: Shard;
  /** What programs show decides which come later. */
  readonly steers: boolean;
  /** Texts of programs that are tried before any is generated: each is a round. */
  readonly given: readonly string[];
}

/** A round that will not change any more, with everything before it told. */
export interface DoneRound {
  /** Its programs were generated. */
  readonly generated: boolean;
  readonly tried: readonly Tried[];
  readonly spent: number;
  readonly caught: Caught | null;
  readonly broken: Broken | null;
}

interface Round {
  /** Below 0 for those that try what is given. */
  readonly number: number;
  readonly given: string | null;
  readonly kept: readonly string[];
  readonly tried: Tried[];
  readonly asked: Map<string, number>;
  /** Signatures that were taken as known in it. */
  readonly assumed: Set<string>;
  hit: string | null;
  broken: Broken | null;
  running: boolean;
  /** What was said of it stands: what is before it is settled too. */
  settled: boolean;
  /** What is known before it; when settled. */
  known: readonly string[];
  caught: Caught | null;
  shrunk: boolean;
  spent: number;
  deaths: number;
}

/** Rounds that are looked at before one that is not settled, at most. */
const AHEAD = 128;

/** Gives out orders, takes in news, and tells rounds in their order. */
export class Plan {
  readonly #limits: PlanLimits;
  /** Rounds that are not told yet. */
  readonly #rounds: Round[] = [];
  readonly #known = new Set<string>();
  readonly feedback: Feedback;
  #opened = 0;
  #programs = 0;
  #closed = false;
  #halted = false;

  constructor(limits: PlanLimits) {
    this.#limits = limits;
    this.feedback = new Feedback(limits.steers, limits.given.length);
    this.#closed = limits.programs <= 0 || limits.until <= 0;
  }

  /** Nothing is left to do. */
  get finished(): boolean {
    return this.#closed && !this.#rounds.some((round) => round.settled);
  }

  /** No more programs: the round that is not settled ends where it is. */
  halt(): void {
    this.#halted = true;
    this.#settle();
  }

  /** Something for somebody who has nothing to do. */
  next(): RoundOrder | null {
    const found = this.#rounds.find((r) => r.settled && r.hit !== null && !r.shrunk && !r.running);
    if (found !== undefined) {
      found.running = true;
      const to = found.tried.length;
      return { kind: 'shrink', ...partOf(found), from: to - 1, to, known: found.known };
    }
    if (this.#closed || this.#halted) return null;
    const known = new Set(this.#known);
    let programs = this.#programs;
    let ahead = 0;
    for (const round of this.#unsettled()) {
      if (!round.running && !isOver(round)) return this.#look(round, known, programs, ahead);
      if (round.hit !== null) known.add(round.hit);
      programs += Math.max(1, round.tried.length);
      ahead += 1;
    }
    if (ahead >= AHEAD || programs >= this.#limits.programs) return null;
    const round = this.#open();
    return round === null ? null : this.#look(round, known, programs, ahead);
  }

  /** What was said of an order; progress is none of our business. */
  hear(order: RoundOrder, news: RoundNews): void {
    const round = this.#rounds.find(({ number }) => number === order.round);
    if (news.kind === 'progress' || round === undefined) return;
    // A hit is said twice: when it is found, and again at the end.
    if (!round.settled) enter(round, news.scouted);
    if (news.kind === 'end') {
      round.running = false;
      if (order.kind !== 'scout') shrunk(round, news);
    }
    this.#settle();
  }

  /** Who had the order is no more. The first time it is given to another; the second time the round is broken. */
  lost(order: RoundOrder, why: string): void {
    const round = this.#rounds.find(({ number }) => number === order.round);
    if (round === undefined) return;
    round.running = false;
    round.deaths += 1;
    if (round.deaths > 1) {
      round.broken = { message: `Two threads died in round ${order.round}: ${why}` };
      round.shrunk = true;
    }
    this.#settle();
  }

  /** Rounds that can be told now, in order. */
  *told(): Generator<DoneRound> {
    for (;;) {
      const [round] = this.#rounds;
      if (round === undefined || !round.settled || (round.hit !== null && !round.shrunk)) return;
      this.#rounds.shift();
      const { given, tried, spent, caught, broken } = round;
      yield { generated: given === null, tried, spent, caught, broken };
    }
  }

  /** What is in the rounds that are neither told nor run. */
  waiting(): { readonly programs: number; readonly executions: number } {
    const tried = this.#rounds.flatMap((round) => (round.running ? [] : round.tried));
    const executions = tried.reduce((n, one) => n + one.executions, 0);
    return { programs: tried.length, executions };
  }

  #unsettled(): Round[] {
    return this.#rounds.filter((round) => !round.settled);
  }

  /** The next round; null if it depends on what is not settled yet. */
  #open(): Round | null {
    const { shard, given } = this.#limits;
    const kept = this.feedback.poolFor(this.#opened);
    if (kept === null) return null;
    const generated = this.#opened - given.length;
    const round: Round = {
      number: generated < 0 ? generated : shard.index - 1 + shard.of * generated,
      given: given[this.#opened] ?? null,
      kept,
      tried: [],
      asked: new Map(),
      assumed: new Set(),
      hit: null,
      broken: null,
      running: false,
      settled: false,
      known: [],
      caught: null,
      shrunk: false,
      spent: 0,
      deaths: 0,
    };
    this.#opened += 1;
    this.#rounds.push(round);
    return round;
  }

  #look(round: Round, known: Set<string>, programs: number, ahead: number): RoundOrder | null {
    const from = round.tried.length;
    const to = Math.min(sizeOf(round), this.#limits.programs - programs);
    if (from >= to) return null;
    for (const signature of known) round.assumed.add(signature);
    round.running = true;
    const kind = ahead === 0 ? 'hunt' : 'scout';
    return { kind, ...partOf(round), from, to, known: [...known] };
  }

  /** Settles what can be settled, from the first round that is not. */
  #settle(): void {
    const known = new Set(this.#known);
    let first = true;
    for (const round of this.#unsettled()) {
      if (this.#closed) return;
      if (!round.running || round.hit !== null) withdraw(round, known, first);
      first &&= this.#settleFirst(round);
      if (round.hit !== null) known.add(round.hit);
    }
    if (first && this.#halted) this.#closed = true;
  }

  /** True if the round is settled, all before it being so. */
  #settleFirst(round: Round): boolean {
    const { programs, until } = this.#limits;
    const size = Math.min(sizeOf(round), programs - this.#programs);
    const over = isOver(round) || round.tried.length >= size;
    if ((round.running && round.hit === null) || (!over && !this.#halted)) return false;
    if (round.tried.length > size) {
      round.tried.length = size;
      round.hit = null;
      round.broken = null;
    }
    round.settled = true;
    round.known = [...this.#known];
    this.#programs += round.tried.length;
    this.feedback.enter(round.tried);
    if (round.hit !== null) this.#known.add(round.hit);
    const enough = this.#known.size >= until || this.#programs >= programs;
    if (enough || !over || round.broken !== null) this.#closed = true;
    return true;
  }
}

/** Programs of the round, if none of them shows anything new. */
function sizeOf(round: Round): number {
  return round.given === null ? ROUND_SIZE : 1;
}

/** What an order says of its round. */
function partOf({ number, kept, given }: Round): Pick<RoundOrder, 'round' | 'kept' | 'given'> {
  return { round: number, kept, given };
}

/** Nothing is left to look for in the round. */
function isOver(round: Round): boolean {
  return round.hit !== null || round.broken !== null || round.tried.length >= sizeOf(round);
}

function enter(round: Round, scouted: Scouted): void {
  round.tried.push(...scouted.tried);
  round.hit = scouted.hit;
  round.broken = scouted.broken;
  for (const [signature, program] of scouted.asked)
    if (!round.asked.has(signature)) round.asked.set(signature, program);
}

function shrunk(round: Round, news: RoundNews & { readonly kind: 'end' }): void {
  if (round.hit === null) return;
  round.shrunk = true;
  round.caught = news.caught;
  round.spent = news.spent;
  round.broken = news.broken;
  if (news.caught?.signature !== round.hit)
    round.broken ??= { message: `Round ${round.number} shows ${round.hit} once, and not again` };
}

/**
 * Takes back what depended on a signature being new that is known, and if `known` is all that is known before the
 * round, also what depended on one being known that is not.
 */
function withdraw(round: Round, known: ReadonlySet<string>, all: boolean): void {
  const wrong = all && [...round.assumed].some((signature) => !known.has(signature));
  const clashes = [...round.asked].filter(([signature]) => known.has(signature));
  let left = wrong ? 0 : Math.min(Infinity, ...clashes.map(([, program]) => program));
  // What the harness said of itself may be about a finding that nobody would have looked at.
  if (all && round.broken !== null && round.assumed.size < known.size)
    left = Math.min(left, Math.max(0, round.tried.length - 1));
  if (left >= round.tried.length) return;
  round.tried.length = left;
  round.hit = null;
  round.broken = null;
  if (wrong) round.assumed.clear();
  for (const [signature, program] of round.asked)
    if (program >= left) round.asked.delete(signature);
}

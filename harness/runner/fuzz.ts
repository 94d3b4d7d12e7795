/**
 * Fuzzing: generated programs, each explored to completion where that is small, so that the verdict is a function
 * of the program alone and fast-check's shrinking is sound. Every new signature is shrunk, confirmed and saved.
 * What is found is a function of the seed and the number of programs, on however many threads.
 */

import type { CoverageCounts } from '../coverage/index.ts';
import type { KnownBug } from './bug-index.ts';
import type { Corpus } from './corpus.ts';
import type { KeptProgram } from './fuzz-feedback.ts';
import { openHere, openThread, type Lane, type OpenLane } from './fuzz-lane.ts';
import { Plan, type DoneRound, type Shard } from './fuzz-plan.ts';
import {
  Halt,
  type Broken,
  type Caught,
  type RoundNews,
  type RoundOptions,
  type RoundOrder,
} from './fuzz-order.ts';
import { saveProgram } from './save-finding.ts';

export interface FuzzOptions extends RoundOptions {
  /** Wall-clock limit in milliseconds; with `programs` whichever comes first. */
  readonly timeMs: number;
  /** Programs at most. */
  readonly programs: number;
  /** Stops after so many different findings. */
  readonly until: number;
  /** Threads; default 1. The result does not depend on it. */
  readonly jobs?: number;
  /** The part of the rounds that is run here; default: all. The limits are for the part. */
  readonly shard?: Shard;
  /** Programs that are tried before any is generated. */
  readonly corpus?: Corpus;
}

/** What the fuzzer tells while it runs. */
export interface FuzzListener {
  found(finding: FuzzFinding): void;
  progress(state: FuzzProgress): void;
  stopped(): boolean;
  /** Milliseconds since the start. */
  clock(): number;
}

/** How far it is; what is tried ahead is counted as well. */
export interface FuzzProgress {
  readonly programs: number;
  readonly executions: number;
  readonly complete: number;
  readonly findings: number;
  /** What is being done to findings, if anything: `shrinking KASAN-UAF ...`. */
  readonly doing: string;
}

export interface FuzzFinding extends Caught {
  /** Milliseconds from the start to the first program that showed it; it was shrunk later. */
  readonly foundAfter: number;
}

export interface FuzzResult {
  /** Milliseconds that it took. */
  readonly elapsed: number;
  /** Rounds of generated programs that were begun: each is a seed of its own for fast-check. */
  readonly rounds: number;
  readonly programs: number;
  readonly executions: number;
  /** Programs whose every schedule was visited. */
  readonly complete: number;
  /** Programs that were sampled, and the mean chance that one more execution of them is a new trace; null for none. */
  readonly sampled: { readonly programs: number; readonly unseen: number } | null;
  readonly findings: readonly FuzzFinding[];
  /** What all programs showed together; null if nobody looked. */
  readonly coverage: FuzzCoverage | null;
  readonly stopped: 'time' | 'programs' | 'until' | 'interrupted';
  /** Set when the harness contradicted itself: a program and what it said. */
  readonly broken?: string;
}

export interface FuzzCoverage {
  readonly counts: CoverageCounts;
  readonly features: ReadonlySet<string>;
  /** Programs that showed something new when they came. */
  readonly kept: readonly KeptProgram[];
}

/** How often the clock and Ctrl-C are looked at, in milliseconds. */
const LOOK_EVERY = 50;

/**
 * Runs until a limit is met. Rejects if a thread cannot be started. `open` is for who wants to carry out the rounds
 * in another way.
 */
export async function fuzz(
  options: FuzzOptions,
  listener: FuzzListener,
  known: readonly KnownBug[],
  open?: OpenLane,
): Promise<FuzzResult> {
  const openLane = open ?? ((options.jobs ?? 1) === 1 ? openHere : openThread);
  return await new Fuzzer(options, listener, known, openLane).run();
}

interface Place {
  lane: Lane;
  ready: boolean;
  order: RoundOrder | null;
  /** The last progress of the order. */
  now: RoundNews & { readonly kind: 'progress' };
}

const NOTHING: Place['now'] = { kind: 'progress', programs: 0, executions: 0, doing: '' };

class Fuzzer {
  readonly #options: FuzzOptions;
  readonly #listener: FuzzListener;
  readonly #bugs: readonly KnownBug[];
  readonly #open: OpenLane;
  readonly #plan: Plan;
  readonly #halt = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  readonly #places: Place[] = [];
  readonly #findings: FuzzFinding[] = [];
  /** When a signature was new in a program first. */
  readonly #seen = new Map<string, number>();
  #rounds = 0;
  #programs = 0;
  #executions = 0;
  #complete = 0;
  #sampled = 0;
  #unseen = 0;
  #broken: string | undefined;
  #ended = false;
  #finish: () => void = () => undefined;
  #fail: (reason: unknown) => void = () => undefined;

  constructor(
    options: FuzzOptions,
    listener: FuzzListener,
    bugs: readonly KnownBug[],
    open: OpenLane,
  ) {
    this.#options = options;
    this.#listener = listener;
    this.#bugs = bugs;
    this.#open = open;
    const { programs, until, shard = { index: 1, of: 1 }, corpus, coverage } = options;
    const given = corpus === undefined ? [] : corpus.programs.map(({ text }) => text);
    this.#plan = new Plan({ programs, until, shard, steers: coverage === 'steer', given });
  }

  async run(): Promise<FuzzResult> {
    const watch = setInterval(() => this.#guarded(() => this.#look()), LOOK_EVERY);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#finish = resolve;
        this.#fail = reject;
        for (let n = 0; n < (this.#options.jobs ?? 1); n += 1) this.#places.push(this.#place());
      });
    } finally {
      this.#ended = true;
      clearInterval(watch);
      await Promise.all(this.#places.map(({ lane }) => lane.close()));
    }
    const broken = this.#broken;
    return {
      elapsed: this.#listener.clock(),
      rounds: this.#rounds,
      programs: this.#programs,
      executions: this.#executions,
      complete: this.#complete,
      sampled:
        this.#sampled === 0
          ? null
          : { programs: this.#sampled, unseen: this.#unseen / this.#sampled },
      findings: this.#findings,
      coverage: this.#coverage(),
      stopped: this.#whyStopped(),
      ...(broken === undefined ? {} : { broken }),
    };
  }

  #coverage(): FuzzCoverage | null {
    if (this.#options.coverage === 'off') return null;
    const { feedback } = this.#plan;
    return { counts: feedback.counts(), features: feedback.features(), kept: feedback.kept() };
  }

  #whyStopped(): FuzzResult['stopped'] {
    const { programs, until } = this.#options;
    if (this.#listener.stopped() || this.#broken !== undefined) return 'interrupted';
    if (this.#findings.length >= until) return 'until';
    return this.#programs >= programs ? 'programs' : 'time';
  }

  #place(): Place {
    const start = { options: plainOf(this.#options), bugs: this.#bugs, halt: this.#halt };
    const lane = this.#open(start, {
      ready: () => {
        place.ready = true;
        this.#guarded(() => this.#go());
      },
      news: (news) => this.#guarded(() => this.#hear(place, news)),
      lost: (why) => this.#guarded(() => this.#lose(place, why)),
    });
    const place: Place = { lane, ready: false, order: null, now: NOTHING };
    return place;
  }

  /** What goes wrong here, as a file that cannot be written, ends the run. */
  #guarded(work: () => void): void {
    if (this.#ended) return;
    try {
      work();
    } catch (thrown) {
      this.#ended = true;
      this.#fail(thrown);
    }
  }

  #hear(place: Place, news: RoundNews): void {
    const { order } = place;
    if (order === null) return;
    if (news.kind === 'progress') {
      place.now = news;
      this.#tell();
      this.#look();
      return;
    }
    const { hit } = news.scouted;
    if (hit !== null && !this.#seen.has(hit)) this.#seen.set(hit, this.#listener.clock());
    if (news.kind === 'end') {
      place.order = null;
      place.now = NOTHING;
    }
    this.#plan.hear(order, news);
    this.#go();
  }

  /** A thread that ended by itself: another takes its place. */
  #lose(place: Place, why: string): void {
    const { order } = place;
    if (order === null && !place.ready) throw new Error(`A thread cannot be started: ${why}`);
    const at = this.#places.indexOf(place);
    void place.lane.close();
    this.#places[at] = this.#place();
    if (order !== null) this.#plan.lost(order, why);
    this.#go();
  }

  /** Tells what can be told, ends if that is all, and gives everybody something to do. */
  #go(): void {
    if (this.#ended) return;
    this.#look();
    for (const round of this.#plan.told()) {
      this.#enter(round);
      if (this.#broken !== undefined) break;
    }
    if (this.#plan.finished || this.#broken !== undefined) {
      this.#ended = true;
      this.#finish();
      return;
    }
    for (const place of this.#places) {
      if (!place.ready || place.order !== null) continue;
      place.order = this.#plan.next();
      if (place.order !== null) place.lane.give(place.order);
    }
  }

  #look(): void {
    if (this.#ended || Atomics.load(this.#halt, Halt.SHRINKING) !== 0) return;
    const stopped = this.#listener.stopped();
    const halted = Atomics.load(this.#halt, Halt.PROGRAMS) !== 0;
    if (stopped) Atomics.store(this.#halt, Halt.SHRINKING, 1);
    if (halted || !(stopped || this.#listener.clock() >= this.#options.timeMs)) return;
    Atomics.store(this.#halt, Halt.PROGRAMS, 1);
    this.#plan.halt();
    this.#go();
  }

  #enter({ generated, tried, spent, caught, broken }: DoneRound): void {
    if (generated) this.#rounds += 1;
    this.#programs += tried.length;
    this.#executions += spent;
    for (const { executions, complete, unseen } of tried) {
      if (unseen !== undefined) {
        this.#sampled += 1;
        this.#unseen += unseen;
      }
      this.#executions += executions;
      if (complete) this.#complete += 1;
    }
    if (caught !== null) this.#report(caught);
    if (broken !== null) this.#broken = this.#saveBroken(broken);
  }

  #report(caught: Caught): void {
    saveProgram(this.#options.folder, caught.signature, caught.saved);
    const foundAfter = this.#seen.get(caught.signature) ?? this.#listener.clock();
    const finding: FuzzFinding = { ...caught, foundAfter };
    this.#findings.push(finding);
    this.#listener.found(finding);
  }

  #saveBroken({ message, program }: Broken): string {
    if (program === undefined) return message;
    return `${message} (program ${saveProgram(this.#options.folder, 'broken', program)})`;
  }

  #tell(): void {
    const nows = this.#places.map(({ now }) => now);
    const waiting = this.#plan.waiting();
    const sum = (what: 'programs' | 'executions'): number =>
      nows.reduce((n, now) => n + now[what], waiting[what]);
    this.#listener.progress({
      programs: this.#programs + sum('programs'),
      executions: this.#executions + sum('executions'),
      complete: this.#complete,
      findings: this.#findings.length,
      doing: nows.flatMap(({ doing }) => (doing === '' ? [] : [doing])).join(', '),
    });
  }
}

/** What the rounds need to know: a thread is given a copy. */
function plainOf(options: FuzzOptions): RoundOptions {
  const { timeMs: _, programs: _p, until: _u, jobs: _j, shard: _s, corpus: _c, ...plain } = options;
  return plain;
}

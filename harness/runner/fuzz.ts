/**
 * Fuzzing: generated programs, each explored to completion where that is small, so that the verdict is a function
 * of the program alone and fast-check's shrinking is sound. Every new signature is shrunk, confirmed and saved.
 */

import * as fc from 'fast-check';
import { makesDescriptors, syscallOf } from '../abi/index.ts';
import { checkHistory } from '../check/checks.ts';
import { mixSeed } from '../explore/prng.ts';
import { signatureOf, type Finding } from '../history/history.ts';
import type { CounterexampleView } from '../history/counterexample.ts';
import { arbitraryProgram, profileOf, type KernelProfile } from '../program/arbitrary/index.ts';
import { metaOf } from '../program/meta.ts';
import type { Program } from '../program/program.ts';
import { modelTarget, type ModelTarget } from '../target/model.ts';
import type { Behaviour, FoundFinding } from '../target/target.ts';
import { bugIds, type KnownBug } from './bug-index.ts';
import { effortFor, search, type Effort } from './fuzz-search.ts';
import { findingProgram, saveProgram } from './save-finding.ts';

export interface FuzzOptions {
  readonly kernel: string;
  readonly seed: number;
  /** Wall-clock limit in milliseconds; with `programs` whichever comes first. */
  readonly timeMs: number;
  /** Programs at most. */
  readonly programs: number;
  /** Threads and calls per thread at most. */
  readonly threads: number;
  readonly calls: number;
  /** Stops after so many different findings. */
  readonly until: number;
  /** dpor, or a sampling strategy for everything. */
  readonly strategy: string;
  /** Executions per program before it is sampled instead of explored. */
  readonly runs: number;
  /** When timers fire; default: as the header of a program says, or at idle. */
  readonly timers?: 'idle' | 'any';
  readonly faults: number;
  readonly maxSteps: number;
  readonly preemptions?: number;
  readonly hz: number;
  /** Where counterexamples are saved. */
  readonly folder: string;
  /** Detectors to leave out. */
  readonly ignore: readonly string[];
}

/** What the fuzzer tells while it runs. */
export interface FuzzListener {
  found(finding: FuzzFinding): void;
  progress(state: FuzzProgress): void;
  stopped(): boolean;
  /** Milliseconds since the start. */
  clock(): number;
}

export interface FuzzProgress {
  readonly programs: number;
  readonly executions: number;
  readonly complete: number;
  readonly findings: number;
  /** What is being done to a finding, if anything: `shrinking KASAN-UAF ...`. */
  readonly doing: string;
}

export interface FuzzFinding {
  readonly signature: string;
  readonly finding: Finding;
  /** Catalogued bugs with this signature: `E-B2`. */
  readonly ids: readonly string[];
  /** Shrunk. */
  readonly program: Program;
  /** Calls before and after shrinking. */
  readonly callsFound: number;
  readonly schedule: string;
  /** Milliseconds after the start. */
  readonly foundAfter: number;
  readonly complete: boolean;
  readonly view: CounterexampleView;
  /** The saved file and the command that replays it. */
  readonly file: string;
  readonly replay: string;
}

export interface FuzzResult {
  readonly programs: number;
  readonly executions: number;
  /** Programs whose every schedule was visited. */
  readonly complete: number;
  readonly findings: readonly FuzzFinding[];
  readonly stopped: 'time' | 'programs' | 'until' | 'interrupted';
  /** Set when the harness contradicted itself: a program and what it said. */
  readonly broken?: string;
}

const BATCH = 50;
/** Calls at the end of a sequential counterexample that are told step by step; what stands before stays in init. */
const CALLS_TOLD = 4;

/** Runs until a limit is met. Gives the event loop a turn between programs, so that Ctrl-C is heard. */
export async function fuzz(
  options: FuzzOptions,
  listener: FuzzListener,
  known: readonly KnownBug[],
): Promise<FuzzResult> {
  return await new Fuzzer(options, listener, known).loop();
}

class Fuzzer {
  private readonly options: FuzzOptions;
  private readonly listener: FuzzListener;
  private readonly known: readonly KnownBug[];
  private readonly target: ModelTarget;
  private readonly profile: KernelProfile;
  private readonly effort: Effort;
  private readonly seen = new Set<string>();
  private readonly findings: FuzzFinding[] = [];
  private programs = 0;
  private executions = 0;
  /** Executions that the finding at hand has been shrunk with. */
  private spent = 0;
  private complete = 0;
  private broken: string | undefined;
  private doing = '';

  constructor(options: FuzzOptions, listener: FuzzListener, known: readonly KnownBug[]) {
    this.options = options;
    this.listener = listener;
    this.known = known;
    this.target = modelTarget(options.kernel, { hz: options.hz });
    this.profile = profileOf(this.target.selector);
    this.effort = effortFor(this.profile, options.runs);
  }

  async loop(): Promise<FuzzResult> {
    for (let round = 0; this.whyStop() === null; round++) await this.round(round);
    const { programs, executions, complete, findings, broken } = this;
    const stopped = this.whyStop() ?? 'interrupted';
    return {
      programs,
      executions,
      complete,
      findings,
      stopped,
      ...(broken === undefined ? {} : { broken }),
    };
  }

  private whyStop(): FuzzResult['stopped'] | null {
    const { options, listener } = this;
    if (listener.stopped() || this.broken !== undefined) return 'interrupted';
    if (this.findings.length >= options.until) return 'until';
    if (this.programs >= options.programs) return 'programs';
    return listener.clock() >= options.timeMs ? 'time' : null;
  }

  /** Programs until one shows something new, which is then shrunk; at most a batch. */
  private async round(round: number): Promise<void> {
    const { options } = this;
    const arbitrary = arbitraryProgram({
      profile: this.profile,
      threads: { min: 1, max: options.threads },
      callsPerThread: { min: 1, max: options.calls },
    });
    const hunt = new Hunt(this.seen);
    this.spent = 0;
    const property = fc.asyncProperty(arbitrary, async (program) => {
      await new Promise((resolve) => setImmediate(resolve));
      return this.holds(program, hunt);
    });
    const numRuns = Math.max(1, Math.min(BATCH, options.programs - this.programs));
    await fc.check(property, { seed: mixSeed(options.seed, round) | 0, numRuns, verbose: 0 });
    if (hunt.smallest !== null) this.report(hunt);
    this.doing = '';
  }

  /** The property: nothing new in the first programs, then not the finding that is being shrunk. */
  private holds(program: Program, hunt: Hunt): boolean {
    if (hunt.target === null && this.whyStop() !== null) return true;
    const shrinking = hunt.target !== null;
    if (shrinking && (this.listener.stopped() || this.spent > this.effort.budget)) return true;
    const known = (signature: string): boolean => hunt.isKnown(signature);
    const behaviour = this.explore(program, known, shrinking);
    if (!shrinking) {
      this.programs++;
      if (behaviour.complete) this.complete++;
    }
    this.tell();
    const caught = hunt.look(program, behaviour, this.options.ignore);
    if (caught) this.doing = `shrinking ${hunt.target ?? ''}`;
    return !caught;
  }

  private timersFor(program: Program): 'idle' | 'any' {
    return this.options.timers ?? (metaOf(program, 'timers') === 'any' ? 'any' : 'idle');
  }

  private tell(): void {
    this.listener.progress({
      programs: this.programs,
      executions: this.executions,
      complete: this.complete,
      findings: this.findings.length,
      doing: this.doing,
    });
  }

  private explore(
    program: Program,
    uninteresting: (signature: string) => boolean,
    shrinking: boolean,
  ): Behaviour {
    const { options } = this;
    const behaviour = search(this.target, program, shrinking ? this.effort.again : this.effort, {
      checks: checkHistory,
      timers: this.timersFor(program),
      faults: options.faults,
      maxSteps: options.maxSteps,
      seed: options.seed,
      uninteresting,
      ignore: options.ignore,
      strategy: options.strategy,
      ...(options.preemptions === undefined ? {} : { preemptions: options.preemptions }),
    });
    this.executions += behaviour.executions;
    if (shrinking) this.spent += behaviour.executions;
    // An init that blocks is a program without a meaning, not a harness that is broken.
    if (behaviour.broken !== undefined && !behaviour.broken.startsWith('The init part')) {
      const meta = [{ key: 'kernel', value: this.target.selector }, ...program.meta];
      const file = saveProgram(options.folder, 'broken', { ...program, meta });
      this.broken = `${behaviour.broken} (program ${file})`;
    }
    return behaviour;
  }

  /** What needs no concurrency ends up in init, which is not shown step by step: shown as a thread it is. */
  private withSteps(smallest: Smallest): Smallest {
    const { program, found } = smallest;
    if (program.threads.length > 0) return smallest;
    const made = program.init.findIndex((call) => {
      const spec = syscallOf(call.name);
      return spec === null || !makesDescriptors(spec);
    });
    const { init } = program;
    const at = Math.max(made < 0 ? init.length : made, init.length - CALLS_TOLD);
    if (at === init.length) return smallest;
    const told: Program = { ...program, init: init.slice(0, at), threads: [init.slice(at)] };
    const signature = signatureOf(found.finding);
    const behaviour = this.explore(told, (other) => other !== signature, true);
    const again = behaviour.findings.find((f) => signatureOf(f.finding) === signature);
    return again === undefined
      ? smallest
      : { program: told, found: again, complete: behaviour.complete };
  }

  private report(hunt: Hunt): void {
    const { smallest, firstCalls } = hunt;
    if (smallest === null) return;
    const { program, found, complete } = this.withSteps(smallest);
    const signature = signatureOf(found.finding);
    this.seen.add(signature);
    const { options } = this;
    const ids = bugIds(this.known, this.target.selector, found.finding);
    const timers = this.timersFor(program);
    const saved = findingProgram(program, this.target.selector, found, { ...options, timers });
    const file = saveProgram(options.folder, signature, saved);
    const replay = `npx lostwake replay ${file}`;
    const view = this.target.explain(program, {
      schedule: found.schedule ?? '',
      sentence: found.finding.message,
      finding: signature,
      docs: ids,
      search: `${options.strategy}, seed ${options.seed}, ${complete ? 'this program explored completely' : 'sampled'}; replayed twice`,
      replay,
      options: { checks: checkHistory, timers, faults: options.faults },
    });
    const entry: FuzzFinding = {
      signature,
      finding: found.finding,
      ids,
      program,
      callsFound: firstCalls,
      schedule: found.schedule ?? '',
      foundAfter: this.listener.clock(),
      complete,
      view,
      file,
      replay,
    };
    this.findings.push(entry);
    this.listener.found(entry);
  }
}

function countCalls(program: Program): number {
  return program.threads.reduce((n, calls) => n + calls.length, program.init.length);
}

/** The smallest program so far that shows a finding. */
interface Smallest {
  readonly program: Program;
  readonly found: FoundFinding;
  readonly complete: boolean;
}

/** One run of fast-check: the first new signature becomes the target, then only it counts. */
class Hunt {
  target: string | null = null;
  smallest: Smallest | null = null;
  firstCalls = 0;
  private readonly seen: ReadonlySet<string>;

  constructor(seen: ReadonlySet<string>) {
    this.seen = seen;
  }

  /** Whether a finding of this signature says nothing new. */
  isKnown(signature: string): boolean {
    return this.target === null ? this.seen.has(signature) : signature !== this.target;
  }

  /** True if the program shows what is hunted. */
  look(program: Program, behaviour: Behaviour, ignore: readonly string[]): boolean {
    const found = behaviour.findings.find((f) => {
      return !this.isKnown(signatureOf(f.finding)) && !ignore.includes(f.finding.detector);
    });
    if (found === undefined) return false;
    if (this.target === null) {
      this.target = signatureOf(found.finding);
      this.firstCalls = countCalls(program);
    }
    this.smallest = { program, found, complete: behaviour.complete };
    return true;
  }
}

/**
 * One round of fuzzing: the programs of one fast-check seed until one of them shows something new, which is then
 * shrunk. What a round comes to is a function of its number, the seed, and the signatures that are known before it.
 */

import * as fc from 'fast-check';
import { makesDescriptors, syscallOf } from '../abi/index.ts';
import { checkHistory } from '../check/checks.ts';
import { mixSeed } from '../explore/prng.ts';
import { unseenMass } from '../explore/statistics.ts';
import { signatureOf } from '../history/history.ts';
import { Coverage } from '../coverage/index.ts';
import {
  givenProgram,
  profileOf,
  steeredProgram,
  type KernelProfile,
} from '../program/arbitrary/index.ts';
import { metaOf } from '../program/meta.ts';
import { printProgram } from '../program/print.ts';
import type { Program } from '../program/program.ts';
import { parseProgram } from '../program/text.ts';
import { modelTarget, type ModelTarget } from '../target/model.ts';
import type { Behaviour, FoundFinding } from '../target/target.ts';
import { bugIds, type KnownBug } from './bug-index.ts';
import {
  Halt,
  type Broken,
  type Caught,
  type Observed,
  type RoundNews,
  type RoundOptions,
  type RoundOrder,
  type Scouted,
  type Tried,
} from './fuzz-order.ts';
import { effortFor, search, type Effort, type Trial } from './fuzz-search.ts';
import { findingProgram, programPath } from './save-finding.ts';

/** Calls at the end of a sequential counterexample that are told step by step; what stands before stays in init. */
const CALLS_TOLD = 4;

/** Carries out one order after the other. */
export class RoundRunner {
  private readonly options: RoundOptions;
  private readonly bugs: readonly KnownBug[];
  private readonly halt: Int32Array;
  private readonly target: ModelTarget;
  private readonly profile: KernelProfile;
  private readonly effort: Effort;
  private readonly coverage: Coverage | null;
  /** Programs that orders have named, by their texts. */
  private readonly parsed = new Map<string, Program>();

  constructor(options: RoundOptions, bugs: readonly KnownBug[], halt: Int32Array) {
    this.options = options;
    this.bugs = bugs;
    this.halt = halt;
    this.target = modelTarget(options.kernel, { hz: options.hz });
    this.profile = profileOf(this.target.selector);
    this.effort = effortFor(options.runs);
    this.coverage = options.coverage === 'off' ? null : new Coverage();
  }

  /** Gives the event loop a turn between programs, so that Ctrl-C is heard. */
  async run(order: RoundOrder, say: (news: RoundNews) => void): Promise<void> {
    const { options } = this;
    const hunt = new Hunt(order, say);
    const property = fc.asyncProperty(this.programsOf(order), async (program) => {
      await new Promise((resolve) => setImmediate(resolve));
      return hunt.target === null ? this.scout(program, hunt) : this.shrink(program, hunt);
    });
    const details = await fc.check(property, {
      seed: mixSeed(options.seed, order.round) | 0,
      path: String(order.from),
      numRuns: order.to - order.from,
      endOnFailure: order.kind === 'scout',
      verbose: 0,
    });
    // What a property throws is a failure for fast-check, which has no finding then.
    if (details.failed && hunt.target === null && hunt.broken === null) {
      const thrown = details.errorInstance;
      hunt.broken = { message: thrown instanceof Error ? thrown.message : String(thrown) };
    }
    const scouted = hunt.scouted();
    const caught = hunt.smallest === null ? null : this.caught(hunt, hunt.smallest);
    const broken = hunt.target === null ? null : hunt.broken;
    say({ kind: 'end', scouted, caught, spent: hunt.spent, broken });
  }

  private programsOf({ given, kept }: RoundOrder): fc.Arbitrary<Program> {
    if (given !== null) return givenProgram(this.parse(given));
    const { threads, calls } = this.options;
    return steeredProgram({
      profile: this.profile,
      threads,
      callsPerThread: calls,
      kept: kept.map((text) => this.parse(text)),
      accepts: (program) => this.target.refuses(program) === null,
    });
  }

  private parse(text: string): Program {
    let program = this.parsed.get(text);
    if (program === undefined) {
      program = parseProgram(text, 'kept');
      this.parsed.set(text, program);
    }
    return program;
  }

  private isHalted(what: number): boolean {
    return Atomics.load(this.halt, what) !== 0;
  }

  /** True if the program shows nothing new. */
  private scout(program: Program, hunt: Hunt): boolean {
    const sure = hunt.order.kind === 'shrink' && hunt.tried.length === 0;
    if (hunt.broken !== null || hunt.tried.length >= hunt.order.to - hunt.order.from) return true;
    if (!sure && this.isHalted(Halt.PROGRAMS)) return true;
    this.coverage?.begin();
    const uninteresting = (one: string): boolean => hunt.isKnown(one);
    const behaviour = this.explore(program, uninteresting, this.effort, hunt, {
      coverage: this.coverage,
    });
    const found = hunt.broken === null ? hunt.newOf(behaviour, this.options.ignore) : undefined;
    hunt.tried.push({ ...triedOf(behaviour), ...this.observed(program, hunt) });
    if (found !== undefined) hunt.aim(program, found, behaviour.complete);
    hunt.tell();
    return found === undefined;
  }

  private observed(program: Program, hunt: Hunt): Observed {
    const { coverage } = this;
    if (coverage === null) return { brings: [], program: '', outcomes: null };
    const brings = hunt.newFeatures(coverage.features());
    const text = brings.length === 0 ? '' : printProgram(program);
    return { brings, program: text, outcomes: coverage.outcomes };
  }

  /** True if the program does not show the finding that is being shrunk. */
  private shrink(program: Program, hunt: Hunt): boolean {
    const { target } = hunt;
    if (this.isHalted(Halt.SHRINKING) || hunt.spent > this.effort.budget) return true;
    const { again } = this.effort;
    const behaviour = this.explore(program, (one) => one !== target, again, hunt, { stops: true });
    hunt.spent += behaviour.executions;
    hunt.tell();
    const found = behaviour.findings.find((f) => signatureOf(f.finding) === target);
    if (found === undefined) return true;
    hunt.smallest = { program, found, complete: behaviour.complete };
    return false;
  }

  private timersFor(program: Program): 'idle' | 'any' {
    return this.options.timers ?? (metaOf(program, 'timers') === 'any' ? 'any' : 'idle');
  }

  private explore(
    program: Program,
    uninteresting: (signature: string) => boolean,
    trial: Trial,
    hunt: Hunt,
    more: { readonly stops?: boolean; readonly coverage?: Coverage | null } = {},
  ): Behaviour {
    const { stops = false, coverage = null } = more;
    const { options } = this;
    const behaviour = search(this.target, program, trial, {
      checks: checkHistory,
      timers: this.timersFor(program),
      faults: options.faults,
      maxSteps: options.maxSteps,
      uninteresting,
      ...(stops ? { stopAt: (one) => !uninteresting(one) } : {}),
      ignore: options.ignore,
      strategy: options.strategy,
      ...(options.preemptions === undefined ? {} : { preemptions: options.preemptions }),
      ...(coverage === null ? {} : { coverage }),
    });
    // An init that blocks is a program without a meaning, not a harness that is broken.
    if (behaviour.broken !== undefined && !behaviour.broken.startsWith('The init part')) {
      const meta = [{ key: 'kernel', value: this.target.selector }, ...program.meta];
      hunt.broken ??= { message: behaviour.broken, program: { ...program, meta } };
    }
    return behaviour;
  }

  /** What needs no concurrency ends up in init, which is not shown step by step: shown as a thread it is. */
  private withSteps(smallest: Smallest, hunt: Hunt): Smallest {
    const { program } = smallest;
    if (program.threads.length > 0) return smallest;
    const made = program.init.findIndex((call) => {
      const spec = syscallOf(call.name);
      return spec === null || !makesDescriptors(spec);
    });
    const { init } = program;
    const at = Math.max(made < 0 ? init.length : made, init.length - CALLS_TOLD);
    if (at === init.length) return smallest;
    const told: Program = { ...program, init: init.slice(0, at), threads: [init.slice(at)] };
    return this.lookAgain({ ...smallest, program: told }, this.effort.again, hunt) ?? smallest;
  }

  /** The finding in the program as a whole search shows it; null if that does not. */
  private lookAgain({ program, found }: Smallest, trial: Trial, hunt: Hunt): Smallest | null {
    const signature = signatureOf(found.finding);
    const behaviour = this.explore(program, (other) => other !== signature, trial, hunt);
    hunt.spent += behaviour.executions;
    const again = behaviour.findings.find((f) => signatureOf(f.finding) === signature);
    return again === undefined ? null : { program, found: again, complete: behaviour.complete };
  }

  private caught(hunt: Hunt, smallest: Smallest): Caught {
    const told = this.withSteps(smallest, hunt);
    // Shrinking stops where it sees the finding; what is told deserves to be explored to the end.
    const whole = this.lookAgain(told, this.effort.last, hunt) ?? told;
    const { program, found: asFound, complete } = whole;
    const { options } = this;
    const timers = this.timersFor(program);
    const how = { checks: checkHistory, timers, faults: options.faults };
    const found = this.target.shortened(program, asFound, { ...how, maxSteps: options.maxSteps });
    const signature = signatureOf(found.finding);
    const ids = bugIds(this.bugs, this.target.selector, found.finding);
    const file = programPath(options.folder, signature);
    const replay = `npx lostwake replay ${file}`;
    const schedule = found.schedule ?? '';
    const view = this.target.explain(program, {
      schedule,
      sentence: found.finding.message,
      finding: signature,
      docs: ids,
      search: `${options.strategy}, seed ${options.seed}, ${complete ? 'this program explored completely' : 'sampled'}; replayed twice`,
      replay,
      ...(found.fewest === undefined ? {} : { fewest: found.fewest }),
      options: how,
    });
    return {
      signature,
      finding: found.finding,
      ids,
      program,
      saved: findingProgram(program, this.target.selector, found, { ...options, timers }),
      callsFound: hunt.firstCalls,
      schedule,
      complete,
      view,
      file,
      replay,
    };
  }
}

function triedOf({
  executions,
  complete,
  sample,
}: Behaviour): Pick<Tried, 'executions' | 'complete' | 'unseen'> {
  const unseen = complete || sample === undefined ? null : unseenMass(sample);
  return unseen === null ? { executions, complete } : { executions, complete, unseen };
}

/** Calls of a program, init included. */
export function countCalls(program: Program): number {
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
  readonly order: RoundOrder;
  readonly tried: Tried[] = [];
  target: string | null = null;
  smallest: Smallest | null = null;
  firstCalls = 0;
  /** Executions for shrinking. */
  spent = 0;
  broken: Broken | null = null;
  private readonly say: (news: RoundNews) => void;
  private readonly known: ReadonlySet<string>;
  private readonly asked = new Map<string, number>();
  private readonly features = new Set<string>();

  constructor(order: RoundOrder, say: (news: RoundNews) => void) {
    this.order = order;
    this.say = say;
    this.known = new Set(order.known);
  }

  /** Whether a finding of this signature says nothing new; asked while nothing is found. */
  isKnown(signature: string): boolean {
    if (this.known.has(signature)) return true;
    if (!this.asked.has(signature)) this.asked.set(signature, this.order.from + this.tried.length);
    return false;
  }

  /** Those of them that no program of the order had. */
  newFeatures(features: readonly string[]): string[] {
    const fresh = features.filter((feature) => !this.features.has(feature));
    for (const feature of fresh) this.features.add(feature);
    return fresh;
  }

  /** The first finding that is new. */
  newOf(behaviour: Behaviour, ignore: readonly string[]): FoundFinding | undefined {
    return behaviour.findings.find(
      ({ finding }) => !ignore.includes(finding.detector) && !this.isKnown(signatureOf(finding)),
    );
  }

  /** Makes a finding of the program that was tried last the target. */
  aim(program: Program, found: FoundFinding, complete: boolean): void {
    this.target = signatureOf(found.finding);
    if (this.order.kind === 'scout') return;
    this.firstCalls = countCalls(program);
    this.smallest = { program, found, complete };
    this.say({ kind: 'hit', scouted: this.scouted() });
  }

  scouted(): Scouted {
    const broken = this.target === null ? this.broken : null;
    return { tried: [...this.tried], hit: this.target, broken, asked: [...this.asked] };
  }

  tell(): void {
    this.say({
      kind: 'progress',
      programs: this.tried.length,
      executions: this.tried.reduce((n, one) => n + one.executions, this.spent),
      doing: this.target === null || this.smallest === null ? '' : `shrinking ${this.target}`,
    });
  }
}

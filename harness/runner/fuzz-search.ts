/** How one generated program is searched: exactly where that is affordable, else by samples as well. */

import { signatureOf } from '../history/history.ts';
import type { Program } from '../program/program.ts';
import type { ModelTarget } from '../target/model.ts';
import type { Behaviour, RunOptions } from '../target/target.ts';

/** Executions of one program. */
export interface Trial {
  /** Exact exploration, which is given up after so many. */
  readonly exact: number;
  /** Samples of a program that was given up. */
  readonly samples: number;
}

/** Executions of the programs of a fuzzing run. */
export interface Effort extends Trial {
  /** While a finding is shrunk. */
  readonly again: Trial;
  /** For shrinking one finding. */
  readonly budget: number;
  /** For what it was shrunk to: that is told, so it is worth a longer look. */
  readonly last: Trial;
}

/** Executions of a sampled program: what exact exploration could not finish. */
const SAMPLES_PER_PROGRAM = 40;

/** What a program is worth if it is explored exactly up to so many executions. */
export function effortFor(exact: number): Effort {
  return {
    exact,
    samples: SAMPLES_PER_PROGRAM,
    again: { exact, samples: SAMPLES_PER_PROGRAM >> 1 },
    budget: 3000,
    last: { exact: 20 * exact, samples: SAMPLES_PER_PROGRAM },
  };
}

/** What the whole run has in common. */
export interface SearchOptions extends Omit<RunOptions, 'seed' | 'brief'> {
  /** For the exact part; a sampling strategy is for everything. */
  readonly strategy: string;
  /** Detectors to leave out. */
  readonly ignore: readonly string[];
  /** The one way in which a trial may depend on what was found before: rounds are tried ahead (fuzz-plan.ts). */
  readonly uninteresting: (signature: string) => boolean;
}

/**
 * Searches a program: a function of its arguments alone, so that a smaller program that does not fail never will.
 * Samples are seeded by the program and not by the run.
 */
export function search(
  target: ModelTarget,
  program: Program,
  trial: Trial,
  options: SearchOptions,
): Behaviour {
  const { ignore, strategy, ...common } = options;
  const isIgnored = (one: string): boolean => ignore.includes(one.slice(0, one.indexOf(' ')));
  const uninteresting = (one: string): boolean => isIgnored(one) || options.uninteresting(one);
  const run = (by: string, runs: number, interrupted?: RunOptions['interrupted']): Behaviour =>
    target.run(program, {
      ...common,
      uninteresting,
      brief: true,
      seed: SEED,
      strategy: by,
      runs,
      ...(interrupted === undefined ? {} : { interrupted }),
    });
  const first = run(strategy, trial.exact, isHopeless(trial.exact));
  const isEnough =
    first.complete ||
    first.broken !== undefined ||
    strategy !== 'dpor' ||
    (common.stopAt !== undefined && first.findings.length > 0);
  return causesFirst(isEnough ? first : both(first, run('portfolio', trial.samples)));
}

/** Executions between two looks at how far an exploration is. */
const LOOK_EVERY = 40;

/** What is estimated may be so many times the bound before an exploration is given up ahead of it. */
const DOUBT = 2.5;

/**
 * Whether an exploration will not come to its end within the bound. Estimates are too low at first (exploration.md
 * 15): of the programs that would have been finished, one in two hundred is given up, and of the others half are.
 */
function isHopeless(bound: number): NonNullable<RunOptions['interrupted']> {
  return (executions, progress) =>
    executions % LOOK_EVERY === 0 &&
    executions / Math.max(progress().done ?? 1, 1e-9) > DOUBT * bound;
}

/** Of the samples of every program: they differ by its hash. */
const SEED = 1;

/** What is wrong at a step itself, before what comes of it. */
const CAUSES = /^(KASAN|DOUBLE-FREE|OOPS|LOCKDEP)/;

/** One bug shows in several ways: the first of them is the one that is shrunk. */
function causesFirst(behaviour: Behaviour): Behaviour {
  const isCause = ({ finding }: Behaviour['findings'][number]): boolean =>
    CAUSES.test(finding.detector);
  const { findings } = behaviour;
  return {
    ...behaviour,
    findings: [...findings.filter(isCause), ...findings.filter((f) => !isCause(f))],
  };
}

/** The first with the findings of the second that it has not. */
function both(first: Behaviour, second: Behaviour): Behaviour {
  const signatures = new Set(first.findings.map((f) => signatureOf(f.finding)));
  const more = second.findings.filter((f) => !signatures.has(signatureOf(f.finding)));
  const broken = first.broken ?? second.broken;
  const sample = second.sample ?? first.sample;
  return {
    ...first,
    executions: first.executions + second.executions,
    findings: [...first.findings, ...more],
    ...(broken === undefined ? {} : { broken }),
    ...(sample === undefined ? {} : { sample }),
  };
}

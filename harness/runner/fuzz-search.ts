/** How one generated program is searched: exactly where that is affordable, else by samples. */

import { signatureOf } from '../history/history.ts';
import type { KernelProfile } from '../program/arbitrary/index.ts';
import type { Program } from '../program/program.ts';
import type { ModelTarget } from '../target/model.ts';
import type { Behaviour, RunOptions } from '../target/target.ts';

/** Executions of one program. */
export interface Trial {
  /** Samples before anything else; what they find ends the trial. */
  readonly before: number;
  /** Exact exploration, which is given up after so many. */
  readonly exact: number;
  /** Samples of a program that was given up. */
  readonly after: number;
}

/** Executions of the programs of a fuzzing run. */
export interface Effort extends Trial {
  /** While a finding is shrunk. */
  readonly again: Trial;
  /** For shrinking one finding. */
  readonly budget: number;
}

/** Executions of a sampled program: what exact exploration could not finish. */
const SAMPLED_RUNS = 200;

/**
 * What a kernel's programs are worth. Those with AIO have workers, timers and an exit beside their threads: few are
 * explored exactly, so samples come first, and shrinking has an end.
 */
export function effortFor(profile: KernelProfile, exact: number): Effort {
  if (profile.aio.share === 0) {
    const trial = { before: 0, exact, after: SAMPLED_RUNS };
    return { ...trial, again: trial, budget: Infinity };
  }
  return {
    before: 80,
    exact: Math.min(exact, 500),
    after: 120,
    again: { before: 40, exact: Math.min(exact, 150), after: 40 },
    budget: 10_000,
  };
}

/** What the whole run has in common. */
export interface SearchOptions extends RunOptions {
  /** For the exact part; a sampling strategy is for everything. */
  readonly strategy: string;
  /** Detectors to leave out. */
  readonly ignore: readonly string[];
  /** The one way in which a trial may depend on what was found before: rounds are tried ahead (fuzz-plan.ts). */
  readonly uninteresting: (signature: string) => boolean;
}

/** Searches a program; a function of its arguments alone. */
export function search(
  target: ModelTarget,
  program: Program,
  trial: Trial,
  options: SearchOptions,
): Behaviour {
  const { ignore, strategy, uninteresting, ...common } = options;
  if (strategy !== 'dpor' || trial.before === 0) {
    const exact = target.run(program, { ...common, uninteresting, strategy, runs: trial.exact });
    if (exact.complete || strategy !== 'dpor') return exact;
    return both(
      exact,
      target.run(program, { ...common, uninteresting, strategy: 'pos', runs: trial.after }),
    );
  }
  const wanted = (signature: string): boolean =>
    !uninteresting(signature) && !ignore.some((detector) => signature.startsWith(`${detector} `));
  const looking = { ...common, uninteresting, stopAt: wanted };
  const done = (b: Behaviour): boolean =>
    b.broken !== undefined || b.findings.some((f) => wanted(signatureOf(f.finding)));
  const sampled = target.run(program, { ...looking, strategy: 'pos', runs: trial.before });
  if (done(sampled)) return causesFirst(sampled);
  const exact = target.run(program, { ...looking, strategy, runs: trial.exact });
  const behaviour = both(exact, sampled);
  if (exact.complete || done(exact)) return causesFirst(behaviour);
  const again = { ...looking, strategy: 'random', runs: trial.after };
  return causesFirst(both(behaviour, target.run(program, again)));
}

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
  return {
    ...first,
    executions: first.executions + second.executions,
    findings: [...first.findings, ...more],
    ...(broken === undefined ? {} : { broken }),
  };
}

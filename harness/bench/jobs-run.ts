/** One exploration of a program, on one thread or several. */

import { checkHistory } from '../check/checks.ts';
import { signatureOf } from '../history/history.ts';
import { exploreShared } from '../runner/shared-exploration.ts';
import { modelTarget } from '../target/model.ts';
import type { JobsOrder } from './orders.ts';
import { benchProgram } from './subjects.ts';

/** What it came to. */
export interface Explored {
  readonly isComplete: boolean;
  readonly traces: number;
  /** Outcomes and findings with how many traces show each. */
  readonly seen: readonly string[];
  readonly seconds: number;
}

/** Explores as `lostwake explore` does, checks included. */
export async function exploreWith({ program: name, kernel, jobs }: JobsOrder): Promise<Explored> {
  const program = benchProgram(name);
  const options = { checks: checkHistory };
  const started = performance.now();
  const behaviour =
    jobs === 1
      ? modelTarget(kernel).run(program, options)
      : await exploreShared({ kernel, hz: undefined, program, options, jobs });
  const seconds = (performance.now() - started) / 1000;
  const outcomes = behaviour.outcomes.map(({ text, times }) => `${text} x ${times}`);
  const findings = behaviour.findings.map((f) => `${signatureOf(f.finding)} x ${f.times}`);
  return {
    isComplete: behaviour.complete && behaviour.broken === undefined,
    traces: behaviour.traces,
    seen: [...outcomes, ...findings].sort(),
    seconds,
  };
}

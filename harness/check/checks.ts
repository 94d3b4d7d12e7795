/** All checks, in the order in which they are listed and run. */

import type { Finding, History } from '../history/history.ts';
import type { Program } from '../program/program.ts';
import type { Check } from './check.ts';
import { ctlContract } from './ctl-contract.ts';
import { exactCount } from './exact-count.ts';
import { levelContract } from './level-contract.ts';
import { lostEdge } from './lost-edge.ts';
import { pollableSet } from './pollable-set.ts';
import { sizes } from './sizes.ts';
import { stale } from './stale.ts';
import { timeouts } from './timeouts.ts';

/** What `lostwake list checks` prints. */
export const CHECKS: readonly Check[] = [
  lostEdge,
  exactCount,
  stale,
  levelContract,
  ctlContract,
  pollableSet,
  timeouts,
  sizes,
];

/** Everything the checks prove against a history of the program; most histories have nothing. */
export function checkHistory(history: History, program: Program): Finding[] {
  return CHECKS.flatMap((check) => check.check(history, program));
}

/** All checks, in the order in which they are listed and run. */

import type { Finding, History } from '../history/history.ts';
import type { Program } from '../program/program.ts';
import { byteLedger } from './byte-ledger.ts';
import { cancellationSafety } from './cancellation-safety.ts';
import type { Check } from './check.ts';
import { consumedEdges } from './consumed-edges.ts';
import { ctlContract } from './ctl-contract.ts';
import { datagramLedger } from './datagram-ledger.ts';
import { exactCountWakeups } from './exact-count-wakeups.ts';
import { exactCount } from './exact-count.ts';
import { ioErrno } from './io-errno.ts';
import { levelContract } from './level-contract.ts';
import { lostEdge } from './lost-edge.ts';
import { oneCompletion } from './one-completion.ts';
import { pollableSet } from './pollable-set.ts';
import { ringEvents } from './ring-events.ts';
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
  oneCompletion,
  ringEvents,
  cancellationSafety,
  exactCountWakeups,
  byteLedger,
  datagramLedger,
  consumedEdges,
  ioErrno,
];

/** Everything the checks prove against a history of the program; most histories have nothing. */
export function checkHistory(history: History, program: Program): Finding[] {
  return CHECKS.flatMap((check) => check.check(history, program));
}

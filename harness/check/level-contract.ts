/** A level-triggered descriptor that is ready is reported by every wait. */

import type { CallRecord, Finding, History } from '../history/history.ts';
import { distinct, factsOf, findingOf, threadOf, type Check, type Facts } from './check.ts';
import { ERR, HUP, readinessOf } from './readiness.ts';
import {
  eventsOf,
  isLevelMask,
  isPerhapsDeleted,
  isWait,
  lastArms,
  setOf,
  type Ctl,
  type Registration,
} from './registrations.ts';
import { isSurelyBefore, isSurelyOpen } from './world.ts';

export const levelContract: Check = {
  name: 'level-contract',
  rule: 'A wait that still has room reports every level-triggered descriptor that was ready throughout the call.',
  docs: ['E-R47', 'E-R101', 'E-B48', 'E-B49', 'E-B53'],
  promisedOn: 'from 2.6 on',
  check,
};

function check(history: History): Finding[] {
  const facts = factsOf(history);
  if (facts.world.isCorrupt || facts.world.isV11) return [];
  const findings: Finding[] = [];
  for (const wait of history.calls) {
    const set = isWait(wait) ? setOf(facts.world, wait) : null;
    const events = eventsOf(wait);
    const max = wait.call.args[1];
    if (set === null || events === null || max?.kind !== 'int') continue;
    if (events.length >= max.value) continue;
    for (const registration of facts.registrations) {
      if (registration.set !== set) continue;
      const finding = missing(facts, registration, wait);
      if (finding !== null) findings.push(finding);
    }
  }
  return distinct(findings);
}

function missing(facts: Facts, registration: Registration, wait: CallRecord): Finding | null {
  const { world } = facts;
  if (registration.reports.some((report) => report.record === wait)) return null;
  const arms = lastArms(world, registration, wait);
  const [arm] = arms;
  if (arm === undefined || !arms.every((one) => isSure(facts, registration, one, wait)))
    return null;
  if (!isSurelyOpen(world, arm.descriptor, wait)) return null;
  const wanted = arms.reduce((mask, one) => mask & one.mask, 0xffff) | ERR | HUP;
  const state = readinessOf(world, facts.registrations, arm.descriptor.file, wait);
  if ((state.must & wanted) === 0) return null;
  const count = eventsOf(wait)?.length ?? 0;
  const site = isAlone(facts, registration, wait) ? 'stale-hides-ready' : 'transient-empty';
  const message =
    `${threadOf(wait)}'s ${wait.call.name}() reported ${count} events and not ` +
    `${arm.descriptor.name}, which is level-triggered and was ready all the time`;
  return findingOf('COUNT', site, message, [arm.record, wait]);
}

function isSure(facts: Facts, registration: Registration, arm: Ctl, wait: CallRecord): boolean {
  return (
    arm.isDone &&
    isLevelMask(arm.mask) &&
    isSurelyBefore(facts.world, arm.record, wait) &&
    !isPerhapsDeleted(facts.world, registration, arm, wait)
  );
}

/** No other wait on the set ran at the same time. */
function isAlone(facts: Facts, registration: Registration, wait: CallRecord): boolean {
  const { world } = facts;
  return world.history.calls.every(
    (other) =>
      other === wait ||
      !isWait(other) ||
      setOf(world, other) !== registration.set ||
      world.history.before(other, wait) ||
      world.history.before(wait, other),
  );
}

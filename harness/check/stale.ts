/** No event about something that the program removed, closed or never asked for. */

import { formatMask } from '../abi/index.ts';
import type { CallRecord, Finding, History, ReportedEvent } from '../history/history.ts';
import { distinct, factsOf, findingOf, threadOf, type Check, type Facts } from './check.ts';
import { ERR, HUP, IN, readinessOf } from './readiness.ts';
import { eventsOf, isWait, lastArms, setOf, type Ctl, type Registration } from './registrations.ts';
import { isSurelyClosed, isSurelyReleased, type Descriptor, type OpenFile } from './world.ts';

export const stale: Check = {
  name: 'stale',
  rule: 'A wait reports only descriptors that are registered and open, only bits that are asked for (and ERR and HUP), and from 2.6 on only states that hold.',
  docs: [
    'E-R29',
    'E-R31',
    'E-R69',
    'E-R73',
    'E-R101',
    'E-R110',
    'E-B11',
    'E-B16',
    'E-B54',
    'E-B60',
  ],
  promisedOn: 'all; that the state holds from 2.6 on (an edge of v11 is a hint)',
  check,
};

const ALWAYS_ALLOWED = ERR | HUP;

function check(history: History): Finding[] {
  const facts = factsOf(history);
  if (facts.world.isCorrupt) return [];
  const findings: Finding[] = [];
  for (const wait of history.calls) {
    const set = isWait(wait) ? setOf(facts.world, wait) : null;
    if (set === null) continue;
    for (const event of eventsOf(wait) ?? []) {
      const finding = judgeEvent(facts, set, wait, event);
      if (finding !== null) findings.push(finding);
    }
  }
  return distinct(findings);
}

function judgeEvent(
  facts: Facts,
  set: OpenFile,
  wait: CallRecord,
  event: ReportedEvent,
): Finding | null {
  const carriers = facts.registrations.filter(
    (one) => one.set === set && one.names.has(event.name),
  );
  const sites = carriers.map((registration) => objection(facts, registration, wait, event));
  // The event is fine if one of the registrations it may be of has nothing against it.
  if (sites.includes(null)) return null;
  const site = sites[0] ?? 'never-registered';
  const what = `${event.name}:${formatMask(event.mask)}`;
  const message = `${threadOf(wait)}'s ${wait.call.name}() reported ${what}: ${REASONS[site] ?? site}`;
  return findingOf('STALE', site, message, [wait]);
}

const REASONS: Readonly<Record<string, string>> = {
  'never-registered': 'nothing of that name was registered in the set',
  'after-del': 'it had been removed from the set before',
  'number-reused':
    'the descriptor it was registered for is closed and its number is another file now',
  zombie: 'the descriptor it was registered for is closed, a duplicate keeps the file open',
  closed: 'the descriptor it was registered for is closed',
  'old-mask': 'the mask had been changed before',
  'not-asked': 'these bits were never asked for',
  'set-cycle': 'no member of that set is ready; the sets hold each other up',
  'inner-set': 'no member of that set is ready',
  'not-ready': 'it was not ready at any time of the call',
};

function objection(
  facts: Facts,
  registration: Registration,
  wait: CallRecord,
  event: ReportedEvent,
): string | null {
  const { world } = facts;
  const done = registration.ctls.filter((ctl) => ctl.isDone || ctl.isUnknown);
  const arms = done.filter((ctl) => ctl.op !== 'DEL' && !world.history.before(wait, ctl.record));
  if (arms.length === 0) return 'never-registered';
  if (isDeletedBefore(facts, done, arms, wait)) return 'after-del';
  const closed = closedSite(facts, arms, wait);
  if (closed !== null) return closed;
  const candidates = lastArms(world, registration, wait);
  const asked = candidates.reduce((mask, ctl) => mask | ctl.mask, ALWAYS_ALLOWED);
  if ((event.mask & ~asked) !== 0) {
    const ever = arms.reduce((mask, ctl) => mask | ctl.mask, ALWAYS_ALLOWED);
    return (event.mask & ~ever) === 0 ? 'old-mask' : 'not-asked';
  }
  return notReadySite(facts, candidates, wait, event);
}

function isDeletedBefore(
  facts: Facts,
  done: readonly Ctl[],
  arms: readonly Ctl[],
  wait: CallRecord,
): boolean {
  const { history } = facts.world;
  return done.some(
    (ctl) =>
      ctl.op === 'DEL' &&
      ctl.isDone &&
      history.before(ctl.record, wait) &&
      arms.every((arm) => history.before(arm.record, ctl.record)),
  );
}

/** Every descriptor it may have been registered for was closed before the wait began. */
function closedSite(facts: Facts, arms: readonly Ctl[], wait: CallRecord): string | null {
  const { world } = facts;
  const descriptors = [...new Set(arms.map((ctl) => ctl.descriptor))];
  if (!descriptors.every((one) => isSurelyClosed(world, one, wait))) return null;
  const isOpenElsewhere = (one: Descriptor): boolean =>
    one.file.descriptors.some((other) => !isSurelyClosed(world, other, wait));
  if (descriptors.some(isOpenElsewhere)) return 'zombie';
  const isReused = (one: Descriptor): boolean =>
    world.descriptors.some(
      (other) =>
        other.number === one.number &&
        other.file !== one.file &&
        !isSurelyClosed(world, other, wait) &&
        world.history.before(other.made, wait),
    );
  if (descriptors.some(isReused)) return 'number-reused';
  // From 2.6 on a call in flight keeps the file, and with it the registration.
  const isGone = descriptors.every((one) => isSurelyReleased(world, one.file, wait));
  return world.isV11 || isGone ? 'closed' : null;
}

/** From 2.6 on the mask is the state at the time of the report. */
function notReadySite(
  facts: Facts,
  candidates: readonly Ctl[],
  wait: CallRecord,
  event: ReportedEvent,
): string | null {
  const [arm] = candidates;
  if (facts.world.isV11 || arm === undefined || (event.mask & IN) === 0) return null;
  const file = arm.descriptor.file;
  const state = readinessOf(facts.world, facts.registrations, file, wait);
  if ((state.may & IN) !== 0) return null;
  if (file.kind !== 'set') return 'not-ready';
  return isCycle(facts, file, file, []) ? 'set-cycle' : 'inner-set';
}

function isCycle(
  facts: Facts,
  from: OpenFile,
  goal: OpenFile,
  visited: readonly OpenFile[],
): boolean {
  return facts.registrations.some((registration) => {
    const member = registration.ctls[0]?.descriptor.file;
    if (registration.set !== from || member === undefined || visited.includes(member)) return false;
    return member === goal || isCycle(facts, member, goal, [...visited, member]);
  });
}

/** A set is readable exactly when a wait on it would report something. */

import type { CallRecord, Finding, History } from '../history/history.ts';
import { distinct, factsOf, findingOf, threadOf, type Check, type Facts } from './check.ts';
import { IN } from './readiness.ts';
import { eventsOf, isWait, setOf, timeoutOf } from './registrations.ts';
import { descriptorOf, type OpenFile } from './world.ts';

export const pollableSet: Check = {
  name: 'pollable-set',
  rule: 'A set is readable for poll(2) if and only if a wait at that instant would report something.',
  docs: ['E-R15', 'E-R56', 'E-R98', 'E-B53'],
  promisedOn: 'all',
  check,
};

function check(history: History): Finding[] {
  const facts = factsOf(history);
  if (facts.world.isCorrupt) return [];
  const findings: Finding[] = [];
  for (const [at, poll] of history.calls.entries()) {
    const wait = history.calls[at + 1];
    if (wait === undefined) continue;
    const set = polledSet(facts, poll);
    if (set === null || !isInstantWait(facts, wait, set)) continue;
    if (!isAdjacent(facts, poll, wait)) continue;
    const finding = compare(poll, wait, set);
    if (finding !== null) findings.push(finding);
  }
  return distinct(findings);
}

function polledSet(facts: Facts, record: CallRecord): OpenFile | null {
  const [list] = record.call.args;
  if (record.call.name !== 'poll' || list?.kind !== 'pollfds') return null;
  if (list.entries.length !== 1 || eventsOf(record) === null) return null;
  const file = descriptorOf(facts.world, record, list.entries[0]?.fd)?.file;
  return file?.kind === 'set' ? file : null;
}

function isInstantWait(facts: Facts, record: CallRecord, set: OpenFile): boolean {
  if (!isWait(record) || setOf(facts.world, record) !== set) return false;
  return timeoutOf(record) === 0 && eventsOf(record) !== null;
}

/** Every other call was over before the poll or began after the wait. */
function isAdjacent(facts: Facts, poll: CallRecord, wait: CallRecord): boolean {
  const { history } = facts.world;
  if (!history.before(poll, wait)) return false;
  return history.calls.every(
    (other) =>
      other === poll ||
      other === wait ||
      history.before(other, poll) ||
      history.before(wait, other),
  );
}

function compare(poll: CallRecord, wait: CallRecord, set: OpenFile): Finding | null {
  const isReadable = (eventsOf(poll) ?? []).some((event) => (event.mask & IN) !== 0);
  const hasEvents = (eventsOf(wait) ?? []).length > 0;
  if (isReadable === hasEvents) return null;
  const name = set.descriptors[0]?.name ?? '';
  const said = isReadable ? 'readable' : 'not readable';
  const reported = hasEvents ? 'something' : 'nothing';
  const message = `${threadOf(poll)}'s poll() called ${name} ${said} and the wait after it reported ${reported}`;
  const site = isReadable ? 'poll-false-positive' : 'poll-false-negative';
  return findingOf(isReadable ? 'STALE' : 'COUNT', site, message, [poll, wait]);
}

/** What comes out of a ring is what went in. */

import type { CallRecord, Finding, History } from '../history/history.ts';
import { aioFactsOf, intArg, isOutOfScope, isReaper } from './aio-facts.ts';
import { lostEvents, type Lost } from './aio-lost.ts';
import { distinct, findingOf, threadOf, type Check } from './check.ts';

export const ringEvents: Check = {
  name: 'ring-events',
  rule: 'Every event that was posted is read, by a call or by the program, or is still in the ring; an io_getevents that fails has taken none, and none brings more than it was asked for.',
  docs: ['A-I3', 'A-I4', 'A-R51', 'A-R53', 'A-B2', 'A-B3', 'A-B92'],
  promisedOn: 'all, as long as the program leaves head and tail of the ring alone',
  check,
};

function check(history: History): Finding[] {
  const facts = aioFactsOf(history);
  if (isOutOfScope(facts) || facts.isTampered) return [];
  return distinct([
    ...history.calls.flatMap(overfull),
    ...lostEvents(facts)
      .filter((one) => one.hasFault || !one.isAsleep)
      .map(lost),
  ]);
}

function overfull(record: CallRecord): Finding[] {
  const nr = intArg(record, 2);
  if (!isReaper(record) || record.result.kind !== 'completions' || nr === null) return [];
  const { length } = record.result.events;
  if (length <= Math.max(nr, 0)) return [];
  const message = `${record.call.name}() brought ${length} events, ${nr} were asked for`;
  return [findingOf('COUNT', 'over-nr', message, [record])];
}

function lost({ look, requests, hasFault }: Lost): Finding {
  const names = requests.map((one) => one.name).join(', ');
  const why = hasFault ? ' after a reaper could not store its events' : '';
  const message = `${threadOf(look)} finds the ring empty${why}, and nobody was told how ${names} ended`;
  return findingOf('LOST-EVENT', hasFault ? 'efault' : 'never-reported', message, [
    ...requests.map((one) => one.submit),
    look,
  ]);
}

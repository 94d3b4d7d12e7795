/** How long a wait lasts. */

import type { CallRecord, Finding, History } from '../history/history.ts';
import { distinct, factsOf, findingOf, threadOf, type Check } from './check.ts';
import { eventsOf, isWait, timeoutOf } from './registrations.ts';

export const timeouts: Check = {
  name: 'timeouts',
  rule: 'A wait that reports nothing lasts as long as it was told, less one tick at most; a negative timeout never ends it, any other one does.',
  docs: ['E-R107', 'E-B42', 'E-B59', 'D25', 'D26'],
  promisedOn: 'all; the length only where the target knows the time of calls',
  check,
};

function check(history: History): Finding[] {
  if (factsOf(history).world.isCorrupt) return [];
  // A batch whose mapping is gone looks like no events; the target says so itself.
  if (history.calls.some((record) => record.call.name === 'munmap')) return [];
  // Virtual time is counted in whole ticks; a clock may cut the first one short (E-R107).
  const isExact = history.target.startsWith('model:');
  return distinct(
    history.calls.filter(isWait).flatMap((record) => {
      const timeout = timeoutOf(record);
      return timeout === null ? [] : judge(record, timeout, isExact);
    }),
  );
}

function judge(record: CallRecord, timeout: number, isExact: boolean): Finding[] {
  const call = `${threadOf(record)}'s ${record.call.name}() with timeout ${timeout}`;
  if (record.result.kind === 'hang' && timeout >= 0) {
    return [findingOf('COUNT', 'finite-is-endless', `${call} never returns`, [record])];
  }
  const events = eventsOf(record);
  if (events === null || events.length > 0) return [];
  if (timeout < 0) {
    return [findingOf('COUNT', 'negative-returns', `${call} returned 0`, [record])];
  }
  const { elapsed } = record;
  if (elapsed === undefined) return [];
  const allowed = isExact ? 0 : elapsed.tickMs;
  if (elapsed.ms + allowed >= timeout) return [];
  const message = `${call} returned 0 after ${elapsed.ms} ms; a tick is ${elapsed.tickMs} ms`;
  return [findingOf('COUNT', 'too-early', message, [record])];
}

/** Every accepted request is reported once. */

import type { Finding, History } from '../history/history.ts';
import { aioFactsOf, isOutOfScope, type AioFacts, type Report, type Request } from './aio-facts.ts';
import { distinct, findingOf, threadOf, type Check } from './check.ts';

export const oneCompletion: Check = {
  name: 'one-completion',
  rule: 'Every accepted iocb has exactly one end: one event, or one successful io_cancel, or silence because its context or its process went away; and no event is about a request that was not accepted.',
  docs: ['A-I6', 'A-I7', 'A-R42', 'A-R48', 'A-B4', 'A-B6', 'A-B14'],
  promisedOn: 'all, as long as the program leaves head and tail of the ring alone',
  check,
};

function check(history: History): Finding[] {
  const facts = aioFactsOf(history);
  if (isOutOfScope(facts) || facts.isTampered) return [];
  return distinct(facts.reports.flatMap((report) => judge(facts, report)));
}

/** What was reported up to and with this report needs as many submissions that can have come before it. */
function judge(facts: AioFacts, report: Report): Finding[] {
  const { before } = facts.world.history;
  const { name } = report.completion;
  const requests = facts.requests.filter(
    (one) => one.name === name && !before(report.record, one.submit),
  );
  const told = facts.reports.filter(
    (one) =>
      one.completion.name === name &&
      (one.record === report.record || before(one.record, report.record)),
  );
  if (told.length <= requests.length) return [];
  if (requests.length === 0) return report.how === 'cancel' ? [] : [neverAccepted(report)];
  // What a cancellation is part of is a matter of cancellation safety.
  if (told.some((one) => one.how === 'cancel')) return [];
  return [twice(report, told, requests)];
}

function neverAccepted(report: Report): Finding {
  const { name, res } = report.completion;
  const message = `${threadOf(report.record)} is told that ${name} ended with ${res}, which was not accepted before`;
  return findingOf('DUPLICATE', 'never-accepted', message, [report.record]);
}

function twice(report: Report, told: readonly Report[], requests: readonly Request[]): Finding {
  const times = requests.length === 1 ? 'once' : `${requests.length} times`;
  const message = `${report.completion.name} was accepted ${times} and has ${told.length} events`;
  return findingOf(
    'DUPLICATE',
    'event-twice',
    message,
    told.map((one) => one.record),
  );
}

/** A cancellation that reports success was one. */

import type { Finding, History } from '../history/history.ts';
import { aioFactsOf, isOutOfScope, isRead, type AioFacts, type Report } from './aio-facts.ts';
import { missingBytes } from './byte-ledger.ts';
import { distinct, findingOf, threadOf, type Check } from './check.ts';

export const cancellationSafety: Check = {
  name: 'cancellation-safety',
  rule: 'An io_cancel that reports success means that the request will never complete, has consumed nothing that is not reported, and holds nothing.',
  docs: ['A-I6', 'A-I22', 'A-I23', 'A-R47', 'A-R48', 'A-B4', 'A-B6', 'A-B40', 'A-B55', 'A-B56'],
  promisedOn:
    '2.6.20 and 3.1, where success is 0; a current kernel answers EINPROGRESS and reports by an event',
  check,
};

function check(history: History): Finding[] {
  const facts = aioFactsOf(history);
  if (isOutOfScope(facts) || facts.isTampered) return [];
  const cancels = facts.reports.filter((one) => one.how === 'cancel');
  return distinct([
    ...cancels.flatMap((report) => completes(facts, report)),
    ...cancels.flatMap((report) => nothingThere(facts, report)),
    ...consumed(facts),
  ]);
}

/** One request: either it was cancelled or it has an event, and it is cancelled once. */
function completes(facts: AioFacts, cancel: Report): Finding[] {
  const { name } = cancel.completion;
  const requests = facts.requests.filter((one) => one.name === name);
  const told = facts.reports.filter((one) => one.completion.name === name);
  if (requests.length === 0 || told.length <= requests.length) return [];
  const cancels = told.filter((one) => one.how === 'cancel');
  const isTwice = cancels.length > requests.length;
  const message = isTwice
    ? `${cancels.length} calls of io_cancel report that they cancelled ${name}`
    : `${threadOf(cancel.record)} is told that ${name} was cancelled, and it has an event as well`;
  const site = isTwice ? 'twice' : 'also-completes';
  return [
    findingOf(
      'CANCEL',
      site,
      message,
      told.map((one) => one.record),
    ),
  ];
}

/** Success for a request that nobody had submitted yet. */
function nothingThere(facts: AioFacts, cancel: Report): Finding[] {
  const { name } = cancel.completion;
  const { before } = facts.world.history;
  const isThere = facts.requests.some(
    (one) => one.name === name && !before(cancel.record, one.submit),
  );
  if (isThere) return [];
  const message = `${threadOf(cancel.record)} is told that ${name} was cancelled, which was not accepted before`;
  return [findingOf('CANCEL', 'nothing-there', message, [cancel.record])];
}

/** Bytes that a reader should have found, and nobody else can have taken than a request that was cancelled. */
function consumed(facts: AioFacts): Finding[] {
  return missingBytes(facts).flatMap((missing) => {
    const suspects = missing.requests.filter((one) => isRead(one) && one.report?.how === 'cancel');
    const [suspect] = suspects;
    if (suspect?.report === null || suspect?.report === undefined) return [];
    const message =
      `io_cancel reports ${suspect.report.completion.res} for ${suspect.name}, and ${missing.count} bytes ` +
      `that ${threadOf(missing.record)} should have read are gone`;
    return [findingOf('CANCEL', 'consumed', message, [suspect.report.record, missing.record])];
  });
}

/** One write, one datagram. */

import type { Finding, History } from '../history/history.ts';
import { aioFactsOf, isOutOfScope, isWrite, type AioFacts } from './aio-facts.ts';
import { distinct, findingOf, type Check } from './check.ts';
import { flowsOf, type Flow, type Transfer } from './flows.ts';

export const datagramLedger: Check = {
  name: 'datagram-ledger',
  rule: 'An accepted write to a datagram socket puts exactly one datagram there, with its whole payload, and says so.',
  docs: ['A-I24', 'A-R61', 'A-B21', 'A-B61'],
  promisedOn: 'all',
  check,
};

function check(history: History): Finding[] {
  const facts = aioFactsOf(history);
  if (isOutOfScope(facts) || facts.isTampered) return [];
  const flows = flowsOf(facts).filter(
    (flow) => flow.kind === 'datagram' && flow.requests.some(isWrite),
  );
  return distinct(flows.flatMap((flow) => judge(facts, flow)));
}

function judge(facts: AioFacts, flow: Flow): Finding[] {
  const received = flow.reads.filter((one) => typeof one.answer === 'number' && one.answer >= 0);
  // A request that was not reported, or was cancelled, and a call that hangs may have sent one.
  const sent = flow.writes.filter((one) => one.answer === null || isCancelled(one) || isCount(one));
  const records = [...flow.writes, ...received].map((one) => one.end ?? one.start);
  if (received.length > sent.length && !isPerhapsEnded(facts, flow)) {
    const message = `${received.length} datagrams came out of ${flow.name}, and ${sent.length} were sent`;
    return [findingOf('LEDGER', 'extra-datagram', message, records)];
  }
  const [odd] = received.filter((one) => !isSent(one, sent));
  return [
    ...(odd === undefined
      ? []
      : [
          findingOf(
            'LEDGER',
            'payload',
            `a datagram of ${odd.min} bytes came out of ${flow.name}, and none like it was sent`,
            records,
          ),
        ]),
    ...flow.writes.flatMap((one) => partly(flow, one)),
  ];
}

function isCount(one: Transfer): boolean {
  return typeof one.answer === 'number' && one.answer >= 0;
}

function isCancelled(one: Transfer): boolean {
  return one.request?.report?.how === 'cancel';
}

/** A reader may take the end of a sender for a datagram of no bytes. */
function isPerhapsEnded(facts: AioFacts, flow: Flow): boolean {
  const isShut = facts.world.history.calls.some((record) => record.call.name === 'shutdown');
  return (
    isShut || flow.sources.some((file) => file.descriptors.some((one) => one.closers.length > 0))
  );
}

/** What came is what some write was to send, or as much of it as the reader asked for. */
function isSent(received: Transfer, sent: readonly Transfer[]): boolean {
  return sent.some((one) => {
    if (one.size === null || received.size === null) return true;
    return received.min === Math.min(one.size, received.size);
  });
}

/** A datagram goes as a whole or not at all. */
function partly(flow: Flow, one: Transfer): Finding[] {
  const { request, answer, size } = one;
  if (request === null || isCancelled(one) || typeof answer !== 'number') return [];
  // Nothing at all is told by the byte ledger.
  if (answer <= 0 || size === null || answer === size) return [];
  const message = `${request.name} sends ${size} bytes to ${flow.name} as one datagram and answers ${answer}`;
  return [findingOf('LEDGER', 'partial-datagram', message, [one.end ?? one.start])];
}

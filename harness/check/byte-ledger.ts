/** Bytes that go into pipes and sockets come out again, in order, and are counted on both sides. */

import type { CallRecord, Finding, History } from '../history/history.ts';
import { aioFactsOf, isOutOfScope, isWrite, type AioFacts, type Request } from './aio-facts.ts';
import { distinct, findingOf, threadOf, type Check } from './check.ts';
import { flowsOf, type Flow, type Transfer } from './flows.ts';

export const byteLedger: Check = {
  name: 'byte-ledger',
  rule: 'The bytes taken out of a pipe or a stream are those that the reports say were put in: none more, none lost, none out of order.',
  docs: ['A-I23', 'A-R58', 'A-R61', 'A-B19', 'A-B20', 'A-B23', 'A-B56', 'A-B64', 'A-B68'],
  promisedOn: 'all',
  check,
};

function check(history: History): Finding[] {
  const facts = aioFactsOf(history);
  if (isOutOfScope(facts) || facts.isTampered) return [];
  const flows = flowsOf(facts).filter((flow) => flow.kind !== 'datagram');
  return distinct([
    ...facts.requests.flatMap(zero),
    ...flows.flatMap((flow) => (flow.requests.length === 0 ? [] : judge(facts, flow))),
    ...lost(facts),
  ]);
}

/** A write of something is never a write of nothing (A-B19, A-B21). */
function zero(request: Request): Finding[] {
  const { report, size } = request;
  if (!isWrite(request) || report === null || report === undefined || size === null) return [];
  if (size <= 0 || report.completion.res !== 0 || report.how === 'cancel') return [];
  const message = `${request.name}, a write of ${size} bytes, answers 0`;
  return [findingOf('LEDGER', 'zero-write', message, [request.submit, report.record])];
}

function judge(facts: AioFacts, flow: Flow): Finding[] {
  const put = flow.writes.reduce((sum, one) => sum + one.max, 0);
  const got = flow.reads.reduce((sum, one) => sum + one.min, 0);
  if (got > put) {
    const message = `${got} bytes were read from ${flow.name}, and the reports say that ${put} were written`;
    return [findingOf('LEDGER', 'more-than-written', message, recordsOf(flow))];
  }
  return outOfOrder(facts, flow);
}

function recordsOf(flow: Flow): CallRecord[] {
  return [...flow.writes, ...flow.reads].map((one) => one.end ?? one.start);
}

/** Where every transfer is known and both sides are in order, what was read is the beginning of what was written. */
function outOfOrder(facts: AioFacts, flow: Flow): Finding[] {
  const { before } = facts.world.history;
  const writes = inOrder(flow.writes, (a, b) => isWrittenBefore(before, a, b));
  const reads = inOrder(flow.reads, (a, b) => a.end !== null && before(a.end, b.start));
  if (writes === null || reads === null) return [];
  const put = textOfAll(writes);
  const got = textOfAll(reads);
  if (put === null || got === null || put.startsWith(got)) return [];
  const message = `"${got}" was read from ${flow.name}, and "${put}" was written`;
  return [findingOf('LEDGER', 'out-of-order', message, recordsOf(flow))];
}

/** Requests are carried out in the order in which they were submitted. */
function isWrittenBefore(before: History['before'], a: Transfer, b: Transfer): boolean {
  if (a.request !== null && b.request !== null && a.start === b.start) {
    const list = a.start.call.args[1];
    if (list?.kind !== 'iocbs') return false;
    const at = (one: Request): number =>
      list.entries.findIndex((entry) => entry.kind === 'iocb' && entry.name === one.name);
    return at(a.request) < at(b.request);
  }
  if (a.request !== null && b.request !== null) return before(a.start, b.start);
  return a.end !== null && before(a.end, b.start);
}

/** The transfers that moved something in their order, or null if two of them have none or one is not known. */
function inOrder(
  transfers: readonly Transfer[],
  isBefore: (a: Transfer, b: Transfer) => boolean,
): Transfer[] | null {
  if (transfers.some((one) => one.min !== one.max)) return null;
  const moved = transfers.filter((one) => one.max > 0);
  const sorted = [...moved].sort((a, b) => (isBefore(a, b) ? -1 : isBefore(b, a) ? 1 : 0));
  const isChain = sorted.every((one, at) => {
    const next = sorted[at + 1];
    return next === undefined || isBefore(one, next);
  });
  return isChain ? sorted : null;
}

function textOfAll(transfers: readonly Transfer[]): string | null {
  let text = '';
  for (const { data } of transfers) {
    if (data === null) return null;
    text += data;
  }
  return text;
}

/** Bytes that a reader should have found. */
export interface Missing {
  /** The call that found the pipe empty. */
  readonly record: CallRecord;
  readonly count: number;
  readonly flow: Flow;
  readonly requests: readonly Request[];
}

/** Every reader that was told that there is nothing, although nobody can have taken all that was there. */
export function missingBytes(facts: AioFacts): Missing[] {
  return flowsOf(facts).flatMap((flow): Missing[] => {
    if (flow.kind === 'datagram' || flow.requests.length === 0) return [];
    return flow.reads
      .filter((one) => isEmptyHanded(flow, one))
      .flatMap((look): Missing[] => {
        const count = leftFor(facts, flow, look);
        const record = look.end ?? look.start;
        return count > 0 ? [{ record, count, flow, requests: flow.requests }] : [];
      });
  });
}

function isEmptyHanded(flow: Flow, look: Transfer): boolean {
  if (look.size === null || look.size <= 0 || look.end === null) return false;
  if (look.request?.report?.how === 'cancel') return false;
  if (look.answer === 'EAGAIN' || look.answer === -11) return true;
  return flow.kind === 'pipe' && look.answer === 0;
}

function leftFor(facts: AioFacts, flow: Flow, look: Transfer): number {
  const { before } = facts.world.history;
  let left = 0;
  for (const one of flow.writes)
    if (one.end !== null && before(one.end, look.start)) left += one.min;
  for (const one of flow.reads)
    if (one !== look && !(look.end !== null && before(look.end, one.start))) left -= one.max;
  return left;
}

/** Those that no cancellation explains; the others are a matter of cancellation safety. */
function lost(facts: AioFacts): Finding[] {
  return missingBytes(facts).flatMap(({ record, count, flow, requests }) => {
    if (requests.some((one) => one.report?.how === 'cancel')) return [];
    const message = `${threadOf(record)} finds ${flow.name} empty, and ${count} bytes in it were read by nobody`;
    return [findingOf('LEDGER', 'bytes-lost', message, [record])];
  });
}

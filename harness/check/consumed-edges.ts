/** What a wait takes off a set is in exactly one report. */

import type { CallRecord, Finding, History } from '../history/history.ts';
import {
  aioFactsOf,
  isOutOfScope,
  isRead,
  isWrite,
  type AioFacts,
  type Request,
} from './aio-facts.ts';
import { distinct, factsOf, findingOf, threadOf, type Check } from './check.ts';
import { readinessOf } from './readiness.ts';
import { EDGE, ONE_SHOT, eventsOf, isWait, setOf, type Registration } from './registrations.ts';
import { isSurelyBefore, type OpenFile, type World } from './world.ts';

export const consumedEdges: Check = {
  name: 'consumed-edges',
  rule: 'An edge or a one-shot that some wait has taken off a set is in exactly one report, be it of epoll_wait or of a request; a wait that ends with an error or by cancellation takes none.',
  docs: ['A-I22', 'A-R71', 'A-B40', 'A-B49'],
  promisedOn: '2.6.20+fs-aio+aio-epoll-wait',
  check,
};

function check(history: History): Finding[] {
  const facts = aioFactsOf(history);
  if (isOutOfScope(facts) || facts.isTampered || facts.world.isV11) return [];
  const waits = facts.requests.filter((one) => one.op?.name === 'epoll_wait');
  if (waits.length === 0 || facts.requests.some((one) => isHidden(one))) return [];
  return distinct(
    factsOf(history).registrations.flatMap((registration) => judge(facts, registration, waits)),
  );
}

/** It moves bytes while nobody looks, or it is not known what it does. */
function isHidden(request: Request): boolean {
  return request.op === null || isRead(request) || isWrite(request);
}

function judge(facts: AioFacts, registration: Registration, waits: readonly Request[]): Finding[] {
  const { set, ctls, names, reports } = registration;
  const [add] = ctls;
  if (add === undefined || ctls.length > 1 || add.op !== 'ADD' || !add.isDone) return [];
  if ((add.mask & (EDGE | ONE_SHOT)) === 0 || reports.length > 0) return [];
  const mine = waits.filter((one) => one.file === set);
  if (mine.length === 0 || mine.some((one) => !isToldWithout(one, names))) return [];
  const look = facts.world.history.calls.find(
    (record) => isEmptyHanded(facts.world, record, set) && isReady(facts, registration, record),
  );
  if (look === undefined) return [];
  const message =
    `${threadOf(look)} finds nothing in the set, ${add.descriptor.name} is ready and was never reported: ` +
    `${mine.map((one) => one.name).join(', ')} took its ${(add.mask & EDGE) !== 0 ? 'edge' : 'one-shot'} off in silence`;
  const steps = [...mine.flatMap((one) => one.report?.record ?? []), look];
  return [findingOf('LOST-EDGE', 'consumed-in-silence', message, steps)];
}

/** The request has its report, and that does not name the registration. */
function isToldWithout(request: Request, names: ReadonlySet<string>): boolean {
  const { report } = request;
  if (report === null || report === undefined) return false;
  return !(report.completion.events ?? []).some((event) => names.has(event.name));
}

function isEmptyHanded(world: World, record: CallRecord, set: OpenFile): boolean {
  if (!isWait(record) || setOf(world, record) !== set) return false;
  return record.result.kind === 'hang' || eventsOf(record)?.length === 0;
}

/** Surely ready, and registered, while the wait looked. */
function isReady(facts: AioFacts, registration: Registration, look: CallRecord): boolean {
  const [add] = registration.ctls;
  if (add === undefined || !isSurelyBefore(facts.world, add.record, look)) return false;
  const { registrations } = factsOf(facts.world.history);
  const { must } = readinessOf(facts.world, registrations, add.descriptor.file, look);
  return (must & add.mask & 0xffff) !== 0;
}

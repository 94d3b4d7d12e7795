/** How many events there may be. */

import type { CallRecord, Finding, History } from '../history/history.ts';
import { distinct, factsOf, findingOf, threadOf, type Check, type Facts } from './check.ts';
import { numberOf } from './answers.ts';
import { EDGE, ONE_SHOT, eventsOf, isWait, setOf, type Registration } from './registrations.ts';

export const exactCount: Check = {
  name: 'exact-count',
  rule: 'A batch has at most maxevents entries and one per registration, a one-shot registration reports once per arm, and an edge-triggered one no more often than something happened to it.',
  docs: ['E-R22', 'E-R41', 'E-R54', 'E-R70', 'E-R102', 'E-R103'],
  promisedOn: 'all; maxevents and one-shot from 2.6 on',
  check,
};

function check(history: History): Finding[] {
  const facts = factsOf(history);
  if (facts.world.isCorrupt) return [];
  const waits = history.calls.filter((record) => isWait(record) && eventsOf(record) !== null);
  return distinct([
    ...waits.flatMap((wait) => oversize(facts, wait)),
    ...waits.flatMap((wait) => doubles(facts, wait)),
    ...facts.registrations.flatMap((registration) => oneShot(facts, registration)),
    ...facts.registrations.flatMap((registration) => overBudget(facts, registration)),
  ]);
}

function oversize(facts: Facts, wait: CallRecord): Finding[] {
  const max = wait.call.args[1];
  const count = eventsOf(wait)?.length ?? 0;
  if (facts.world.isV11 || max?.kind !== 'int' || count <= max.value) return [];
  const message = `${wait.call.name}() returned ${count} events, ${max.value} were asked for`;
  return [findingOf('COUNT', 'over-maxevents', message, [wait])];
}

/** More entries with one name than registrations that can carry it (E-R54). */
function doubles(facts: Facts, wait: CallRecord): Finding[] {
  const set = setOf(facts.world, wait);
  const counts = new Map<string, number>();
  for (const event of eventsOf(wait) ?? []) {
    counts.set(event.name, (counts.get(event.name) ?? 0) + 1);
  }
  const findings: Finding[] = [];
  for (const [name, count] of counts) {
    const carriers = facts.registrations.filter((one) => one.set === set && one.names.has(name));
    if (count < 2 || count <= carriers.length) continue;
    const message = `One ${wait.call.name}() of ${threadOf(wait)} reported ${name} ${count} times`;
    findings.push(findingOf('COUNT', 'one-fd-twice', message, [wait]));
  }
  return findings;
}

function oneShot(facts: Facts, registration: Registration): Finding[] {
  const arms = registration.ctls.filter((ctl) => ctl.op !== 'DEL' && (ctl.isDone || ctl.isUnknown));
  const isOneShot = arms.length > 0 && arms.every((ctl) => (ctl.mask & ONE_SHOT) !== 0);
  if (facts.world.isV11 || !isOneShot || isShared(facts, registration)) return [];
  if (registration.reports.length <= arms.length) return [];
  const message =
    `${registration.reports.length} reports of a one-shot registration that was armed ` +
    `${arms.length === 1 ? 'once' : `${arms.length} times`}`;
  return [findingOf('COUNT', 'one-shot-twice', message, recordsOf(registration))];
}

/** Events of this registration cannot be told from those of another one of the set. */
function isShared(facts: Facts, registration: Registration): boolean {
  return facts.registrations.some(
    (other) =>
      other !== registration &&
      other.set === registration.set &&
      [...registration.names].some((name) => other.names.has(name)),
  );
}

function recordsOf(registration: Registration): CallRecord[] {
  return registration.reports.map((report) => report.record);
}

/** Bytes up to which one write is one notification. */
const ONE_NOTIFICATION = 1024;

/** Every report of an edge needs a notification of its own, or a test by ADD or MOD (E-R41, E-R102). */
function overBudget(facts: Facts, registration: Registration): Finding[] {
  const { world } = facts;
  const arms = registration.ctls.filter((ctl) => ctl.op !== 'DEL' && (ctl.isDone || ctl.isUnknown));
  const [first] = arms;
  if (first === undefined || isShared(facts, registration)) return [];
  if (!world.isV11 && arms.some((ctl) => (ctl.mask & EDGE) === 0)) return [];
  const file = first.descriptor.file;
  const isPipe = file.kind === 'pipe-read' || file.kind === 'pipe-write';
  if (!isPipe && !(file.kind === 'stream' && file.unix)) return [];
  const causes = world.history.calls.filter(
    (record) =>
      CAUSES.has(record.call.name) &&
      !isRefused(record) &&
      touches(facts, record, file.channel) &&
      !arms.every((arm) => world.history.before(record, arm.record)),
  );
  if (causes.some((record) => !isOneNotification(record))) return [];
  const budget = causes.length + arms.length;
  if (registration.reports.length <= budget) return [];
  const message = `${registration.reports.length} reports, at most ${budget} notifications`;
  return [findingOf('COUNT', 'more-reports-than-edges', message, recordsOf(registration))];
}

/** A call that failed on its way may have woken somebody, but not if there was nothing to call. */
function isRefused(record: CallRecord): boolean {
  return record.result.kind === 'errno' && record.result.errno === 'EBADF';
}

const CAUSES: ReadonlySet<string> = new Set(['write', 'read', 'close', 'shutdown', 'dup2']);

function touches(facts: Facts, record: CallRecord, channel: string): boolean {
  if (record.call.name === 'close' || record.call.name === 'dup2') return true;
  return facts.world.files.some((file) => file.channel === channel && file.calls.includes(record));
}

function isOneNotification(record: CallRecord): boolean {
  const { name } = record.call;
  if (name === 'close' || name === 'shutdown' || record.result.kind === 'errno') return true;
  return (numberOf(record.result) ?? Infinity) <= ONE_NOTIFICATION;
}

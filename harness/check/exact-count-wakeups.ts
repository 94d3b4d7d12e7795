/** Sleepers of io_getevents are woken by what they wait for, and by nothing else. */

import type { CallRecord, Finding, History } from '../history/history.ts';
import {
  aioFactsOf,
  contextOf,
  intArg,
  isOutOfScope,
  isReaper,
  isSurelyAlive,
  type AioFacts,
} from './aio-facts.ts';
import { lostEvents } from './aio-lost.ts';
import { distinct, findingOf, threadOf, type Check } from './check.ts';

export const exactCountWakeups: Check = {
  name: 'exact-count-wakeups',
  rule: 'Each completion wakes exactly one sleeper that can make progress by it: io_getevents comes back with min_nr events or with a reason (the time is over, a signal, the end of the context), and sleeps only while there are fewer.',
  docs: ['A-I32', 'A-R52', 'A-R53', 'A-R54', 'A-R55', 'A-B1', 'A-B10', 'A-B27'],
  promisedOn:
    'all; that a completion wakes one sleeper: 2.6.20 and 3.1, where a model shows who was woken',
  check,
};

function check(history: History): Finding[] {
  const facts = aioFactsOf(history);
  if (isOutOfScope(facts) || facts.isTampered) return [];
  const reapers = history.calls.filter(isReaper);
  return distinct([
    ...asleep(facts),
    ...reapers.flatMap((record) => endless(facts, record)),
    ...reapers.flatMap((record) => tooShort(facts, record)),
    ...reapers.flatMap((record) => interrupted(facts, record)),
  ]);
}

function asleep(facts: AioFacts): Finding[] {
  return lostEvents(facts).flatMap(({ look, requests, isAsleep, hasFault }) => {
    if (!isAsleep || hasFault) return [];
    const names = requests.map((one) => one.name).join(', ');
    const message = `${threadOf(look)} sleeps in io_getevents for ever, and the events of ${names} were read by nobody`;
    return [findingOf('WAKEUP', 'reaper', message, [...requests.map((one) => one.submit), look])];
  });
}

/** Who asks for nothing, or gives a time, comes back; unless a request that is run on the way blocks it (A-R63). */
function endless(facts: AioFacts, record: CallRecord): Finding[] {
  if (record.result.kind !== 'hang' || isRunOnTheWay(facts)) return [];
  const timeout = intArg(record, 3);
  const isFree = intArg(record, 1) === 0 || (timeout !== null && timeout >= 0);
  if (!isFree || record.call.args.some((arg) => arg.kind === 'labelled')) return [];
  const message = `${threadOf(record)}'s ${record.call.name}() has no reason to sleep for ever`;
  return [findingOf('WAKEUP', 'endless', message, [record])];
}

/** The patches of 2007 retry requests in whoever comes along. */
function isRunOnTheWay(facts: AioFacts): boolean {
  return facts.world.kernel.patches.length > 0;
}

/** Fewer events than asked for. */
function tooShort(facts: AioFacts, record: CallRecord): Finding[] {
  const { result, call, elapsed } = record;
  const min = intArg(record, 1);
  const timeout = intArg(record, 3);
  if (result.kind !== 'completions' || min === null || timeout === null) return [];
  if (result.events.length >= min || hasReason(facts, record)) return [];
  if (call.args.some((arg) => arg.kind === 'labelled')) return [];
  const count = result.events.length;
  const what = `${threadOf(record)}'s ${call.name}() brought ${count} of ${min} events`;
  if (timeout < 0) return [findingOf('WAKEUP', 'short-return', `${what} for no reason`, [record])];
  if (elapsed === undefined || elapsed.ms + elapsed.tickMs >= timeout) return [];
  const message = `${what} after ${elapsed.ms} ms, it was to wait ${timeout} ms`;
  return [findingOf('WAKEUP', 'early-return', message, [record])];
}

/** A signal (there may be injected ones), or the end of the context. */
function hasReason(facts: AioFacts, record: CallRecord): boolean {
  const context = contextOf(facts, record);
  return hasSignals(facts) || context === null || !isSurelyAlive(facts, context, record);
}

function hasSignals(facts: AioFacts): boolean {
  const { history } = facts.world;
  if (history.hasFaults === true) return true;
  return history.calls.some(({ call }) => call.name === 'kill' || call.name === 'exit_group');
}

function interrupted(facts: AioFacts, record: CallRecord): Finding[] {
  const isInterrupted = record.result.kind === 'errno' && record.result.errno === 'EINTR';
  if (!isInterrupted || facts.world.kernel.host || hasSignals(facts)) return [];
  const message = `${threadOf(record)}'s ${record.call.name}() is interrupted, and there was no signal`;
  return [findingOf('WAKEUP', 'no-signal', message, [record])];
}

/** Requests that ended long ago as far as anybody can tell, and of which no reaper ever learnt. */

import type { CallRecord } from '../history/history.ts';
import {
  contextOf,
  intArg,
  isRead,
  isReaper,
  isSurelyAlive,
  isWrite,
  labelled,
  type AioContext,
  type AioFacts,
  type Request,
} from './aio-facts.ts';

/** A reaper that looked, and requests that it should have found. */
export interface Lost {
  readonly look: CallRecord;
  readonly requests: readonly Request[];
  /** The reaper never comes back; otherwise it returned with room for more. */
  readonly isAsleep: boolean;
  /** Some reaper of the context had no place to put events. */
  readonly hasFault: boolean;
}

/** By context: the first look that proves it. */
export function lostEvents(facts: AioFacts): Lost[] {
  if (facts.world.history.calls.some((record) => record.call.name === 'exit_group')) return [];
  return facts.contexts.flatMap((context) => {
    const reapers = facts.world.history.calls.filter(
      (record) => isReaper(record) && contextOf(facts, record) === context,
    );
    for (const look of reapers) {
      const lost = lostFor(facts, context, reapers, look);
      if (lost !== null) return [lost];
    }
    return [];
  });
}

function lostFor(
  facts: AioFacts,
  context: AioContext,
  reapers: readonly CallRecord[],
  look: CallRecord,
): Lost | null {
  const isAsleep = look.result.kind === 'hang';
  if (!isSurelyAlive(facts, context, look) || !(isAsleep || hasRoom(look))) return null;
  const requests = facts.requests.filter(
    (one) =>
      one.context === context &&
      one.report === null &&
      isOverWithSubmit(one) &&
      facts.world.history.before(one.submit, look),
  );
  // A reaper that sleeps for more than one event has those that it took in its hands.
  const held = reapers.reduce((sum, one) => {
    return one.result.kind === 'hang' ? sum + Math.max(0, (intArg(one, 1) ?? Infinity) - 1) : sum;
  }, 0);
  if (requests.length <= held) return null;
  const hasFault = reapers.some(
    (one) =>
      labelled(one.call.args, 'events') !== null ||
      (one.result.kind === 'errno' && one.result.errno === 'EFAULT'),
  );
  return { look, requests, isAsleep, hasFault };
}

/** It came back, was not interrupted, and could have brought more events: the ring was empty then. */
function hasRoom(look: CallRecord): boolean {
  const nr = intArg(look, 2);
  if (look.result.kind !== 'completions' || nr === null) return false;
  if (look.call.args.some((arg) => arg.kind === 'labelled')) return false;
  const min = intArg(look, 1) ?? 0;
  // Less than was waited for: a signal may have ended it before it looked again.
  const isWhole = look.result.events.length >= min || intArg(look, 3) === 0;
  return isWhole && look.result.events.length < nr;
}

/** Reads and writes of plain files go through the page cache, and are over when io_submit returns. */
function isOverWithSubmit(request: Request): boolean {
  const { file, size } = request;
  if (!request.isSure || file?.kind !== 'always-ready' || size === null) return false;
  if (!isRead(request) && !isWrite(request)) return false;
  return file.descriptors.every(({ made }) =>
    made.call.args.every((arg) => arg.kind !== 'flags' || !arg.names.includes('O_DIRECT')),
  );
}

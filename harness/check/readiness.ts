/**
 * Poll state as the history proves it: bits that were set during a whole moment, and bits that may have been set
 * at some time of it (E-R124 to E-R136, E-R140). Anything a history cannot tell is "perhaps".
 */

import type { CallRecord } from '../history/history.ts';
import { isSuccess, numberOf } from './answers.ts';
import { isLevelMask, isPerhapsDeleted, lastArms, type Registration } from './registrations.ts';
import {
  isPerhapsBefore,
  isPerhapsReleased,
  isSurelyBefore,
  isSurelyOpen,
  isSurelyReleased,
  type Moment,
  type OpenFile,
  type World,
} from './world.ts';

export const IN = 1;
export const OUT = 4;
export const ERR = 8;
export const HUP = 16;
const ALL = 0xffff;

export interface Readiness {
  /** Set during the whole moment. */
  readonly must: number;
  /** May have been set at some time of it. */
  readonly may: number;
  /** IN is there for the end of the stream only: no byte is surely left. */
  readonly isEndOnly: boolean;
}

/** Bytes (or connections) that are surely and at most in a queue. */
export interface Fill {
  readonly min: number;
  readonly max: number;
}

const UNKNOWN: Readiness = { must: 0, may: ALL, isEndOnly: false };

/** The state of a file. `registrations` are all of the history: a set is ready if a member is. */
export function readinessOf(
  world: World,
  registrations: readonly Registration[],
  file: OpenFile,
  moment: Moment,
  visited: readonly OpenFile[] = [],
): Readiness {
  switch (file.kind) {
    case 'pipe-read':
      return pipeReadEnd(world, file, moment);
    case 'pipe-write':
      return pipeWriteEnd(world, file, moment);
    case 'fifo':
      return plain(pipeFill(world, file, moment).min > 0 ? IN : 0);
    case 'stream':
      return stream(world, file, moment);
    case 'datagram':
      return datagram(world, file, moment);
    case 'listener': {
      const waiting = queueOf(world, file, moment, 'connect', 'accept');
      const must = waiting.min > 0 && !isInFlight(world, moment) ? IN : 0;
      return { must, may: waiting.max > 0 ? IN : 0, isEndOnly: false };
    }
    case 'always-ready':
      return plain(IN | OUT);
    case 'tty':
      return plain(OUT);
    case 'eventfd':
      return plain(eventfdMust(world, file, moment));
    case 'set':
      return setReadiness(world, registrations, file, moment, visited);
    default:
      return UNKNOWN;
  }
}

function plain(must: number): Readiness {
  return { must, may: ALL, isEndOnly: false };
}

/** What surely and at most stands in a pipe. */
export function pipeFill(world: World, file: OpenFile, moment: Moment): Fill {
  const ends = world.files.filter((one) => one.channel === file.channel);
  return fillOf(world, ends, ends, moment);
}

function fillOf(
  world: World,
  sources: readonly OpenFile[],
  sinks: readonly OpenFile[],
  moment: Moment,
): Fill {
  let min = 0;
  let max = 0;
  for (const record of callsOn(sources, 'write')) {
    const count = numberOf(record.result);
    if (count === null) {
      // A call that never came back may have written any part, or nothing.
      if (record.result.kind !== 'errno') max = Infinity;
      continue;
    }
    if (isSurelyBefore(world, record, moment)) min += count;
    if (isPerhapsBefore(world, record, moment)) max += count;
  }
  for (const record of callsOn(sinks, 'read')) {
    const count = numberOf(record.result);
    if (count === null) {
      if (record.result.kind === 'killed') min = -Infinity;
      continue;
    }
    if (isPerhapsBefore(world, record, moment)) min -= count;
    if (isSurelyBefore(world, record, moment)) max -= count;
  }
  return { min, max };
}

function callsOn(files: readonly OpenFile[], name: string): CallRecord[] {
  const found = new Set<CallRecord>();
  for (const file of files) {
    for (const record of file.calls) if (record.call.name === name) found.add(record);
  }
  return [...found];
}

function pipeReadEnd(world: World, file: OpenFile, moment: Moment): Readiness {
  const fill = pipeFill(world, file, moment);
  const writers = endsOf(world, file, 'pipe-write');
  const gone = writers.every((one) => isSurelyReleased(world, one, moment));
  const mayBeGone = writers.every((one) => isPerhapsReleased(world, one, moment));
  return {
    must: (fill.min > 0 ? IN : 0) | (gone ? HUP : 0),
    may: (fill.max > 0 ? IN : 0) | (mayBeGone ? HUP | IN : 0),
    isEndOnly: fill.min <= 0,
  };
}

function pipeWriteEnd(world: World, file: OpenFile, moment: Moment): Readiness {
  const fill = pipeFill(world, file, moment);
  const gone = endsOf(world, file, 'pipe-read').every((one) =>
    isSurelyReleased(world, one, moment),
  );
  // A page-sized pipe is writable for poll(2) when empty (E-R125); with buffers, that is certain only then too.
  return { must: (fill.max <= 0 ? OUT : 0) | (gone ? ERR : 0), may: ALL, isEndOnly: false };
}

function endsOf(world: World, file: OpenFile, kind: OpenFile['kind']): OpenFile[] {
  return world.files.filter((one) => one.channel === file.channel && one.kind === kind);
}

function stream(world: World, file: OpenFile, moment: Moment): Readiness {
  const peer = file.peer;
  if (peer === null) return UNKNOWN;
  const inbound = fillOf(world, [peer], [file], moment);
  const outbound = fillOf(world, [file], [peer], moment);
  const gone = isSurelyReleased(world, peer, moment);
  const cut = {
    ownRead: isShut(world, file, moment, 0, true),
    ownWrite: isShut(world, file, moment, 1, true),
    peerWrite: isShut(world, peer, moment, 1, true),
  };
  const ended = gone || cut.ownRead || cut.peerWrite;
  const mayEnd =
    isPerhapsReleased(world, peer, moment) ||
    isShut(world, file, moment, 0, false) ||
    isShut(world, peer, moment, 1, false);
  const mayBeCut =
    mayEnd || isShut(world, file, moment, 1, false) || isShut(world, peer, moment, 0, false);
  const isLate = !file.unix && isInFlight(world, moment);
  const hungUp = (gone && file.unix) || (cut.ownWrite && ended);
  const writable = outbound.max <= 0 && !mayBeCut;
  const must = (inbound.min > 0 || ended ? IN : 0) | (hungUp ? HUP : 0) | (writable ? OUT : 0);
  return {
    must: isLate ? 0 : must,
    may: (inbound.max > 0 ? IN : 0) | (mayBeCut ? IN | HUP | ERR : 0) | OUT,
    isEndOnly: inbound.min <= 0,
  };
}

/** Messages of a connected pair; what the end of one side does to the other is not modelled here. */
function datagram(world: World, file: OpenFile, moment: Moment): Readiness {
  const { peer } = file;
  if (peer === null || isPerhapsReleased(world, peer, moment)) return UNKNOWN;
  const inbound = fillOf(world, [peer], [file], moment);
  const senders = world.files.filter((one) => one.peer === peer);
  const outbound = fillOf(world, senders, [peer], moment);
  return plain((inbound.min > 0 ? IN : 0) | (outbound.max <= 0 ? OUT : 0));
}

/** On a real machine a segment may arrive a little after the call that sent it has returned. */
function isInFlight(world: World, moment: Moment): boolean {
  return world.kernel.host && moment !== null;
}

/** Whether direction `how` (0 read, 1 write) of a socket was surely (or perhaps) shut down by its owner. */
function isShut(
  world: World,
  file: OpenFile,
  moment: Moment,
  how: 0 | 1,
  surely: boolean,
): boolean {
  return callsOn([file], 'shutdown').some((record) => {
    const arg = record.call.args[1];
    const names = arg?.kind === 'flags' ? arg.names : [];
    const fits = names.includes('SHUT_RDWR') || names.includes(how === 0 ? 'SHUT_RD' : 'SHUT_WR');
    if (!fits || record.result.kind === 'errno') return false;
    return surely ? isSurelyBefore(world, record, moment) : isPerhapsBefore(world, record, moment);
  });
}

function queueOf(
  world: World,
  file: OpenFile,
  moment: Moment,
  inName: string,
  outName: string,
): Fill {
  const arrived = callsOn([file], inName).filter((one) => one.result.kind !== 'errno');
  const taken = callsOn([file], outName).filter((one) => isSuccess(one.result));
  const surely = (list: readonly CallRecord[]): number =>
    list.filter((one) => isSurelyBefore(world, one, moment)).length;
  const perhaps = (list: readonly CallRecord[]): number =>
    list.filter((one) => isPerhapsBefore(world, one, moment)).length;
  return { min: surely(arrived) - perhaps(taken), max: perhaps(arrived) - surely(taken) };
}

function eventfdMust(world: World, file: OpenFile, moment: Moment): number {
  const mayBeRead = file.calls.some(
    (one) => one.call.name.endsWith('read') && isPerhapsBefore(world, one, moment),
  );
  const isPosted = file.calls.some(
    (one) =>
      one.call.name === 'eventfd_write' &&
      one.result.kind === 'value' &&
      isSurelyBefore(world, one, moment),
  );
  return isPosted && !mayBeRead ? IN : 0;
}

/** A set is readable when a level-triggered member surely is; it may be when any member may be. */
function setReadiness(
  world: World,
  registrations: readonly Registration[],
  set: OpenFile,
  moment: Moment,
  visited: readonly OpenFile[],
): Readiness {
  if (world.isV11) return UNKNOWN;
  if (visited.includes(set)) return { must: 0, may: 0, isEndOnly: false };
  let must = 0;
  let may = 0;
  for (const registration of registrations) {
    if (registration.set !== set) continue;
    const arms = lastArms(world, registration, moment);
    const target = arms[0]?.descriptor;
    if (target === undefined) continue;
    const inner = readinessOf(world, registrations, target.file, moment, [...visited, set]);
    if (arms.some((arm) => (inner.may & (arm.mask | ERR | HUP)) !== 0)) may = IN;
    const isSure = arms.every(
      (arm) =>
        arm.isDone &&
        isLevelMask(arm.mask) &&
        isSurelyBefore(world, arm.record, moment) &&
        !isPerhapsDeleted(world, registration, arm, moment) &&
        (inner.must & (arm.mask | ERR | HUP)) !== 0,
    );
    if (isSure && isSurelyOpen(world, target, moment)) must = IN;
  }
  return { must, may, isEndOnly: false };
}

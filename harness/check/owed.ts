/** Since when a report of a direction is owed: the last look at the descriptor that nothing was reported after. */

import type { CallRecord } from '../history/history.ts';
import type { Facts } from './check.ts';
import { ERR, HUP, IN, OUT, pipeFill, readinessOf } from './readiness.ts';
import {
  ONE_SHOT,
  isPerhapsDeleted,
  isWait,
  type Ctl,
  type Registration,
} from './registrations.ts';
import {
  isSurelyBefore,
  type Descriptor,
  type FileKind,
  type Moment,
  type OpenFile,
} from './world.ts';

/** Data (or a connection), room, end of the stream, nobody left to read. */
export type Direction = 'in' | 'out' | 'end' | 'err';

/** Reports that pay for a direction. */
const PAYS: Readonly<Record<Direction, number>> = {
  in: IN,
  out: OUT | ERR | HUP,
  end: IN | HUP | ERR | 0x2000,
  err: OUT | ERR | HUP,
};

/** State that makes a direction ready. */
const BITS: Readonly<Record<Direction, number>> = { in: IN, out: OUT, end: IN | HUP, err: ERR };

/** A look that answered would-block, or the ADD or MOD that asks for reports. */
export interface Since {
  readonly kind: 'would-block' | 'add' | 'mod';
  readonly record: CallRecord;
  /** Bytes that did not fit. */
  readonly bytes: number;
  readonly hasTest: boolean;
}

export interface Owed {
  readonly descriptor: Descriptor;
  readonly direction: Direction;
  readonly since: Since;
}

interface Subject {
  readonly registration: Registration;
  readonly descriptor: Descriptor;
  readonly arms: readonly Ctl[];
  readonly moment: Moment;
  readonly direction: Direction;
}

/** The direction of a ready mask. */
export function directionOf(mask: number, kind: FileKind): Direction {
  if ((mask & IN) !== 0) return 'in';
  if ((mask & OUT) !== 0) return 'out';
  return kind === 'pipe-write' ? 'err' : 'end';
}

/** Null if a report may have paid since every look, or nothing had to be reported. */
export function owedSince(facts: Facts, subject: Subject): Owed | null {
  const { registration, descriptor, moment, direction } = subject;
  const isOneShot = subject.arms.some((arm) => (arm.mask & ONE_SHOT) !== 0);
  for (const since of looks(facts, subject)) {
    if (!isReadySince(facts, descriptor.file, moment, direction, since)) continue;
    const isPaid = registration.reports.some(
      (report) =>
        !facts.world.history.before(report.record, since.record) &&
        (isOneShot ||
          ((report.mask & PAYS[direction]) !== 0 &&
            (isPerhapsNews(facts, descriptor.file, since, report.record) ||
              isTrueReport(facts, descriptor.file, report.record, direction, since)))),
    );
    if (!isPaid) return { descriptor, direction, since };
  }
  return null;
}

/**
 * False if nothing can have happened to the file between a would-block answer and the end of the wait that
 * reported it: such a report told of nothing, and does not pay for what came later.
 */
function isPerhapsNews(facts: Facts, file: OpenFile, since: Since, wait: CallRecord): boolean {
  const { world } = facts;
  if (since.kind !== 'would-block' || (file.peer === null && !isSelfContained(file))) return true;
  const ends = world.files.filter((one) => one.channel === file.channel || one === file.peer);
  return world.history.calls.some(
    (record) =>
      record !== since.record &&
      record.result.kind !== 'errno' &&
      !world.history.before(record, since.record) &&
      !world.history.before(wait, record) &&
      (ENABLES.has(record.call.name) || ends.some((end) => end.calls.includes(record))) &&
      !isWait(record),
  );
}

/**
 * The report told of a state that had changed unseen (E-B82): from 2.6 on it always does, but for datagrams (E-B81);
 * on v11 it may have.
 */
function isTrueReport(
  facts: Facts,
  file: OpenFile,
  wait: CallRecord,
  direction: Direction,
  since: Since,
): boolean {
  if (!facts.world.isV11 && file.kind !== 'datagram') return true;
  const { must } = readinessOf(facts.world, facts.registrations, file, wait);
  return (must & BITS[direction]) !== 0 && isReadySince(facts, file, wait, direction, since);
}

/** What happens to it happens through its own channel. */
function isSelfContained(file: OpenFile): boolean {
  return file.kind === 'pipe-read' || file.kind === 'pipe-write' || file.kind === 'listener';
}

/** Calls that may end a file or a process without naming it here. */
const ENABLES: ReadonlySet<string> = new Set(['close', 'dup2', 'munmap']);

/** Would-block answers first: they are the stronger claim. */
function looks(facts: Facts, subject: Subject): Since[] {
  const { registration, descriptor, moment } = subject;
  const { history } = facts.world;
  const arms = registration.ctls.filter(
    (ctl) =>
      ctl.op !== 'DEL' &&
      ctl.isDone &&
      ctl.descriptor === descriptor &&
      isSurelyBefore(facts.world, ctl.record, moment) &&
      asksFor(ctl.mask, subject.direction) &&
      !isPerhapsDeleted(facts.world, registration, ctl, moment),
  );
  const blocked = descriptor.file.calls
    .filter((record) => isWouldBlock(record, subject.direction))
    .filter((record) => isSurelyBefore(facts.world, record, moment))
    .filter((record) => arms.some((arm) => history.before(arm.record, record)))
    .map((record): Since => ({
      kind: 'would-block',
      record,
      bytes: bytesOf(record),
      hasTest: false,
    }));
  const asked = arms.map((ctl): Since => ({
    kind: ctl.op === 'MOD' ? 'mod' : 'add',
    record: ctl.record,
    bytes: 0,
    hasTest: ctl.hasTest,
  }));
  return [...blocked.reverse(), ...asked];
}

/** The end of a stream and lost readers are told to everybody. */
function asksFor(mask: number, direction: Direction): boolean {
  if (direction === 'in') return (mask & IN) !== 0;
  return direction !== 'out' || (mask & OUT) !== 0;
}

function isWouldBlock(record: CallRecord, direction: Direction): boolean {
  if (record.result.kind !== 'errno' || record.result.errno !== 'EAGAIN') return false;
  const isWrite = record.call.name === 'write' || record.call.name === 'eventfd_write';
  return direction === 'out' || direction === 'err' ? isWrite : !isWrite;
}

function bytesOf(record: CallRecord): number {
  const data = record.call.args[1];
  if (data?.kind === 'int') return data.value;
  return data?.kind === 'string' ? data.value.length : 0;
}

/** Bytes of the 2.5.44 pipe, whose writes of up to as many are atomic (E-R82). */
export const PAGE_PIPE = 4096;

function isReadySince(
  facts: Facts,
  file: OpenFile,
  moment: Moment,
  direction: Direction,
  since: Since,
): boolean {
  if (direction !== 'out') return true;
  const state = readinessOf(facts.world, facts.registrations, file, moment);
  if ((state.must & OUT) !== 0) return true;
  const isPagePipe = facts.world.isV11 && file.kind === 'pipe-write';
  if (!isPagePipe || since.kind !== 'would-block') return false;
  return PAGE_PIPE - pipeFill(facts.world, file, moment).max >= Math.max(1, since.bytes);
}

/**
 * A plain ADD of something ready is answered by the next wait on every kernel but those that have a separate
 * operation for it (E-R38).
 */
export function isPromised(facts: Facts, owed: Owed): boolean {
  const { kernel } = facts.world;
  if (owed.since.kind !== 'add' || owed.since.hasTest) return true;
  if (!kernel.patches.includes('epoll-add-and-test')) return true;
  return isReadySurelyAfter(facts, owed);
}

/** True if everything that could have made the file ready came after the ADD. */
function isReadySurelyAfter(facts: Facts, owed: Owed): boolean {
  const { descriptor, direction, since } = owed;
  const { may } = readinessOf(facts.world, facts.registrations, descriptor.file, since.record);
  return (may & (direction === 'out' ? OUT | ERR | HUP : IN | ERR | HUP)) === 0;
}

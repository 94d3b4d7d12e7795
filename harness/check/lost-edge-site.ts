/** Names for the ways an edge gets lost, read off the shape of the history. */

import type { CallRecord } from '../history/history.ts';
import type { Facts } from './check.ts';
import type { Direction, Since } from './owed.ts';
import { PAGE_PIPE } from './owed.ts';
import { ERR, HUP, IN, OUT, pipeFill, readinessOf } from './readiness.ts';
import { isWait, lastArms, setOf, type Ctl, type Registration } from './registrations.ts';
import {
  hasReturned,
  isPerhapsReleased,
  type Descriptor,
  type Moment,
  type OpenFile,
} from './world.ts';

export interface Loss {
  readonly registration: Registration;
  readonly descriptor: Descriptor;
  readonly direction: Direction;
  /** Null for a level that lasts. */
  readonly since: Since | null;
  readonly sleeper: CallRecord;
}

/** A stable word for the kind of loss; what explains it most directly comes first. */
export function siteOfLoss(facts: Facts, loss: Loss): string {
  const cause = causeOutside(facts, loss);
  if (cause !== null) return cause;
  if (loss.sleeper.call.name === 'poll' && !facts.world.isV11) return 'poller-asleep';
  if (loss.since === null) return levelSite(loss);
  if (loss.direction === 'end' || loss.direction === 'err') return endSite(facts, loss);
  if (loss.since.kind === 'would-block') return wouldBlockSite(facts, loss, loss.since);
  return armSite(facts, loss, loss.since);
}

/** What is special about the descriptor or the set, whatever the direction. */
function causeOutside(facts: Facts, loss: Loss): string | null {
  const { descriptor, registration } = loss;
  if (isMute(facts, descriptor.file)) return 'unsupported-file';
  if (facts.world.isV11 && descriptor.how === 'open') return 'reopened-pipe';
  if (isNumberReused(facts, loss)) return 'number-reused';
  if (wasNeverTold(facts, loss)) return null;
  if (hasFaulted(facts, loss)) return 'after-efault';
  if (isUnread(facts, loss)) return 'unmapped';
  if (hasLostSlots(registration.set)) return 'no-slot';
  if (isHidden(facts, loss)) return 'stale-hides-ready';
  if (!facts.world.isV11) return null;
  return stolenSite(facts, loss);
}

/**
 * Another registration of the file was undone while ours was in: v11 takes the first callback of the file, whosever
 * it is (E-B6, E-B7). Ours was taken if more were than stood before it.
 */
function stolenSite(facts: Facts, loss: Loss): string | null {
  const { registration, descriptor } = loss;
  const others = facts.registrations.filter(
    (other) => other !== registration && isOfFile(other, descriptor.file),
  );
  const undone = others.filter((other) => wasUndone(facts, other, loss));
  if (undone.length <= others.filter((other) => isAhead(facts, other, loss)).length) return null;
  return undone.some((other) => other.set === registration.set) ? 'dup-registered' : 'two-sets';
}

/** The other was put in before ours, and was still in then. */
function isAhead(facts: Facts, other: Registration, loss: Loss): boolean {
  const { before } = facts.world.history;
  const ours = loss.registration.ctls.filter(putsIn);
  const isBeforeOurs = (ctl: Ctl): boolean => ours.every((one) => before(ctl.record, one.record));
  return (
    other.ctls.some((ctl) => putsIn(ctl) && isBeforeOurs(ctl)) &&
    !other.ctls.some((ctl) => ctl.op === 'DEL' && ctl.isDone && isBeforeOurs(ctl))
  );
}

function putsIn(ctl: Ctl): boolean {
  return (ctl.op === 'ADD' || ctl.op === 'PUT') && (ctl.isDone || ctl.isUnknown);
}

/** The wait asked for fewer events than there are members: others may have filled the batch (E-B49). */
function isHidden(facts: Facts, loss: Loss): boolean {
  const max = loss.sleeper.call.args[1];
  if (facts.world.isV11 || !isWait(loss.sleeper) || loss.sleeper.result.kind === 'hang')
    return false;
  const members = facts.registrations.filter((one) => one.set === loss.registration.set);
  return max?.kind === 'int' && max.value < members.length;
}

/** It was ready when v11 was asked to watch it, without a test, and nothing happened to it since: no slot to lose. */
function wasNeverTold(facts: Facts, loss: Loss): boolean {
  const { since, descriptor, direction } = loss;
  const isArm = since?.kind === 'add' || since?.kind === 'mod';
  if (!facts.world.isV11 || !isArm || since.hasTest || direction === 'end' || direction === 'err')
    return false;
  return isPerhapsReadyAt(facts, loss, since) && !hasNews(facts, loss, since, descriptor.file);
}

/** Some call on the file or its other end, or a close of one, was made after the look. */
function hasNews(facts: Facts, loss: Loss, since: Since, file: OpenFile): boolean {
  const { history, files } = facts.world;
  const ends = files.filter((one) => one.channel === file.channel || one === file.peer);
  return history.calls.some(
    (record) =>
      record.result.kind !== 'errno' &&
      ends.some((end) => end.calls.includes(record) || isClosedBy(end, record)) &&
      !history.before(record, since.record) &&
      isBeforeLoss(facts, loss, record),
  );
}

function isClosedBy(file: OpenFile, record: CallRecord): boolean {
  return file.descriptors.some((one) => one.closers.some((closer) => closer.record === record));
}

/** A wait returned a batch at an address where the mapping was gone. */
function isUnread(facts: Facts, loss: Loss): boolean {
  return facts.world.history.calls.some(
    (record) =>
      isWait(record) &&
      setOf(facts.world, record) === loss.registration.set &&
      record.result.kind === 'events' &&
      record.result.unread !== undefined &&
      isBeforeLoss(facts, loss, record),
  );
}

/** True if the call may have had its part in the loss: it was not made when the sleeper had returned. */
function isBeforeLoss(facts: Facts, loss: Loss, record: CallRecord): boolean {
  return !facts.world.history.before(loss.sleeper, record);
}

function isMute(facts: Facts, file: OpenFile): boolean {
  const isPlain = file.kind === 'always-ready' || file.kind === 'tty' || file.kind === 'fifo';
  return facts.world.isV11 && (isPlain || file.kind === 'set');
}

function isOfFile(registration: Registration, file: OpenFile): boolean {
  return registration.ctls.some((ctl) => ctl.descriptor.file === file && ctl.op !== 'DEL');
}

/** Removed from its set again, or the set was closed, while ours was in. */
function wasUndone(facts: Facts, registration: Registration, loss: Loss): boolean {
  const { world } = facts;
  const isSinceOurs = (record: CallRecord): boolean =>
    isBeforeLoss(facts, loss, record) &&
    loss.registration.ctls.some((ctl) => putsIn(ctl) && !world.history.before(record, ctl.record));
  return (
    registration.ctls.some(
      (ctl) => ctl.op === 'DEL' && (ctl.isDone || ctl.isUnknown) && isSinceOurs(ctl.record),
    ) ||
    (registration.set !== loss.registration.set &&
      isPerhapsReleased(world, registration.set, momentOf(loss)) &&
      registration.set.descriptors.some((one) =>
        one.closers.some((closer) => isSinceOurs(closer.record)),
      ))
  );
}

/** The sleeper, if it came back; else the end of the history. */
function momentOf(loss: Loss): Moment {
  return hasReturned(loss.sleeper) ? loss.sleeper : null;
}

/** The number was registered for a file that was closed since. */
function isNumberReused(facts: Facts, loss: Loss): boolean {
  return facts.world.descriptors.some(
    (one) =>
      one.number === loss.descriptor.number &&
      one.file !== loss.descriptor.file &&
      loss.registration.ctls.some((ctl) => ctl.descriptor === one),
  );
}

function hasFaulted(facts: Facts, loss: Loss): boolean {
  return facts.world.history.calls.some(
    (record) =>
      isWait(record) &&
      setOf(facts.world, record) === loss.registration.set &&
      isBeforeLoss(facts, loss, record) &&
      record.result.kind === 'errno' &&
      record.result.errno === 'EFAULT',
  );
}

/** EP_FREE took the slots away while the set had members. */
function hasLostSlots(set: OpenFile): boolean {
  return set.calls.some((record) => {
    const request = record.call.args[1];
    const isFree = request?.kind === 'flags' && request.names.includes('EP_FREE');
    return isFree && record.result.kind === 'value';
  });
}

function levelSite(loss: Loss): string {
  return loss.descriptor.file.kind === 'set' ? 'nested-set' : 'level-asleep';
}

function endSite(facts: Facts, loss: Loss): string {
  const { world } = facts;
  const file = loss.descriptor.file;
  const arm = lastArms(world, loss.registration, momentOf(loss)).at(-1);
  const isLooked = loss.since?.kind === 'would-block' || arm === undefined;
  const place = arm?.op === 'MOD' ? 'mod' : 'add';
  if (!isLooked) {
    const { must, isEndOnly } = readinessOf(world, facts.registrations, file, arm.record);
    if ((must & (isEndOnly ? HUP | ERR | IN : HUP | ERR)) !== 0) return `end-at-${place}`;
  }
  const isLocal = file.calls.some(
    (record) =>
      record.call.name === 'shutdown' &&
      record.result.kind === 'value' &&
      isBeforeLoss(facts, loss, record),
  );
  if (isLocal) return 'local-shutdown';
  if (world.isV11 && !isEndAsked(facts, loss)) return 'hup-not-asked';
  if (isLooked) return 'end-after-look';
  const { may } = readinessOf(world, facts.registrations, file, arm.record);
  return (may & (HUP | ERR)) !== 0 ? `end-at-${place}` : `end-after-${place}`;
}

/** The mask it had last has POLLHUP. With epoll-acsem every ADD asks for it. */
function isEndAsked(facts: Facts, loss: Loss): boolean {
  const { world } = facts;
  const isForced = world.kernel.patches.includes('epoll-acsem');
  return lastArms(world, loss.registration, momentOf(loss)).every(
    (arm) => (arm.mask & HUP) !== 0 || (isForced && arm.op === 'ADD'),
  );
}

function wouldBlockSite(facts: Facts, loss: Loss, since: Since): string {
  if (loss.direction === 'in') return 'in-after-empty';
  const file = loss.descriptor.file;
  if (file.kind !== 'pipe-write') {
    const state = readinessOf(facts.world, facts.registrations, file, since.record);
    return (state.must & OUT) !== 0 ? 'out-while-empty' : 'out-after-full';
  }
  const fill = pipeFill(facts.world, file, since.record);
  return fill.min === fill.max && fill.max < PAGE_PIPE ? 'out-after-short-write' : 'out-after-full';
}

function armSite(facts: Facts, loss: Loss, since: Since): string {
  const place = since.kind === 'mod' ? 'mod' : 'add';
  if (isPerhapsReadyAt(facts, loss, since)) return `ready-at-${place}`;
  const isBehindSlot = loss.registration.reports.some(
    (report) => !facts.world.history.before(report.record, since.record),
  );
  if (isBehindSlot && isWidened(facts, loss)) return 'mod-after-slot';
  return `${loss.direction}-after-${place}`;
}

/** A MOD asked for a direction that the ADD had not asked for. */
function isWidened(facts: Facts, loss: Loss): boolean {
  const bit = loss.direction === 'in' ? 1 : OUT;
  const done = loss.registration.ctls.filter((ctl) => ctl.isDone);
  return done.some(
    (ctl) =>
      ctl.op === 'MOD' &&
      (ctl.mask & bit) !== 0 &&
      done.some(
        (earlier) =>
          earlier.op !== 'DEL' &&
          (earlier.mask & bit) === 0 &&
          facts.world.history.before(earlier.record, ctl.record),
      ),
  );
}

/** Something that makes it ready was done before the arm, or at the same time. */
function isPerhapsReadyAt(facts: Facts, loss: Loss, since: Since): boolean {
  const file = loss.descriptor.file;
  if (loss.direction === 'out' && file.kind === 'pipe-write') {
    return pipeFill(facts.world, file, since.record).min < PAGE_PIPE;
  }
  if (loss.direction === 'out') return !hasRoomMadeAfter(facts, loss, since);
  return (readinessOf(facts.world, facts.registrations, file, since.record).may & 1) !== 0;
}

/** The other side surely took something out afterwards, and before the sleeper had returned. */
function hasRoomMadeAfter(facts: Facts, loss: Loss, since: Since): boolean {
  const file = loss.descriptor.file;
  const { must } = readinessOf(facts.world, facts.registrations, file, since.record);
  if ((must & OUT) !== 0) return false;
  return (file.peer?.calls ?? []).some(
    (record) =>
      record.call.name === 'read' &&
      record.result.kind === 'bytes' &&
      isBeforeLoss(facts, loss, record) &&
      facts.world.history.before(since.record, record),
  );
}

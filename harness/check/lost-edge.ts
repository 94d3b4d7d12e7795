/** The rule of the mission: an edge that was promised is reported. */

import { isSuccess } from './answers.ts';
import type { CallRecord, Finding, History } from '../history/history.ts';
import { distinct, factsOf, findingOf, threadOf, type Check, type Facts } from './check.ts';
import { siteOfLoss } from './lost-edge-site.ts';
import { directionOf, owedSince, isPromised, type Direction, type Owed } from './owed.ts';
import { ERR, HUP, IN, OUT, readinessOf } from './readiness.ts';
import {
  EXCLUSIVE,
  eventsOf,
  isLevelMask,
  isPerhapsDeleted,
  isWait,
  lastArms,
  setOf,
  timeoutOf,
  type Ctl,
  type Registration,
} from './registrations.ts';
import {
  descriptorOf,
  isSurelyBefore,
  isSurelyOpen,
  type Descriptor,
  type Moment,
  type OpenFile,
} from './world.ts';

export const lostEdge: Check = {
  name: 'lost-edge',
  rule: 'A registered descriptor that was found not ready (or was not looked at since it was registered or changed) and then is ready is reported by some later wait on the set.',
  docs: ['E-R35', 'E-R36', 'E-R37', 'E-R38', 'E-R40', 'E-R101', 'E-R102', 'E-R103'],
  promisedOn: 'all; with epoll-add-and-test a plain ADD of a ready descriptor promises nothing',
  check,
};

function check(history: History): Finding[] {
  const facts = factsOf(history);
  if (facts.world.isCorrupt) return [];
  return distinct(facts.registrations.flatMap((registration) => lossesOf(facts, registration)));
}

function lossesOf(facts: Facts, registration: Registration): Finding[] {
  const findings: Finding[] = [];
  for (const { moment, sleeper } of momentsOf(facts, registration.set)) {
    if (moment !== null && (isFull(moment) || isShared(facts, moment))) continue;
    for (const descriptor of new Set(registration.ctls.map((ctl) => ctl.descriptor))) {
      findings.push(...lossesAt(facts, registration, descriptor, moment, sleeper));
    }
  }
  return findings;
}

interface Question {
  readonly moment: Moment;
  /** The call that waits for ever, or returned without. */
  readonly sleeper: CallRecord;
}

/** The end, if somebody sleeps on the set for ever; else every wait that returned. */
function momentsOf(facts: Facts, set: OpenFile): Question[] {
  const { world } = facts;
  const sleeper = world.history.calls.find(
    (record) => record.result.kind === 'hang' && sleepsOn(facts, record, set),
  );
  if (sleeper !== undefined) return [{ moment: null, sleeper }];
  return world.history.calls
    .filter((record) => isWait(record) && setOf(world, record) === set && eventsOf(record) !== null)
    .map((record) => ({ moment: record, sleeper: record }));
}

function sleepsOn(facts: Facts, record: CallRecord, set: OpenFile): boolean {
  const { world } = facts;
  if (isWait(record)) return setOf(world, record) === set;
  const [list] = record.call.args;
  if (record.call.name !== 'poll' || list?.kind !== 'pollfds') return false;
  return list.entries.some((entry) => descriptorOf(world, record, entry.fd)?.file === set);
}

/** From 2.6 on a wait may miss what another one has in hand, and will find it the next time (E-B48). */
function isShared(facts: Facts, wait: CallRecord): boolean {
  const { world } = facts;
  if (world.isV11) return false;
  return world.history.calls.some(
    (other) =>
      other !== wait &&
      isWait(other) &&
      !world.history.before(other, wait) &&
      !world.history.before(wait, other),
  );
}

/** A wait that returned as many events as it asked for may have left the others for the next. */
function isFull(wait: CallRecord): boolean {
  const max = wait.call.args[1];
  return max?.kind === 'int' && (eventsOf(wait)?.length ?? 0) >= max.value;
}

function lossesAt(
  facts: Facts,
  registration: Registration,
  descriptor: Descriptor,
  moment: Moment,
  sleeper: CallRecord,
): Finding[] {
  const { world } = facts;
  const arms = lastArms(world, registration, moment).filter((arm) => arm.descriptor === descriptor);
  if (arms.length === 0 || !isSurelyOpen(world, descriptor, moment)) return [];
  if (arms.some((arm) => (arm.mask & EXCLUSIVE) !== 0)) return [];
  const isSure = arms.some(
    (arm) =>
      arm.isDone &&
      isSurelyBefore(world, arm.record, moment) &&
      !isPerhapsDeleted(world, registration, arm, moment),
  );
  if (!isSure) return [];
  if (isLevel(facts, arms)) return levelLoss(facts, registration, arms, moment, sleeper);
  const losses: Finding[] = [];
  for (const direction of directionsReady(facts, registration, arms, moment)) {
    const owed = owedSince(facts, { registration, descriptor, arms, moment, direction });
    if (owed === null || !isPromised(facts, owed)) continue;
    losses.push(edgeLoss(facts, registration, owed, sleeper));
  }
  return losses;
}

function isLevel(facts: Facts, arms: readonly Ctl[]): boolean {
  return !facts.world.isV11 && arms.every((arm) => isLevelMask(arm.mask));
}

/** A level that lasts keeps everybody awake; what a single wait owes is the level contract's. */
function levelLoss(
  facts: Facts,
  registration: Registration,
  arms: readonly Ctl[],
  moment: Moment,
  sleeper: CallRecord,
): Finding[] {
  const [arm] = arms;
  if (moment !== null || arm === undefined) return [];
  const file = arm.descriptor.file;
  const wanted = arms.reduce((mask, one) => mask & one.mask, 0xffff) | ERR | HUP;
  const ready = readinessOf(facts.world, facts.registrations, file, moment).must & wanted;
  if (ready === 0) return [];
  const site = siteOfLoss(facts, {
    registration,
    descriptor: arm.descriptor,
    direction: directionOf(ready, file.kind),
    since: null,
    sleeper,
  });
  const who = `${threadOf(sleeper)} sleeps for ever in ${sleeper.call.name}()`;
  const message = `${who} although ${arm.descriptor.name} is ready and registered level-triggered`;
  return [findingOf('LOST-EDGE', site, message, [arm.record, sleeper])];
}

/** What the descriptor is ready for at the moment and somebody wants to hear of. */
function directionsReady(
  facts: Facts,
  registration: Registration,
  arms: readonly Ctl[],
  moment: Moment,
): Direction[] {
  const [arm] = arms;
  if (arm === undefined) return [];
  const file = arm.descriptor.file;
  const state = readinessOf(facts.world, facts.registrations, file, moment);
  const wanted = arms.reduce((mask, one) => mask & one.mask, 0xffff);
  const directions: Direction[] = [];
  if ((state.must & IN & wanted) !== 0 && !state.isEndOnly) directions.push('in');
  const isEnd = (state.must & HUP) !== 0 || ((state.must & IN & wanted) !== 0 && state.isEndOnly);
  if (isEnd) directions.push('end');
  if ((wanted & OUT) !== 0 && canWrite(facts, registration, arm, state.must))
    directions.push('out');
  if ((state.must & ERR) !== 0) directions.push('err');
  return directions;
}

/** Room for a write; on the page-sized pipe perhaps only for the one that failed (E-R82), see owedSince(). */
function canWrite(facts: Facts, registration: Registration, arm: Ctl, must: number): boolean {
  const isPagePipe = facts.world.isV11 && arm.descriptor.file.kind === 'pipe-write';
  return (must & OUT) !== 0 || (isPagePipe && registration.ctls.length > 0);
}

function edgeLoss(
  facts: Facts,
  registration: Registration,
  owed: Owed,
  sleeper: CallRecord,
): Finding {
  const { descriptor, direction, since } = owed;
  const site = siteOfLoss(facts, { registration, descriptor, direction, since, sleeper });
  const state = STATES[direction];
  const end = isSuccess(sleeper.result) ? 'returned without it' : 'sleeps for ever';
  const last = `${threadOf(since.record)}'s ${since.record.call.name}()`;
  const message =
    `${descriptor.name} ${state} after ${last} and no wait has reported it since: ` +
    `${threadOf(sleeper)} ${end} in ${sleeper.call.name}(${timeoutText(sleeper)})`;
  return findingOf('LOST-EDGE', site, message, [since.record, sleeper]);
}

function timeoutText(record: CallRecord): string {
  const timeout = timeoutOf(record);
  return timeout === null ? '' : `timeout ${timeout}`;
}

const STATES: Readonly<Record<Direction, string>> = {
  in: 'has data',
  out: 'has room',
  end: 'is at its end',
  err: 'has lost its readers',
};

/** Registrations of a history: which descriptor was put into which set, with which mask, under which name. */

import { flagBits } from '../abi/index.ts';
import type { CallRecord, ReportedEvent } from '../history/history.ts';
import type { Arg } from '../program/program.ts';
import { numberOf } from './answers.ts';
import {
  descriptorOf,
  isPerhapsBefore,
  isSurelyBefore,
  nameOf,
  type Descriptor,
  type Moment,
  type OpenFile,
  type World,
} from './world.ts';

/** EPOLLONESHOT and EPOLLET, and the bits that are states. */
export const ONE_SHOT = 0x40000000;
export const EDGE = 0x80000000;
/** EPOLLEXCLUSIVE: of several sets that watch a file perhaps only one is told (D36). */
export const EXCLUSIVE = 0x10000000;

/** Plainly level-triggered: neither edge, nor one-shot, nor exclusive. */
export function isLevelMask(mask: number): boolean {
  return (mask & (EDGE | ONE_SHOT | EXCLUSIVE)) === 0;
}

/** One epoll_ctl, or one element written to the device (`PUT`: adds or changes). */
export interface Ctl {
  readonly record: CallRecord;
  readonly op: 'ADD' | 'MOD' | 'DEL' | 'PUT';
  readonly descriptor: Descriptor;
  readonly mask: number;
  /** It returned success; otherwise an errno, or (`isUnknown`) no answer at all. */
  readonly isDone: boolean;
  readonly isUnknown: boolean;
  /** EPOLL_CTL_ADD_AND_TEST. */
  readonly hasTest: boolean;
}

/** All that concerns one key of one set: (file, number), on sys_epoll v11 the number alone. */
export interface Registration {
  readonly set: OpenFile;
  readonly key: string;
  readonly ctls: readonly Ctl[];
  /** Names events of it may carry. */
  readonly names: ReadonlySet<string>;
  /** Waits that reported it. */
  readonly reports: readonly { readonly record: CallRecord; readonly mask: number }[];
}

/** Every key of every set in order of first use. */
export function registrationsOf(world: World): Registration[] {
  const byKey = new Map<string, { set: OpenFile; ctls: Ctl[]; names: Set<string> }>();
  for (const record of world.history.calls) {
    for (const { set, ctl, name } of ctlsOf(world, record)) {
      const { number, file } = ctl.descriptor;
      const key = world.isV11 ? `${set.id}/${number}` : `${set.id}/${number}/${file.id}`;
      const entry = byKey.get(key) ?? { set, ctls: [], names: new Set<string>() };
      byKey.set(key, entry);
      entry.ctls.push(ctl);
      if (ctl.op !== 'DEL') entry.names.add(name);
      if (world.isV11) addNamesOfNumber(world, number, entry.names);
    }
  }
  return [...byKey].map(([key, entry]) => ({
    key,
    ...entry,
    reports: reportsOf(world, entry.set, entry.names),
  }));
}

function addNamesOfNumber(world: World, number: number, names: Set<string>): void {
  names.add(String(number));
  for (const one of world.descriptors) if (one.number === number) names.add(one.name);
}

interface CtlOfSet {
  readonly set: OpenFile;
  readonly ctl: Ctl;
  readonly name: string;
}

function ctlsOf(world: World, record: CallRecord): CtlOfSet[] {
  const { name, args } = record.call;
  if (name === 'epoll_ctl') return epollCtl(world, record);
  const list = args[1];
  if (name !== 'write' || list?.kind !== 'pollfds') return [];
  const set = descriptorOf(world, record, args[0])?.file;
  if (set === undefined) return [];
  const isWhole = numberOf(record.result) === list.entries.length * 8;
  return list.entries.flatMap((entry) => {
    const descriptor = descriptorOf(world, record, entry.fd);
    if (descriptor === null) return [];
    const bits = maskOf(entry.events);
    const op = (bits & 0x1000) !== 0 ? 'DEL' : 'PUT';
    const ctl: Ctl = {
      record,
      op,
      descriptor,
      mask: bits & ~0x1000,
      isDone: isWhole,
      isUnknown: !isWhole,
      hasTest: false,
    };
    return [{ set, ctl, name: nameOf(entry.fd) }];
  });
}

function epollCtl(world: World, record: CallRecord): CtlOfSet[] {
  const [epfd, op, fd, events, data] = record.call.args;
  const set = descriptorOf(world, record, epfd)?.file;
  const descriptor = descriptorOf(world, record, fd);
  const number = op?.kind === 'int' ? op.value : op?.kind === 'flags' ? flagBits(op.names) : 0;
  const kind = operationOf(number);
  if (set?.kind !== 'set' || descriptor === null || kind === null) return [];
  const ctl: Ctl = {
    record,
    op: kind,
    descriptor,
    mask: maskOf(events),
    isDone: record.result.kind === 'value' && record.result.value === 0,
    isUnknown: record.result.kind === 'hang' || record.result.kind === 'killed',
    hasTest: number === 4,
  };
  const label = data?.kind === 'labelled' && data.label === 'data' ? data.value : fd;
  return [{ set, ctl, name: nameOf(label) }];
}

function operationOf(number: number): Ctl['op'] | null {
  if (number === 1 || number === 4) return 'ADD';
  if (number === 2) return 'DEL';
  return number === 3 ? 'MOD' : null;
}

/** The event bits an argument asks for; 0 for a pointer. */
export function maskOf(arg: Arg | undefined): number {
  if (arg?.kind === 'flags') return flagBits(arg.names);
  return arg?.kind === 'int' ? arg.value >>> 0 : 0;
}

/** True for the calls that report events of a set. */
export function isWait(record: CallRecord): boolean {
  const { name, args } = record.call;
  if (name === 'epoll_wait' || name === 'epoll_pwait' || name === 'epoll_pwait2') return true;
  const request = args[1];
  return name === 'ioctl' && request?.kind === 'flags' && request.names.includes('EP_POLL');
}

/** The set a wait is on, or null. */
export function setOf(world: World, record: CallRecord): OpenFile | null {
  const file = descriptorOf(world, record, record.call.args[0])?.file;
  return file?.kind === 'set' ? file : null;
}

/** Milliseconds a wait was given, or null if not a plain number. */
export function timeoutOf(record: CallRecord): number | null {
  const arg = record.call.args[2];
  return arg?.kind === 'int' ? arg.value : null;
}

/** What a wait reported, or null if it did not return with an answer of the set. */
export function eventsOf(record: CallRecord): readonly ReportedEvent[] | null {
  if (record.result.kind === 'events') return record.result.events;
  return record.result.kind === 'value' && record.result.value === 0 ? [] : null;
}

function reportsOf(
  world: World,
  set: OpenFile,
  names: ReadonlySet<string>,
): Registration['reports'] {
  const reports: { record: CallRecord; mask: number }[] = [];
  for (const record of world.history.calls) {
    if (!isWait(record) || setOf(world, record) !== set) continue;
    for (const event of eventsOf(record) ?? []) {
      if (names.has(event.name)) reports.push({ record, mask: event.mask });
    }
  }
  return reports;
}

/** The ADDs and MODs that may be the last one at the moment: none of them is surely overtaken by another. */
export function lastArms(world: World, registration: Registration, moment: Moment): Ctl[] {
  const arms = registration.ctls.filter(
    (ctl) =>
      ctl.op !== 'DEL' &&
      (ctl.isDone || ctl.isUnknown) &&
      isPerhapsBefore(world, ctl.record, moment),
  );
  return arms.filter(
    (arm) =>
      !arms.some(
        (later) =>
          later.isDone &&
          world.history.before(arm.record, later.record) &&
          isSurelyBefore(world, later.record, moment),
      ),
  );
}

/** True if the DEL may have removed what the arm had put in, before the end of the moment. */
export function isPerhapsDeleted(
  world: World,
  registration: Registration,
  arm: Ctl,
  moment: Moment,
): boolean {
  return registration.ctls.some(
    (ctl) =>
      ctl.op === 'DEL' &&
      (ctl.isDone || ctl.isUnknown) &&
      isPerhapsBefore(world, ctl.record, moment) &&
      !world.history.before(ctl.record, arm.record),
  );
}

/** The answers of epoll_ctl are those of some order of the calls. */

import type { CallRecord, Finding, History } from '../history/history.ts';
import { distinct, factsOf, findingOf, type Check, type Facts } from './check.ts';
import type { Ctl, Registration } from './registrations.ts';
import { isSurelyClosed, isSurelyOpen } from './world.ts';

export const ctlContract: Check = {
  name: 'ctl-contract',
  rule: 'The answers of all ctl calls on one key of one set are those of some order of the calls: the first ADD gets 0 and the next EEXIST, MOD and DEL of what is not there get ENOENT, and a closed descriptor does not count as there.',
  docs: ['E-R2', 'E-R21', 'E-R80', 'E-R88', 'E-R108'],
  promisedOn: 'all',
  check,
};

function check(history: History): Finding[] {
  const facts = factsOf(history);
  if (facts.world.isCorrupt) return [];
  return distinct([
    ...facts.registrations.flatMap((registration) => judgeKey(facts, registration)),
    ...history.calls.flatMap((record) => badDescriptor(facts, record)),
  ]);
}

/** One call on a key, or the close of a descriptor that was at its number. */
interface Op {
  readonly record: CallRecord;
  readonly op: Ctl['op'] | 'CLOSE';
  readonly answer: string;
}

/** Calls on one key beyond which orders are not enumerated. */
const OPS_MAX = 10;

function judgeKey(facts: Facts, registration: Registration): Finding[] {
  if (registration.ctls.some((ctl) => ctl.op === 'PUT' || ctl.isUnknown)) return [];
  const ops = opsOf(facts, registration);
  if (ops.length > OPS_MAX || hasOrder(facts, ops)) return [];
  const calls = ops.filter((one) => one.op !== 'CLOSE');
  const list = calls.map((one) => `${one.op}=${one.answer}`).join(', ');
  const name = registration.ctls[0]?.descriptor.name ?? '';
  const message = `No order of the calls on ${name} gives these answers: ${list}`;
  return [
    findingOf(
      'COUNT',
      siteOf(facts, ops),
      message,
      ops.map((one) => one.record),
    ),
  ];
}

function opsOf(facts: Facts, registration: Registration): Op[] {
  const ops: Op[] = [];
  for (const ctl of registration.ctls) {
    const result = ctl.record.result;
    const answer = result.kind === 'errno' ? result.errno : '0';
    // Other errnos are decided before the key is looked up.
    if (!['0', 'EEXIST', 'ENOENT'].includes(answer)) continue;
    ops.push({ record: ctl.record, op: ctl.op, answer });
  }
  const descriptors = new Set(registration.ctls.map((ctl) => ctl.descriptor));
  for (const descriptor of descriptors) {
    const files = facts.world.isV11 ? [descriptor] : descriptor.file.descriptors;
    for (const { record } of files.flatMap((one) => one.closers)) {
      if (!ops.some((one) => one.record === record)) ops.push({ record, op: 'CLOSE', answer: '' });
    }
  }
  return ops;
}

/**
 * Whether some order that respects `before` explains all answers. After a close the key may be gone (the last
 * descriptor) or not (a duplicate, a call in flight, or a kernel that does not look): then both answers pass,
 * except that where keys are numbers an ADD must not find it.
 */
function hasOrder(facts: Facts, ops: readonly Op[]): boolean {
  const failed = new Set<string>();
  const visit = (done: number, state: 'absent' | 'present' | 'closed'): boolean => {
    if (done === (1 << ops.length) - 1) return true;
    const key = `${done} ${state}`;
    if (failed.has(key)) return false;
    for (const [at, op] of ops.entries()) {
      if ((done & (1 << at)) !== 0 || !isNext(facts, ops, done, op)) continue;
      const next = step(op, state, facts.world.isV11);
      if (next !== null && visit(done | (1 << at), next)) return true;
    }
    failed.add(key);
    return false;
  };
  return visit(0, 'absent');
}

function isNext(facts: Facts, ops: readonly Op[], done: number, op: Op): boolean {
  return ops.every(
    (other, at) =>
      (done & (1 << at)) !== 0 ||
      other === op ||
      !facts.world.history.before(other.record, op.record),
  );
}

function step(
  op: Op,
  state: 'absent' | 'present' | 'closed',
  byNumber: boolean,
): 'absent' | 'present' | 'closed' | null {
  switch (op.op) {
    case 'CLOSE':
      return state === 'absent' ? 'absent' : 'closed';
    case 'ADD':
      if (op.answer === '0') return state === 'present' ? null : 'present';
      return op.answer === 'EEXIST' && (state === 'present' || (state === 'closed' && !byNumber))
        ? state
        : null;
    case 'DEL':
      if (op.answer === '0') return state === 'absent' ? null : 'absent';
      return state === 'present' ? null : state;
    case 'MOD':
      if (op.answer === '0') return state === 'absent' ? null : state;
      return state === 'present' ? null : state;
    case 'PUT':
      return state;
    default:
      return op.op satisfies never;
  }
}

function siteOf(facts: Facts, ops: readonly Op[]): string {
  const all = (op: Op['op'], answer: string): Op[] =>
    ops.filter((one) => one.op === op && one.answer === answer);
  const removals = [...all('DEL', '0'), ...all('CLOSE', '')];
  if (all('ADD', 'EEXIST').length > 0 && all('CLOSE', '').length > 0) return 'number-poisoned';
  if (areTogether(facts, all('ADD', '0'), removals)) return 'two-adds';
  if (areTogether(facts, all('DEL', '0'), all('ADD', '0'))) return 'two-dels';
  return 'no-order';
}

/** Two of the calls have none of the others between them in any order. */
function areTogether(facts: Facts, calls: readonly Op[], others: readonly Op[]): boolean {
  const { before } = facts.world.history;
  return calls.some((one, at) =>
    calls
      .slice(at + 1)
      .some((two) =>
        others.every(
          ({ record }) =>
            (before(record, one.record) && before(record, two.record)) ||
            (before(one.record, record) && before(two.record, record)),
        ),
      ),
  );
}

/** EBADF for two open descriptors, or (from 2.6 on) success for a closed one. */
function badDescriptor(facts: Facts, record: CallRecord): Finding[] {
  const { world } = facts;
  if (record.call.name !== 'epoll_ctl' || world.isV11) return [];
  const ctl = facts.registrations
    .flatMap((registration) => registration.ctls.map((one) => ({ set: registration.set, one })))
    .find(({ one }) => one.record === record);
  if (ctl === undefined) return [];
  const isBad = record.result.kind === 'errno' && record.result.errno === 'EBADF';
  const { descriptor } = ctl.one;
  const areOpen =
    isSurelyOpen(world, descriptor, record) &&
    ctl.set.descriptors.every((one) => isSurelyOpen(world, one, record));
  if (isBad && areOpen) {
    const message = `epoll_ctl() answered EBADF although ${descriptor.name} and the set are open`;
    return [findingOf('COUNT', 'ebadf-for-open', message, [record])];
  }
  if (!ctl.one.isDone || !isSurelyClosed(world, descriptor, record)) return [];
  if (isReopened(facts, record, descriptor.number)) return [];
  const message = `epoll_ctl() answered 0 for ${descriptor.name}, which is closed`;
  return [findingOf('COUNT', 'closed-accepted', message, [record])];
}

function isReopened(facts: Facts, record: CallRecord, number: number): boolean {
  return facts.world.descriptors.some(
    (one) => one.number === number && !isSurelyClosed(facts.world, one, record),
  );
}

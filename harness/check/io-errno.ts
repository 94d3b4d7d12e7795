/** What the calls of AIO answer to arguments that can only have one answer. */

import { iocbOpOf } from '../abi/index.ts';
import type { CallRecord, Finding, History } from '../history/history.ts';
import type { IocbArg, IocbOp } from '../program/program.ts';
import {
  aioFactsOf,
  contextOf,
  fillOf,
  intArg,
  isReaper,
  labelled,
  type AioFacts,
  type Request,
} from './aio-facts.ts';
import { isSuccess } from './answers.ts';
import { distinct, findingOf, threadOf, type Check } from './check.ts';
import { hasReturned, isSurelyBefore } from './world.ts';

export const ioErrno: Check = {
  name: 'io-errno',
  rule: 'Arguments that cannot be are refused, in the order of the tables: a bad pointer before a bad number before a bad context; io_submit counts what stands before the first bad iocb; and a result is a count that was asked for or an errno that programs know.',
  docs: ['A-I25', 'A-R18', 'A-R26', 'A-R28', 'A-R47', 'A-R50', 'A-R53', 'A-B18', 'A-B42'],
  promisedOn: 'all; section 9 has the differences',
  check,
};

function check(history: History): Finding[] {
  const facts = aioFactsOf(history);
  if (facts.world.isUnclear) return [];
  return distinct([
    ...history.calls.flatMap((record) => judge(facts, record)),
    ...(facts.isTampered ? [] : facts.requests.flatMap(range)),
  ]);
}

function judge(facts: AioFacts, record: CallRecord): Finding[] {
  if (!hasReturned(record)) return [];
  switch (record.call.name) {
    case 'io_setup':
      return setup(record);
    case 'io_submit':
      return submit(facts, record);
    case 'io_cancel':
      return cancel(facts, record);
    case 'io_destroy':
      return onContext(facts, record);
    default:
      return isReaper(record) ? reap(facts, record) : [];
  }
}

/** EINVAL, or EFAULT where an injected failure has come before it. */
function isRefused(record: CallRecord): boolean {
  return answers(record, 'EINVAL') || answers(record, 'EFAULT');
}

function wrong(record: CallRecord, site: string, should: string): Finding[] {
  const { result } = record;
  const answer = result.kind === 'errno' ? result.errno : 'success';
  const message = `${threadOf(record)}'s ${record.call.name}() answers ${answer}: ${should}`;
  return [findingOf('COUNT', site, message, [record])];
}

function answers(record: CallRecord, errno: string): boolean {
  return record.result.kind === 'errno' && record.result.errno === errno;
}

/** A-R18. */
function setup(record: CallRecord): Finding[] {
  const variable = labelled(record.call.args, 'ctxp');
  if (variable?.kind === 'pointer' && variable.where !== 'RO') {
    if (answers(record, 'EFAULT')) return [];
    return wrong(record, 'setup-errno', 'the pointer faults before anything else is looked at');
  }
  const count = intArg(record, 0);
  const isUsed = variable?.kind === 'int' && variable.value !== 0;
  if ((count !== 0 && !isUsed) || isRefused(record)) return [];
  return wrong(record, 'setup-errno', 'no events, or a context that is there already, are EINVAL');
}

/** A call on a context that was destroyed before: nobody answers, or somebody who was not meant (A-B28). */
function onContext(facts: AioFacts, record: CallRecord): Finding[] {
  const context = contextOf(facts, record);
  if (context === null || facts.isTampered) return [];
  const { history } = facts.world;
  const isGone = context.destroyers.some(
    (one) => one.result.kind === 'value' && isSurelyBefore(facts.world, one, record),
  );
  if (!isGone) return [];
  const isReused = history.calls.some(
    (one) =>
      one.call.name === 'io_setup' && one !== context.made && !history.before(one, context.made),
  );
  if (!isReused && !isRefused(record))
    return wrong(record, 'destroyed-context', 'the context was destroyed');
  if (!isReused || !isSuccess(record.result)) return [];
  const what = `${threadOf(record)}'s ${record.call.name}() succeeds on ${context.name}, which was destroyed`;
  const message = `${what}: its handle is that of another context now`;
  return [findingOf('STALE', 'stale-handle', message, [...context.destroyers, record])];
}

/** A-R26 and A-R27: what is surely bad is not counted. */
function submit(facts: AioFacts, record: CallRecord): Finding[] {
  const list = record.call.args[1];
  const given = labelled(record.call.args, 'nr');
  if (given?.kind === 'int' && given.value < 0) {
    if (answers(record, 'EINVAL')) return [];
    return wrong(record, 'submit-errno', 'a negative count is EINVAL before all else');
  }
  if (list?.kind !== 'iocbs' || given !== null) return [];
  const stale = onContext(facts, record);
  if (stale.length > 0 && isSuccess(record.result)) return stale;
  if (record.result.kind !== 'value') return [];
  const { value } = record.result;
  if (value > list.entries.length)
    return wrong(record, 'submit-count', `${value} of ${list.entries.length} were accepted`);
  const bad = list.entries.findIndex((entry) => isBad(facts, record, entry));
  if (bad < 0 || value <= bad) return [];
  return wrong(record, 'accepted-bad', `the iocb at ${bad} can never be accepted`);
}

function isBad(facts: AioFacts, record: CallRecord, entry: IocbArg): boolean {
  if (entry.kind === 'pointer') return true;
  const op = fillOf(facts.world, record, entry)?.op;
  if (op === undefined) return false;
  const reserved = labelled(op.args, 'reserved');
  if (reserved?.kind === 'int' && reserved.value !== 0) return true;
  const [fd] = op.args;
  if (op.name !== 'opcode' && fd?.kind === 'int' && fd.value < 0) return true;
  const size = labelled(op.args, 'nbytes');
  if (size?.kind === 'int' && size.value < 0) return true;
  return !isKnownOpcode(facts, op);
}

/** A-R28, section 9. */
function isKnownOpcode(facts: AioFacts, op: IocbOp): boolean {
  const number = op.args[0];
  const opcode =
    op.name === 'opcode'
      ? number?.kind === 'int'
        ? number.value
        : null
      : (iocbOpOf(op.name)?.opcode ?? null);
  if (opcode === null || [0, 1, 2, 3, 7, 8].includes(opcode)) return true;
  const { kernel } = facts.world;
  if (opcode === 5) return kernel.host;
  // The numbers of patches, and of kernels to come.
  return opcode === 9 && kernel.patches.length > 0;
}

/** A-R47. */
function cancel(facts: AioFacts, record: CallRecord): Finding[] {
  const iocb = record.call.args[1];
  if (iocb?.kind === 'pointer' && (iocb.where === 'BAD' || iocb.where === 'NULL')) {
    if (answers(record, 'EFAULT')) return [];
    return wrong(record, 'cancel-errno', 'the iocb faults before anything else is looked at');
  }
  return onContext(facts, record);
}

/** A-R50 and A-R53. */
function reap(facts: AioFacts, record: CallRecord): Finding[] {
  const min = intArg(record, 1);
  const nr = intArg(record, 2);
  if (labelled(record.call.args, 'tmo') !== null) return [];
  const isRange = min !== null && nr !== null && min >= 0 && min <= nr;
  if (min !== null && nr !== null && !isRange && !answers(record, 'EINVAL'))
    return wrong(record, 'getevents-errno', `${min} of ${nr} events cannot be asked for`);
  // One that slept when the context went is told in other ways.
  return onContext(facts, record);
}

/** The largest errno that programs know. */
const ERRNO_MAX = 133;

/** A-I25. */
function range(request: Request): Finding[] {
  const { report, size, op } = request;
  if (report === null || report === undefined || op?.name === 'poll') return [];
  const { res } = report.completion;
  const isCount = res >= 0 && (size === null || res <= size);
  if (isCount || (res < 0 && res >= -ERRNO_MAX)) return [];
  const asked = size === null ? '' : ` of ${size} at most`;
  const message = `${request.name} ends with ${res}, neither a count${asked} nor an errno that programs know`;
  return [findingOf('ACCOUNT', 'A-I25', message, [report.record])];
}

/** Sizes of sets and of device writes mean what they say. */

import type { CallRecord, Finding, History } from '../history/history.ts';
import type { Arg } from '../program/program.ts';
import { distinct, factsOf, findingOf, type Check } from './check.ts';
import { isSuccess, numberOf } from './answers.ts';

export const sizes: Check = {
  name: 'sizes',
  rule: 'A size that cannot be is refused with EINVAL and one that can be is granted, and a device write that skipped an element says so.',
  docs: ['E-R1', 'E-R11', 'E-R12', 'E-R87', 'E-B32', 'E-B33', 'E-B34', 'E-B41'],
  promisedOn: 'all',
  check,
};

/** Most descriptors a set of v11 may be made for. */
const FDS_MAX = 131072;

function check(history: History): Finding[] {
  if (factsOf(history).world.isCorrupt) return [];
  return distinct(history.calls.flatMap(judge));
}

function judge(record: CallRecord): Finding[] {
  const { name, args } = record.call;
  const [first, second, third] = args;
  if (name === 'epoll_create' && first?.kind === 'int') return created(record, first.value);
  if (name === 'ioctl' && isRequest(second, 'EP_ALLOC') && third?.kind === 'int') {
    return allocated(record, third.value);
  }
  if (name !== 'write' || second?.kind !== 'pollfds') return [];
  const count = numberOf(record.result);
  const wanted = second.entries.length * 8;
  if (count === null || count === 0 || count === wanted) return [];
  const message = `write() of ${wanted} bytes to the device answered ${count}: which element failed is not told`;
  return [findingOf('COUNT', 'which-element', message, [record])];
}

function created(record: CallRecord, size: number): Finding[] {
  if (size >= 0 || !isSuccess(record.result)) return [];
  const message = `epoll_create(${size}) made a set of negative size`;
  return [findingOf('COUNT', 'negative-size', message, [record])];
}

function allocated(record: CallRecord, count: number): Finding[] {
  const { result } = record;
  const size = count >>> 0;
  if (size > FDS_MAX && isSuccess(result)) {
    return [findingOf('COUNT', 'size-wraps', `EP_ALLOC of ${size} succeeded`, [record])];
  }
  if (size === 0 || size > FDS_MAX || result.kind !== 'errno' || result.errno !== 'ENOMEM')
    return [];
  return [findingOf('COUNT', 'cannot-shrink', `EP_ALLOC of ${size} answered ENOMEM`, [record])];
}

function isRequest(arg: Arg | undefined, request: string): boolean {
  return arg?.kind === 'flags' && arg.names.includes(request);
}

/**
 * What goes through pipes and sockets, by calls and by requests: every transfer with the least and the most that
 * it can have moved.
 */

import type { CallRecord } from '../history/history.ts';
import { hasOwnBuffer, isRead, isWrite, textOf, type AioFacts, type Request } from './aio-facts.ts';
import { numberOf } from './answers.ts';
import type { OpenFile } from './world.ts';

/** One read or write. */
export interface Transfer {
  readonly start: CallRecord;
  /** The call, or the report of the request; null if nothing was reported (yet). */
  readonly end: CallRecord | null;
  readonly request: Request | null;
  /** Bytes that were moved. */
  readonly min: number;
  readonly max: number;
  /** What it answered: a count, a negative errno as a name, or null for no answer. */
  readonly answer: number | string | null;
  /** The bytes, if the history tells them. */
  readonly data: string | null;
  /** What was asked for. */
  readonly size: number | null;
}

/** All ends from which bytes come to all ends at which they arrive. */
export interface Flow {
  readonly name: string;
  readonly kind: 'pipe' | 'stream' | 'datagram';
  readonly writes: readonly Transfer[];
  readonly reads: readonly Transfer[];
  /** Requests at either end. */
  readonly requests: readonly Request[];
  /** The files at the writing ends. */
  readonly sources: readonly OpenFile[];
}

/** The flows of a history of which everything is known but the interleaving. */
export function flowsOf(facts: AioFacts): Flow[] {
  const { files } = facts.world;
  const flows: Flow[] = [];
  for (const channel of new Set(files.map((one) => one.channel))) {
    const ends = files.filter((one) => one.channel === channel);
    const sinks = ends.filter((one) => one.kind === 'pipe-read');
    const sources = ends.filter((one) => one.kind === 'pipe-write');
    if (sinks.length > 0) flows.push(...flowOf(facts, 'pipe', sources, sinks));
  }
  for (const sink of files) {
    if (sink.kind === 'stream' && sink.peer !== null && (sink.unix || !facts.world.kernel.host))
      flows.push(...flowOf(facts, 'stream', [sink.peer], [sink]));
    const senders = files.filter((one) => one.kind === 'datagram' && one.peer === sink);
    if (sink.kind === 'datagram' && senders.length > 0)
      flows.push(...flowOf(facts, 'datagram', senders, [sink]));
  }
  return flows;
}

/** Nothing, if a call on it moves bytes in a way that is not known here. */
function flowOf(
  facts: AioFacts,
  kind: Flow['kind'],
  sources: readonly OpenFile[],
  sinks: readonly OpenFile[],
): Flow[] {
  const files = [...sources, ...sinks];
  const requests = facts.requests.filter((one) => one.file !== null && files.includes(one.file));
  const calls = [...new Set(files.flatMap((file) => file.calls))];
  if (calls.some((record) => isOdd(record)) || requests.some(isOddRequest)) return [];
  // A request of which nothing is known may be one of these.
  if (facts.requests.some((one) => one.op === null)) return [];
  const writers = calls.filter((one) => one.call.name === 'write' && isOn(one, sources));
  const readers = calls.filter((one) => one.call.name === 'read' && isOn(one, sinks));
  const isAt = (one: Request, ends: readonly OpenFile[]): boolean =>
    one.file !== null && ends.includes(one.file);
  const writes = requests.filter((one) => isWrite(one) && isAt(one, sources));
  const reads = requests.filter((one) => isRead(one) && isAt(one, sinks));
  const name = sinks[0]?.descriptors[0]?.name ?? kind;
  return [
    {
      name,
      kind,
      writes: [...writers.map(ofCall), ...writes.map((one) => ofRequest(facts, one))],
      reads: [...readers.map(ofCall), ...reads.map((one) => ofRequest(facts, one))],
      requests,
      sources,
    },
  ];
}

function isOn(record: CallRecord, files: readonly OpenFile[]): boolean {
  return files.some((file) => file.calls.includes(record));
}

/** Bad buffers may lose bytes, and a shutdown makes ends of nothing. */
function isOdd({ call }: CallRecord): boolean {
  if (call.name === 'shutdown' || call.name === 'open') return true;
  const isTransfer = call.name === 'read' || call.name === 'write';
  return isTransfer && call.args.some((arg) => arg.kind === 'labelled' || arg.kind === 'pointer');
}

function isOddRequest(request: Request): boolean {
  return request.op?.args.some((arg) => arg.kind === 'labelled') ?? true;
}

function ofCall(record: CallRecord): Transfer {
  const { result } = record;
  const size = sizeOfCall(record);
  const hasReturned = result.kind !== 'hang' && result.kind !== 'killed';
  const count = numberOf(result);
  const moved = count ?? 0;
  const text = record.call.name === 'write' ? writtenBy(record, moved) : readBy(record);
  return {
    start: record,
    end: hasReturned ? record : null,
    request: null,
    min: moved,
    // A reader that never comes back has got nothing; a writer may have put a part.
    max: hasReturned || record.call.name === 'read' ? moved : (size ?? Infinity),
    answer: result.kind === 'errno' ? result.errno : count,
    data: text,
    size,
  };
}

function sizeOfCall(record: CallRecord): number | null {
  const count = record.call.args[2] ?? record.call.args[1];
  if (count?.kind === 'int') return count.value;
  return count?.kind === 'string' ? count.value.length : null;
}

function writtenBy(record: CallRecord, count: number): string | null {
  const data = record.call.args[1];
  return data?.kind === 'string' && data.value.length >= count ? data.value.slice(0, count) : null;
}

function readBy(record: CallRecord): string | null {
  const { result } = record;
  if (result.kind !== 'bytes') return result.kind === 'errno' ? '' : null;
  return result.data.length === result.count ? result.data : null;
}

function ofRequest(facts: AioFacts, request: Request): Transfer {
  const { report, size } = request;
  const end = report?.record ?? null;
  if (report === null || report === undefined)
    return { ...frame(request), end, min: 0, max: size ?? Infinity, answer: null, data: null };
  const { res, data } = report.completion;
  const count = Math.max(res, 0);
  const text = request.op === null ? null : textOf(request.op);
  const bytes = isWrite(request)
    ? (text?.slice(0, count) ?? null)
    : (data ?? (count === 0 ? '' : null));
  const isTold = bytes !== null && bytes.length === count && hasOwnBuffer(facts, request);
  return {
    ...frame(request),
    end,
    min: count,
    max: count,
    answer: res,
    data: isTold ? bytes : null,
  };
}

function frame(request: Request): Pick<Transfer, 'start' | 'request' | 'size'> {
  return { start: request.submit, request, size: request.size };
}

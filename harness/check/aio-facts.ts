/**
 * Requests of AIO as a history alone tells them: what was submitted to which context and is sure to be accepted, and
 * what was reported by whom.
 */

import type { CallRecord, History } from '../history/history.ts';
import type { Arg, IocbArg, IocbOp } from '../program/program.ts';
import type { Completion } from '../program/result.ts';
import { factsOf } from './check.ts';
import {
  descriptorArgOf,
  descriptorOf,
  isPerhapsBefore,
  type Moment,
  type OpenFile,
  type World,
} from './world.ts';

/** A context that io_setup has made. */
export interface AioContext {
  readonly name: string;
  readonly made: CallRecord;
  /** Calls of io_destroy that may have been for it. */
  readonly destroyers: readonly CallRecord[];
}

/** One element of a list that was, or perhaps was, accepted. */
export interface Request {
  readonly name: string;
  /** Null if it cannot be told what the request block said. */
  readonly op: IocbOp | null;
  readonly submit: CallRecord;
  /** io_submit has counted it; otherwise the call never came back. */
  readonly isSure: boolean;
  readonly context: AioContext | null;
  readonly file: OpenFile | null;
  /** Bytes or events that were asked for, null if not known. */
  readonly size: number | null;
  /** The one report that is its own; null: there is none; undefined: that cannot be told. */
  report: Report | null | undefined;
}

/** A completion in the hands of the program. */
export interface Report {
  readonly completion: Completion;
  readonly record: CallRecord;
  readonly how: 'event' | 'cancel';
  readonly context: AioContext | null;
}

export interface AioFacts {
  readonly world: World;
  readonly contexts: readonly AioContext[];
  readonly requests: readonly Request[];
  readonly reports: readonly Report[];
  /** User space has written head or tail, or passed a count that is not that of the list. */
  readonly isTampered: boolean;
}

const known = new WeakMap<History, AioFacts>();

/** The requests of a history; remembered as long as the history lives. */
export function aioFactsOf(history: History): AioFacts {
  const found = known.get(history);
  if (found !== undefined) return found;
  const { world } = factsOf(history);
  const contexts = contextsOf(history);
  const requests = history.calls.flatMap((record) => requestsOf(world, contexts, record));
  const reports = history.calls.flatMap((record) => reportsOf(contexts, record));
  pair(history, requests, reports);
  const facts = { world, contexts, requests, reports, isTampered: history.calls.some(tampers) };
  known.set(history, facts);
  return facts;
}

/** True for histories that have nothing to do with AIO, or of which nothing can be told. */
export function isOutOfScope(facts: AioFacts): boolean {
  return facts.world.isUnclear || (facts.requests.length === 0 && facts.contexts.length === 0);
}

function tampers({ call }: CallRecord): boolean {
  if (call.name === 'aio_ring') return call.args.length > 2;
  if (call.name === 'munmap' || call.name === 'mmap' || call.name === 'fork') return true;
  return call.name === 'io_submit' && call.args.some((arg) => arg.kind === 'labelled');
}

function contextsOf(history: History): AioContext[] {
  const contexts: { name: string; made: CallRecord; destroyers: CallRecord[] }[] = [];
  for (const record of history.calls) {
    if (record.call.name !== 'io_setup' || record.result.kind !== 'fds') continue;
    contexts.push({ name: record.call.bind[0] ?? '', made: record, destroyers: [] });
  }
  for (const record of history.calls) {
    if (record.call.name !== 'io_destroy' || record.result.kind === 'errno') continue;
    const meant = namedContext(contexts, record, record.call.args[0]);
    // A handle may have been given out again: then nobody knows whose it was.
    const perhaps = meant === null || meant.destroyers.length > 0 ? contexts : [meant];
    for (const context of perhaps) contexts.find((one) => one === context)?.destroyers.push(record);
  }
  return contexts;
}

/** The context that a name stands for in a thread; null for a literal handle. */
function namedContext<C extends AioContext>(
  contexts: readonly C[],
  record: CallRecord,
  arg: Arg | undefined,
): C | null {
  if (arg?.kind !== 'name') return null;
  let found: C | null = null;
  for (const one of contexts) {
    if (one.name !== arg.name) continue;
    const { thread, index } = one.made;
    if (thread === record.thread ? index < record.index : thread < 0) found = one;
  }
  return found;
}

/** True if the context was there, and its handle nobody else's, during the whole moment. */
export function isSurelyAlive(facts: AioFacts, context: AioContext, moment: Moment): boolean {
  return context.destroyers.every((one) => !isPerhapsBefore(facts.world, one, moment));
}

function requestsOf(world: World, contexts: readonly AioContext[], record: CallRecord): Request[] {
  const list = record.call.args[1];
  if (record.call.name !== 'io_submit' || list?.kind !== 'iocbs') return [];
  const { result } = record;
  const isOpen = result.kind === 'hang' || result.kind === 'killed';
  const count = result.kind === 'value' ? result.value : isOpen ? list.entries.length : 0;
  const context = namedContext(contexts, record, record.call.args[0]);
  return list.entries.slice(0, Math.max(0, count)).flatMap((entry): Request[] => {
    if (entry.kind !== 'iocb') return [];
    const { name } = entry;
    const where = fillOf(world, record, entry);
    const op = where?.op ?? null;
    const from = where?.record ?? record;
    const file =
      op === null ? null : (descriptorOf(world, from, descriptorArgOf(op))?.file ?? null);
    const size = op === null ? null : sizeOf(op);
    const isSure = !isOpen;
    return [{ name, op, submit: record, isSure, context, file, size, report: undefined }];
  });
}

/** A request block as it was filled, and the call that did. */
interface Fill {
  readonly record: CallRecord;
  readonly op: IocbOp;
}

/**
 * What the kernel has found in a request block: what the list says, or for a bare name what the last call has put there.
 * Null if another thread may have filled it at the same time.
 */
export function fillOf(world: World, record: CallRecord, entry: IocbArg): Fill | null {
  if (entry.kind !== 'iocb') return null;
  const others = world.history.calls
    .filter((other) => other !== record && isPerhapsBefore(world, other, record))
    .flatMap((other) => fillsOf(other, entry.name));
  if (others.some((one) => !world.history.before(one.record, record))) return null;
  // The program fills all blocks of a list before it submits the list.
  const own = fillsOf(record, entry.name)[0];
  if (own !== undefined) return own;
  const last = others.filter((one) =>
    others.every((two) => two === one || world.history.before(two.record, one.record)),
  );
  return last[0] ?? null;
}

function fillsOf(record: CallRecord, name: string): Fill[] {
  return entriesOf(record, name).flatMap(({ op }) => (op === null ? [] : [{ record, op }]));
}

function entriesOf({ call }: CallRecord, name: string): { readonly op: IocbOp | null }[] {
  return call.args.flatMap((arg) =>
    arg.kind === 'iocbs'
      ? arg.entries.flatMap((entry) =>
          entry.kind === 'iocb' && entry.name === name ? [entry] : [],
        )
      : [],
  );
}

/** The block, and with it the buffer, belongs to the request alone from its submission to its report. */
export function hasOwnBuffer(facts: AioFacts, request: Request): boolean {
  const { history } = facts.world;
  return history.calls.every((other) => {
    if (other === request.submit || entriesOf(other, request.name).length === 0) return true;
    if (history.before(other, request.submit)) return true;
    const report = request.report ?? null;
    return report !== null && history.before(report.record, other);
  });
}

function sizeOf(op: IocbOp): number | null {
  if (op.args.some((arg) => arg.kind === 'labelled' && arg.label === 'nbytes')) return null;
  const data = op.args[1];
  switch (op.name) {
    case 'pread':
    case 'epoll_wait':
      return data?.kind === 'int' ? data.value : null;
    case 'pwrite':
      return lengthOf(data);
    case 'preadv':
    case 'pwritev': {
      if (data?.kind !== 'iovec') return null;
      const lengths = data.segments.map(lengthOf);
      return lengths.reduce<number | null>(
        (sum, n) => (sum === null || n === null ? null : sum + n),
        0,
      );
    }
    default:
      return null;
  }
}

function lengthOf(arg: Arg | undefined): number | null {
  if (arg?.kind === 'string') return arg.value.length;
  return arg?.kind === 'int' ? arg.value : null;
}

/** The bytes that a request writes, if the program says which. */
export function textOf(op: IocbOp): string | null {
  const data = op.args[1];
  if (op.name === 'pwrite') return data?.kind === 'string' ? data.value : null;
  if (op.name !== 'pwritev' || data?.kind !== 'iovec') return null;
  let text = '';
  for (const segment of data.segments) {
    if (segment.kind !== 'string') return null;
    text += segment.value;
  }
  return text;
}

export function isRead(request: Request): boolean {
  return request.op?.name === 'pread' || request.op?.name === 'preadv';
}

export function isWrite(request: Request): boolean {
  return request.op?.name === 'pwrite' || request.op?.name === 'pwritev';
}

function reportsOf(contexts: readonly AioContext[], record: CallRecord): Report[] {
  if (record.result.kind !== 'completions') return [];
  const context = namedContext(contexts, record, record.call.args[0]);
  const how = record.call.name === 'io_cancel' ? 'cancel' : 'event';
  return record.result.events.map((completion) => ({ completion, record, how, context }));
}

/** Gives every request the report that can be no other's. */
function pair(history: History, requests: readonly Request[], reports: readonly Report[]): void {
  for (const name of new Set(requests.map((one) => one.name))) {
    const mine = requests.filter((one) => one.name === name);
    const told = reports.filter((one) => one.completion.name === name);
    const isInTurn = mine.every((_request, at) => {
      const next = mine[at + 1];
      const report = told[at];
      if (next === undefined) return told.length <= mine.length;
      return report !== undefined && history.before(report.record, next.submit);
    });
    if (isInTurn) for (const [at, request] of mine.entries()) request.report = told[at] ?? null;
  }
}

/** The kind of call that takes events out of the ring. */
export function isReaper(record: CallRecord): boolean {
  return record.call.name === 'io_getevents' || record.call.name === 'io_pgetevents';
}

/** The context that a call is on; null if that cannot be told. */
export function contextOf(facts: AioFacts, record: CallRecord): AioContext | null {
  return namedContext(facts.contexts, record, record.call.args[0]);
}

/** A plain integer argument, or null. */
export function intArg(record: CallRecord, at: number): number | null {
  const arg = record.call.args[at];
  return arg?.kind === 'int' ? arg.value : null;
}

/** The value of a labelled argument, or null if it is not there. */
export function labelled(args: readonly Arg[], label: string): Arg | null {
  for (const arg of args) if (arg.kind === 'labelled' && arg.label === label) return arg.value;
  return null;
}

/** Results as text, results against patterns, and the outcome of a run. */

import { errnoName, formatMask, syscallOf } from '../abi/index.ts';
import { quote } from './print.ts';
import type {
  CompletionPattern,
  Conjunction,
  EventPattern,
  Program,
  ValuePattern,
} from './program.ts';
import type { CallResult, Completion, ReportedEvent, Result } from './result.ts';
import { boundKind, callLabel, placedCalls } from './scope.ts';

/**
 * A result as outcomes show it: `0`, `EAGAIN`, `[r:IN, s:OUT]` and `[a:1, b:EAGAIN]` in delivered order, `ok`,
 * `hang`, `killed`.
 */
export function formatResult(result: Result): string {
  switch (result.kind) {
    case 'value':
      return String(result.value);
    case 'errno':
      return result.errno;
    case 'fds':
      return 'ok';
    case 'events':
      return formatEvents(result.events);
    case 'completions':
      return formatCompletions(result.events, false);
    case 'bytes':
      return String(result.count);
    case 'hang':
    case 'killed':
      return result.kind;
  }
}

function formatEvents(events: readonly ReportedEvent[]): string {
  return `[${events.map(({ name, mask }) => `${name}:${formatMask(mask)}`).join(', ')}]`;
}

/** With `content`, what reads and waits stored in place of how much it was. */
function formatCompletions(completions: readonly Completion[], content: boolean): string {
  const entries = completions.map((completion) => {
    const { name, res, data, events } = completion;
    if (content && data !== undefined) return `${name}:${quote(data)}`;
    if (content && events !== undefined) return `${name}:${formatEvents(events)}`;
    return `${name}:${formatRes(res)}`;
  });
  return `[${entries.join(', ')}]`;
}

/** `3`, `EINTR`; a negative number that is no errno a user can know stays a number. */
export function formatRes(res: number): string {
  const name = res < 0 ? errnoName(-res) : '';
  return name === '' || name.startsWith('errno ') ? String(res) : name;
}

/** Whether a result is as the pattern says; `undefined` is a call that was not reached or whose condition was false. */
export function matches(pattern: ValuePattern, result: Result | undefined): boolean {
  if (result === undefined) return pattern.kind === 'none';
  switch (pattern.kind) {
    case 'none':
      return false;
    case 'hang':
    case 'killed':
      return result.kind === pattern.kind;
    case 'ok':
      return result.kind !== 'errno' && result.kind !== 'hang' && result.kind !== 'killed';
    case 'errno':
      return result.kind === 'errno' && result.errno === pattern.errno;
    case 'data':
      return result.kind === 'bytes' && result.data === pattern.value;
    case 'int':
      return countOf(result) === pattern.value;
    case 'events':
      if (result.kind !== 'events') return pattern.entries.length === 0 && countOf(result) === 0;
      return matchesAll(pattern, result.events, matchesEvent);
    case 'completions':
      if (result.kind !== 'completions')
        return pattern.entries.length === 0 && countOf(result) === 0;
      return matchesAll(pattern, result.events, matchesCompletion);
  }
}

/** What the call returned as a number, or null when it returned none that may be compared. */
function countOf(result: Result): number | null {
  switch (result.kind) {
    case 'value':
      return result.value;
    case 'bytes':
      return result.count;
    case 'events':
    case 'completions':
      return result.events.length;
    default:
      return null;
  }
}

function matchesEvent(pattern: EventPattern, event: ReportedEvent): boolean {
  if (pattern.name !== event.name) return false;
  const mask = pattern.atLeast ? event.mask & pattern.mask : event.mask;
  return mask >>> 0 === pattern.mask >>> 0;
}

function matchesCompletion(pattern: CompletionPattern, completion: Completion): boolean {
  if (pattern.name !== completion.name) return false;
  const { value } = pattern;
  switch (value.kind) {
    case 'int':
      return completion.res === value.value;
    case 'errno':
      return completion.res < 0 && errnoName(-completion.res) === value.errno;
    case 'ok':
      return completion.res >= 0;
    case 'data':
      return completion.data === value.value;
    case 'events':
      return completion.res >= 0 && matchesAll(value, completion.events ?? [], matchesEvent);
    case 'any':
      return true;
  }
}

/** Some one-to-one assignment of entries to things, or the one in order; lists are short, so by trial. */
function matchesAll<P, T>(
  pattern: { readonly ordered: boolean; readonly entries: readonly P[] },
  things: readonly T[],
  fits: (entry: P, thing: T) => boolean,
): boolean {
  const { ordered, entries } = pattern;
  if (entries.length !== things.length) return false;
  if (ordered) return entries.every((entry, i) => fits(entry, things[i]));
  const [entry, ...others] = entries;
  if (entry === undefined) return true;
  return things.some(
    (thing, i) =>
      fits(entry, thing) && matchesAll({ ordered, entries: others }, things.toSpliced(i, 1), fits),
  );
}

type When = 'always' | 'failed';

interface Column {
  readonly name: string;
  readonly thread: number;
  readonly index: number;
  /** `failed`: shown only when the call failed or did not return. */
  readonly shown: When;
  /** How a success is written. */
  readonly success: 'result' | 'ok' | 'content';
}

const columnsByProgram = new WeakMap<Program, readonly Column[]>();

function columnsOf(program: Program): readonly Column[] {
  const known = columnsByProgram.get(program);
  if (known !== undefined) return known;
  const columns = makeColumns(program);
  columnsByProgram.set(program, columns);
  return columns;
}

function makeColumns(program: Program): readonly Column[] {
  const mentioned = new Set<string>();
  const asContent = new Set<string>();
  for (const { name, values } of conjunctionsOf(program).flatMap((outcome) => outcome.terms)) {
    mentioned.add(name);
    if (values.some(asksForContent)) asContent.add(name);
  }
  return placedCalls(program).flatMap(({ thread, index, call }): Column[] => {
    const label = callLabel(thread, index);
    const unbound = call.bind.length === 0;
    // A call without a name is spoken of by its place, a named one by either.
    const names = unbound ? [label] : mentioned.has(label) ? [...call.bind, label] : call.bind;
    const result = !unbound && boundKind(call) === 'result';
    const returns = syscallOf(call.name)?.returns;
    return names.map((name) => ({
      name,
      thread,
      index,
      shown:
        result || mentioned.has(name)
          ? 'always'
          : returns === 'address' && !unbound
            ? 'always'
            : 'failed',
      success: asContent.has(name)
        ? 'content'
        : returns === 'address' || returns === 'context'
          ? 'ok'
          : 'result',
    }));
  });
}

/** Whether a pattern looks at the bytes or events themselves, so that outcomes have to show them. */
function asksForContent(pattern: ValuePattern): boolean {
  if (pattern.kind !== 'completions') return pattern.kind === 'data';
  return pattern.entries.some(({ value }) => value.kind === 'data' || value.kind === 'events');
}

function conjunctionsOf(program: Program): readonly Conjunction[] {
  return program.expect
    .flatMap((block) => block.expectations)
    .flatMap((e) => (e.kind === 'exactly' ? e.outcomes : 'outcome' in e ? [e.outcome] : []));
}

/**
 * The names every outcome of the program has a value for, in program order: those of results, and the
 * descriptors and call places (`T2.1`) its expectations mention.
 */
export function resultNames(program: Program): readonly string[] {
  return columnsOf(program)
    .filter((column) => column.shown === 'always')
    .map((column) => column.name);
}

/** The result of the call that a name or call place (`x`, `r`, `T2.1`) stands for; undefined if it was not reached. */
export function resultOf(
  program: Program,
  name: string,
  records: readonly CallResult[],
): Result | undefined {
  const column =
    columnsOf(program).find((c) => c.name === name) ??
    placedCalls(program).find((c) => callLabel(c.thread, c.index) === name);
  if (column === undefined) return undefined;
  return records.find((r) => r.thread === column.thread && r.index === column.index)?.result;
}

/** Whether the outcome of a run is as a conjunction says. */
export function satisfies(
  program: Program,
  outcome: Conjunction,
  records: readonly CallResult[],
): boolean {
  return outcome.terms.every(({ name, values }) => {
    const result = resultOf(program, name, records);
    return values.some((value) => matches(value, result));
  });
}

/**
 * The outcome of a run as canonical text: `x=[r:IN] y=EAGAIN`, names in program order. Beside
 * resultNames() it has every descriptor that could not be made and every unnamed call that hung or
 * was killed. Equal text, equal outcome; empty text for a program without results.
 */
export function outcomeText(program: Program, records: readonly CallResult[]): string {
  const parts: string[] = [];
  for (const column of columnsOf(program)) {
    const result = records.find(
      (r) => r.thread === column.thread && r.index === column.index,
    )?.result;
    if (column.shown === 'failed' && !isWorthTelling(column, result)) continue;
    parts.push(`${column.name}=${columnText(column, result)}`);
  }
  return parts.join(' ');
}

function isWorthTelling(column: Column, result: Result | undefined): boolean {
  if (result === undefined) return false;
  if (result.kind === 'hang' || result.kind === 'killed') return true;
  return result.kind === 'errno' && !column.name.includes('.');
}

function columnText(column: Column, result: Result | undefined): string {
  if (result === undefined) return 'none';
  if (column.success === 'content') {
    if (result.kind === 'bytes') return quote(result.data);
    if (result.kind === 'completions') return formatCompletions(result.events, true);
  }
  if (column.success === 'ok' && result.kind === 'value') return 'ok';
  return formatResult(result);
}

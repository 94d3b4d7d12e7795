/** Results as text, results against patterns, and the outcome of a run. */

import { formatMask, syscallOf } from '../abi/index.ts';
import { quote } from './print.ts';
import type { Conjunction, EventPattern, Program, ValuePattern } from './program.ts';
import type { CallResult, ReportedEvent, Result } from './result.ts';
import { boundKind, callLabel, placedCalls } from './scope.ts';

/** A result as outcomes show it: `0`, `EAGAIN`, `[r:IN, s:OUT]` in delivered order, `ok`, `hang`, `killed`. */
export function formatResult(result: Result): string {
  switch (result.kind) {
    case 'value':
      return String(result.value);
    case 'errno':
      return result.errno;
    case 'fds':
      return 'ok';
    case 'events':
      return `[${result.events.map(({ name, mask }) => `${name}:${formatMask(mask)}`).join(', ')}]`;
    case 'bytes':
      return String(result.count);
    case 'hang':
    case 'killed':
      return result.kind;
  }
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
      return pattern.ordered
        ? pattern.entries.length === result.events.length &&
            pattern.entries.every((entry, i) => matchesEvent(entry, result.events[i]))
        : matchesUnordered(pattern.entries, result.events);
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

/** Some one-to-one assignment of entries to events; lists are short, so by trial. */
function matchesUnordered(
  entries: readonly EventPattern[],
  events: readonly ReportedEvent[],
): boolean {
  if (entries.length !== events.length) return false;
  const [entry, ...others] = entries;
  if (entry === undefined) return true;
  return events.some(
    (event, i) => matchesEvent(entry, event) && matchesUnordered(others, events.toSpliced(i, 1)),
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
  readonly success: 'result' | 'ok' | 'data';
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
  const asData = new Set<string>();
  for (const { name, values } of conjunctionsOf(program).flatMap((outcome) => outcome.terms)) {
    mentioned.add(name);
    if (values.some((value) => value.kind === 'data')) asData.add(name);
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
      success: asData.has(name) ? 'data' : returns === 'address' ? 'ok' : 'result',
    }));
  });
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
  if (column.success === 'data' && result.kind === 'bytes') return quote(result.data);
  if (column.success === 'ok' && result.kind === 'value') return 'ok';
  return formatResult(result);
}

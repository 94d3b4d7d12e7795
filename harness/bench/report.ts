/** What a section measured, as data; as a table for people, as JSON, and beside an earlier JSON. */

import { availableParallelism, cpus, loadavg } from 'node:os';

/** A count that was cut off: at least so many. */
export interface AtLeast {
  readonly atLeast: number;
}

export type Value = number | string | AtLeast;

/** One row: what it is about, and what was measured. The id is unique in its section and the same in every release. */
export interface Measurement {
  readonly id: string;
  readonly values: Readonly<Record<string, Value>>;
}

/** How a value is printed: `ms` and `s` are of seconds, `MB` of bytes, `per` of a quotient. */
export type Format = 'text' | 'count' | 'per' | 'ms' | 's' | 'MB';

export interface Column {
  readonly title: string;
  readonly key: string;
  readonly format: Format;
}

/** A part of the report. */
export interface SectionHead {
  /** What it is called on the command line. */
  readonly name: string;
  readonly title: string;
  /** How to read it. */
  readonly reading: string;
  readonly columns: readonly Column[];
  /** The value that is compared with an earlier report. */
  readonly main: { readonly key: string; readonly better: 'more' | 'less' };
}

export interface Machine {
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  /** Processes that wanted to run during the last minute, before the bench began. */
  readonly load: number;
}

export interface SectionResult {
  readonly name: string;
  readonly rows: readonly Measurement[];
}

/** What `--json` writes and `--against` reads. */
export interface BenchFile {
  readonly schema: typeof SCHEMA;
  readonly version: string;
  readonly machine: Machine;
  readonly sections: readonly SectionResult[];
}

export const SCHEMA = 'lostwake-bench/1';

/** What the numbers are of. */
export function thisMachine(): Machine {
  const model = cpus().at(0)?.model.trim() ?? '';
  return {
    node: process.version,
    cpu: model === '' ? `unknown ${process.arch} processor` : model,
    cores: availableParallelism(),
    load: Number(loadavg()[0].toFixed(1)),
  };
}

/** One line; a machine that was busy with something else is told. */
export function machineText({ node, cpu, cores, load }: Machine): string {
  const where = `node ${node.replace(/^v/, '')}, ${cpu}, ${cores} ${cores === 1 ? 'core' : 'cores'}`;
  const isBusy = load > cores / 2;
  return isBusy ? `${where}; busy already (load ${load}): times are not to be relied on` : where;
}

function isCut(value: Value): value is AtLeast {
  return typeof value === 'object';
}

/** The number behind a value; undefined for text. */
export function numberOf(value: Value | undefined): number | undefined {
  if (value === undefined || typeof value === 'string') return undefined;
  return isCut(value) ? value.atLeast : value;
}

/** a / b, at least that if a was cut off. */
export function quotient(a: Value, b: number): Value {
  const n = numberOf(a);
  if (n === undefined || b === 0) return '-';
  return typeof a === 'object' ? { atLeast: n / b } : n / b;
}

function digits(n: number, most: number): string {
  const places = n >= 100 ? 0 : n >= 10 ? Math.min(1, most) : most;
  return n.toLocaleString('en', { minimumFractionDigits: places, maximumFractionDigits: places });
}

function numberText(n: number, format: Format): string {
  switch (format) {
    case 'count':
      return Math.round(n).toLocaleString('en');
    case 'per':
      return digits(n, 2);
    case 'ms':
      return digits(n * 1000, 2);
    case 's':
      return digits(n, 2);
    case 'MB':
      return Math.round(n / 1e6).toLocaleString('en');
    default:
      return String(n);
  }
}

/** A cell. */
export function valueText(value: Value | undefined, format: Format): string {
  if (value === undefined) return '-';
  if (typeof value === 'string') return value;
  return isCut(value) ? `> ${numberText(value.atLeast, format)}` : numberText(value, format);
}

/** How a row compares with the earlier one: over 1 is better now; undefined if there is nothing to compare. */
export function comparedWith(
  head: SectionHead,
  now: Measurement,
  before: SectionResult | undefined,
): number | undefined {
  const earlier = before?.rows.find((row) => row.id === now.id);
  const a = numberOf(now.values[head.main.key]);
  const b = numberOf(earlier?.values[head.main.key]);
  if (a === undefined || b === undefined || a === 0 || b === 0) return undefined;
  return head.main.better === 'more' ? a / b : b / a;
}

/**
 * The section as a table; with an earlier report a last column says how many times better each row is now.
 * What stands in a text column is not repeated in the next row.
 */
export function sectionText(
  head: SectionHead,
  rows: readonly Measurement[],
  before: SectionResult | undefined,
  isCompared: boolean,
): string {
  const titles = head.columns.map((c) => c.title);
  const cells = rows.map((row) => head.columns.map((c) => valueText(row.values[c.key], c.format)));
  withoutRepetition(head.columns, cells);
  if (isCompared) {
    titles.push('x earlier');
    for (const [n, row] of rows.entries()) {
      const times = comparedWith(head, row, before);
      cells[n].push(times === undefined ? '-' : digits(times, 2));
    }
  }
  const isText = (n: number): boolean => head.columns[n]?.format === 'text';
  const widths = titles.map((title, n) =>
    Math.max(title.length, ...cells.map((line) => line[n].length)),
  );
  const print = (line: readonly string[]): string =>
    line
      .map((cell, n) => (isText(n) ? cell.padEnd(widths[n]) : cell.padStart(widths[n])))
      .join('  ')
      .trimEnd();
  return `${head.name}: ${head.title}\n${head.reading}\n\n${[titles, ...cells].map(print).join('\n')}\n`;
}

function withoutRepetition(columns: readonly Column[], cells: string[][]): void {
  for (let line = cells.length - 1; line > 0; line--)
    for (const [n, column] of columns.entries()) {
      if (column.format !== 'text' || cells[line][n] !== cells[line - 1][n]) break;
      cells[line][n] = '';
    }
}

/** The text form of a counterexample: a sentence, the program, what happened step by step, how to see it again. */

import type { CounterexampleRow, CounterexampleView } from '../history/counterexample.ts';
import { printCall } from '../program/print.ts';
import type { Program } from '../program/program.ts';
import { plain } from './plain.ts';

/** Rows of a table; more are cut in the middle, and the cut is announced. */
const ROWS_MAX = 400;
const LABEL = 14;
const COLUMN_MIN = 12;
const STEP = 5;
const GAP = 2;

/** The lines, indented by two, without colour. `width`: characters a line should not exceed. */
export function counterexampleLines(view: CounterexampleView, width: number): string[] {
  const lines = [
    ...wrapped(view.sentence, width - 2),
    '',
    ...programLines(view.program, width - 2),
    '',
    ...tableLines(view, width - 2),
    '',
    ...facts(view),
  ];
  return lines.map((line) => `  ${plain(line)}`.trimEnd());
}

/** The same as one text with a newline at its end. */
export function counterexampleText(view: CounterexampleView, width: number): string {
  return `${counterexampleLines(view, width).join('\n')}\n`;
}

function facts(view: CounterexampleView): string[] {
  const lines: string[] = [];
  for (const [at, line] of (view.legend ?? []).entries()) {
    lines.push(`${(at === 0 ? 'who' : '').padEnd(LABEL)}${line}`);
  }
  for (const [at, line] of (view.ledger ?? []).entries()) {
    lines.push(`${(at === 0 ? 'ledger' : '').padEnd(LABEL)}${line}`);
  }
  for (const [at, line] of (view.source ?? []).entries()) {
    lines.push(`${(at === 0 ? 'source' : '').padEnd(LABEL)}${line}`);
  }
  if (view.docs.length > 0) lines.push(`${'documents'.padEnd(LABEL)}${view.docs.join(' ')}`);
  lines.push(`${'search'.padEnd(LABEL)}${view.search}`);
  // Never wrapped: it is pasted.
  lines.push(`${'replay'.padEnd(LABEL)}${view.replay}`);
  return lines;
}

function programLines(program: Program, width: number): string[] {
  const threads = program.threads.map((calls) => calls.map((call) => printCall(call)));
  const heads = threads.map((_, at) => `T${at + 1}`);
  const lines = [`${'program'.padEnd(LABEL)}${program.name}`.trimEnd()];
  for (const [at, call] of program.init.entries()) {
    lines.push(`${(at === 0 ? 'init' : '').padEnd(LABEL)}${printCall(call)}`);
  }
  const widths = columnWidths(
    threads.map((calls) => [...calls.map((call) => call.length), 2]),
    width - LABEL,
  );
  lines.push(...gridLines('', [heads], widths));
  const longest = Math.max(0, ...threads.map((calls) => calls.length));
  for (let row = 0; row < longest; row += 1) {
    const cells = threads.map((calls) => calls[row] ?? '');
    lines.push(...gridLines(row === 0 ? 'parallel' : '', [cells], widths));
  }
  return lines;
}

function gridLines(
  label: string,
  rows: readonly (readonly string[])[],
  widths: readonly number[],
): string[] {
  return rows.flatMap((cells) =>
    sideBySide(cells, widths).map((line, at) => `${(at === 0 ? label : '').padEnd(LABEL)}${line}`),
  );
}

/** How the rows are laid out: texts above the columns, their widths, and what stands in them. */
interface Layout {
  readonly heads: readonly string[];
  readonly widths: readonly number[];
  /** `before` is the row that stands above. */
  cells(row: CounterexampleRow, before: CounterexampleRow | null): readonly string[];
}

/** More columns than that side by side leave too little room for each. */
const BESIDE_MAX = 3;

function layoutOf(view: CounterexampleView, room: number): Layout {
  const changes = view.rows.map((row) => row.changed?.length ?? 0);
  const hasChanges = view.rows.some((row) => row.changed !== undefined);
  const beside = view.columns.map((column) => [
    column.length,
    ...view.rows.filter((row) => row.column === column).map((row) => row.text.length),
  ]);
  const last = hasChanges ? [[7, ...changes]] : [];
  const widths = columnWidths([...beside, ...last], room);
  const end = (row: CounterexampleRow): string[] => (hasChanges ? [row.changed ?? ''] : []);
  const changed = hasChanges ? ['changed'] : [];
  const isCrowded = widths.some((width, at) => width < Math.max(...(beside[at] ?? [0])));
  if (view.columns.length <= BESIDE_MAX || !isCrowded) {
    return {
      heads: [...view.columns, ...changed],
      widths,
      cells: (row) => [...view.columns.map((c) => (c === row.column ? row.text : '')), ...end(row)],
    };
  }
  // One below the other, with a name where somebody else goes on.
  const names = view.columns.map((column) => column.length);
  const texts = [4, ...view.rows.map((row) => row.text.length)];
  return {
    heads: ['who', 'what', ...changed],
    widths: columnWidths([[3, ...names], texts, ...last], room),
    cells: (row, before) => [
      before?.column === row.column ? '' : row.column,
      row.text,
      ...end(row),
    ],
  };
}

function tableLines(view: CounterexampleView, width: number): string[] {
  const layout = layoutOf(view, width - STEP);
  const lines = wrapped(sizeOf(view), width - LABEL).map(
    (line, at) => `${(at === 0 ? 'interleaving' : '').padEnd(LABEL)}${line}`,
  );
  lines.push(`${'#'.padStart(STEP - 2)}  ${sideBySide(layout.heads, layout.widths).join('')}`);
  let last: CounterexampleRow | null = null;
  for (const row of cut(view.rows)) {
    if (typeof row === 'string') {
      lines.push(row);
      last = null;
      continue;
    }
    if (row.switchCause !== undefined) lines.push(`${' '.repeat(STEP)}-- ${row.switchCause} --`);
    if (row.text === '' && row.changed === undefined) continue;
    lines.push(...rowLines(row, last, layout));
    last = row;
  }
  if (view.rows.some((row) => row.decisive === true)) {
    lines.push(`* ${view.decisiveMeans ?? 'the step that decides it'}`);
  }
  return lines;
}

function rowLines(
  row: CounterexampleRow,
  last: CounterexampleRow | null,
  layout: Layout,
): string[] {
  const sameStep = row.step === last?.step && row.decisive !== true;
  const number = sameStep ? '' : `${row.decisive === true ? '*' : ''}${row.step}`;
  return sideBySide(layout.cells(row, last), layout.widths).map(
    (line, at) => `${(at === 0 ? number : '').padStart(STEP - 2)}  ${line}`,
  );
}

/** `11 steps, 1 preemption, 2 context switches, a proven minimum`. */
function sizeOf(view: CounterexampleView): string {
  const steps = new Set(view.rows.filter((row) => row.text !== '').map((row) => row.step)).size;
  const preemptions = view.rows.filter((row) => row.switchCause?.includes('preempted')).length;
  const { switches } = view;
  const size = [counted(steps, 'step'), counted(preemptions, 'preemption')];
  if (switches !== undefined) size.push(counted(switches, 'context switch', 'es'));
  if (view.fewest !== undefined && switches !== 0) size.push(FEWEST[view.fewest]);
  return size.join(', ');
}

const FEWEST = { proven: 'a proven minimum', found: 'fewest found' } as const;

function counted(n: number, noun: string, plural = 's'): string {
  return `${n} ${noun}${n === 1 ? '' : plural}`;
}

function cut(rows: readonly CounterexampleRow[]): readonly (CounterexampleRow | string)[] {
  if (rows.length <= ROWS_MAX) return rows;
  const half = ROWS_MAX / 2;
  const message = `     ... ${rows.length - ROWS_MAX} rows left out here; the replay shows the whole run ...`;
  return [...rows.slice(0, half), message, ...rows.slice(-half)];
}

/** Widths that fit their texts if the sum allows; else the widest ones give way. */
function columnWidths(lengths: readonly (readonly number[])[], room: number): number[] {
  const wanted = lengths.map((column) => Math.max(1, ...column));
  const widths = [...wanted];
  const gaps = GAP * Math.max(0, widths.length - 1);
  let excess = widths.reduce((sum, width) => sum + width, gaps) - room;
  while (excess > 0) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest] <= COLUMN_MIN) break;
    widths[widest] -= 1;
    excess -= 1;
  }
  return widths;
}

/** Cells next to each other; a cell that is too long goes on in the next line. */
function sideBySide(cells: readonly string[], widths: readonly number[]): string[] {
  const blocks = cells.map((cell, at) => folded(cell, widths[at]));
  const height = Math.max(1, ...blocks.map((block) => block.length));
  const lines: string[] = [];
  for (let row = 0; row < height; row += 1) {
    const parts = blocks.map((block, at) => (block[row] ?? '').padEnd(widths[at]));
    lines.push(parts.join(' '.repeat(GAP)).trimEnd());
  }
  return lines;
}

/** Breaks a cell at blanks where possible; continuations are two deeper than its own indentation. */
function folded(cell: string, width: number): string[] {
  if (cell.length <= width) return [cell];
  const indent = `${/^ */.exec(cell)?.[0] ?? ''}  `.slice(0, Math.max(0, width - 4));
  const lines: string[] = [];
  let rest = cell;
  while (rest.length > width) {
    const blank = rest.lastIndexOf(' ', width);
    const at = blank > indent.length + 2 ? blank : width;
    lines.push(rest.slice(0, at).trimEnd());
    rest = indent + rest.slice(at).trimStart();
  }
  lines.push(rest);
  return lines;
}

function wrapped(text: string, width: number): string[] {
  return folded(text, width).map((line) => line.trimStart());
}

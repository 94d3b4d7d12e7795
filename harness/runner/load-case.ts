/** Reads the programs of a case. */

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { DefinedCase, DefinedRow } from '../case-api.ts';
import { rowSlug } from '../case-api.ts';
import type { Program } from '../program/program.ts';
import { parseProgram, programNameOf } from '../program/text.ts';
import type { CaseEntry } from './case-index.ts';
import { messageOf, UsageError } from './usage-error.ts';

/** One program of a case. */
export interface LoadedRow {
  /** `epfd-is-closed`; empty in a `.prog`. */
  readonly name: string;
  readonly program: Program;
}

/** A case with its programs. */
export interface LoadedCase {
  readonly id: string;
  /** The file as people know it. */
  readonly file: string;
  /** What the command line is given to mean it: the id, or the path of a file outside the cases. */
  readonly replayName: string;
  readonly about: string;
  readonly docs: readonly string[];
  readonly rows: readonly LoadedRow[];
  /** Whoever selected it wants a proof: only a complete exploration passes. */
  readonly prove: boolean;
}

/** Loads a case. Throws a UsageError that names the file (and line and column, in a program). */
export async function loadCase(entry: CaseEntry): Promise<LoadedCase> {
  return entry.path.endsWith('.prog') ? loadProg(entry) : await loadModule(entry);
}

/** Value of a header line of a program, or undefined. */
export function metaValue(program: Program, key: string): string | undefined {
  return program.meta.find((line) => line.key === key)?.value;
}

/** Words of a header line, separated by blanks or commas. */
export function metaWords(program: Program, key: string): string[] {
  return (metaValue(program, key) ?? '').split(/[\s,]+/).filter(Boolean);
}

function loadProg(entry: CaseEntry): LoadedCase {
  const program = parse(read(entry), entry.shown);
  return {
    id: entry.id,
    file: entry.shown,
    replayName: entry.word,
    about: metaValue(program, 'about') ?? '',
    docs: metaWords(program, 'docs'),
    rows: [{ name: '', program }],
    prove: false,
  };
}

async function loadModule(entry: CaseEntry): Promise<LoadedCase> {
  const exported = await importDefault(entry);
  if (!isDefinedCase(exported)) {
    throw new UsageError(
      `${entry.shown}: Cannot use it as a case: its default export is no defineCase()`,
    );
  }
  const rows = exported.rows.map((row) => loadRow(entry, row));
  const docs = new Set(rows.flatMap((row) => metaWords(row.program, 'docs')));
  return {
    id: entry.id,
    file: entry.shown,
    replayName: entry.word,
    about: exported.verifies,
    docs: [...docs],
    rows,
    prove: false,
  };
}

function loadRow(entry: CaseEntry, row: DefinedRow): LoadedRow {
  const name = rowSlug(row.why);
  const shown = `${entry.shown}[${name}]`;
  let text: string;
  try {
    text = row.text();
  } catch (thrown) {
    throw new UsageError(`${shown}: Cannot make the program: ${messageOf(thrown)}`);
  }
  const parsed = parse(text, shown);
  const unnamed = parsed.name === programNameOf(shown);
  const program = unnamed ? { ...parsed, name: `${entry.id}/${name}` } : parsed;
  const missing = row.meta.filter((line) => metaValue(program, line.key) === undefined);
  return { name, program: { ...program, meta: [...missing, ...program.meta] } };
}

function parse(text: string, shown: string): Program {
  try {
    return parseProgram(text, shown);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) throw new UsageError(messageOf(thrown));
    throw thrown;
  }
}

function read(entry: CaseEntry): string {
  try {
    return readFileSync(entry.path, 'utf8');
  } catch (thrown) {
    throw new UsageError(`Cannot read ${entry.shown}: ${messageOf(thrown)}`);
  }
}

async function importDefault(entry: CaseEntry): Promise<unknown> {
  try {
    // A module's exports are unknown until looked at: the parsing boundary of cases in TypeScript.
    const module = (await import(pathToFileURL(entry.path).href)) as { default?: unknown };
    return module.default;
  } catch (thrown) {
    throw new UsageError(`${entry.shown}: Cannot load the case: ${messageOf(thrown)}`);
  }
}

function isDefinedCase(value: unknown): value is DefinedCase {
  return (
    typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'lostwake-case'
  );
}

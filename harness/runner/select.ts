/** Which cases and rows a command line means. */

import { entriesNamed, fileCase, indexCases, suggestCase, type CaseEntry } from './case-index.ts';
import { loadCase, type LoadedCase } from './load-case.ts';
import { globMatcher, isPattern } from './pattern.ts';
import { readRuntest } from './runtest.ts';
import { orUsageError, UsageError } from './usage-error.ts';

/** What was asked for; all names and patterns, nothing looked up yet. */
export interface Selection {
  readonly casesFolder: string;
  /** Names, rows (`case/row`), patterns, or paths of `.prog` files. */
  readonly words: readonly string[];
  /** Names of runtest lists; their order is kept. */
  readonly runtest: readonly string[];
  readonly skip: readonly string[];
}

interface Word {
  readonly word: string;
  /** `cases/runtest/epoll:3: `, or nothing for the command line. */
  readonly prefix: string;
  /** It is from a list of proofs. */
  readonly prove: boolean;
}

/** Which rows of which entry; null: all. */
type Wanted = Map<CaseEntry, Set<string> | null>;

/**
 * Loads what is selected, in order: list by list, word by word, each row once. Without words and lists: every case.
 * Throws a UsageError for a name that exists nowhere, and for a list line that selects nothing.
 */
export async function selectCases(selection: Selection): Promise<LoadedCase[]> {
  const index = indexCases(selection.casesFolder);
  const words = wordsOf(selection);
  const wanted: Wanted = new Map();
  const proofs = new Set<CaseEntry>();
  const loader = new Loader();
  for (const word of words) {
    for (const [entry, rows] of await meant(word, index, loader)) {
      addRows(wanted, entry, rows);
      if (word.prove) proofs.add(entry);
    }
  }
  const cases: LoadedCase[] = [];
  for (const [entry, rows] of wanted) {
    const loaded = onlyRows(await loader.load(entry), rows);
    cases.push(proofs.has(entry) ? { ...loaded, prove: true } : loaded);
  }
  return withoutSkipped(cases, selection.skip, index);
}

function wordsOf(selection: Selection): Word[] {
  const words: Word[] = selection.runtest.flatMap((list) => {
    const { lines, prove } = readRuntest(selection.casesFolder, list);
    return lines.map(({ word, where }) => ({ word, prefix: `${where}: `, prove }));
  });
  words.push(...selection.words.map((word) => ({ word, prefix: '', prove: false })));
  const everything = selection.words.length === 0 && selection.runtest.length === 0;
  if (everything) words.push({ word: '**', prefix: '', prove: false });
  return words;
}

/** Loads each case once. */
class Loader {
  readonly #loaded = new Map<CaseEntry, LoadedCase>();

  async load(entry: CaseEntry): Promise<LoadedCase> {
    const already = this.#loaded.get(entry);
    if (already !== undefined) return already;
    const loaded = await loadCase(entry);
    this.#loaded.set(entry, loaded);
    return loaded;
  }
}

/** What a word selects; throws a UsageError if that is nothing where something is meant. */
async function meant(
  { word, prefix }: Word,
  index: readonly CaseEntry[],
  loader: Loader,
): Promise<Wanted> {
  if (isFile(word, prefix)) {
    const entry = fileCase(word);
    return new Map([[index.find((one) => one.path === entry.path) ?? entry, null]]);
  }
  const found = isPattern(word)
    ? await findPattern(word, index, loader)
    : await findName(word, prefix, index, loader);
  if (found.size === 0 && !(isPattern(word) && prefix === '')) {
    throw new UsageError(`${prefix}Cannot find the case "${word}"${suggestCase(index, word)}`);
  }
  return found;
}

function isFile(word: string, prefix: string): boolean {
  return prefix === '' && word.endsWith('.prog') && !isPattern(word);
}

async function findPattern(
  word: string,
  index: readonly CaseEntry[],
  loader: Loader,
): Promise<Wanted> {
  const matches = orUsageError(() => globMatcher(word));
  const found: Wanted = new Map();
  const whole = index.filter(
    (entry) => matches(entry.id) || matches(entry.long) || matches(entry.id.replace(/^.*\//, '')),
  );
  for (const entry of whole) found.set(entry, null);
  if (whole.length > 0 || !word.includes('/')) return found;
  // No case of that form: rows, then. The case part must match by itself, so that few files are read.
  const ofCase = orUsageError(() => globMatcher(word.replace(/\/[^/]*$/, '')));
  for (const entry of index.filter((one) => ofCase(one.id))) {
    const rows = (await loader.load(entry)).rows.filter((row) =>
      matches(`${entry.id}/${row.name}`),
    );
    if (rows.length > 0) found.set(entry, new Set(rows.map((row) => row.name)));
  }
  return found;
}

async function findName(
  word: string,
  prefix: string,
  index: readonly CaseEntry[],
  loader: Loader,
): Promise<Wanted> {
  const entries = entriesNamed(index, word);
  if (entries.length > 1) {
    const ids = entries.map((entry) => `"${entry.id}"`).join(', ');
    throw new UsageError(`${prefix}Cannot tell which case "${word}" means: ${ids}`);
  }
  if (entries.length === 1) return new Map([[entries[0], null]]);
  const slash = word.lastIndexOf('/');
  if (slash < 0) return new Map();
  const [entry] = entriesNamed(index, word.slice(0, slash));
  if (entry === undefined) return new Map();
  const row = word.slice(slash + 1);
  const names = (await loader.load(entry)).rows.map((one) => one.name);
  if (names.includes(row)) return new Map([[entry, new Set([row])]]);
  const has = names.filter(Boolean).join(', ') || 'no named rows';
  throw new UsageError(`${prefix}Cannot find the row "${row}" of ${entry.id}; it has: ${has}`);
}

function addRows(wanted: Wanted, entry: CaseEntry, rows: Set<string> | null): void {
  const already = wanted.get(entry);
  if (already === undefined || rows === null) wanted.set(entry, rows);
  else if (already !== null) for (const row of rows) already.add(row);
}

function onlyRows(loaded: LoadedCase, rows: Set<string> | null): LoadedCase {
  if (rows === null) return loaded;
  return { ...loaded, rows: loaded.rows.filter((row) => rows.has(row.name)) };
}

function withoutSkipped(
  cases: readonly LoadedCase[],
  skip: readonly string[],
  index: readonly CaseEntry[],
): LoadedCase[] {
  if (skip.length === 0) return [...cases];
  const tests = skip.map((word) => {
    if (isPattern(word)) return orUsageError(() => globMatcher(word));
    const entries = entriesNamed(index, word);
    const rowOf = entriesNamed(index, word.replace(/\/[^/]*$/, ''));
    if (entries.length + rowOf.length === 0) {
      throw new UsageError(`--skip: Cannot find the case "${word}"${suggestCase(index, word)}`);
    }
    const ids = entries.map((entry) => entry.id);
    return (id: string) => id === word || ids.includes(id);
  });
  const skipped = (id: string) => tests.some((test) => test(id));
  return cases
    .filter((one) => !skipped(one.id) && !skipped(one.id.replace(/^.*\//, '')))
    .map((one) => ({ ...one, rows: one.rows.filter((row) => !skipped(`${one.id}/${row.name}`)) }))
    .filter((one) => one.rows.length > 0);
}

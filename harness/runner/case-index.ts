/**
 * Which cases there are: names only, so that one malformed file does not stop the others. Programs are read by
 * `loadCase` when a case is selected.
 */

import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isPattern } from './pattern.ts';
import { suggestion, UsageError } from './usage-error.ts';

const EXTENSION = /\.(prog|ts|js|mjs)$/;

/** A case that can be loaded. */
export interface CaseEntry {
  /** `epoll_ctl02`, `bugs/E-B1`: unique. */
  readonly id: string;
  /** For people: below the package's folder where it is there, else as given. */
  readonly shown: string;
  /** The id with every folder: `epoll_ctl/epoll_ctl02`. */
  readonly long: string;
  /** What means it on a command line: the id, or the path as it was given. */
  readonly word: string;
  /** What is loaded: a `.prog`, or a compiled module. */
  readonly path: string;
}

/** The folder with package.json, seen from the sources and from build/ alike. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) {
    folder = dirname(folder);
  }
  return folder;
}

/** The folder of cases that come with the package. */
export function defaultCasesFolder(): string {
  return join(packageRoot(), 'cases');
}

/**
 * Every case below a folder, by id. Throws a UsageError if the folder cannot be read, a TypeScript case is not
 * compiled, or two files have the same id.
 */
export function indexCases(folder: string): CaseEntry[] {
  const entries: CaseEntry[] = [];
  const byId = new Map<string, CaseEntry>();
  for (const file of listFiles(folder)) {
    const path = loadablePath(join(folder, file));
    if (path === undefined) continue;
    const id = caseId(file);
    const long = file.replace(EXTENSION, '');
    const entry = { id, long, word: id, shown: shownPath(join(folder, file)), path };
    const other = byId.get(entry.id);
    if (other !== undefined) {
      const files = `${other.shown} and ${entry.shown}`;
      throw new UsageError(`Cannot name two cases "${entry.id}": ${files}; rename one`);
    }
    byId.set(entry.id, entry);
    entries.push(entry);
  }
  return entries.sort((a, b) => byName(a.id, b.id));
}

/** A `.prog` file named on the command line, anywhere. */
export function fileCase(path: string): CaseEntry {
  const full = resolve(path);
  if (!existsSync(full)) throw new UsageError(`Cannot read "${path}": no such file`);
  const id = basename(path).replace(EXTENSION, '');
  return { id, long: id, word: path, shown: shownPath(full), path: full };
}

/** `epoll_ctl/epoll_ctl02.ts` → `epoll_ctl02`: a folder that the file name repeats is left out. */
export function caseId(file: string): string {
  const parts = file.replace(EXTENSION, '').split('/');
  const name = parts[parts.length - 1];
  const folders = parts.slice(0, -1).filter((folder) => !name.startsWith(folder));
  return [...folders, name].join('/');
}

/** Entries whose id, with or without all folders, or whose last part is exactly `name`. */
export function entriesNamed(index: readonly CaseEntry[], name: string): CaseEntry[] {
  const exact = index.filter((entry) => entry.id === name || entry.long === name);
  if (exact.length > 0) return exact;
  return index.filter((entry) => entry.id.endsWith(`/${name}`));
}

/** ` (did you mean "epoll_ctl02"?)`, for a name that is not there. */
export function suggestCase(index: readonly CaseEntry[], name: string): string {
  if (isPattern(name)) return '; see "lostwake list cases"';
  const ids = index.flatMap((entry) => [entry.id, entry.id.replace(/^.*\//, '')]);
  return suggestion(name, ids) || '; see "lostwake list cases"';
}

/** Order of names with numbers in them by number: E-B2 before E-B10. Never the locale's. */
export function byName(a: string, b: string): number {
  const as = a.match(/\d+|\D+/g) ?? [];
  const bs = b.match(/\d+|\D+/g) ?? [];
  for (let at = 0; at < as.length && at < bs.length; at += 1) {
    if (as[at] === bs[at]) continue;
    const difference = Number(as[at]) - Number(bs[at]);
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
    return as[at] < bs[at] ? -1 : 1;
  }
  return as.length - bs.length;
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
      .sort();
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown);
    throw new UsageError(`Cannot read the folder of cases "${folder}": ${code}`);
  }
}

/** Undefined if the file is no case. */
function loadablePath(path: string): string | undefined {
  if (path.endsWith('.prog')) return path;
  if (/\.(test|d)\.[mc]?[tj]s$/.test(path)) return undefined;
  if (/\.m?js$/.test(path)) return path;
  if (!path.endsWith('.ts')) return undefined;
  const root = packageRoot();
  const built = join(root, 'build', relative(root, path)).replace(/\.ts$/, '.js');
  if (existsSync(built)) return built;
  throw new UsageError(`Cannot load ${shownPath(path)}: it is not compiled; run "npm run build"`);
}

function shownPath(path: string): string {
  const below = relative(packageRoot(), path);
  return below.startsWith('..') ? path : below.split(sep).join('/');
}

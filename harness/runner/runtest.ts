/**
 * Lists of cases in LTP's manner: `cases/runtest/<name>` has one case name, row (`case/row`) or pattern a line,
 * and `#` comments. The order of a list is the order of its runs; a case named twice runs once. A line `--prove` makes
 * it a list of proofs, as the flag does on a command line.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suggestion, UsageError } from './usage-error.ts';

/** One line of a list. */
export interface RuntestLine {
  /** A name or a pattern. */
  readonly word: string;
  /** `cases/runtest/epoll:3`. */
  readonly where: string;
}

/** One list. */
export interface Runtest {
  readonly lines: readonly RuntestLine[];
  /** Only a complete exploration of its cases passes. */
  readonly prove: boolean;
}

/** Names of the lists, sorted; none if there is no folder. */
export function runtestNames(casesFolder: string): string[] {
  try {
    return readdirSync(join(casesFolder, 'runtest'))
      .filter((name) => /^[\w-]+$/.test(name) && name !== 'README')
      .sort();
  } catch {
    return [];
  }
}

/** Reads one list. Throws a UsageError for a list that is not there or a line that is not one word. */
export function readRuntest(casesFolder: string, name: string): Runtest {
  const known = runtestNames(casesFolder);
  if (!known.includes(name)) {
    const hint = suggestion(name, known) || `; there are: ${known.join(', ') || 'none'}`;
    throw new UsageError(`Cannot find the runtest list "${name}"${hint}`);
  }
  const shown = `cases/runtest/${name}`;
  return parseRuntest(readFileSync(join(casesFolder, 'runtest', name), 'utf8'), shown);
}

/** Reads the text of a list; `shown` is its name in messages. */
export function parseRuntest(text: string, shown: string): Runtest {
  const lines: RuntestLine[] = [];
  let prove = false;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const where = `${shown}:${index + 1}`;
    const words = line.replace(/#.*$/, '').trim().split(/\s+/).filter(Boolean);
    if (words.length === 0) continue;
    if (words.length > 1) {
      throw new UsageError(
        `${where}: Cannot read "${words.join(' ')}": one name or pattern a line`,
      );
    }
    const [word] = words;
    if (word === '--prove') prove = true;
    else if (word.startsWith('-'))
      throw new UsageError(
        `${where}: Cannot use "${word}" in a list: --prove is all that there is`,
      );
    else lines.push({ word, where });
  }
  return { lines, prove };
}

/**
 * The list of known failures, `cases/known-failures`: one `ID case[/row] [target]  # why` a line.
 * A failure that is listed does not fail the run; one that is listed and does not come does.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { selects } from '../check/selector.ts';
import { globMatcher } from './pattern.ts';
import type { RunResult } from './result.ts';
import { identityOf } from './targets.ts';
import { orUsageError, UsageError } from './usage-error.ts';

/** One line of the list. */
export interface KnownFailure {
  readonly id: string;
  /** Name or pattern of a case or row. */
  readonly name: string;
  /** Selector of the targets; absent: all. */
  readonly target?: string;
}

/** Reads the list that belongs to a folder of cases; none if there is no list. */
export function readKnownFailures(casesFolder: string): KnownFailure[] {
  const path = join(casesFolder, 'known-failures');
  return existsSync(path)
    ? parseKnownFailures(readFileSync(path, 'utf8'), 'cases/known-failures')
    : [];
}

/** Reads the text of a list; `shown` is its name in messages. */
export function parseKnownFailures(text: string, shown: string): KnownFailure[] {
  const known: KnownFailure[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const words = line.replace(/#.*$/, '').trim().split(/\s+/).filter(Boolean);
    if (words.length === 0) continue;
    const [id, name, target] = words;
    if (words.length < 2 || words.length > 3) {
      throw new UsageError(
        `${shown}:${index + 1}: Cannot read "${words.join(' ')}": "ID case[/row] [target]" is wanted`,
      );
    }
    orUsageError(() => globMatcher(name));
    known.push(target === undefined ? { id, name } : { id, name, target });
  }
  return known;
}

/** The result with `known` or `fixed` set, if the list speaks of it. */
export function withKnown(result: RunResult, list: readonly KnownFailure[]): RunResult {
  const entry = list.find((one) => speaksOf(one, result));
  if (entry === undefined) return result;
  if (result.verdict === 'FAIL') return { ...result, known: entry.id };
  if (result.verdict !== 'PASS' && result.verdict !== 'WARN') return result;
  const message = `Known failure ${entry.id} passes: take it off cases/known-failures`;
  return {
    ...result,
    verdict: 'FAIL',
    fixed: entry.id,
    lines: [...result.lines, { status: 'FAIL', message }],
  };
}

function speaksOf(entry: KnownFailure, result: RunResult): boolean {
  const matches = globMatcher(entry.name);
  const row = result.row === '' ? result.caseId : `${result.caseId}/${result.row}`;
  const named = matches(result.caseId) || matches(row);
  return named && (entry.target === undefined || selects(entry.target, identityOf(result.target)));
}

/** Parses value patterns and outcomes. */

import { ERRNO_NAMES, MASK_BITS, errnoNumber, maskWord } from '../abi/index.ts';
import type { Cursor } from './cursor.ts';
import { didYouMean } from './did-you-mean.ts';
import { placeAt } from './positions.ts';
import type {
  CompletionPattern,
  CompletionValue,
  Conjunction,
  EventPattern,
  ValuePattern,
} from './program.ts';

/** Whether the result of that name (`x`, `T2.1`) is a list of completions; else lists are of events. */
export type ReportsCompletions = (name: string) => boolean;

const PATTERN_WORDS = ['hang', 'none', 'ok', 'killed'] as const;

/**
 * Reads one value pattern: `1`, `EAGAIN`, `hang`, `"abc"`, `{r:IN+}`, `[r:IN, s:OUT]`; of completions
 * `{a:1, b:EINTR}`.
 */
export function parsePattern(cursor: Cursor, completions: boolean): ValuePattern {
  const at = cursor.position;
  return placeAt(parsePatternBody(cursor, completions), at);
}

function parsePatternBody(cursor: Cursor, completions: boolean): ValuePattern {
  const text = cursor.string();
  if (text !== null) return { kind: 'data', value: text };
  if (cursor.sees('{') || cursor.sees('['))
    return completions
      ? { kind: 'completions', ...parseEntries(cursor, 'results', parseCompletion) }
      : { kind: 'events', ...parseEntries(cursor, 'events', parseEvent) };
  const value = cursor.decimal();
  if (value !== null) return { kind: 'int', value };
  const at = cursor.position;
  const word = cursor.word();
  if (word === null) {
    return cursor.fail(`Cannot read a value: found ${cursor.describe()}`);
  }
  const kind = PATTERN_WORDS.find((known) => known === word);
  if (kind !== undefined) return { kind };
  if (errnoNumber(word) !== null) return { kind: 'errno', errno: word };
  return cursor.fail(
    `Cannot read value "${word}": it is no number, errno, hang, killed, none or ok` +
      didYouMean(word, [...PATTERN_WORDS, ...ERRNO_NAMES]),
    at,
  );
}

/** `{x, y}` in any order or `[x, y]` in this one. */
function parseEntries<T>(
  cursor: Cursor,
  what: string,
  entry: (cursor: Cursor) => T,
): { readonly ordered: boolean; readonly entries: readonly T[] } {
  const ordered = cursor.accept('[');
  if (!ordered) cursor.expect('{', what);
  const close = ordered ? ']' : '}';
  const entries: T[] = [];
  while (!cursor.accept(close)) {
    if (entries.length > 0) cursor.expect(',', what);
    entries.push(entry(cursor));
  }
  return { ordered, entries };
}

/** `a:1`, `a:EINTR`, `a:"abc"`, `e:{r:IN}`, `a:ok`, `a:*`. */
function parseCompletion(cursor: Cursor): CompletionPattern {
  const at = cursor.position;
  const number = cursor.decimal();
  const name = number === null ? cursor.word() : String(number);
  if (name === null)
    return cursor.fail(`Cannot read results: expected an iocb, found ${cursor.describe()}`);
  cursor.expect(':', 'results');
  return placeAt({ name, value: parseCompletionValue(cursor, name) }, at);
}

function parseCompletionValue(cursor: Cursor, name: string): CompletionValue {
  const text = cursor.string();
  if (text !== null) return { kind: 'data', value: text };
  if (cursor.sees('{') || cursor.sees('['))
    return { kind: 'events', ...parseEntries(cursor, 'events', parseEvent) };
  if (cursor.accept('*')) return { kind: 'any' };
  const value = cursor.decimal();
  if (value !== null) return { kind: 'int', value };
  const at = cursor.position;
  const word = cursor.word();
  if (word === null)
    return cursor.fail(`Cannot read the result of ${name}: found ${cursor.describe()}`);
  if (word === 'ok') return { kind: 'ok' };
  if (errnoNumber(word) !== null) return { kind: 'errno', errno: word };
  return cursor.fail(
    `Cannot read the result "${word}" of ${name}: it is no number, errno, string, events, ok or *` +
      didYouMean(word, ['ok', ...ERRNO_NAMES]),
    at,
  );
}

function parseEvent(cursor: Cursor): EventPattern {
  const at = cursor.position;
  const number = cursor.decimal();
  const name = number === null ? cursor.word() : String(number);
  if (name === null)
    return cursor.fail(`Cannot read events: expected a name, found ${cursor.describe()}`);
  cursor.expect(':', 'events');
  let mask = 0;
  do {
    const wordAt = cursor.position;
    const word =
      cursor.hex() ?? cursor.word() ?? (cursor.sees('0') && cursor.decimal() === 0 ? '0' : null);
    const bits = word === null ? null : maskWord(word);
    if (word === null)
      cursor.fail(
        `Cannot read events: expected an event after ":", found ${cursor.describe()}` +
          (cursor.decimal() === null
            ? ''
            : '; results of iocbs are what io_getevents() and io_cancel() report'),
        wordAt,
      );
    if (bits === null) {
      cursor.fail(
        `Cannot read event "${word}"${didYouMean(
          word,
          MASK_BITS.map(([known]) => known),
        )}`,
        wordAt,
      );
    }
    mask = (mask | bits) >>> 0;
  } while (cursor.accept('|'));
  const atLeast = cursor.accept('+');
  return placeAt({ name, mask, atLeast }, at);
}

/** Reads `x=0|ENOENT y=hang T2.1=none` to the end of the line. */
export function parseConjunction(
  cursor: Cursor,
  what: string,
  reports: ReportsCompletions,
): Conjunction {
  if (cursor.atEnd) cursor.fail(`Cannot read ${what}: no result is named`);
  const terms: Conjunction['terms'][number][] = [];
  while (!cursor.atEnd) {
    const at = cursor.position;
    const name = parseResultName(cursor);
    cursor.expect('=', what);
    const completions = reports(name);
    const values = [parsePattern(cursor, completions)];
    while (cursor.accept('|')) values.push(parsePattern(cursor, completions));
    terms.push(placeAt({ name, values }, at));
  }
  return { terms };
}

/** Reads a result name or the position of a call: `x`, `T2.1`, `init.3`. */
function parseResultName(cursor: Cursor): string {
  const word = cursor.word();
  if (word === null)
    return cursor.fail(`Cannot read an outcome: expected a name, found ${cursor.describe()}`);
  if (!cursor.accept('.')) return word;
  const index = cursor.decimal();
  if (index === null)
    cursor.fail(`Cannot read an outcome: expected a call number, found ${cursor.describe()}`);
  return `${word}.${index}`;
}

/** Parses arguments, value patterns and outcomes. */

import { ERRNO_NAMES, MASK_BITS, errnoNumber, looksLikeFlag, maskWord } from '../abi/index.ts';
import type { Cursor } from './cursor.ts';
import { didYouMean } from './did-you-mean.ts';
import { placeAt } from './positions.ts';
import type {
  Arg,
  Conjunction,
  EventPattern,
  PointerName,
  PollfdArg,
  ValuePattern,
} from './program.ts';

function isPointerName(word: string): word is PointerName {
  return word === 'NULL' || word === 'BAD' || word === 'RO' || word === 'KERNEL';
}

/** Reads one argument of a call, labelled or not. */
export function parseArg(cursor: Cursor): Arg {
  const at = cursor.position;
  return placeAt(parseArgBody(cursor), at);
}

function parseArgBody(cursor: Cursor): Arg {
  const text = cursor.string();
  if (text !== null) return { kind: 'string', value: text };
  if (cursor.sees('[')) return parsePollfds(cursor);
  if (cursor.sees('{')) return parseSignals(cursor);
  const hex = cursor.hex();
  if (hex !== null) return parseFlags(cursor, hex);
  const value = cursor.decimal();
  if (value !== null) {
    if (cursor.sees('|'))
      cursor.fail(`Cannot combine number ${value} with flags: write it as 0x...`);
    return { kind: 'int', value };
  }
  const word = cursor.word();
  if (word === null) return cursor.fail(`Cannot read an argument: found ${cursor.describe()}`);
  if (isPointerName(word)) return { kind: 'pointer', where: word };
  if (word === 'mapped' && cursor.accept('(')) {
    const elements = cursor.decimal();
    if (elements === null || elements < 0) {
      cursor.fail(
        `Cannot read mapped(): expected a number of elements, found ${cursor.describe()}`,
      );
    }
    cursor.expect(')', 'mapped()');
    return { kind: 'mapped', elements };
  }
  if (looksLikeFlag(word) || cursor.sees('|')) return parseFlags(cursor, word);
  if (cursor.sees('=') && !cursor.sees('==')) {
    cursor.expect('=', 'a labelled argument');
    const value = parseArg(cursor);
    if (value.kind === 'labelled')
      cursor.fail(`Cannot label an argument twice, as "${word}" and "${value.label}"`);
    return { kind: 'labelled', label: word, value };
  }
  return { kind: 'name', name: word };
}

function parseFlags(cursor: Cursor, first: string): Arg {
  const names = [first];
  while (cursor.accept('|')) {
    const next = cursor.hex() ?? cursor.word();
    if (next === null)
      return cursor.fail(
        `Cannot read flags: expected a name after "|", found ${cursor.describe()}`,
      );
    names.push(next);
  }
  return { kind: 'flags', names };
}

function parsePollfds(cursor: Cursor): Arg {
  cursor.expect('[', 'a pollfd list');
  const entries: PollfdArg[] = [];
  while (!cursor.accept(']')) {
    if (entries.length > 0) cursor.expect(',', 'a pollfd list');
    const fd = parseArg(cursor);
    cursor.expect(':', 'a pollfd list');
    entries.push({ fd, events: parseArg(cursor) });
  }
  return { kind: 'pollfds', entries };
}

function parseSignals(cursor: Cursor): Arg {
  cursor.expect('{', 'a signal set');
  const names: string[] = [];
  while (!cursor.accept('}')) {
    if (names.length > 0) cursor.expect(',', 'a signal set');
    const name = cursor.word();
    if (name === null) cursor.fail(`Cannot read a signal set: found ${cursor.describe()}`);
    names.push(name);
  }
  return { kind: 'signals', names };
}

const PATTERN_WORDS = ['hang', 'none', 'ok', 'killed'] as const;

/** Reads one value pattern: `1`, `EAGAIN`, `hang`, `"abc"`, `{r:IN+}`, `[r:IN, s:OUT]`. */
export function parsePattern(cursor: Cursor): ValuePattern {
  const at = cursor.position;
  return placeAt(parsePatternBody(cursor), at);
}

function parsePatternBody(cursor: Cursor): ValuePattern {
  const text = cursor.string();
  if (text !== null) return { kind: 'data', value: text };
  if (cursor.sees('{') || cursor.sees('[')) return parseEvents(cursor);
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

function parseEvents(cursor: Cursor): ValuePattern {
  const ordered = cursor.accept('[');
  if (!ordered) cursor.expect('{', 'events');
  const close = ordered ? ']' : '}';
  const entries: EventPattern[] = [];
  while (!cursor.accept(close)) {
    if (entries.length > 0) cursor.expect(',', 'events');
    entries.push(parseEvent(cursor));
  }
  return { kind: 'events', ordered, entries };
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
    const word = cursor.hex() ?? cursor.word() ?? (cursor.decimal() === 0 ? '0' : null);
    const bits = word === null ? null : maskWord(word);
    if (word === null)
      cursor.fail(
        `Cannot read events: expected an event after ":", found ${cursor.describe()}`,
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
export function parseConjunction(cursor: Cursor, what: string): Conjunction {
  if (cursor.atEnd) cursor.fail(`Cannot read ${what}: no result is named`);
  const terms: Conjunction['terms'][number][] = [];
  while (!cursor.atEnd) {
    const at = cursor.position;
    const name = parseResultName(cursor);
    cursor.expect('=', what);
    const values = [parsePattern(cursor)];
    while (cursor.accept('|')) values.push(parsePattern(cursor));
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

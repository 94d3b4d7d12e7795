/** Parses the arguments of a call. */

import { iocbOpOf, looksLikeFlag, syscallOf } from '../abi/index.ts';
import type { Cursor } from './cursor.ts';
import { placeAt } from './positions.ts';
import type { Arg, IocbArg, IocbOp, PointerName, PollfdArg } from './program.ts';

/** What a list in brackets is: that depends on the call it is an argument of. */
type ListKind = 'pollfds' | 'iocbs' | 'iovec';

/** UIO_MAXIOV of Linux: no call takes more segments. One more, for those who want to be refused. */
const MAX_REPEATS = 1025;

function isPointerName(word: string): word is PointerName {
  return word === 'NULL' || word === 'BAD' || word === 'RO' || word === 'KERNEL';
}

/** Reads `(a, b, c)`: all arguments of the call of that name. */
export function parseArgs(cursor: Cursor, name: string): Arg[] {
  const spec = syscallOf(name);
  // A misspelt io_submit() is not to be told that its list is none of pollfds.
  const takesIocbs =
    spec === null ? name.startsWith('io_') : spec.args.some(({ type }) => type.kind === 'iocbs');
  return parseArgList(cursor, {
    what: `the call "${name}"`,
    name,
    lists: takesIocbs ? 'iocbs' : 'pollfds',
  });
}

function parseArgList(
  cursor: Cursor,
  how: { readonly what: string; readonly name: string; readonly lists: ListKind },
): Arg[] {
  const args: Arg[] = [];
  cursor.expect('(', how.what);
  while (!cursor.accept(')')) {
    if (args.length > 0) cursor.expect(',', `the arguments of ${how.name}()`);
    args.push(parseArg(cursor, how.lists));
  }
  return args;
}

/** Reads one argument of a call, labelled or not. */
function parseArg(cursor: Cursor, lists: ListKind): Arg {
  const at = cursor.position;
  return placeAt(parseArgBody(cursor, lists), at);
}

function parseArgBody(cursor: Cursor, lists: ListKind): Arg {
  const text = cursor.string();
  if (text !== null) return { kind: 'string', value: text };
  if (cursor.sees('[')) return parseList(cursor, lists);
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
  if (word === 'mapped' && cursor.accept('(')) return parseMapped(cursor);
  if (looksLikeFlag(word) || cursor.sees('|')) return parseFlags(cursor, word);
  if (cursor.sees('=') && !cursor.sees('==')) {
    cursor.expect('=', 'a labelled argument');
    const value = parseArg(cursor, lists);
    if (value.kind === 'labelled')
      cursor.fail(`Cannot label an argument twice, as "${word}" and "${value.label}"`);
    return { kind: 'labelled', label: word, value };
  }
  return { kind: 'name', name: word };
}

function parseMapped(cursor: Cursor): Arg {
  const elements = cursor.decimal();
  if (elements === null || elements < 0) {
    cursor.fail(`Cannot read mapped(): expected a number of elements, found ${cursor.describe()}`);
  }
  cursor.expect(')', 'mapped()');
  return { kind: 'mapped', elements };
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

function parseList(cursor: Cursor, lists: ListKind): Arg {
  if (lists === 'iocbs')
    return { kind: 'iocbs', entries: parseItems(cursor, 'an iocb list', parseIocb) };
  if (lists === 'iovec') {
    const runs = parseItems(cursor, 'a list of segments', parseRun);
    return { kind: 'iovec', segments: runs.flat() };
  }
  return { kind: 'pollfds', entries: parseItems(cursor, 'a pollfd list', parsePollfd) };
}

function parseItems<T>(cursor: Cursor, what: string, item: (cursor: Cursor) => T): T[] {
  cursor.expect('[', what);
  const items: T[] = [];
  while (!cursor.accept(']')) {
    if (items.length > 0) cursor.expect(',', what);
    items.push(item(cursor));
  }
  return items;
}

/** `4096`, `"ab"`, and `1 x 1024` for that many of them. */
function parseRun(cursor: Cursor): Arg[] {
  const segment = parseArg(cursor, 'iovec');
  if (cursor.peekWord() !== 'x') return [segment];
  cursor.word();
  const at = cursor.position;
  const count = cursor.decimal();
  if (count === null || count < 1 || count > MAX_REPEATS)
    return cursor.fail(
      `Cannot repeat a segment: expected a number from 1 to ${MAX_REPEATS} after "x"`,
      at,
    );
  return new Array<Arg>(count).fill(segment);
}

function parsePollfd(cursor: Cursor): PollfdArg {
  const fd = parseArg(cursor, 'pollfds');
  cursor.expect(':', 'a pollfd list');
  return { fd, events: parseArg(cursor, 'pollfds') };
}

/** `a: pread(r, 4)`, `a`, `BAD`. */
function parseIocb(cursor: Cursor): IocbArg {
  const at = cursor.position;
  const name = cursor.word();
  if (name === null)
    return cursor.fail(
      `Cannot read an iocb list: expected the name of an iocb, found ${cursor.describe()}`,
    );
  if (isPointerName(name)) return placeAt({ kind: 'pointer', where: name }, at);
  const op = cursor.accept(':') ? parseIocbOp(cursor, name) : null;
  return placeAt({ kind: 'iocb', name, op }, at);
}

function parseIocbOp(cursor: Cursor, iocb: string): IocbOp {
  const at = cursor.position;
  const name = cursor.word();
  if (name === null)
    return cursor.fail(
      `Cannot read iocb "${iocb}": expected a request, found ${cursor.describe()}`,
    );
  const vectored = iocbOpOf(name)?.args.some(({ type }) => type.kind === 'iovec') ?? false;
  const lists = vectored ? 'iovec' : 'pollfds';
  const args = parseArgList(cursor, { what: `the request "${name}"`, name, lists });
  return placeAt({ name, args }, at);
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

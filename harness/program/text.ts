/** Reads the text form of programs (`.prog`); the grammar is in `fixtures/programs/README.md`. */

import { syscallOf } from '../abi/index.ts';
import { Cursor } from './cursor.ts';
import { didYouMean } from './did-you-mean.ts';
import { META_KEYS } from './meta.ts';
import { parseArgs } from './parse-args.ts';
import { parseConjunction, parsePattern, type ReportsCompletions } from './parse-patterns.ts';
import { placeAt, placeBinds, type Position } from './positions.ts';
import type { Call, Condition, Conjunction, ExpectBlock, Expectation, Program } from './program.ts';
import { callLabel } from './scope.ts';
import { THREADS_MAX, checkProgram } from './validity.ts';

/**
 * Reads a program and checks it.
 *
 * `fileName` is used in messages, and without directory and `.prog` as the program's name unless a
 * `name:` line gives one. Throws ProgramSyntaxError with the first thing that is wrong.
 *
 * @example
 * parseProgram('T1:\n  r, w = pipe()\n  x = read(r, 1)\nexpect:\n  always x=hang\n', 'hang.prog');
 */
export function parseProgram(text: string, fileName: string): Program {
  const program = new Parser(text, fileName).parse();
  checkProgram(program, fileName);
  return program;
}

/** As parseProgram(), without the checks on names, arguments and threads. */
export function parseSyntax(text: string, fileName: string): Program {
  return new Parser(text, fileName).parse();
}

/** `a/b/loop.prog` is `loop`. */
export function programNameOf(fileName: string): string {
  const base = fileName.slice(fileName.lastIndexOf('/') + 1);
  return base.endsWith('.prog') ? base.slice(0, -'.prog'.length) : base;
}

/** A comment starts with `#` at the beginning of the line or after a space, outside a string. */
function withoutComment(line: string): string {
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const char = line[i];
    if (char === '\\' && quoted) i += 1;
    else if (char === '"') quoted = !quoted;
    else if (char === '#' && !quoted && /^$|\s/.test(line[i - 1] ?? '')) {
      return line.slice(0, i);
    }
  }
  return line;
}

interface OpenBlock {
  readonly selectors: readonly string[];
  readonly expectations: Expectation[];
  /** The `outcome` lines so far; they stand where the first one stood. */
  outcomes: Conjunction[] | null;
}

type Section = 'header' | 'init' | 'thread' | 'expect';

class Parser {
  readonly #text: string;
  readonly #fileName: string;
  readonly #meta: { readonly key: string; readonly value: string }[] = [];
  readonly #init: Call[] = [];
  readonly #threads: Call[][] = [];
  readonly #expect: ExpectBlock[] = [];
  #name: string | null = null;
  #section: Section = 'header';
  #initSeen = false;
  #block: OpenBlock | null = null;
  /** Names and places of calls that answer with completions: `{a:0}` of them is no event set. */
  readonly #completions = new Set<string>();
  readonly #reports: ReportsCompletions = (name) => this.#completions.has(name);

  constructor(text: string, fileName: string) {
    this.#text = text;
    this.#fileName = fileName;
  }

  parse(): Program {
    const lines = this.#text.split(/\r?\n/);
    for (const [i, line] of lines.entries()) {
      const cursor = new Cursor(withoutComment(line).trimEnd(), i + 1, this.#fileName);
      if (!cursor.atEnd) this.#line(cursor);
    }
    return {
      name: this.#name ?? programNameOf(this.#fileName),
      meta: this.#meta,
      init: this.#init,
      threads: this.#threads,
      expect: this.#expect,
    };
  }

  #line(cursor: Cursor): void {
    const at = cursor.position;
    const head = cursor.section();
    if (head !== null) this.#head(cursor, head, at);
    else if (this.#section === 'header') {
      cursor.fail(
        `Cannot read ${cursor.describe()}: expected "key: value", "init:", "T1:" or "expect:"`,
      );
    } else if (this.#section === 'expect') this.#expectation(cursor);
    else this.#call(cursor);
  }

  #call(cursor: Cursor): void {
    const inInit = this.#section === 'init';
    const calls = inInit ? this.#init : (this.#threads.at(-1) ?? this.#init);
    const call = parseCall(cursor, this.#reports);
    calls.push(call);
    if (syscallOf(call.name)?.returns !== 'completions') return;
    const thread = inInit ? -1 : this.#threads.length - 1;
    this.#completions.add(callLabel(thread, calls.length - 1));
    for (const name of call.bind) this.#completions.add(name);
  }

  #head(cursor: Cursor, head: string, at: Position): void {
    if (head === 'init') this.#startInit(cursor, at);
    else if (/^T[0-9]+$/.test(head)) this.#startThread(cursor, head, at);
    else if (head === 'expect' || head.startsWith('expect ')) this.#startExpect(cursor, head, at);
    else this.#header(cursor, head, at);
  }

  #startInit(cursor: Cursor, at: Position): void {
    cursor.end('"init:"');
    if (this.#initSeen) cursor.fail('Cannot start "init:" a second time', at);
    if (this.#section !== 'header')
      cursor.fail('Cannot start "init:" here: it stands before the threads', at);
    this.#initSeen = true;
    this.#section = 'init';
  }

  #startThread(cursor: Cursor, head: string, at: Position): void {
    cursor.end(`"${head}:"`);
    if (this.#section === 'expect')
      cursor.fail(`Cannot start "${head}:" here: threads stand before "expect:"`, at);
    const next = this.#threads.length + 1;
    if (next > THREADS_MAX)
      cursor.fail(`Cannot start "${head}:": a program has at most ${THREADS_MAX} threads`, at);
    if (head !== `T${next}`)
      cursor.fail(`Cannot start "${head}:" here: the next thread is T${next}`, at);
    this.#threads.push([]);
    this.#section = 'thread';
  }

  #startExpect(cursor: Cursor, head: string, at: Position): void {
    cursor.end('"expect:"');
    const selectors = head.split(/\s+/).slice(1);
    const bad = selectors.find(
      (selector) => !/^[A-Za-z0-9._+*-]+((<=|>=|<|>|=)\d+(\.\d+)*)?$/.test(selector),
    );
    if (bad !== undefined)
      cursor.fail(
        `Cannot read target "${bad}": write it as 2.6.20, 2.5.44+sys_epoll-v11, 2.* or host`,
        at,
      );
    this.#section = 'expect';
    this.#block = { selectors, expectations: [], outcomes: null };
    this.#expect.push(placeAt({ selectors, expectations: this.#block.expectations }, at));
  }

  #header(cursor: Cursor, key: string, at: Position): void {
    if (!META_KEYS.includes(key)) {
      const known = [...META_KEYS, 'init', 'expect'];
      cursor.fail(
        `Cannot read "${key}:": it is no header key or section${didYouMean(key, known)}`,
        at,
      );
    }
    if (this.#section !== 'header')
      cursor.fail(`Cannot read "${key}:" here: header lines stand before the calls`, at);
    const valueAt = cursor.position;
    const value = cursor.rest();
    if (value === '') cursor.fail(`Cannot read "${key}:": its value is missing`, valueAt);
    if (key !== 'name') {
      if (this.#meta.some((entry) => entry.key === key))
        cursor.fail(`Cannot read "${key}:" a second time`, at);
      this.#meta.push(placeAt({ key, value }, valueAt));
      return;
    }
    if (this.#name !== null) cursor.fail('Cannot read "name:" a second time', at);
    this.#name = value;
  }

  #expectation(cursor: Cursor): void {
    const block = this.#block;
    if (block === null) return;
    const at = cursor.position;
    const expectation = parseExpectation(cursor, this.#reports);
    if (expectation.kind !== 'exactly') {
      block.expectations.push(placeAt(expectation, at));
    } else if (block.outcomes === null) {
      block.outcomes = [...expectation.outcomes];
      block.expectations.push(placeAt({ kind: 'exactly', outcomes: block.outcomes }, at));
    } else {
      block.outcomes.push(...expectation.outcomes);
    }
  }
}

const EXPECTATION_WORDS = ['always', 'sometimes', 'never', 'outcome', 'finding', 'absent', 'clean'];

function parseExpectation(cursor: Cursor, reports: ReportsCompletions): Expectation {
  const at = cursor.position;
  const word = cursor.word();
  switch (word) {
    case 'always':
    case 'sometimes':
    case 'never':
      return { kind: word, outcome: parseConjunction(cursor, `"${word}"`, reports) };
    case 'outcome':
      return { kind: 'exactly', outcomes: [parseConjunction(cursor, '"outcome"', reports)] };
    case 'finding':
    case 'absent':
      return parseFinding(cursor, word);
    case 'clean':
      cursor.end('"clean"');
      return { kind: 'clean' };
    default:
      return cursor.fail(
        `Cannot read expectation ${word === null ? cursor.describe() : `"${word}"`}` +
          (didYouMean(word ?? '', EXPECTATION_WORDS) || `: use ${EXPECTATION_WORDS.join(', ')}`),
        at,
      );
  }
}

function parseFinding(cursor: Cursor, kind: 'finding' | 'absent'): Expectation {
  const text = cursor.rest();
  const found = /^([A-Z][A-Z0-9-]*)(?:\s+at\s+(\S.*))?$/.exec(text);
  if (found === null) {
    cursor.fail(`Cannot read "${kind} ${text}": expected a detector and perhaps "at SITE"`);
  }
  const [, detector = '', site] = found;
  return site === undefined ? { kind, detector } : { kind, detector, site };
}

function parseCall(cursor: Cursor, reports: ReportsCompletions): Call {
  const at = cursor.position;
  const bind: string[] = [];
  const bindAt: Position[] = [];
  let word = readName(cursor, 'a call');
  if (cursor.sees(',') || (cursor.sees('=') && !cursor.sees('=='))) {
    bind.push(word);
    bindAt.push(at);
    while (cursor.accept(',')) {
      bindAt.push(cursor.position);
      bind.push(readName(cursor, 'the names before "="'));
    }
    cursor.expect('=', 'a call');
    word = readName(cursor, 'a call');
  }
  const args = parseArgs(cursor, word);
  placeBinds(bind, bindAt);
  if (cursor.atEnd) return placeAt({ bind, name: word, args }, at);
  return placeAt({ bind, name: word, args, when: parseCondition(cursor, reports) }, at);
}

function readName(cursor: Cursor, what: string): string {
  return (
    cursor.word() ?? cursor.fail(`Cannot read ${what}: expected a name, found ${cursor.describe()}`)
  );
}

function parseCondition(cursor: Cursor, reports: ReportsCompletions): Condition {
  if (cursor.peekWord() !== 'if')
    cursor.fail(
      `Cannot read ${cursor.describe()} after a call: expected "if" or the end of the line`,
    );
  cursor.word();
  const at = cursor.position;
  const name = readName(cursor, 'a condition');
  const negated = cursor.accept('!=');
  if (!negated) cursor.expect('==', 'a condition');
  const value = parsePattern(cursor, reports(name));
  cursor.end('a condition');
  return placeAt({ name, negated, value }, at);
}

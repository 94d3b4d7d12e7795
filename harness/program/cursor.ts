/** Reads one line of program text from left to right. */

import type { Position } from './positions.ts';
import { ProgramSyntaxError } from './syntax-error.ts';

const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const DECIMAL = /-?[0-9]+(?![A-Za-z0-9_])/y;
const HEX = /0x[0-9a-fA-F]{1,8}(?![A-Za-z0-9_])/y;

export class Cursor {
  readonly #text: string;
  readonly #line: number;
  readonly #fileName: string;
  #at = 0;

  /** `text` is one line without its comment; `line` counts from 1. */
  constructor(text: string, line: number, fileName: string) {
    this.#text = text;
    this.#line = line;
    this.#fileName = fileName;
    this.#skipSpace();
  }

  /** Where the next token begins. */
  get position(): Position {
    return { line: this.#line, column: this.#at + 1 };
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** The next token as far as a message needs it: `"foo"`, `"("`, or `the end of the line`. */
  describe(): string {
    if (this.atEnd) return 'the end of the line';
    const rest = this.#text.slice(this.#at);
    const token = /^([A-Za-z0-9_]+|"[^"]*"?|==|!=|.)/u.exec(rest)?.[0] ?? rest;
    return token.startsWith('"') ? token : `"${token}"`;
  }

  /** Ends the parse with a message; the position is that of the next token unless given. */
  fail(reason: string, at: Position = this.position): never {
    throw new ProgramSyntaxError(reason, { fileName: this.#fileName, ...at });
  }

  /** Whether the next characters are exactly these. */
  sees(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  /** Consumes the characters if they are next. */
  accept(text: string): boolean {
    if (!this.sees(text)) return false;
    this.#at += text.length;
    this.#skipSpace();
    return true;
  }

  /** Consumes the characters or fails: `Cannot read a call: expected ")", found "x"`. */
  expect(text: string, what: string): void {
    if (!this.accept(text)) {
      this.fail(`Cannot read ${what}: expected "${text}", found ${this.describe()}`);
    }
  }

  /** The next word (letters, digits, `_`, not starting with a digit), or null. */
  word(): string | null {
    return this.#match(WORD);
  }

  /** The next word without consuming it, or null. */
  peekWord(): string | null {
    WORD.lastIndex = this.#at;
    return WORD.exec(this.#text)?.[0] ?? null;
  }

  /** What stands before the first colon if the line is `head:` or `key: value`, else null. */
  section(): string | null {
    const rest = this.#text.slice(this.#at);
    const found = /^(expect\s[^:]*|[A-Za-z][A-Za-z0-9-]*)\s*:(?=\s|$)/.exec(rest);
    if (found === null) return null;
    this.#at += found[0].length;
    this.#skipSpace();
    return found[0].slice(0, -1).trim();
  }

  /** The next decimal number, or null; one that is too large for exact arithmetic fails. */
  decimal(): number | null {
    const at = this.position;
    const text = this.#match(DECIMAL);
    if (text === null) return null;
    const value = Number(text);
    if (!Number.isSafeInteger(value))
      this.fail(`Cannot read number ${text}: it is out of range`, at);
    return Object.is(value, -0) ? 0 : value;
  }

  /** The next hexadecimal word in canonical form (`0x1f`), or null; at most 32 bits. */
  hex(): string | null {
    const text = this.#match(HEX);
    return text === null ? null : `0x${Number.parseInt(text, 16).toString(16)}`;
  }

  /** The next string literal, unescaped, or null if the next token is none. */
  string(): string | null {
    if (!this.sees('"')) return null;
    const start = this.position;
    let value = '';
    let at = this.#at + 1;
    for (;;) {
      const char = this.#text[at];
      if (char === undefined)
        this.fail('Cannot read a string: its closing quote is missing', start);
      if (char === '"') break;
      if (char !== '\\') {
        value += char;
        at += 1;
        continue;
      }
      const escape = /\\(?:["\\nt]|x[0-9a-fA-F]{2})/y;
      escape.lastIndex = at;
      const found = escape.exec(this.#text)?.[0];
      if (found === undefined) {
        const column = { line: this.#line, column: at + 1 };
        this.fail(
          `Cannot read escape "${this.#text.slice(at, at + 2)}": use \\" \\\\ \\n \\t or \\xNN`,
          column,
        );
      }
      value += unescape(found);
      at += found.length;
    }
    this.#at = at + 1;
    this.#skipSpace();
    return value;
  }

  /** All that is left, without spaces at either end. */
  rest(): string {
    const text = this.#text.slice(this.#at).trim();
    this.#at = this.#text.length;
    return text;
  }

  /** Fails unless the line is used up. */
  end(what: string): void {
    if (!this.atEnd) this.fail(`Cannot read ${what}: unexpected ${this.describe()} at its end`);
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) return null;
    this.#at += found.length;
    this.#skipSpace();
    return found;
  }

  #skipSpace(): void {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at += 1;
  }
}

function unescape(escape: string): string {
  switch (escape[1]) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'x':
      return String.fromCharCode(Number.parseInt(escape.slice(2), 16));
    default:
      return escape.slice(1);
  }
}

/** Numbers for texts, so that a feature that was seen before costs one look into a table of numbers. */

import { HarnessBug } from '../machine/index.ts';

/** Places, classes and calls that one process may meet: so that two of them make one small number. */
const MOST = 1 << 13;

/** Texts by number, in order of first appearance: numbers are of this table and never leave the process. */
export class Words {
  readonly #numbers = new Map<string, number>();
  readonly #words: string[] = [];

  numberOf(word: string): number {
    const known = this.#numbers.get(word);
    if (known !== undefined) return known;
    const number = this.#words.length;
    if (number >= MOST)
      throw new HarnessBug(`Cannot tell "${word}" from others: ${MOST} places are the limit`);
    this.#words.push(word);
    this.#numbers.set(word, number);
    return number;
  }

  word(number: number): string {
    return this.#words[number];
  }
}

/** Features of one form, each known by two numbers of words. */
export class FeatureTable {
  readonly #seen: SeenFeatures;
  readonly #text: (a: number, b: number) => string;
  readonly #ids = new Map<number, number>();

  constructor(seen: SeenFeatures, text: (a: number, b: number) => string) {
    this.#seen = seen;
    this.#text = text;
  }

  see(a: number, b: number): void {
    const key = a * MOST + b;
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#seen.numberOf(this.#text(a, b));
      this.#ids.set(key, id);
    }
    this.#seen.see(id);
  }
}

/** The features of one program, in the order in which it showed them. */
export class SeenFeatures {
  readonly #numbers = new Map<string, number>();
  readonly #texts: string[] = [];
  /** By feature: the program that showed it last. */
  #stamps = new Int32Array(1024);
  #program = 0;
  #list: number[] = [];

  /** Another program. */
  begin(): void {
    this.#program += 1;
    this.#list = [];
  }

  numberOf(text: string): number {
    let number = this.#numbers.get(text);
    if (number !== undefined) return number;
    number = this.#texts.length;
    this.#texts.push(text);
    this.#numbers.set(text, number);
    if (number >= this.#stamps.length) {
      const longer = new Int32Array(this.#stamps.length * 2);
      longer.set(this.#stamps);
      this.#stamps = longer;
    }
    return number;
  }

  see(number: number): void {
    if (this.#stamps[number] === this.#program) return;
    this.#stamps[number] = this.#program;
    this.#list.push(number);
  }

  /** What the program that was begun last has shown so far. */
  texts(): string[] {
    return this.#list.map((number) => this.#texts[number]);
  }
}

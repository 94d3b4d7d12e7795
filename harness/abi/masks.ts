/** Event sets as text: `IN|OUT`, bits in one fixed order, the rest in hexadecimal. */

import { flagOf } from './flags.ts';

/** Bits a poll mask can report, in printing order. */
export const MASK_BITS: readonly (readonly [name: string, bit: number])[] = [
  ['IN', 0x1],
  ['PRI', 0x2],
  ['OUT', 0x4],
  ['ERR', 0x8],
  ['HUP', 0x10],
  ['NVAL', 0x20],
  ['RDNORM', 0x40],
  ['RDBAND', 0x80],
  ['WRNORM', 0x100],
  ['WRBAND', 0x200],
  ['MSG', 0x400],
  ['RDHUP', 0x2000],
];

/** `IN|HUP`; bits without a name follow as one hexadecimal word; nothing set is `0`. */
export function formatMask(mask: number): string {
  const words: string[] = [];
  let rest = mask >>> 0;
  for (const [name, bit] of MASK_BITS) {
    if ((rest & bit) === 0) continue;
    words.push(name);
    rest = (rest & ~bit) >>> 0;
  }
  if (rest !== 0) words.push(`0x${rest.toString(16)}`);
  return words.length === 0 ? '0' : words.join('|');
}

/** The bits of one word of a mask: `IN`, `EPOLLIN`, `POLLIN`, `0x800`, `0`; null if it is none. */
export function maskWord(word: string): number | null {
  if (word === '0') return 0;
  if (/^0x[0-9a-fA-F]{1,8}$/.test(word)) return Number.parseInt(word, 16);
  const known = MASK_BITS.find(([name]) => name === word);
  if (known !== undefined) return known[1];
  const flag = flagOf(word);
  return flag !== null && (flag.set === 'epoll' || flag.set === 'poll') ? flag.value : null;
}

/** Reads what formatMask() printed; null if a word is unknown. */
export function parseMask(text: string): number | null {
  let mask = 0;
  for (const word of text.split('|')) {
    const bits = maskWord(word.trim());
    if (bits === null) return null;
    mask |= bits;
  }
  return mask >>> 0;
}

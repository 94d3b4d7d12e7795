/** Which words can be names. */

import { errnoNumber, looksLikeFlag } from '../abi/index.ts';

const RESERVED = /^(T[0-9]+|init|if|hang|none|ok|killed|mapped|NULL|BAD|RO|KERNEL)$/;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Whether the text has the form of a name. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** Whether the word means something of its own, so that nothing can be called by it. */
export function isReserved(word: string): boolean {
  return RESERVED.test(word) || looksLikeFlag(word) || errnoNumber(word) !== null;
}

/** Words for what would be a number in a report: what the alternatives of a choice are, and what a word means. */

/** By site: the alternatives of the choice that is made there. */
const alternatives = new Map<string, readonly string[]>();
/** By name of the object: what a value says. */
const meanings = new Map<string, (value: number) => string>();

/** Alternatives of injectFault(): all is well, and what goes wrong. */
export const ALLOCATION: readonly string[] = ['kmalloc succeeds', 'kmalloc fails'];
export const USER_COPY: readonly string[] = ['the copy succeeds', 'the copy faults'];
export const SIGNAL: readonly string[] = ['no signal comes', 'a signal comes'];

/** Says what may happen at a site; the last one to speak is right. */
export function nameAlternatives(site: string, names: readonly string[]): void {
  if (alternatives.get(site) !== names) alternatives.set(site, names);
}

/** What an alternative of the choice at a site is; undefined if nobody said. */
export function alternativeAt(site: string, alternative: number): string | undefined {
  return alternatives.get(site)?.[alternative];
}

/** Says what the values of words of that name mean. */
export function nameValues(word: string, meaning: (value: number) => string): void {
  meanings.set(word, meaning);
}

/** The value as a report shows it. */
export function valueText(word: string, value: number): string {
  return meanings.get(word)?.(value) ?? String(value);
}

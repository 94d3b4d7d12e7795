/** Text of others made safe to print: what a terminal or a YAML reader would act on is spelt out. */

const UNPRINTABLE =
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff\ufeff]/g;

/** Control characters, odd line separators and surrogates as `<U+001B>`; line feeds stay. */
export function plain(text: string): string {
  return text.replace(UNPRINTABLE, (char) => {
    return `<U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}>`;
  });
}

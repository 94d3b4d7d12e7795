/**
 * Names and patterns of cases and rows. A word is an exact name unless it has one of `* ? { } [ ]`;
 * `*` and `?` stop at a slash, `**` does not, `{a,b}` is either, `[ab]` one of the characters.
 */

/** True if the word is a pattern, not a name. */
export function isPattern(word: string): boolean {
  return /[*?{}[\]]/.test(word);
}

/** A test for full matches. Throws a SyntaxError for unbalanced braces or brackets. */
export function globMatcher(pattern: string): (text: string) => boolean {
  const compiled = new RegExp(`^${globSource(pattern)}$`);
  return (text) => compiled.test(text);
}

function globSource(pattern: string): string {
  let source = '';
  let depth = 0;
  for (let at = 0; at < pattern.length; at += 1) {
    const char = pattern[at];
    if (char === '*') {
      const double = pattern[at + 1] === '*';
      if (double) at += 1;
      source += double ? '.*' : '[^/]*';
    } else if (char === '?') source += '[^/]';
    else if (char === '{') {
      depth += 1;
      source += '(?:';
    } else if (char === '}') {
      if (depth === 0) throw new SyntaxError(`Cannot read pattern "${pattern}": "}" without "{"`);
      depth -= 1;
      source += ')';
    } else if (char === ',' && depth > 0) source += '|';
    else if (char === '[') {
      const end = pattern.indexOf(']', at + 1);
      if (end < 0) throw new SyntaxError(`Cannot read pattern "${pattern}": "[" without "]"`);
      source += characterClass(pattern.slice(at + 1, end), pattern);
      at = end;
    } else source += char.replace(/[.+^$()|\\/\]]/g, '\\$&');
  }
  if (depth > 0) throw new SyntaxError(`Cannot read pattern "${pattern}": "{" without "}"`);
  return source;
}

function characterClass(body: string, pattern: string): string {
  if (body === '') throw new SyntaxError(`Cannot read pattern "${pattern}": "[]" is empty`);
  const negated = body.startsWith('!') || body.startsWith('^');
  const members = (negated ? body.slice(1) : body).replace(/[\\\]^]/g, '\\$&');
  return `[${negated ? '^' : ''}${members}]`;
}

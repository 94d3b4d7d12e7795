/** Bad input from a person: one line that says what could not be done, where, and what to do. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The message of anything thrown, on one line. */
export function messageOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.replace(/\s*\n\s*/g, ' ').trim();
}

/**
 * Runs `work` and turns what bad input makes our readers throw (SyntaxError, RangeError) into a UsageError.
 * Anything else is a bug of ours and passes through.
 */
export function orUsageError<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof SyntaxError || thrown instanceof RangeError) {
      throw new UsageError(messageOf(thrown));
    }
    throw thrown;
  }
}

/** The candidate that `word` was probably meant to be, as ` (did you mean "x"?)`, or nothing. */
export function suggestion(word: string, candidates: Iterable<string>): string {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best === undefined ? '' : ` (did you mean "${best}"?)`;
}

/** Levenshtein distance, given up at `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const here = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      here.push(Math.min(above[column] + 1, here[column - 1] + 1, above[column - 1] + same));
    }
    above = here;
  }
  return above[b.length];
}

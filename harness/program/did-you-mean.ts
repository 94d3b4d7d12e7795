/** Suggestions for misspelt words. */

/** Edits from a to b: insert, delete, replace, swap neighbours. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, i) => i)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? rows[i - 2][j - 2] + 1 : replace;
      row.push(Math.min(replace, swap, rows[i - 1][j] + 1, row[j - 1] + 1));
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}

/** `, did you mean "epoll_wait"?` for the nearest candidate, or nothing when none is near. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  // Any letter is near any other.
  if (word.length < 2) return '';
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best = '';
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    const d = distance(word.toLowerCase(), candidate.toLowerCase());
    if (d < bestDistance) [best, bestDistance] = [candidate, d];
  }
  return best === '' ? '' : `, did you mean "${best}"?`;
}

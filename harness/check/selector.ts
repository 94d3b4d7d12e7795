/** Which expect block speaks for a target. */

import type { ExpectBlock } from '../program/program.ts';

/** What a selector is held against. */
export interface TargetIdentity {
  /** `2.6.20`, `2.5.44+sys_epoll-v11`, `host`. */
  readonly selector: string;
  /** Kernel release of the host, for `host>=6.0`. */
  readonly release?: string;
}

const COMPARISON = /^([^<>=]+)(>=|<=|<|>|=)([0-9][0-9.]*)$/;

/**
 * The block for a target: a comparison that holds beats the exact name, that beats a glob (the longest first),
 * that beats the block without a selector. Among equals the first one written. Undefined if none speaks for it.
 */
export function blockFor(
  blocks: readonly ExpectBlock[],
  target: TargetIdentity,
): ExpectBlock | undefined {
  let best: ExpectBlock | undefined;
  let bestRank = -1;
  for (const block of blocks) {
    const rank = rankOfBlock(block, target);
    if (rank > bestRank) {
      best = block;
      bestRank = rank;
    }
  }
  return best;
}

/** True if one selector (`2.6.20`, `2.*`, `host>=6.0`) means the target. */
export function selects(selector: string, target: TargetIdentity): boolean {
  return rankOf(selector, target) >= 0;
}

function rankOfBlock(block: ExpectBlock, target: TargetIdentity): number {
  if (block.selectors.length === 0) return 0;
  return Math.max(...block.selectors.map((selector) => rankOf(selector, target)));
}

function rankOf(selector: string, target: TargetIdentity): number {
  const parts = COMPARISON.exec(selector);
  if (parts !== null) return comparisonHolds(parts, target) ? 3000 : -1;
  if (selector === target.selector) return 2000;
  if (selector.includes('*') && globMatches(selector, target.selector)) return selector.length;
  return -1;
}

function comparisonHolds(parts: RegExpExecArray, target: TargetIdentity): boolean {
  const [, name = '', operator = '', wanted = ''] = parts;
  if (name !== target.selector || target.release === undefined) return false;
  const order = compareReleases(target.release, wanted);
  if (operator === '>=') return order >= 0;
  if (operator === '<=') return order <= 0;
  if (operator === '>') return order > 0;
  if (operator === '<') return order < 0;
  return order === 0;
}

/** Negative, zero or positive; only as many numbers as the second one has are compared. */
export function compareReleases(release: string, wanted: string): number {
  const have = release.split(/[^0-9]+/).map(Number);
  const want = wanted.split('.').map(Number);
  for (const [at, number] of want.entries()) {
    const difference = (have[at] ?? 0) - number;
    if (difference !== 0) return difference;
  }
  return 0;
}

function globMatches(glob: string, text: string): boolean {
  const [first = '', ...rest] = glob.split('*');
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const [n, piece] of rest.entries()) {
    if (n === rest.length - 1) return text.length - piece.length >= at && text.endsWith(piece);
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at === text.length;
}

/** Which catalogued bug a finding is: read from the expectations of the bug cases, not from a table of its own. */

import { join } from 'node:path';
import { blockFor } from '../check/selector.ts';
import type { Finding } from '../history/history.ts';
import type { ExpectBlock } from '../program/program.ts';
import { defaultCasesFolder, indexCases } from './case-index.ts';
import { loadCase } from './load-case.ts';

/** A program of cases/bugs and the bugs it shows. */
export interface KnownBug {
  /** `E-B27`. */
  readonly ids: readonly string[];
  readonly expect: readonly ExpectBlock[];
}

/** Every program of the cases in cases/bugs, with the E-B or A-B ids of its case. */
export async function loadKnownBugs(): Promise<KnownBug[]> {
  const bugs: KnownBug[] = [];
  for (const entry of indexCases(join(defaultCasesFolder(), 'bugs'))) {
    const loaded = await loadCase(entry);
    const ids = loaded.docs.filter((id) => /^[EA]-B\d+$/.test(id));
    for (const { program } of loaded.rows) bugs.push({ ids, expect: program.expect });
  }
  return bugs;
}

/** Ids of the catalogued bugs with the finding's signature on that kernel. Bugs without a site match none. */
export function bugIds(known: readonly KnownBug[], kernel: string, finding: Finding): string[] {
  const shown = known.filter(({ expect }) =>
    blockOf(expect, kernel)?.expectations.some(
      (line) =>
        line.kind === 'finding' &&
        line.detector === finding.detector &&
        line.site !== undefined &&
        finding.site.includes(line.site),
    ),
  );
  return [...new Set(shown.flatMap(({ ids }) => ids))];
}

/** What is said of the kernel, or of what it was before its last patches: a patch that is not spoken of changes nothing. */
function blockOf(expect: readonly ExpectBlock[], kernel: string): ExpectBlock | undefined {
  const block = blockFor(expect, { selector: kernel });
  if (block !== undefined || !kernel.includes('+')) return block;
  return blockOf(expect, kernel.slice(0, kernel.lastIndexOf('+')));
}

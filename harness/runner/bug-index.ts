/** Which catalogued bug a finding is: read from the expectations of the bug cases, not from a table of its own. */

import { join } from 'node:path';
import { selects } from '../check/selector.ts';
import type { Finding } from '../history/history.ts';
import { defaultCasesFolder, indexCases } from './case-index.ts';
import { loadCase } from './load-case.ts';

export interface KnownBug {
  readonly id: string;
  readonly selectors: readonly string[];
  readonly detector: string;
  readonly site: string | undefined;
}

/** Every `finding` line of the cases in cases/bugs, with the E-B or A-B ids of its case. */
export async function loadKnownBugs(): Promise<KnownBug[]> {
  const bugs: KnownBug[] = [];
  for (const entry of indexCases(join(defaultCasesFolder(), 'bugs'))) {
    const loaded = await loadCase(entry);
    const ids = loaded.docs.filter((id) => /^[EA]-B\d+$/.test(id));
    for (const { program } of loaded.rows)
      for (const block of program.expect)
        for (const e of block.expectations)
          if (e.kind === 'finding')
            for (const id of ids)
              bugs.push({ id, selectors: block.selectors, detector: e.detector, site: e.site });
  }
  return bugs;
}

/** Ids of the catalogued bugs with the finding's signature on that kernel. Bugs without a site match none. */
export function bugIds(known: readonly KnownBug[], kernel: string, finding: Finding): string[] {
  const ids = known
    .filter(
      (bug) =>
        bug.detector === finding.detector &&
        bug.site !== undefined &&
        finding.site.includes(bug.site) &&
        bug.selectors.some((s) => selects(s, { selector: kernel })),
    )
    .map((bug) => bug.id);
  return [...new Set(ids)];
}

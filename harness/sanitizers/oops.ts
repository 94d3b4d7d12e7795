/** Oops: the kernel has killed the current task (NULL dereference, BUG_ON). */

import { engine, type Oops } from '../machine/index.ts';
import type { FindingList } from './findings.ts';
import { currentName } from './names.ts';

export function addOops(findings: FindingList, error: Oops): void {
  const message = `${currentName()} dies at ${error.site}: ${error.message}`;
  findings.add('OOPS', error.site, message, [engine.position()]);
}

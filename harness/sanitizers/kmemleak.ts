/**
 * kmemleak: what is still allocated after the process has exited. Files, dentries, inodes and mounts are
 * allocations like any other, so a reference that was never dropped shows as its object.
 */

import { allocations, engine, type Mem } from '../machine/index.ts';
import type { FindingList } from './findings.ts';
import { memName } from './names.ts';

/** One finding per allocation site: the first object and how many there are. */
export function findLeaks(findings: FindingList): void {
  if (allocations.every(isFine)) return;
  const bySite = new Map<string, { name: string; count: number }>();
  for (const mem of allocations) {
    if (isFine(mem)) continue;
    const entry = bySite.get(mem.allocSite);
    if (entry === undefined) bySite.set(mem.allocSite, { name: memName(mem), count: 1 });
    else entry.count++;
  }
  for (const [site, { name, count }] of bySite) {
    const more = count === 1 ? '' : ` and ${count - 1} more from there`;
    findings.add('LEAK', site, `${name}, allocated at ${site},${more} is never freed`, [
      engine.log.length - 1,
    ]);
  }
}

function isFine(mem: Mem): boolean {
  return mem.freed || mem.permanent;
}

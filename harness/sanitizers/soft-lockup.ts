/** Soft lockup: a loop in the kernel that waits for a change, without sleeping, when nobody is left to make one. */

import { engine, Kind } from '../machine/index.ts';
import type { FindingList } from './findings.ts';
import { threadName } from './names.ts';

/** Judged when nothing can run any more; loops that the kernel code itself recognises come by `report()`. */
export function findSoftLockups(findings: FindingList): void {
  for (let t = 0; t < engine.width; t++) {
    if (!engine.isLive(t) || engine.pKind[t] !== Kind.RELAX || engine.isEnabled(t)) continue;
    const site = engine.pSite[t];
    const message = `${threadName(t)} spins at ${site} for ever: nothing will change ${engine.nameOf(engine.pObj[t])}`;
    findings.add('SOFT-LOCKUP', site, message, [engine.log.lastOf[t]]);
  }
}

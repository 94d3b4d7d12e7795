/** Names for reports: `T1`, `epitem#2`, `ep.lock#1`. Computed only when something is reported. */

import { allocations, engine, type Lifetime } from '../machine/index.ts';

/** T1 to T4, `timer:sleep`, `init` or `exit`. */
export function threadName(t: number): string {
  return engine.threadName[t] === '' ? `thread ${t + 1}` : engine.threadName[t];
}

/** The thread that runs now. */
export function currentName(): string {
  if (engine.inline) return engine.exiting ? 'exit' : 'init';
  return threadName(engine.current);
}

/** Kind of an allocation and its number among its kind, in order of allocation. */
export function memName(mem: Lifetime): string {
  let n = 0;
  for (const other of allocations) {
    if (other.name === mem.name) n++;
    if (other === mem) break;
  }
  return `${mem.name}#${n}`;
}

/** Several sites of one signature, the least first, so that who came first in a run does not matter. */
export function unorderedSites(a: string, b: string): string {
  return a <= b ? `${a} / ${b}` : `${b} / ${a}`;
}

/**
 * The published operation of every thread: what it does when its turn comes. Strategies look at these to decide.
 *
 * Constants of a module, so that compiled code has their addresses written into it.
 */

import { IS_READ, MAX_OBJECTS, MAX_THREADS } from './op.ts';
import type { OpObject } from './scenario.ts';

const kinds = new Uint8Array(MAX_THREADS);
const objects = new Int32Array(MAX_THREADS);
const reads = new Uint8Array(MAX_THREADS);
const args = new Float64Array(MAX_THREADS);
const sites: string[] = new Array<string>(MAX_THREADS).fill('');
const isRead = IS_READ;

export const published = {
  kind: kinds,
  obj: objects,
  rd: reads,
  /** Second location of a memory operation; -1 for all others. */
  obj2: new Int32Array(MAX_THREADS).fill(-1),
  rd2: new Uint8Array(MAX_THREADS),
  arg: args,
  /** Second argument: the deadline of ARM, the timer of FIRE. */
  arg2: new Float64Array(MAX_THREADS),
  /** Alternatives of a choice; 1 for all other operations. */
  alts: new Uint8Array(MAX_THREADS).fill(1),
  site: sites,
  /** Known while the thread is suspended. */
  target: new Array<OpObject | null>(MAX_THREADS).fill(null),
} as const;

/** State of every object by id: lock owner + 1, task state, count, ... */
export const objectState = new Int32Array(MAX_OBJECTS);

/** Thread t wants an operation with one location and one outcome. */
export function publish(t: number, kind: number, o: number, arg: number, site: string): void {
  kinds[t] = kind;
  objects[t] = o;
  reads[t] = isRead[kind];
  args[t] = arg;
  sites[t] = site;
}

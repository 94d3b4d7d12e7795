/** What the exact explorer keeps for every depth of the current execution, in tables that are used again. */

import { MAX_THREADS } from '../machine/op.ts';
import { Sequence } from './sequence.ts';

/** Depths there is room for at first; most programs need no more. */
const FIRST_DEPTHS = 256;

export class DepthTables {
  depths = FIRST_DEPTHS;
  /** Tree node of the branch being explored. */
  node = new Int32Array(FIRST_DEPTHS);
  // Sleep set by depth and thread: alternatives of the pending operation that are fully explored, and that operation.
  asleep = new Int32Array(FIRST_DEPTHS * MAX_THREADS);
  sObj = new Int32Array(FIRST_DEPTHS * MAX_THREADS);
  sRd = new Uint8Array(FIRST_DEPTHS * MAX_THREADS);
  sObj2 = new Int32Array(FIRST_DEPTHS * MAX_THREADS);
  sRd2 = new Uint8Array(FIRST_DEPTHS * MAX_THREADS);
  sAlts = new Uint8Array(FIRST_DEPTHS * MAX_THREADS);
  /** Which threads are asleep at all, a bit each: for the others the tables below say nothing. */
  sleepers = new Int32Array(FIRST_DEPTHS);
  // Races in order of their later event, flat; raceStart[d] is the first of event d.
  raceStart = new Int32Array(FIRST_DEPTHS + 1);
  readonly racePartner: number[] = [];
  readonly raceLater: number[] = [];
  readonly raceExclusion: (readonly number[] | null)[] = [];
  readonly v = new Sequence();

  /** Makes room for twice as many depths. */
  grow(): void {
    this.depths *= 2;
    const rows = this.depths * MAX_THREADS;
    this.node = copyInto(new Int32Array(this.depths), this.node);
    this.sleepers = copyInto(new Int32Array(this.depths), this.sleepers);
    this.raceStart = copyInto(new Int32Array(this.depths + 1), this.raceStart);
    this.asleep = copyInto(new Int32Array(rows), this.asleep);
    this.sObj = copyInto(new Int32Array(rows), this.sObj);
    this.sRd = copyInto(new Uint8Array(rows), this.sRd);
    this.sObj2 = copyInto(new Int32Array(rows), this.sObj2);
    this.sRd2 = copyInto(new Uint8Array(rows), this.sRd2);
    this.sAlts = copyInto(new Uint8Array(rows), this.sAlts);
  }
}

function copyInto<T extends Int32Array | Uint8Array>(to: T, from: T): T {
  to.set(from);
  return to;
}

/** Tables of explorations that have come to their end: making them costs more than exploring a small program. */
const free: DepthTables[] = [];

/** Tables for one exploration, as if new. */
export function takeTables(): DepthTables {
  const tables = free.pop() ?? new DepthTables();
  // All other rows are written before they are read.
  tables.sleepers[0] = 0;
  tables.raceStart[0] = 0;
  return tables;
}

/** Nobody looks at them any more. */
export function giveBack(tables: DepthTables): void {
  free.push(tables);
}

/**
 * The order in which locks are taken: an edge from what is held to what is taken under it. Edges stay over all
 * executions of an exploration, so that an inversion shows even if no run deadlocks.
 */

/** Taken while another was held. A node is a class, or one lock of a class that may nest. */
export interface OrderEdge {
  readonly from: number;
  readonly to: number;
  /** Reader side of a lock whose readers never wait for each other. */
  readonly fromShared: boolean;
  readonly toShared: boolean;
  /** Execution in which it was seen last; the fields below are of its first time there. */
  epoch: number;
  thread: string;
  fromSite: string;
  toSite: string;
  fromPosition: number;
  toPosition: number;
}

export interface Cycle {
  readonly edges: readonly OrderEdge[];
  /** The cycle has just been closed, with an edge that was never seen before. */
  readonly isNew: boolean;
}

export class OrderGraph {
  private readonly edges: OrderEdge[] = [];
  private readonly byKey = new Map<number, OrderEdge>();
  private readonly cycles: OrderEdge[][] = [];

  /** How many edges there are. */
  get size(): number {
    return this.edges.length;
  }

  /** The edges in the order in which they were seen first. */
  all(): readonly OrderEdge[] {
    return this.edges;
  }

  forget(): void {
    this.edges.length = 0;
    this.byKey.clear();
    this.cycles.length = 0;
  }

  /** The edge that is known from one node to another in these modes, or undefined. */
  find(from: number, to: number, fromShared: boolean, toShared: boolean): OrderEdge | undefined {
    return this.byKey.get(keyOf(from, to, fromShared, toShared));
  }

  /** A known edge was seen again, for the first time in this execution: the cycles that it completes there. */
  again(edge: OrderEdge): readonly Cycle[] {
    return this.cycles.length === 0 ? NO_CYCLES : this.complete(edge, null);
  }

  /**
   * Enters what was seen and answers the cycles to report: those that are complete in this execution now, and a
   * new one. Answers nothing for an edge that this execution has seen already.
   */
  enter(seen: OrderEdge): readonly Cycle[] {
    const key = keyOf(seen.from, seen.to, seen.fromShared, seen.toShared);
    let edge = this.byKey.get(key);
    let fresh: OrderEdge[] | null = null;
    if (edge === undefined) {
      edge = seen;
      this.byKey.set(key, edge);
      this.edges.push(edge);
      fresh = this.findCycle(edge);
      if (fresh !== null) this.cycles.push(fresh);
    } else if (edge.epoch === seen.epoch) return [];
    else Object.assign(edge, seen);
    return this.complete(edge, fresh);
  }

  private complete(edge: OrderEdge, fresh: readonly OrderEdge[] | null): readonly Cycle[] {
    const result: Cycle[] = [];
    for (const cycle of this.cycles) {
      const isNew = cycle === fresh;
      if (cycle.includes(edge) && (isNew || cycle.every((e) => e.epoch === edge.epoch)))
        result.push({ edges: cycle, isNew });
    }
    return result;
  }

  /** The shortest way from the end of the edge back to its start on which every link can block, or null. */
  private findCycle(edge: OrderEdge): OrderEdge[] | null {
    const reached: OrderEdge[] = [edge];
    const via: number[] = [-1];
    for (let i = 0; i < reached.length; i++) {
      const last = reached[i];
      if (last.to === edge.from && canBlock(last, edge)) {
        const path: OrderEdge[] = [];
        for (let k = i; k >= 0; k = via[k]) path.unshift(reached[k]);
        return path;
      }
      for (const next of this.edges) {
        if (next.from !== last.to || !canBlock(last, next) || reached.includes(next)) continue;
        reached.push(next);
        via.push(i);
      }
    }
    return null;
  }
}

const NO_CYCLES: readonly Cycle[] = [];

function keyOf(from: number, to: number, fromShared: boolean, toShared: boolean): number {
  return ((from * 65536 + to) * 2 + (fromShared ? 1 : 0)) * 2 + (toShared ? 1 : 0);
}

/** Whether somebody on edge a can be kept waiting by somebody who holds what edge b starts from. */
function canBlock(a: OrderEdge, b: OrderEdge): boolean {
  return !(a.toShared && b.fromShared);
}

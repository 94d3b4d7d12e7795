/** Where the parts of a parsed program stand in their text: a side table, so that programs stay plain data. */

export interface Position {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
}

const positions = new WeakMap<object, Position>();
const bindPositions = new WeakMap<readonly string[], readonly Position[]>();

/** Remembers where a part (call, argument, condition, header line, block, term) begins; answers the part. */
export function placeAt<T extends object>(part: T, position: Position): T {
  positions.set(part, position);
  return part;
}

/** Where the part begins, or null if it did not come from text. */
export function positionOf(part: object): Position | null {
  return positions.get(part) ?? null;
}

/** Remembers where each bound name of a call stands. */
export function placeBinds(bind: readonly string[], at: readonly Position[]): void {
  bindPositions.set(bind, at);
}

/** Where the n-th bound name (from 0) of a call stands, or null if the call did not come from text. */
export function bindPositionOf(bind: readonly string[], index: number): Position | null {
  return bindPositions.get(bind)?.[index] ?? null;
}

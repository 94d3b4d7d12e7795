/** Collects the features of programs. Nothing is observed where nobody has made one of these. */

import type { EventLog } from '../machine/index.ts';
import type { FeatureKind } from './feature.ts';
import { SeenFeatures } from './feature-table.ts';
import { TraceReader, type CallSpans } from './trace.ts';

/** Executions of a program that are all read: what differs between the first is most of what there is. */
const ALL_OF_FIRST = 32;
/** Of the others, one in so many. */
const ONE_IN = 8;

export class Coverage {
  readonly #seen = new SeenFeatures();
  readonly #reader = new TraceReader(this.#seen);
  #executions = 0;
  #outcomes: number | null = null;

  /** Another program. */
  begin(): void {
    this.#seen.begin();
    this.#executions = 0;
    this.#outcomes = null;
  }

  /** An execution has ended. Which ones are read depends on their number in the program alone. */
  execution(log: EventLog, calls: CallSpans): void {
    const n = this.#executions;
    this.#executions += 1;
    if (n < ALL_OF_FIRST || n % ONE_IN === 0) this.#reader.read(log, calls);
  }

  /** Something that is not in the log of an execution. */
  add(kind: FeatureKind, text: string): void {
    this.#seen.see(this.#seen.numberOf(`${kind} ${text}`));
  }

  /**
   * The outcomes of the program as one text, which is counted, but no feature: every new program has outcomes that
   * none before it had, so each would be worth keeping.
   */
  setOutcomes(text: string): void {
    this.#outcomes = hashOf(text);
  }

  /** A number for them, of 53 bits. */
  get outcomes(): number | null {
    return this.#outcomes;
  }

  /** The features of the program, each once, in the order in which it showed them. */
  features(): string[] {
    return this.#seen.texts();
  }
}

/** FNV-1a in two lanes. */
function hashOf(text: string): number {
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b);
  }
  return (a >>> 0) * 0x200000 + (b >>> 11);
}

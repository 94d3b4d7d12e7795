/** In which order threads are let to their calls, when a program is run call by call. */

/** Walks through all orders of calls, one an iteration, as far as time allows. */
export class CallOrders {
  #path: { choice: number; of: number }[] = [];
  #at = 0;
  #done = false;
  /** Iterations that first let threads run one after another, in each order of threads. */
  readonly #rankings: readonly (readonly number[])[];
  #ranking = 0;

  constructor(threads: number) {
    this.#rankings = permutations(Array.from({ length: threads }, (_, i) => i));
  }

  /** All orders were run. */
  get done(): boolean {
    return this.#done;
  }

  /** Which of the threads that wait goes next; they are given in ascending order. */
  choose(waiting: readonly number[]): number {
    const ranking = this.#rankings[this.#ranking];
    if (ranking !== undefined) return ranking.find((thread) => waiting.includes(thread)) ?? -1;
    const step = this.#path[this.#at];
    if (step === undefined) this.#path.push({ choice: 0, of: waiting.length });
    else step.of = waiting.length;
    this.#at += 1;
    return waiting[Math.min(step?.choice ?? 0, waiting.length - 1)] ?? -1;
  }

  /** Ends an iteration and turns to the next order. */
  advance(): void {
    if (this.#ranking < this.#rankings.length) {
      this.#ranking += 1;
      return;
    }
    // What the iteration did not get to (the machine decides otherwise now and then) is no choice of it.
    this.#path.length = Math.min(this.#path.length, this.#at);
    this.#at = 0;
    for (let last = this.#path.at(-1); last !== undefined; last = this.#path.at(-1)) {
      if (last.choice + 1 < last.of) {
        last.choice += 1;
        return;
      }
      this.#path.pop();
    }
    this.#done = true;
  }
}

function permutations(items: readonly number[]): readonly (readonly number[])[] {
  if (items.length < 2) return [items];
  return items.flatMap((item) =>
    permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}

/** Processor time: what else the machine does adds little to it, unlike to the time on the clock. */

/** Seconds of processor time that this process has used, compilation and collection of garbage included. */
export function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Asking for the processor time is a system call: between two questions so many milliseconds pass on the clock. */
const ASK_EVERY = 10;

/** An amount of processor time, from now on. */
export class Budget {
  readonly #end: number;
  #isSpent = false;
  #asked = performance.now();

  constructor(seconds: number) {
    this.#end = processorSeconds() + seconds;
  }

  isSpent(): boolean {
    const now = performance.now();
    if (this.#isSpent || now - this.#asked < ASK_EVERY) return this.#isSpent;
    this.#asked = now;
    this.#isSpent = processorSeconds() >= this.#end;
    return this.#isSpent;
  }
}

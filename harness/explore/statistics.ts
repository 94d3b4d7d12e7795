/**
 * What a sample of executions says of the traces that it did not meet (exploration.md 10). Neither number is a share
 * of the traces: rare ones may be most of them, and weigh next to nothing.
 */

/** How often the traces of a sample were met. */
export interface Sample {
  readonly executions: number;
  readonly distinct: number;
  /** Traces that were met exactly once, and exactly twice. */
  readonly once: number;
  readonly twice: number;
}

/** Counts traces by their hash. */
export class TraceTally {
  private readonly times = new Map<number, number>();
  private executions = 0;
  private once = 0;
  private twice = 0;

  add(trace: number): void {
    const before = this.times.get(trace) ?? 0;
    this.times.set(trace, before + 1);
    this.executions++;
    if (before === 0) this.once++;
    else if (before === 1) {
      this.once--;
      this.twice++;
    } else if (before === 2) this.twice--;
  }

  get distinct(): number {
    return this.times.size;
  }

  sample(): Sample {
    const { executions, distinct, once, twice } = this;
    return { executions, distinct, once, twice };
  }
}

/** Good and Turing: the probability of all unseen traces together, as seen by the sampler; null for no sample. */
export function unseenMass({ executions, once }: Sample): number | null {
  return executions === 0 ? null : once / executions;
}

/**
 * Chao's lower bound of the number of traces; null if no trace was met again, which leaves nothing to reckon with.
 * Where none was met exactly twice, in the form that is corrected for bias.
 */
export function leastTraces({ executions, distinct, once, twice }: Sample): number | null {
  if (executions === 0 || once === executions) return null;
  const unseen = twice > 0 ? (once * once) / (2 * twice) : (once * (once - 1)) / 2;
  return Math.floor(distinct + unseen);
}

/** `1000 executions, 412 distinct traces, at least 530 exist (Chao1); the chance ... (Good-Turing)`. */
export function sampleText(sample: Sample): string {
  const { executions, distinct, once } = sample;
  const seen = `${counted(executions, 'execution')}, ${counted(distinct, 'distinct trace')}`;
  if (executions === 0) return 'no execution, so nothing is known';
  const least = leastTraces(sample);
  if (least === null) return `${seen}: none was met twice, so there is no estimate of the others`;
  // That none was met just once in n executions does not make the chance zero.
  const chance =
    once === 0 ? `below about ${short(1 / executions)}` : `about ${short(once / executions)}`;
  return `${seen}, at least ${least} exist (Chao1); the chance that one more execution is new is ${chance} (Good-Turing)`;
}

/** Two digits that count. */
function short(chance: number): string {
  return String(Number(chance.toPrecision(2)));
}

/** `about 10^5`: an order of magnitude, for what is not known better. */
export function magnitude(n: number): string {
  return n < 10 ? 'fewer than 10' : `about 10^${Math.round(Math.log10(n))}`;
}

export function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

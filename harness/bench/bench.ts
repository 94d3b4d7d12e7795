/** What the sections are measured with: processes of their own, progress, and the request to stop. */

import { fileURLToPath } from 'node:url';
import { $ } from 'zx';
import type { BenchOptions } from './options.ts';
import type { Answer, Order } from './orders.ts';
import type { Measurement, SectionHead } from './report.ts';

/** Nobody wants the rest. */
export class Stopped extends Error {
  override name = 'Stopped';
}

/** A count that is not what it must be: then the times are of something else. */
export class WrongCount extends Error {
  override name = 'WrongCount';
}

/** A part of the report with how it is measured. */
export interface Section extends SectionHead {
  measure(bench: Bench): Promise<void>;
}

export class Bench {
  readonly options: BenchOptions;
  /** Rows of the section that is being measured. */
  readonly rows: Measurement[] = [];
  readonly notes: string[] = [];
  readonly #stop: AbortSignal;
  readonly #tell: (text: string) => void;

  constructor(options: BenchOptions, stop: AbortSignal, tell: (text: string) => void) {
    this.options = options;
    this.#stop = stop;
    this.#tell = tell;
  }

  /** All sections are measured: each has to be short. */
  get isSurvey(): boolean {
    return this.options.sections.length === 0;
  }

  add(row: Measurement): void {
    this.rows.push(row);
  }

  /** A line below the table. */
  note(line: string): void {
    this.notes.push(line);
  }

  /** Says what is going on; throws Stopped when nobody wants it any more. */
  tell(text: string): void {
    if (this.#stop.aborted) throw new Stopped();
    this.#tell(text);
  }

  /** Measures one configuration in a fresh process. */
  async ask<O extends Order>(label: string, order: O): Promise<Answer<O>> {
    this.tell(label);
    const one = fileURLToPath(new URL('./one.js', import.meta.url));
    const output = await this.run`${process.execPath} ${one} ${JSON.stringify(order)}`;
    // The process prints exactly this structure.
    return JSON.parse(output) as Answer<O>;
  }

  /** Standard output of a command; throws with its last line of errors if it fails. */
  async run(pieces: TemplateStringsArray, ...words: readonly string[]): Promise<string> {
    // A signal for each command: what has ended must not be killed.
    const own = new AbortController();
    const forward = (): void => own.abort();
    this.#stop.addEventListener('abort', forward);
    const shell = $({ quiet: true, nothrow: true, signal: own.signal, killSignal: 'SIGKILL' });
    const output = await shell(pieces, ...words).finally(() =>
      this.#stop.removeEventListener('abort', forward),
    );
    if (this.#stop.aborted) throw new Stopped();
    if (output.exitCode !== 0) {
      const said = output.stderr.trim().split('\n').filter(Boolean);
      const why = said.find((line) => /Error/.test(line)) ?? said.at(-1) ?? 'nothing was said';
      throw new Error(`Cannot measure ${words.slice(1).join(' ')}: ${why}`);
    }
    return output.stdout;
  }

  /** Throws unless the two are the same. */
  check(what: string, found: number | string | boolean, wanted: number | string | boolean): void {
    if (found !== wanted) throw new WrongCount(`${what}: ${found}, and ${wanted} is right`);
  }
}

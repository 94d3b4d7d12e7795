/** A long exploration on disk: what is left of it, and what was seen so far. */

import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { SavedNode } from '../explore/frontier.ts';
import { programHash } from '../program/print.ts';
import type { Program } from '../program/program.ts';
import type { Part } from '../target/part.ts';
import type { RunOptions } from '../target/target.ts';
import { messageOf, UsageError } from './usage-error.ts';

/** What is on disk besides the words that say of what it is. */
export interface SavedExploration {
  readonly frontier: SavedNode;
  readonly part: Part;
}

interface CheckpointFile extends SavedExploration {
  readonly format: string;
  readonly kernel: string;
  readonly program: string;
  readonly options: string;
}

const FORMAT = 'lostwake checkpoint 2';

/** One file, for one program on one kernel with one set of options. */
export class Checkpoint {
  readonly #path: string;
  readonly #of: Omit<CheckpointFile, keyof SavedExploration>;

  constructor(path: string, kernel: string, program: Program, options: RunOptions, hz?: number) {
    this.#path = path;
    const { timers, memory, faults, maxSteps } = options;
    const text = JSON.stringify({ timers, memory, faults, maxSteps, hz });
    this.#of = { format: FORMAT, kernel, program: programHash(program), options: text };
  }

  /** What is there, or null; throws a UsageError if it is of something else, or cannot be read or written later. */
  load(): SavedExploration | null {
    this.#expectFolder();
    if (!existsSync(this.#path)) return null;
    // Devices and FIFOs can be read for ever, and a folder not at all.
    if (!statSync(this.#path).isFile()) this.#reject('it is no regular file');
    const file = this.#read();
    for (const [key, value] of Object.entries(this.#of)) {
      const there = (file as Readonly<Record<string, unknown>>)[key];
      if (there !== value && key === 'options' && typeof there === 'string')
        this.#refuse(`it was made with other flags or headers (${there}, not ${value})`);
      if (there !== value)
        this.#refuse(`its ${key} is ${JSON.stringify(there)}, not ${JSON.stringify(value)}`);
    }
    const { frontier, part } = file as Readonly<
      Record<string, { [key: string]: unknown } | undefined>
    >;
    if (!Array.isArray(frontier?.children) || !Array.isArray(part?.lessons))
      return this.#refuse('it is not whole');
    // The words above are written in one piece with the rest, and by nobody else.
    return file as CheckpointFile;
  }

  /** The first save is seconds away; a place where nothing can be saved is worth knowing now. */
  #expectFolder(): void {
    try {
      accessSync(dirname(this.#path), constants.W_OK | constants.X_OK);
    } catch (thrown) {
      this.#reject(messageOf(thrown));
    }
  }

  #read(): object {
    let text = '';
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (thrown) {
      return this.#refuse(messageOf(thrown));
    }
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === 'object' && value !== null) return value;
    } catch (thrown) {
      return this.#refuse(`it is no checkpoint, or a part of one (${messageOf(thrown)})`);
    }
    return this.#refuse('it is no checkpoint');
  }

  #reject(why: string): never {
    throw new UsageError(`Cannot keep a checkpoint at ${this.#path}: ${why}; name another file`);
  }

  #refuse(why: string): never {
    throw new UsageError(
      `Cannot resume from ${this.#path}: ${why}; remove the file to start anew, or name another`,
    );
  }

  /** Replaces the file in one step, so that a kill at any time leaves a whole one. */
  save(saved: SavedExploration): void {
    const next = `${this.#path}.next`;
    try {
      writeFileSync(next, JSON.stringify({ ...this.#of, ...saved }));
      renameSync(next, this.#path);
    } catch (thrown) {
      // What the disk had no room for is of no use.
      rmSync(next, { force: true });
      throw new UsageError(`Cannot write checkpoint ${this.#path}: ${messageOf(thrown)}`);
    }
  }

  /** Nothing is left to resume. */
  remove(): void {
    rmSync(this.#path, { force: true });
  }
}

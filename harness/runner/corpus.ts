/**
 * A corpus: a folder of programs, each of which showed something that those before it did not. File names are hashes
 * of the calls, so that a program is there once; comments say what it brought when it came.
 */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { metaOf } from '../program/meta.ts';
import { printProgram, programHash } from '../program/print.ts';
import type { Program } from '../program/program.ts';
import { parseProgram } from '../program/text.ts';
import { missingOn } from '../program/validity.ts';
import { modelTarget } from '../target/model.ts';
import type { KeptProgram } from './fuzz-feedback.ts';
import { makeFolder } from './make-folder.ts';
import { SHAPING } from './save-finding.ts';
import { messageOf, UsageError } from './usage-error.ts';

/** A program of a corpus. */
export interface CorpusProgram {
  readonly file: string;
  /** Calls, and what of the header the run depends on. */
  readonly text: string;
  readonly program: Program;
  /** The kernel for which it was kept, if it says so. */
  readonly kernel: string | null;
}

export interface Corpus {
  /** By file name. */
  readonly programs: readonly CorpusProgram[];
  /** Stands for all programs that are in it: 16 hexadecimal digits. */
  readonly hash: string;
}

/** Lines of the header that a program of a corpus keeps. */
const KEPT_META: readonly string[] = [...SHAPING, 'timers'];

/** A program of a corpus has as many bytes at most; what is longer was not put there by us. */
const BYTES_MAX = 1 << 20;

/**
 * Reads all `.prog` files of the folders for a kernel. `leftOut` is told, in one line each, of those that cannot be
 * read or cannot run there. Throws a UsageError if a folder is not there.
 */
export function readCorpus(
  folders: readonly string[],
  kernel: string,
  leftOut: (why: string) => void,
): Corpus {
  const target = modelTarget(kernel);
  const programs = new Map<string, CorpusProgram>();
  for (const file of folders.flatMap(filesOf)) {
    try {
      const one = read(file);
      const refusal = missingOn(one.program, kernel) ?? target.refuses(one.program);
      if (refusal !== null) leftOut(`${file}: ${refusal}; left out`);
      else if (!programs.has(one.text)) programs.set(one.text, one);
    } catch (thrown) {
      if (!(thrown instanceof SyntaxError) && !isFileError(thrown)) throw thrown;
      leftOut(`${isFileError(thrown) ? `${file}: ${thrown.code}` : messageOf(thrown)}; left out`);
    }
  }
  const list = [...programs.values()];
  return { programs: list, hash: hashOf(list) };
}

/** The kernels for which programs in the folders were kept, sorted; files that cannot be read are not asked. */
export function kernelsOf(folders: readonly string[]): string[] {
  const kernels = new Set<string>();
  for (const file of folders.flatMap(filesOf)) {
    try {
      const { kernel } = read(file);
      if (kernel !== null) kernels.add(kernel);
    } catch (thrown) {
      if (!(thrown instanceof SyntaxError) && !isFileError(thrown)) throw thrown;
    }
  }
  return [...kernels].sort();
}

/** Makes the folder if it is not there, and throws if nothing can be written to it: at once, not after hours. */
export function prepareCorpus(folder: string): void {
  makeFolder(folder);
  const trial = join(folder, `.part-${process.pid}`);
  writeFileSync(trial, '');
  rmSync(trial);
}

/** Puts a program into the folder, whole or not at all. False if it is there already. */
export function addToCorpus(folder: string, kernel: string, kept: KeptProgram): boolean {
  const program = parseProgram(kept.program, 'kept');
  const file = join(folder, `${programHash(program)}.prog`);
  const brings = kept.brings.map((feature) => `# brings ${feature}\n`);
  const meta = [{ key: 'kernel', value: kernel }, ...program.meta];
  const text = `${brings.join('')}${printProgram({ ...program, name: '', meta })}`;
  makeFolder(folder);
  const temporary = `${file}.part-${process.pid}`;
  try {
    if (readdirSync(folder).includes(`${programHash(program)}.prog`)) return false;
    writeFileSync(temporary, text);
    renameSync(temporary, file);
  } catch (thrown) {
    rmSync(temporary, { force: true });
    throw thrown;
  }
  return true;
}

function filesOf(folder: string): string[] {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.prog'));
    return names.sort().map((name) => join(folder, name));
  } catch (thrown) {
    if (!isFileError(thrown)) throw thrown;
    const why = thrown.code === 'ENOENT' ? 'no such folder' : messageOf(thrown);
    throw new UsageError(`Cannot read the corpus ${folder}: ${why}`);
  }
}

function read(file: string): CorpusProgram {
  const text = readFileSync(file, 'utf8');
  if (text.length > BYTES_MAX)
    throw new SyntaxError(`${file}: Cannot read a program of more than ${BYTES_MAX} bytes`);
  const whole = parseProgram(text, file);
  const meta = whole.meta.filter(({ key }) => KEPT_META.includes(key));
  const program: Program = { ...whole, name: '', meta, expect: [] };
  return { file, text: printProgram(program), program, kernel: metaOf(whole, 'kernel') };
}

function hashOf(programs: readonly CorpusProgram[]): string {
  const hash = createHash('sha256');
  for (const { text } of programs) hash.update(text);
  return hash.digest('hex').slice(0, 16);
}

function isFileError(thrown: unknown): thrown is Error & { readonly code: string } {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string';
}

/** Counterexamples as files: a `.prog` with the kernel, the schedule and the run options in it. */

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from '../program/program.ts';
import { printProgram } from '../program/print.ts';
import type { FoundFinding } from '../target/target.ts';
import { makeFolder } from './make-folder.ts';

/** Run options that a replay needs as well. */
export interface SavedOptions {
  readonly timers: 'idle' | 'any';
  readonly faults: number;
  readonly hz: number;
}

/** Header lines of a generated program that the run depends on. */
export const SHAPING: readonly string[] = [
  'ring',
  'aio-max-nr',
  'jiffies',
  'long-bits',
  'slots',
  'service',
];

/** The program with everything a replay needs in its header, and the finding as its expectation. */
export function findingProgram(
  program: Program,
  kernel: string,
  found: FoundFinding,
  options: SavedOptions,
): Program {
  const { detector, site, message } = found.finding;
  const meta = [
    { key: 'about', value: message.replaceAll('\n', ' ') },
    { key: 'kernel', value: kernel },
    { key: 'schedule', value: found.schedule ?? '' },
  ];
  meta.push(...program.meta.filter(({ key }) => SHAPING.includes(key)));
  if (options.hz !== 1000) meta.push({ key: 'hz', value: String(options.hz) });
  if (options.timers !== 'idle') meta.push({ key: 'timers', value: options.timers });
  if (options.faults !== 0) meta.push({ key: 'faults', value: String(options.faults) });
  return {
    ...program,
    meta,
    expect: [{ selectors: [kernel], expectations: [{ kind: 'finding', detector, site }] }],
  };
}

/** Where a finding is saved; the name is made from its signature. */
export function programPath(folder: string, signature: string): string {
  const name = signature
    .replace(/[^A-Za-z0-9.]+/g, '-')
    .replace(/^-|-$/g, '')
    .toLowerCase();
  return join(folder, `${name}.prog`);
}

/** Writes the program whole or not at all, and answers the path. */
export function saveProgram(folder: string, signature: string, program: Program): string {
  const path = programPath(folder, signature);
  makeFolder(folder);
  const temporary = `${path}.part-${process.pid}`;
  try {
    writeFileSync(temporary, printProgram(program));
    renameSync(temporary, path);
  } catch (thrown) {
    rmSync(temporary, { force: true });
    throw thrown;
  }
  return path;
}

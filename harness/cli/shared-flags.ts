/** Flags that several verbs read the same way. */

import { STRATEGIES } from '../explore/strategies.ts';
import { defaultCasesFolder } from '../runner/case-index.ts';
import type { LoadedCase } from '../runner/load-case.ts';
import type { Overrides } from '../runner/run-options.ts';
import { selectCases } from '../runner/select.ts';
import { suggestion, UsageError } from '../runner/usage-error.ts';
import type { Program } from '../program/program.ts';
import type { MemoryModel } from '../target/target.ts';
import type { CommandLine } from './flags.ts';

/** A strategy by name; throws a UsageError that lists what there is. */
export function strategyOf(line: CommandLine): string {
  const name = line.text('strategy') ?? 'dpor';
  const names = STRATEGIES.map((s) => s.name);
  if (names.includes(name)) return name;
  const hint = suggestion(name, names) || `; there are: ${names.join(', ')}`;
  throw new UsageError(`Cannot use --strategy "${name}"${hint}`);
}

/** The bound of dfs, if given; throws a UsageError for another strategy. */
export function preemptionsOf(line: CommandLine, strategy: string): number | undefined {
  const bound = line.count('preemptions');
  if (bound !== undefined && strategy !== 'dfs')
    throw new UsageError(
      'Cannot use --preemptions without --strategy dfs: only that one is bounded',
    );
  return bound;
}

/** idle or any, if given: the table has checked it. */
export function timersOf(line: CommandLine): 'idle' | 'any' | undefined {
  const text = line.text('timers');
  return text === 'idle' || text === 'any' ? text : undefined;
}

/** sc or tso, if given: the table has checked it. */
export function memoryOf(line: CommandLine): MemoryModel | undefined {
  const text = line.text('memory');
  return text === 'sc' || text === 'tso' ? text : undefined;
}

/** What the command line says about every run. */
export function overridesOf(line: CommandLine): Overrides {
  const strategy = strategyOf(line);
  const o: { -readonly [Key in keyof Overrides]: Overrides[Key] } = { strategy };
  const seed = line.count('seed');
  if (seed !== undefined) o.seed = seed;
  const runs = line.count('runs');
  if (runs !== undefined) o.runs = runs;
  const maxSteps = line.count('max-steps');
  if (maxSteps !== undefined) o.maxSteps = maxSteps;
  const preemptions = preemptionsOf(line, strategy);
  if (preemptions !== undefined) o.preemptions = preemptions;
  const timers = timersOf(line);
  if (timers !== undefined) o.timers = timers;
  const memory = memoryOf(line);
  if (memory !== undefined) o.memory = memory;
  const faults = line.count('faults');
  if (faults !== undefined) o.faults = faults;
  const hz = line.count('hz');
  if (hz !== undefined) o.hz = hz;
  const time = line.milliseconds('time');
  if (time !== undefined) o.timeLimit = time;
  return o;
}

export function casesFolderOf(line: CommandLine): string {
  return line.text('cases') ?? defaultCasesFolder();
}

/** A program that is meant alone, with the case it is from. */
export interface OneProgram {
  readonly loaded: LoadedCase;
  readonly row: string;
  readonly program: Program;
  /** What the command line calls it. */
  readonly word: string;
}

/** The one program that a verb is about; throws a UsageError if the words mean none or several. */
export async function oneProgram(line: CommandLine): Promise<OneProgram> {
  const [word, ...more] = line.words;
  if (word === undefined)
    throw new UsageError(`Cannot ${line.verb} nothing: give a case or a .prog file`);
  if (more.length > 0)
    throw new UsageError(
      `Cannot ${line.verb} several programs: one is wanted, not ${line.words.length}`,
    );
  const cases = await selectCases({
    casesFolder: casesFolderOf(line),
    words: [word],
    runtest: [],
    skip: [],
  });
  const rows = cases.flatMap((loaded) => loaded.rows.map((row) => ({ loaded, row })));
  const [first] = rows;
  if (first === undefined) throw new UsageError(`Cannot find the case "${word}"`);
  if (rows.length > 1) {
    const names = rows.slice(0, 5).map(({ loaded, row }) => `${loaded.id}/${row.name}`);
    throw new UsageError(
      `Cannot ${line.verb} ${rows.length} programs at once: say which row, as ${names.join(', ')}`,
    );
  }
  return { loaded: first.loaded, row: first.row.name, program: first.row.program, word };
}

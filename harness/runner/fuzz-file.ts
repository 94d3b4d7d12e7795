/** Results of fuzzing as files: what shards and machines found, written, read and joined. */

import { readFileSync } from 'node:fs';
import { printProgram } from '../program/print.ts';
import type { Program } from '../program/program.ts';
import { parseProgram } from '../program/text.ts';
import type { FuzzOptions, FuzzResult } from './fuzz.ts';
import type { Shard } from './fuzz-plan.ts';
import { countCalls } from './fuzz-round.ts';
import { programPath } from './save-finding.ts';
import { messageOf, UsageError } from './usage-error.ts';

/** Changes when a reader of the file would have to. */
export const FUZZ_SCHEMA = 'lostwake-fuzz/1';

/** One run of `lostwake fuzz`. */
export interface FuzzRun {
  readonly seed: number;
  readonly shard: Shard;
  /** Rounds that were begun: number k is round `shard.index - 1 + k * shard.of` of the seed. */
  readonly rounds: number;
  /** Everything else that the programs and what is found in them depend on. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly stopped: string;
  readonly programs: number;
  readonly executions: number;
  readonly complete: number;
  /** Different sets of outcomes of programs of one shape; absent where nobody looked. */
  readonly outcomeSets?: number;
  readonly broken?: string;
}

/** A signature and the smallest program that shows it. */
export interface FiledFinding {
  readonly signature: string;
  readonly ids: readonly string[];
  readonly message: string;
  readonly calls: number;
  readonly complete: boolean;
  /** With kernel and schedule in its header. */
  readonly program: string;
}

export interface FuzzFile {
  readonly schema: string;
  readonly kernel: string;
  readonly runs: readonly FuzzRun[];
  readonly findings: readonly FiledFinding[];
  /** What programs made the kernel do, sorted. */
  readonly features: readonly string[];
}

/** What a run came to, for a file. Equal for equal programs: there are no times in it, and no threads. */
export function fuzzFile(options: FuzzOptions, result: FuzzResult): FuzzFile {
  const { kernel, seed, shard = { index: 1, of: 1 }, coverage, corpus } = options;
  const { threads, calls, strategy, runs, timers, faults, maxSteps, preemptions, hz, ignore } =
    options;
  const said = { threads, calls, strategy, runs, timers, faults, maxSteps, preemptions, hz };
  const { rounds, stopped, programs, executions, complete, broken } = result;
  const run: FuzzRun = {
    seed,
    shard,
    rounds,
    options: { ...said, ignore: [...ignore].sort(), coverage, corpus: corpus?.hash },
    stopped,
    programs,
    executions,
    complete,
    ...(result.coverage === null ? {} : { outcomeSets: result.coverage.counts.outcomeSets }),
    ...(broken === undefined ? {} : { broken }),
  };
  const findings = result.findings.map((f): FiledFinding => {
    const { signature, ids, finding, complete: whole, saved } = f;
    const program = printProgram(saved);
    const { message } = finding;
    return { signature, ids, message, calls: countCalls(saved), complete: whole, program };
  });
  const features = [...(result.coverage?.features ?? [])].sort();
  return {
    schema: FUZZ_SCHEMA,
    kernel,
    runs: [run],
    findings: findings.sort(bySignature),
    features,
  };
}

/** The file as text. */
export function fuzzFileText(file: FuzzFile): string {
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** Reads what fuzzFileText() made; throws a UsageError with one line for anything else. */
export function readFuzzFile(path: string): FuzzFile {
  const refuse = (why: string): never => {
    throw new UsageError(`Cannot merge ${path}: ${why}`);
  };
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (thrown) {
    const missing = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
    return refuse(missing ? 'no such file' : `it is not whole, or no JSON: ${messageOf(thrown)}`);
  }
  const schema = hasOwn(value, 'schema') ? value.schema : undefined;
  if (typeof schema !== 'string' || !schema.startsWith('lostwake-fuzz/'))
    return refuse('it is no result of fuzzing; "lostwake fuzz --output FILE" writes one');
  if (schema !== FUZZ_SCHEMA)
    return refuse(`its format is ${schema}, and this version reads ${FUZZ_SCHEMA}`);
  const wrong = problemOf(value);
  if (wrong !== null) return refuse(`${wrong}; "lostwake fuzz --output FILE" writes it anew`);
  // problemOf() has looked at everything that is read.
  return value as FuzzFile;
}

/** A finding as a program, to save or to look at; its file name tells of its signature. */
export function filedProgram(finding: FiledFinding, folder: string): Program {
  return parseProgram(finding.program, programPath(folder, finding.signature));
}

/**
 * Joins results of one kernel: runs and counts of all, and of each signature the best program, which is the one of
 * the fewest calls, then the first by its text. The order of the files does not matter. Throws a UsageError for
 * files of two kernels, and for the same rounds twice.
 */
export function mergeFuzzFiles(files: readonly { path: string; file: FuzzFile }[]): FuzzFile {
  const [first] = files;
  if (first === undefined) throw new UsageError('Cannot merge nothing: give results of fuzzing');
  const runs: { path: string; run: FuzzRun }[] = [];
  const best = new Map<string, FiledFinding>();
  for (const { path, file } of files) {
    if (file.kernel !== first.file.kernel)
      throw new UsageError(
        `Cannot merge ${path}: it is of kernel ${file.kernel}, and ${first.path} of ${first.file.kernel}`,
      );
    for (const run of file.runs) {
      const twin = runs.find((other) => overlap(other.run, run));
      if (twin !== undefined)
        throw new UsageError(
          `Cannot merge ${path}: rounds of seed ${run.seed}, shard ${shardText(run.shard)}, are in ${twin.path} as well (shard ${shardText(twin.run.shard)})`,
        );
      runs.push({ path, run });
    }
    for (const finding of file.findings) {
      const other = best.get(finding.signature);
      if (other === undefined || isBetter(finding, other)) best.set(finding.signature, finding);
    }
  }
  const all = runs.map(({ run }) => run).sort((a, b) => compare(runKey(a), runKey(b)));
  const findings = [...best.values()].sort(bySignature);
  const features = [...new Set(files.flatMap(({ file }) => file.features))].sort();
  return { schema: FUZZ_SCHEMA, kernel: first.file.kernel, runs: all, findings, features };
}

/** `1/2` */
export function shardText({ index, of }: Shard): string {
  return `${index}/${of}`;
}

/** True if both have the same program, for the same options. */
function overlap(a: FuzzRun, b: FuzzRun): boolean {
  if (a.seed !== b.seed || JSON.stringify(a.options) !== JSON.stringify(b.options)) return false;
  const [few, many] = a.rounds <= b.rounds ? [a, b] : [b, a];
  for (let k = 0; k < few.rounds; k += 1) {
    const at = few.shard.index - 1 + k * few.shard.of - (many.shard.index - 1);
    if (at >= 0 && at % many.shard.of === 0 && at / many.shard.of < many.rounds) return true;
  }
  return false;
}

function isBetter(a: FiledFinding, b: FiledFinding): boolean {
  return a.calls === b.calls ? a.program < b.program : a.calls < b.calls;
}

function bySignature(a: FiledFinding, b: FiledFinding): number {
  return compare(a.signature, b.signature);
}

function runKey({ seed, shard, options }: FuzzRun): string {
  const numbers = [seed, shard.of, shard.index].map((n) => String(n).padStart(12, '0'));
  return `${numbers.join(' ')} ${JSON.stringify(options)}`;
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function hasOwn<K extends string>(value: unknown, key: K): value is Record<K, unknown> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key);
}

/** What is not as it must be. */
function problemOf(file: unknown): string | null {
  if (!hasOwn(file, 'kernel') || typeof file.kernel !== 'string') return 'it names no kernel';
  if (!hasOwn(file, 'runs') || !Array.isArray(file.runs) || !file.runs.every(isRun))
    return 'its "runs" are not what they should be';
  if (!hasOwn(file, 'findings') || !Array.isArray(file.findings))
    return 'its "findings" are not what they should be';
  if (!hasOwn(file, 'features') || !isTexts(file.features))
    return 'its "features" are not what they should be';
  for (const finding of file.findings as readonly unknown[]) {
    if (!isFinding(finding)) return 'its "findings" are not what they should be';
    try {
      const program = filedProgram(finding, 'findings');
      if (countCalls(program) !== finding.calls)
        return `the program of ${finding.signature} has not ${finding.calls} calls`;
    } catch (thrown) {
      return `a program in it cannot be read (${messageOf(thrown)})`;
    }
  }
  return null;
}

function isRun(value: unknown): value is FuzzRun {
  return (
    areCounts(value, ['seed', 'rounds', 'programs', 'executions', 'complete']) &&
    hasOwn(value, 'shard') &&
    isShard(value.shard) &&
    hasOwn(value, 'options') &&
    typeof value.options === 'object' &&
    hasOwn(value, 'stopped') &&
    typeof value.stopped === 'string' &&
    (!hasOwn(value, 'broken') || typeof value.broken === 'string')
  );
}

function isShard(value: unknown): value is Shard {
  return (
    hasOwn(value, 'index') &&
    hasOwn(value, 'of') &&
    areCounts(value, ['index', 'of']) &&
    Number(value.index) >= 1 &&
    Number(value.index) <= Number(value.of)
  );
}

function areCounts(value: unknown, keys: readonly string[]): boolean {
  return keys.every(
    (key) => hasOwn(value, key) && Number.isSafeInteger(value[key]) && Number(value[key]) >= 0,
  );
}

function isFinding(value: unknown): value is FiledFinding {
  return (
    areCounts(value, ['calls']) &&
    hasOwn(value, 'signature') &&
    typeof value.signature === 'string' &&
    hasOwn(value, 'message') &&
    typeof value.message === 'string' &&
    hasOwn(value, 'program') &&
    typeof value.program === 'string' &&
    hasOwn(value, 'complete') &&
    typeof value.complete === 'boolean' &&
    hasOwn(value, 'ids') &&
    isTexts(value.ids)
  );
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

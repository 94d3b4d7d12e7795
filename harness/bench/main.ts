/**
 * `npm run bench`: what exploring costs here, and beside its alternatives. One report of several sections; each
 * configuration has a fresh process, and ratios are of one run.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OutputError, WholeFile } from '../cli/output.ts';
import { packageRoot } from '../runner/case-index.ts';
import { UsageError } from '../runner/usage-error.ts';
import { Bench, Stopped, WrongCount, type Section } from './bench.ts';
import { benchOptions, helpText, type BenchOptions } from './options.ts';
import {
  SCHEMA,
  machineText,
  sectionText,
  thisMachine,
  type BenchFile,
  type SectionResult,
} from './report.ts';
import { SECTIONS } from './sections.ts';

const USAGE = 2;
const BROKEN = 3;
const INTERRUPTED = 130;
const TERMINATED = 143;

/** The version in package.json. */
function version(): string {
  // Our own file, which npm has checked.
  const text = readFileSync(join(packageRoot(), 'package.json'), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

/** An earlier report; throws a UsageError if it is none. */
function earlierFrom(path: string): BenchFile {
  try {
    // What matters of the shape is looked at here; a row without its value is not compared.
    const file = JSON.parse(readFileSync(path, 'utf8')) as Partial<BenchFile> | null;
    if (file?.schema === SCHEMA && Array.isArray(file.sections)) return file as BenchFile;
  } catch (thrown) {
    const why = thrown instanceof SyntaxError ? 'it is no JSON' : String(thrown).split('\n')[0];
    throw new UsageError(`Cannot compare with ${path}: ${why}`);
  }
  throw new UsageError(`Cannot compare with ${path}: it is not of schema ${SCHEMA}`);
}

/** Answers what ended it early, or null. */
async function measure(section: Section, bench: Bench): Promise<Error | null> {
  try {
    await section.measure(bench);
    return null;
  } catch (thrown) {
    if (thrown instanceof Error) return thrown;
    throw thrown;
  }
}

/** Measures section by section, printing each when it is done; answers the exit code. */
async function report(options: BenchOptions, stop: AbortSignal): Promise<number> {
  const earlier = options.against === undefined ? null : earlierFrom(options.against);
  const file = options.json === undefined ? null : new WholeFile(options.json);
  const machine = thisMachine();
  process.stdout.write(`lostwake ${version()} on ${machineText(machine)}\n`);
  if (earlier !== null)
    process.stdout.write(`beside lostwake ${earlier.version} on ${machineText(earlier.machine)}\n`);
  const done: SectionResult[] = [];
  let failure: Error | null = null;
  for (const section of SECTIONS) {
    const { name } = section;
    if (options.sections.length > 0 && !options.sections.includes(name)) continue;
    const tell = (text: string): void => void process.stderr.write(`${name}: ${text}\n`);
    const bench = new Bench(options, stop, tell);
    failure = await measure(section, bench);
    if (bench.rows.length > 0 || bench.notes.length > 0) {
      const before = earlier?.sections.find((one) => one.name === name);
      process.stdout.write(`\n${sectionText(section, bench.rows, before, earlier !== null)}`);
      for (const note of bench.notes) process.stdout.write(`${note}\n`);
      done.push({ name, rows: [...bench.rows] });
    }
    if (failure !== null) break;
  }
  const result: BenchFile = { schema: SCHEMA, version: version(), machine, sections: done };
  file?.write(`${JSON.stringify(result, null, 1)}\n`);
  file?.finish();
  return failure === null ? 0 : codeOf(failure, stop);
}

function codeOf(failure: Error, stop: AbortSignal): number {
  if (failure instanceof Stopped || stop.aborted) {
    process.stderr.write('interrupted: what was measured stands above\n');
    return stop.reason === 'SIGTERM' ? TERMINATED : INTERRUPTED;
  }
  const what = failure instanceof WrongCount ? 'wrong count' : 'broken';
  process.stderr.write(`${what}: ${failure.message}\n`);
  return BROKEN;
}

/** The first signal asks to stop, the second ends at once. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(signal === 'SIGINT' ? INTERRUPTED : TERMINATED);
      controller.abort(signal);
    });
  return controller.signal;
}

async function main(): Promise<number> {
  const names = SECTIONS.map((section) => section.name);
  const options = benchOptions(process.argv.slice(2), names);
  if (options.help) {
    process.stdout.write(helpText(SECTIONS));
    return 0;
  }
  return await report(options, stopSignal());
}

// A reader that has gone misses the rest.
process.stdout.on('error', () => process.exit(0));
try {
  process.exitCode = await main();
} catch (thrown) {
  if (!(thrown instanceof UsageError) && !(thrown instanceof OutputError)) throw thrown;
  process.stderr.write(`bench: ${thrown.message}\n`);
  process.exitCode = thrown instanceof UsageError ? USAGE : BROKEN;
}

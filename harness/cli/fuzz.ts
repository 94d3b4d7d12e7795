/** `lostwake fuzz`: seed first, each finding as it is found, the command that replays the last one last. */

import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { DETECTORS } from '../abi/index.ts';
import { coverageText } from '../coverage/index.ts';
import type { Bounds } from '../program/arbitrary/index.ts';
import { counted } from '../explore/statistics.ts';
import { counterexampleText } from '../report/counterexample.ts';
import { loadKnownBugs } from '../runner/bug-index.ts';
import { openCatalog } from '../runner/catalog.ts';
import { completeText } from '../runner/coverage-text.ts';
import { readCorpus, type Corpus } from '../runner/corpus.ts';
import { fuzz, type FuzzFinding, type FuzzOptions, type FuzzResult } from '../runner/fuzz.ts';
import { fuzzFile, fuzzFileText, shardText } from '../runner/fuzz-file.ts';
import type { CoverageUse } from '../runner/fuzz-order.ts';
import type { Shard } from '../runner/fuzz-plan.ts';
import { chooseTargets, selectorOf } from '../runner/targets.ts';
import { suggestion, UsageError } from '../runner/usage-error.ts';
import { addAll, prepare, tellLeftOut } from './corpus.ts';
import { preemptionsOf, strategyOf, timersOf } from './shared-flags.ts';
import { BROKEN, FAILED, OK, ended, foundText, type Ending } from './exit-codes.ts';
import type { CommandLine } from './flags.ts';
import { EXECUTIONS_PER_PROGRAM, STEPS_PER_EXECUTION } from './fuzz-limits.ts';
import type { Place } from './main.ts';
import { ProgressLine, WholeFile, textWidth } from './output.ts';

/** Where counterexamples are saved. */
export const FUZZ_FOLDER = join('reports', 'fuzz');
const DEFAULT_SECONDS = 60;
const DEFAULT_SIZE = { min: 1, max: 3 };

export async function fuzzVerb(line: CommandLine, place: Place): Promise<Ending> {
  if (line.words.length > 0)
    throw new UsageError(`Cannot fuzz "${line.words[0]}": programs are generated; give --kernel`);
  const options = await optionsOf(line);
  const output = line.text('output');
  const file = output === undefined ? null : new WholeFile(output);
  try {
    // At once, not when the first finding is there.
    prepare(FUZZ_FOLDER);
    const result = await fuzzWatched(options, line, place);
    place.out.write(summary(result));
    try {
      file?.write(fuzzFileText(fuzzFile(options, result)));
      file?.finish();
    } finally {
      // A disk that has no room for the one may have it for the other.
      keep(line, options, result, place);
    }
    if (result.broken !== undefined) return ended(BROKEN, result.broken);
    return result.findings.length > 0
      ? ended(FAILED, foundText(result.findings.length))
      : ended(OK);
  } finally {
    file?.abandon();
  }
}

/** Adds to the corpus what it had not; after the summary, which does not depend on it. */
function keep(line: CommandLine, options: FuzzOptions, result: FuzzResult, place: Place): void {
  const folder = line.text('corpus');
  if (folder === undefined || result.coverage === null) return;
  const added = addAll(folder, options.kernel, result.coverage.kept);
  place.out.line(`${counted(added, 'program')} added to ${folder}`);
}

async function fuzzWatched(
  options: FuzzOptions,
  line: CommandLine,
  place: Place,
): Promise<FuzzResult> {
  const progress = new ProgressLine(line.has('quiet'));
  const started = performance.now();
  let readerGone = false;
  place.out.onClosed(() => (readerGone = true));
  place.out.line(header(options));
  const result = await fuzz(
    options,
    {
      found: (finding) => {
        progress.clear();
        place.out.write(findingText(finding));
      },
      progress: (s) =>
        progress.tell(() =>
          `${counted(s.programs, 'program')}, ${counted(s.executions, 'execution')}, ${foundText(s.findings)} ${s.doing}`.trimEnd(),
        ),
      stopped: () => readerGone || place.interrupt.signal !== null,
      clock: () => performance.now() - started,
    },
    await loadKnownBugs(),
  );
  progress.clear();
  return result;
}

async function optionsOf(line: CommandLine): Promise<FuzzOptions> {
  const kernels = line.all('kernel');
  if (kernels.length !== 1)
    throw new UsageError(`Cannot fuzz ${kernels.length} kernels: give one --kernel`);
  const [target] = await chooseTargets(await openCatalog(), { kernels, targets: [] });
  const threads = line.range('threads') ?? DEFAULT_SIZE;
  const calls = line.range('calls') ?? DEFAULT_SIZE;
  const programs = line.count('runs') ?? Infinity;
  const seconds = line.milliseconds('time');
  const strategy = strategyOf(line);
  const preemptions = preemptionsOf(line, strategy);
  const timers = timersOf(line);
  const shard = shardOf(line);
  const corpus = corpusOf(line, selectorOf(target));
  return {
    kernel: selectorOf(target),
    seed: line.count('seed') ?? randomInt(2 ** 31),
    // A number of programs is a limit of its own: then no clock decides what is found.
    timeMs: seconds ?? (programs === Infinity ? DEFAULT_SECONDS * 1000 : Infinity),
    programs,
    threads,
    calls,
    until: line.count('until') ?? Infinity,
    strategy,
    runs: EXECUTIONS_PER_PROGRAM,
    faults: line.count('faults') ?? 0,
    maxSteps: line.count('max-steps') ?? STEPS_PER_EXECUTION,
    hz: line.count('hz') ?? 1000,
    folder: FUZZ_FOLDER,
    jobs: line.count('jobs') ?? availableParallelism(),
    ignore: ignoredOf(line),
    coverage: coverageOf(line),
    ...(shard === undefined ? {} : { shard }),
    ...(corpus === undefined ? {} : { corpus }),
    ...(timers === undefined ? {} : { timers }),
    ...(preemptions === undefined ? {} : { preemptions }),
  };
}

/** Detectors that are left out. Throws a UsageError for one that there is not: its findings would come all the same. */
function ignoredOf(line: CommandLine): readonly string[] {
  const ignored = line.all('ignore');
  const unknown = ignored.find((name) => !DETECTORS.includes(name));
  if (unknown === undefined) return ignored;
  const hint = suggestion(unknown, DETECTORS) || `; there are: ${DETECTORS.join(', ')}`;
  throw new UsageError(`Cannot use --ignore "${unknown}"${hint}`);
}

/** What --coverage says; the table of flags has checked that it is one of the words. */
function coverageOf(line: CommandLine): CoverageUse {
  const word = line.text('coverage');
  return word === 'count' || word === 'off' ? word : 'steer';
}

/** What is in the folder of --corpus, which is made if it is not there. */
function corpusOf(line: CommandLine, kernel: string): Corpus | undefined {
  const folder = line.text('corpus');
  if (folder === undefined) return undefined;
  if (line.text('coverage') === 'off')
    throw new UsageError('Cannot use --corpus with --coverage off: nobody would see what to keep');
  prepare(folder);
  return readCorpus([folder], kernel, tellLeftOut);
}

const MOST_SHARDS = 10_000;

/** `2/3`; shards of one seed have no program in common, those of a fresh seed each nothing to do with each other. */
function shardOf(line: CommandLine): Shard | undefined {
  const text = line.text('shard');
  if (text === undefined) return undefined;
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(text);
  const [index, of] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || index < 1 || index > of || of > MOST_SHARDS)
    throw new UsageError(
      `Cannot use --shard "${text}": I/N is wanted, with I from 1 to N and N up to ${MOST_SHARDS}`,
    );
  if (line.count('seed') === undefined)
    throw new UsageError('Cannot use --shard without --seed: all parts need the same one');
  return { index, of };
}

function header(o: FuzzOptions): string {
  const limits = [
    ...(o.timeMs === Infinity ? [] : [`${o.timeMs / 1000} s`]),
    ...(o.programs === Infinity ? [] : [counted(o.programs, 'program')]),
    ...(o.until === Infinity ? [] : [foundText(o.until)]),
  ];
  return (
    `seed ${o.seed}${o.shard === undefined ? '' : `, shard ${shardText(o.shard)}`}, kernel ${o.kernel}, ${o.strategy}, ${rangeText(o.threads)} threads of ${rangeText(o.calls)} calls, ` +
    `timers ${o.timers ?? 'idle unless said'}, faults ${o.faults}, hz ${o.hz}${corpusText(o)}; until ${limits.join(' or ')}`
  );
}

/** Printed beside the seed: what is found is a function of both. */
function corpusText({ corpus }: FuzzOptions): string {
  if (corpus === undefined) return '';
  return `, corpus ${corpus.hash} of ${corpus.programs.length} programs`;
}

/** `3`, or `1 to 3`. */
function rangeText({ min, max }: Bounds): string {
  return min === max ? String(min) : `${min} to ${max}`;
}

function findingText(f: FuzzFinding): string {
  const ids = f.ids.length === 0 ? 'not catalogued' : f.ids.join(' ');
  const calls = f.program.threads.reduce((n, thread) => n + thread.length, f.program.init.length);
  const head = `FOUND ${f.signature} (${ids}), shrunk from ${counted(f.callsFound, 'call')} to ${calls}`;
  return `\n${head}\n${counterexampleText(f.view, textWidth())}`;
}

/** What is not said of the traces that were not met: how many they are. */
function sampledText({ programs, unseen }: NonNullable<FuzzResult['sampled']>): string {
  const chance = unseen === 0 ? 'too small to tell' : `about ${Number(unseen.toPrecision(2))}`;
  return `${counted(programs, 'program')} sampled: the chance that one more execution is a new trace is ${chance} on average (Good-Turing)`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function rate(n: number, { elapsed }: FuzzResult): string {
  return Math.round(n / Math.max(0.001, elapsed / 1000)).toLocaleString('en');
}

function summary(r: FuzzResult): string {
  const covered = `${completeText(r.complete, r.programs)}; ${counted(r.executions, 'execution')}`;
  const lines = ['', `${foundText(r.findings.length)} (stopped: ${r.stopped}); ${covered}`];
  if (r.coverage !== null) lines.push(`covered: ${coverageText(r.coverage.counts)}`);
  if (r.sampled !== null) lines.push(sampledText(r.sampled));
  lines.push(
    `${seconds(r.elapsed)}, ${rate(r.programs, r)} programs/s, ${rate(r.executions, r)} executions/s`,
  );
  for (const f of r.findings) {
    const ids = f.ids.length === 0 ? '' : ` (${f.ids.join(' ')})`;
    lines.push(`  ${f.signature}${ids}, after ${seconds(f.foundAfter)}`);
  }
  // Last, so that it is what stands above the prompt.
  for (const f of r.findings) lines.push(f.replay);
  return `${lines.join('\n')}\n`;
}

/** `lostwake corpus`: what the programs of a corpus show, and the few that are needed for it. */

import { FEATURE_KINDS, countFeatures, type FeatureKind } from '../coverage/index.ts';
import { counted } from '../explore/statistics.ts';
import { openCatalog } from '../runner/catalog.ts';
import { additions, Measure, smallestCover, type Measured } from '../runner/corpus-cover.ts';
import {
  addToCorpus,
  kernelsOf,
  prepareCorpus,
  readCorpus,
  type Corpus,
} from '../runner/corpus.ts';
import type { KeptProgram } from '../runner/fuzz-feedback.ts';
import { chooseTargets, selectorOf } from '../runner/targets.ts';
import { messageOf, UsageError } from '../runner/usage-error.ts';
import { NOTHING, OK, ended, type Ending } from './exit-codes.ts';
import type { CommandLine } from './flags.ts';
import { EXECUTIONS_PER_PROGRAM, STEPS_PER_EXECUTION } from './fuzz-limits.ts';
import type { Place } from './main.ts';
import { OutputError, ProgressLine } from './output.ts';

export async function corpusVerb(line: CommandLine, place: Place): Promise<Ending> {
  const folders = line.words;
  if (folders.length === 0)
    throw new UsageError(
      'Cannot look at no corpus: give a folder that "lostwake fuzz --corpus FOLDER" has filled',
    );
  const kernel = await kernelOf(line);
  const corpus = readCorpus(folders, kernel, tellLeftOut);
  const elsewhere = corpus.programs.filter((one) => one.kernel !== null && one.kernel !== kernel);
  if (elsewhere.length > 0) {
    const from = [...new Set(elsewhere.map((one) => one.kernel))].join(', ');
    place.out.line(`${elsewhere.length} programs were kept for ${from}: they are run on ${kernel}`);
  }
  if (corpus.programs.length === 0)
    return ended(NOTHING, `No program in ${folders.join(', ')} that can run on ${kernel}`);
  const into = line.text('into');
  if (into !== undefined) prepare(into);
  const measured = await measure(corpus, kernel, line, place);
  if (measured === null) return ended(OK);
  const cover = smallestCover(measured);
  place.out.write(summary(kernel, corpus, measured, cover));
  if (into === undefined) return ended(OK);
  const news = additions(cover);
  const kept = cover.map(({ program }, n) => ({ program: program.text, brings: news[n] }));
  place.out.line(`${counted(addAll(into, kernel, kept), 'program')} added to ${into}`);
  return ended(OK);
}

/** One line on standard error for a program that is not used. */
export function tellLeftOut(why: string): void {
  process.stderr.write(`lostwake: ${why}\n`);
}

/** Throws an OutputError if the folder cannot be a corpus. */
export function prepare(folder: string): void {
  try {
    prepareCorpus(folder);
  } catch (thrown) {
    throw new OutputError(`Cannot write to ${folder}: ${messageOf(thrown)}`);
  }
}

/** Puts programs into a corpus, and answers how many of them are new there. */
export function addAll(folder: string, kernel: string, kept: readonly KeptProgram[]): number {
  try {
    return kept.filter((one) => addToCorpus(folder, kernel, one)).length;
  } catch (thrown) {
    throw new OutputError(`Cannot write to ${folder}: ${messageOf(thrown)}`);
  }
}

/** The one that is given, or the one for which all programs were kept. */
async function kernelOf(line: CommandLine): Promise<string> {
  const given = line.all('kernel');
  const kernels = given.length > 0 ? given : kernelsOf(line.words);
  if (kernels.length === 0)
    throw new UsageError(
      `Cannot tell the kernel: no program in ${line.words.join(', ')} says it; give one --kernel`,
    );
  if (kernels.length > 1) {
    const why =
      given.length > 0
        ? `${given.length} kernels`
        : `programs of ${kernels.length} kernels (${kernels.join(', ')})`;
    throw new UsageError(`Cannot run a corpus on ${why}: give one --kernel`);
  }
  const [target] = await chooseTargets(await openCatalog(), { kernels, targets: [] });
  return selectorOf(target);
}

/** Null if it was interrupted. */
async function measure(
  corpus: Corpus,
  kernel: string,
  line: CommandLine,
  place: Place,
): Promise<Measured[] | null> {
  const options = { kernel, runs: EXECUTIONS_PER_PROGRAM, maxSteps: STEPS_PER_EXECUTION };
  const measurer = new Measure(options);
  const progress = new ProgressLine(line.has('quiet'));
  const measured: Measured[] = [];
  for (const program of corpus.programs) {
    await new Promise((resolve) => setImmediate(resolve));
    if (place.interrupt.signal !== null) return null;
    measured.push({ program, features: measurer.features(program) });
    progress.tell(() => `${measured.length} of ${corpus.programs.length} programs`);
  }
  progress.clear();
  return measured;
}

function summary(
  kernel: string,
  corpus: Corpus,
  measured: readonly Measured[],
  cover: readonly Measured[],
): string {
  const all = new Set(measured.flatMap(({ features }) => features));
  const { features } = countFeatures(all, 0);
  const lines = [
    `kernel ${kernel}, corpus ${corpus.hash}: ${corpus.programs.length} programs show ${all.size} features`,
  ];
  for (const [kind, name] of Object.entries(FEATURE_KINDS))
    // The keys of the table are the kinds.
    lines.push(`  ${name}: ${features[kind as FeatureKind]}`);
  lines.push(`${cover.length} of ${corpus.programs.length} programs show all of them`);
  return `${lines.join('\n')}\n`;
}

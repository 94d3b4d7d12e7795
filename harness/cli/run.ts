/** `lostwake run`: cases on targets, in the formats asked for. */

import { existsSync } from 'node:fs';
import { availableParallelism, release } from 'node:os';
import { jsonReporter } from '../report/json.ts';
import type { Reporter, ReporterOptions, Write } from '../report/reporter.ts';
import { tapReporter } from '../report/tap.ts';
import { textReporter } from '../report/text.ts';
import { outcomeWords } from '../report/words.ts';
import { compareCounts, countsOf, pinCounts, readCounts, type Counts } from '../runner/counts.ts';
import { openCatalog } from '../runner/catalog.ts';
import { readKnownFailures } from '../runner/known.ts';
import { outcomeOf, type RunReport } from '../runner/result.ts';
import { runCases, type RunRequest } from '../runner/run-cases.ts';
import { selectCases } from '../runner/select.ts';
import { chooseTargets, type TargetCatalog } from '../runner/targets.ts';
import { suggestion, UsageError } from '../runner/usage-error.ts';
import { casesFolderOf, overridesOf } from './shared-flags.ts';
import { BROKEN, FAILED, NOTHING, OK, ended, type Ending } from './exit-codes.ts';
import type { CommandLine } from './flags.ts';
import type { Place } from './main.ts';
import { ProgressLine, WholeFile, WIDTH_OF_FILES, textWidth, wantsColor } from './output.ts';

type Make = (write: Write, options: ReporterOptions) => Reporter;

/** Formats by name. */
const REPORTERS: Readonly<Record<string, Make>> = {
  text: textReporter,
  tap: (write, options) => tapReporter(write, options, 14),
  tap13: (write, options) => tapReporter(write, options, 13),
  json: jsonReporter,
};

interface Output {
  readonly reporter: Reporter;
  readonly file: WholeFile | null;
}

/** What a run is watched with. */
interface Watched {
  readonly request: RunRequest;
  readonly catalog: TargetCatalog;
  readonly outputs: readonly Output[];
  readonly line: CommandLine;
  readonly place: Place;
}

/** Runs what the command line selects and writes its reports. */
export async function runVerb(line: CommandLine, place: Place): Promise<Ending> {
  const overrides = overridesOf(line);
  const casesFolder = casesFolderOf(line);
  const catalog = await openCatalog();
  const chosen = await chooseTargets(catalog, {
    kernels: line.all('kernel'),
    targets: line.all('target'),
  });
  if (line.has('prove') && chosen.length > 0 && chosen.every((name) => name === 'host'))
    throw new UsageError('Cannot use --prove on the host alone: nothing is explored there');
  const cases = await selectCases({
    casesFolder,
    words: line.words,
    runtest: line.all('runtest'),
    skip: line.all('skip'),
  });
  const request: RunRequest = {
    cases,
    chosen,
    overrides,
    jobs: jobsOf(line),
    bail: line.has('bail'),
    prove: line.has('prove'),
    known: readKnownFailures(casesFolder),
    environment: environmentOf(line),
  };
  const path = line.text('counts');
  if (line.has('pin') && path === undefined)
    throw new UsageError('Cannot use --pin without --counts FILE: it says where');
  const pinned =
    path !== undefined && (existsSync(path) || !line.has('pin')) ? readCounts(path) : {};
  const outputs = openOutputs(line, place);
  try {
    const report = await runWatched({ request, catalog, outputs, line, place });
    for (const { reporter, file } of outputs) {
      reporter.end(report);
      file?.finish();
    }
    const ending = endingFor(report);
    if (path === undefined || ending.code !== OK) return ending;
    return line.has('pin') ? pin(path, report, pinned) : compared(path, report, pinned, place);
  } finally {
    for (const { file } of outputs) file?.abandon();
  }
}

function pin(path: string, report: RunReport, pinned: Counts): Ending {
  pinCounts(path, countsOf(report), pinned);
  return ended(OK);
}

/** Numbers of traces beside those of the file: another number is a failure. */
function compared(path: string, report: RunReport, pinned: Counts, place: Place): Ending {
  const { changed, unpinned } = compareCounts(report, pinned);
  for (const text of changed) place.out.line(text);
  if (unpinned > 0) place.out.line(`${unpinned} counts are not in ${path}: --pin adds them`);
  if (changed.length === 0) return ended(OK);
  return ended(FAILED, `${changed.length} counts differ from ${path}; --pin takes the new ones`);
}

async function runWatched({ request, catalog, outputs, line, place }: Watched): Promise<RunReport> {
  const progress = new ProgressLine(line.has('quiet'));
  const report = await runCases(
    request,
    { catalog, catalogUrl: new URL('../runner/catalog.js', import.meta.url).href },
    {
      caseDone: (result) => {
        progress.clear();
        for (const { reporter } of outputs) reporter.caseDone?.(result);
      },
      progress: (state) =>
        progress.tell(
          () => `${state.done}/${state.total} runs, ${state.failed} failed; ${state.now}`,
        ),
      stopper: (stop) => {
        place.interrupt.onStop(() => stop(`interrupted by ${place.interrupt.signal ?? 'signal'}`));
        // Nobody reads on, and there is no file: the rest would be for nothing.
        if (outputs.every(({ file }) => file === null)) {
          place.out.onClosed(() => stop('the reader of standard output is gone'));
        }
      },
    },
  );
  progress.clear();
  return report;
}

function jobsOf(line: CommandLine): number {
  return line.count('jobs') ?? availableParallelism();
}

/** The formats asked for, each with its place: standard output at most once. */
function openOutputs(line: CommandLine, place: Place): Output[] {
  const asked = line.all('reporter').length === 0 ? ['text'] : line.all('reporter');
  const parsed = asked.map((text) => {
    const at = text.indexOf(':');
    const format = at < 0 ? text : text.slice(0, at);
    const path = at < 0 ? undefined : text.slice(at + 1);
    const make = REPORTERS[format];
    if (make === undefined) {
      const names = Object.keys(REPORTERS);
      const hint = suggestion(format, names) || `; there are: ${names.join(', ')}`;
      throw new UsageError(`Cannot use --reporter "${format}"${hint}`);
    }
    if (path === '')
      throw new UsageError(`Cannot use --reporter "${text}": a file name is wanted after ":"`);
    return { make, path, format };
  });
  if (parsed.filter((one) => one.path === undefined).length > 1)
    throw new UsageError(
      'Cannot print two reports to standard output: give one of them a file, as tap:FILE',
    );
  const paths = parsed.flatMap(({ path }) => (path === undefined ? [] : [path]));
  const double = paths.find((path, at) => paths.indexOf(path) !== at);
  if (double !== undefined) throw new UsageError(`Cannot write two reports to "${double}"`);
  return parsed.map(({ make, path }) => {
    const width = path === undefined ? textWidth() : WIDTH_OF_FILES;
    const options = (color: boolean): ReporterOptions => ({
      color,
      quiet: line.has('quiet'),
      width,
    });
    if (path === undefined) {
      const color = wantsColor(line.text('color'));
      return { reporter: make((text) => place.out.write(text), options(color)), file: null };
    }
    const file = new WholeFile(path);
    return { reporter: make((text) => file.write(text), options(false)), file };
  });
}

function environmentOf(line: CommandLine): Record<string, string> {
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    kernel: release(),
    command: ['lostwake', line.verb, ...process.argv.slice(3)].join(' '),
  };
}

function endingFor(report: RunReport): Ending {
  const words = outcomeWords(report);
  switch (outcomeOf(report)) {
    case 'nothing':
      return ended(NOTHING, words);
    case 'broken':
      return ended(BROKEN, words);
    case 'failed':
      return ended(FAILED, words);
    default:
      return ended(OK);
  }
}

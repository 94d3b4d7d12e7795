/** argv to exit code. Verbs are loaded when they are asked for. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../runner/case-index.ts';
import { UsageError, messageOf } from '../runner/usage-error.ts';
import { BROKEN, INTERRUPTED, TERMINATED, USAGE, ended, type Ending } from './exit-codes.ts';
import { mainHelp, parseCommandLine, verbHelp, verbNamed, type CommandLine } from './flags.ts';
import { Interrupt, Out, OutputError } from './output.ts';

/** What every verb is given. */
export interface Place {
  readonly out: Out;
  readonly interrupt: Interrupt;
}

/** Runs the command and sets the exit code; never ends the process with output pending. */
export async function main(argv: readonly string[]): Promise<void> {
  const place: Place = { out: new Out(), interrupt: new Interrupt() };
  const ending = await endingOf(argv, place);
  const { signal } = place.interrupt;
  const code = signal === 'SIGINT' ? INTERRUPTED : signal === 'SIGTERM' ? TERMINATED : ending.code;
  const why = signal === null ? ending.why : `Interrupted by ${signal}`;
  if (code !== 0 && why !== undefined) process.stderr.write(`lostwake: ${why}\n`);
  process.exitCode = code;
}

/** Runs the command and says how it ended; everything but the exit code. */
export async function endingOf(argv: readonly string[], place: Place): Promise<Ending> {
  try {
    const [first, second] = argv;
    if (first === '--help' || first === '-h' || first === 'help') {
      place.out.write(second === undefined ? mainHelp() : verbHelp(verbNamed(second)));
      return ended(0);
    }
    if (first === '--version') {
      place.out.line(version());
      return ended(0);
    }
    const line = parseCommandLine(argv);
    if (line.has('help')) {
      place.out.write(verbHelp(line.verb));
      return ended(0);
    }
    const ending = await perform(line, place);
    await place.out.flush();
    return ending;
  } catch (thrown) {
    if (thrown instanceof UsageError) return ended(USAGE, messageOf(thrown));
    if (thrown instanceof OutputError) return ended(BROKEN, thrown.message);
    const frame = thrown instanceof Error ? (thrown.stack ?? '').split('\n')[1]?.trim() : undefined;
    return ended(BROKEN, `${messageOf(thrown)}${frame === undefined ? '' : ` (${frame})`}`);
  }
}

function version(): string {
  // Our own package.json, which npm has checked.
  const manifest = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as {
    readonly version: string;
  };
  return `lostwake ${manifest.version}`;
}

async function perform(line: CommandLine, place: Place): Promise<Ending> {
  switch (line.verb) {
    case 'run':
      return await (await import('./run.ts')).runVerb(line, place);
    case 'list':
      return await (await import('./list.ts')).listVerb(line, place);
    case 'explore':
      return await (await import('./explore.ts')).exploreVerb(line, place);
    case 'fuzz':
      return await (await import('./fuzz.ts')).fuzzVerb(line, place);
    case 'merge':
      return (await import('./merge.ts')).mergeVerb(line, place);
    case 'corpus':
      return await (await import('./corpus.ts')).corpusVerb(line, place);
    case 'replay':
      return await (await import('./replay.ts')).replayVerb(line, place);
  }
}

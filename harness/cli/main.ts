/** argv to exit code. Verbs are loaded when they are asked for. */

import { UsageError, messageOf } from '../runner/usage-error.ts';
import { BROKEN, INTERRUPTED, TERMINATED, USAGE, ended, type Ending } from './exit-codes.ts';
import { VERBS, mainHelp, parseCommandLine, verbHelp, type CommandLine } from './flags.ts';
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

async function endingOf(argv: readonly string[], place: Place): Promise<Ending> {
  try {
    if (argv[0] === '--help' || argv[0] === 'help') {
      const verb = VERBS.find((v) => v === argv[1]);
      place.out.write(verb === undefined ? mainHelp() : verbHelp(verb));
      return ended(0);
    }
    const line = parseCommandLine(argv);
    if (line.has('help')) {
      place.out.write(verbHelp(line.verb));
      return ended(0);
    }
    const ending = await perform(line, place);
    place.out.check();
    return ending;
  } catch (thrown) {
    if (thrown instanceof UsageError) return ended(USAGE, messageOf(thrown));
    if (thrown instanceof OutputError) return ended(BROKEN, thrown.message);
    const frame = thrown instanceof Error ? (thrown.stack ?? '').split('\n')[1]?.trim() : undefined;
    return ended(BROKEN, `${messageOf(thrown)}${frame === undefined ? '' : ` (${frame})`}`);
  }
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
    case 'replay':
      return await (await import('./replay.ts')).replayVerb(line, place);
  }
}

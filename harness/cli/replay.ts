/** `lostwake replay`: one schedule of a program again, step by step. */

import { counterexampleText } from '../report/counterexample.ts';
import { openCatalog } from '../runner/catalog.ts';
import { metaValue } from '../runner/load-case.ts';
import { hzFor, optionsFor } from '../runner/run-options.ts';
import { quoted } from '../runner/job.ts';
import { replay } from '../runner/replay.ts';
import { chooseTargets, selectorOf } from '../runner/targets.ts';
import { UsageError } from '../runner/usage-error.ts';
import { memoryOf, oneProgram } from './shared-flags.ts';
import { FAILED, OK, ended, foundText, type Ending } from './exit-codes.ts';
import type { CommandLine } from './flags.ts';
import type { Place } from './main.ts';
import { textWidth } from './output.ts';

export async function replayVerb(line: CommandLine, place: Place): Promise<Ending> {
  const one = await oneProgram(line);
  const schedule = line.text('schedule') ?? metaValue(one.program, 'schedule');
  if (schedule === undefined || schedule === '')
    throw new UsageError(
      `Cannot replay ${one.word}: it has no schedule in its header; give --schedule`,
    );
  const kernel = line.text('kernel') ?? metaValue(one.program, 'kernel');
  if (kernel === undefined)
    throw new UsageError(`Cannot replay ${one.word}: it names no kernel; give --kernel`);
  const [target] = await chooseTargets(await openCatalog(), { kernels: [kernel], targets: [] });
  const overrides = {
    ...(line.count('hz') === undefined ? {} : { hz: line.count('hz') }),
    ...(line.count('faults') === undefined ? {} : { faults: line.count('faults') }),
    ...(line.count('max-steps') === undefined ? {} : { maxSteps: line.count('max-steps') }),
    ...(line.text('timers') === undefined
      ? {}
      : { timers: line.text('timers') === 'any' ? 'any' : 'idle' }),
    ...(memoryOf(line) === undefined ? {} : { memory: memoryOf(line) }),
  } as Parameters<typeof optionsFor>[1]; // exact optional properties: absent, never undefined
  const options = optionsFor(one.program, overrides, false);
  const hz = hzFor(one.program, overrides);
  const result = replay(one.program, {
    kernel: selectorOf(target),
    schedule,
    ...(hz === undefined ? {} : { hz }),
    ...(options.timers === undefined ? {} : { timers: options.timers }),
    ...(options.memory === undefined ? {} : { memory: options.memory }),
    ...(options.faults === undefined ? {} : { faults: options.faults }),
    ...(options.maxSteps === undefined ? {} : { maxSteps: options.maxSteps }),
    command: ['npx lostwake', line.verb, ...process.argv.slice(3).map(quoted)].join(' '),
  });
  place.out.line(`outcome ${result.outcome === '' ? '(nothing is named)' : result.outcome}`);
  for (const finding of result.findings)
    place.out.line(`finding ${finding.detector} ${finding.site}`);
  place.out.line();
  place.out.write(counterexampleText(result.view, textWidth()));
  if (result.findings.length === 0) return ended(OK);
  return ended(FAILED, foundText(result.findings.length));
}

/** `lostwake merge`: results of several fuzzing runs as one. */

import { countFeatures, coverageText } from '../coverage/index.ts';
import { counted } from '../explore/statistics.ts';
import {
  filedProgram,
  fuzzFileText,
  mergeFuzzFiles,
  readFuzzFile,
  shardText,
  type FuzzFile,
} from '../runner/fuzz-file.ts';
import { completeText } from '../runner/coverage-text.ts';
import { saveProgram } from '../runner/save-finding.ts';
import { UsageError, messageOf } from '../runner/usage-error.ts';
import { BROKEN, FAILED, OK, ended, foundText, type Ending } from './exit-codes.ts';
import type { CommandLine } from './flags.ts';
import { FUZZ_FOLDER } from './fuzz.ts';
import type { Place } from './main.ts';
import { OutputError, WholeFile } from './output.ts';

export function mergeVerb(line: CommandLine, place: Place): Ending {
  const [first] = line.words;
  if (first === undefined)
    throw new UsageError(
      'Cannot merge nothing: give files that "lostwake fuzz --output FILE" has written',
    );
  const merged = mergeFuzzFiles(line.words.map((path) => ({ path, file: readFuzzFile(path) })));
  const output = line.text('output');
  if (output !== undefined) write(output, fuzzFileText(merged));
  const saved = save(merged);
  place.out.write(summary(merged, saved));
  const broken = merged.runs.find((run) => run.broken !== undefined)?.broken;
  if (broken !== undefined) return ended(BROKEN, broken);
  return merged.findings.length > 0 ? ended(FAILED, foundText(merged.findings.length)) : ended(OK);
}

function write(path: string, text: string): void {
  const file = new WholeFile(path);
  try {
    file.write(text);
    file.finish();
  } finally {
    file.abandon();
  }
}

/** The best program of each signature, where fuzzing itself would have put it. */
function save(merged: FuzzFile): string[] {
  try {
    return merged.findings.map((finding) =>
      saveProgram(FUZZ_FOLDER, finding.signature, filedProgram(finding, FUZZ_FOLDER)),
    );
  } catch (thrown) {
    throw new OutputError(`Cannot write to ${FUZZ_FOLDER}: ${messageOf(thrown)}`);
  }
}

function summary({ kernel, runs, findings, features }: FuzzFile, saved: readonly string[]): string {
  const sum = (what: 'programs' | 'executions' | 'complete'): number =>
    runs.reduce((n, run) => n + run[what], 0);
  const lines = [`kernel ${kernel}, ${counted(runs.length, 'run')}`];
  for (const run of runs) {
    const shard = run.shard.of === 1 ? '' : `, shard ${shardText(run.shard)}`;
    lines.push(
      `  seed ${run.seed}${shard}: ${counted(run.rounds, 'round')}, ${counted(run.programs, 'program')}, ${counted(run.executions, 'execution')} (stopped: ${run.stopped})`,
    );
  }
  const covered = `${completeText(sum('complete'), sum('programs'))}; ${counted(sum('executions'), 'execution')}`;
  lines.push(`${foundText(findings.length)}; ${covered}`);
  if (features.length > 0) {
    // Runs can have had the same outcomes: how many sets are different, their numbers do not say.
    const most = Math.max(0, ...runs.map((run) => run.outcomeSets ?? 0));
    lines.push(`covered: ${coverageText(countFeatures(new Set(features), most))} at least`);
  }
  for (const f of findings) {
    const ids = f.ids.length === 0 ? '' : ` (${f.ids.join(' ')})`;
    lines.push(`  ${f.signature}${ids}, ${counted(f.calls, 'call')}`);
  }
  // Last, so that it is what stands above the prompt.
  for (const path of saved) lines.push(`npx lostwake replay ${path}`);
  return `${lines.join('\n')}\n`;
}

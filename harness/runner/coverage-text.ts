/** In words: what an exploration covered, and how far one is. Never a percentage: nobody knows of what. */

import { counted, magnitude, sampleText } from '../explore/statistics.ts';
import type { Behaviour, Progress } from '../target/target.ts';

/** `dpor, complete: 27 traces, 27 executions`; else what was seen, and what that says of the rest. */
export function searchText(behaviour: Behaviour, strategy: string): string {
  const { complete, executions, incomplete = 'stopped', sample, target, traces } = behaviour;
  if (target === 'host') return counted(executions, 'real run');
  const runs = counted(executions, 'execution');
  if (complete) return `${strategy}, complete: ${counted(traces, 'trace')}, ${runs}`;
  if (sample !== undefined) {
    const bound = incomplete.startsWith('sampled') ? '' : ` (${incomplete})`;
    return `${strategy}${bound}: ${sampleText(sample)}`;
  }
  const seen = `${strategy}, incomplete (${incomplete}): ${runs}, ${counted(traces, 'distinct trace')}`;
  return `${seen}; ${expectation(behaviour)}`;
}

/** `86 of 86 programs explored completely`, and how many were not. */
export function completeText(complete: number, programs: number): string {
  const sampled = complete === programs ? '' : `, ${programs - complete} sampled`;
  return `${complete} of ${counted(programs, 'program')} explored completely${sampled}`;
}

/** No schedule is run twice by an exhaustive strategy: there are no repeats to reckon with, but there is a tree. */
function expectation({ ahead }: Behaviour): string {
  return ahead === undefined
    ? 'no schedule is run twice, so there is no estimate of the traces that are left'
    : `the known part of the tree suggests ${magnitude(ahead)} more`;
}

/**
 * `120000 executions, 120000 traces, about 10^5 traces to go, 2 findings, 45000/s`; `before`: executions that were
 * done when the time began.
 */
export function progressText(progress: Progress, before: number, milliseconds: number): string {
  const { executions, traces, findings, done } = progress;
  const words = [counted(executions, 'execution'), counted(traces, 'trace')];
  if (done !== undefined && done > 0 && executions > 0)
    words.push(`${magnitude((executions * (1 - done)) / done)} to go`);
  words.push(counted(findings, 'finding'));
  if (milliseconds > 0)
    words.push(`${Math.round((executions - before) / (milliseconds / 1000))}/s`);
  return words.join(', ');
}

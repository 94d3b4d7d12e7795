/** What the tests of the checks share: histories by hand. */

import { errnoNumber, parseMask, syscallOf } from '../abi/index.ts';
import type { CallRecord, Finding, History, Result } from '../history/history.ts';
import { signatureOf } from '../history/history.ts';
import type { Call, Program } from '../program/program.ts';
import type { Completion, ReportedEvent } from '../program/result.ts';
import { parseSyntax } from '../program/text.ts';

/**
 * A history by hand. Each entry of the timeline is a call with its result, `T1.1 EAGAIN`, or only its start
 * (`>T1.2`) or return (`<T1.2 0`); a call that hangs is `T1.2 hang`. Calls of init come first, in order.
 */
export function historyOf(
  target: string,
  text: string,
  timeline: readonly string[],
): [History, Program] {
  const program = parseSyntax(text, 'test.prog');
  const starts = new Map<string, number>();
  const calls: CallRecord[] = [];
  for (const [at, entry] of timeline.entries()) {
    const [place = '', value] = entry.replace(/^[<>]/, '').split(/ (.*)/);
    if (!entry.startsWith('<')) starts.set(place, 2 * at);
    if (entry.startsWith('>')) continue;
    const [who = '', which = ''] = place.split('.');
    const thread = who === 'init' ? -1 : Number(who.slice(1)) - 1;
    const index = Number(which) - 1;
    const call = (thread < 0 ? program.init : (program.threads[thread] ?? []))[index];
    if (call === undefined) throw new Error(`no call ${place}`);
    const result = resultOf(call, value ?? '0');
    const end = result.kind === 'hang' || result.kind === 'killed' ? Infinity : 2 * at + 1;
    calls.push({ thread, index, call, result, start: starts.get(place) ?? 0, end });
  }
  calls.sort((a, b) => a.start - b.start);
  const before = (a: CallRecord, b: CallRecord): boolean => a.end < b.start;
  return [{ target, calls, before }, program];
}

function resultOf(call: Call, text: string): Result {
  if (text === 'hang' || text === 'killed') return { kind: text };
  if (/^E[A-Z0-9]+$/.test(text)) return { kind: 'errno', errno: text };
  const returns = syscallOf(call.name)?.returns;
  if (returns === 'completions' && text.startsWith('['))
    return { kind: 'completions', events: completionsOf(text) };
  if (text.startsWith('{')) return { kind: 'events', events: eventsIn(text) };
  if (returns === 'fd' || returns === 'fds2' || returns === 'context') {
    return { kind: 'fds', fds: text.split(',').map(Number) };
  }
  if (returns === 'bytes' && text.startsWith('"'))
    return { kind: 'bytes', count: text.length - 2, data: text.slice(1, -1) };
  if (returns === 'bytes') return { kind: 'bytes', count: Number(text), data: '' };
  return { kind: 'value', value: Number(text) };
}

export function signatures(findings: readonly Finding[]): string {
  return findings.map(signatureOf).join('; ');
}

/** `{r:IN, s:OUT}`. */
function eventsIn(text: string): ReportedEvent[] {
  const words = text.slice(1, -1).split(', ');
  return words
    .filter((word) => word !== '')
    .map((word) => {
      const [name = '', mask = ''] = word.split(':');
      return { name, mask: parseMask(mask) ?? 0 };
    });
}

/** `[a:1, b:EINTR, c:"abc", d:{r:IN}]`. */
function completionsOf(text: string): Completion[] {
  return [...text.matchAll(/(\w+):("[^"]*"|\{[^}]*\}|-?\w+)/g)].map(([, name = '', value = '']) => {
    if (value.startsWith('"')) {
      const data = value.slice(1, -1);
      return { name, res: data.length, res2: 0, data };
    }
    if (value.startsWith('{')) {
      const events = eventsIn(value);
      return { name, res: events.length, res2: 0, events };
    }
    const errno = errnoNumber(value);
    return { name, res: errno === null ? Number(value) : -errno, res2: 0 };
  });
}

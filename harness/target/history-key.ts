/** Histories that no check can tell apart, by a text each. */

import type { CallRecord, History } from '../history/history.ts';
import type { Result } from '../program/result.ts';

/**
 * Everything on which it depends whether a check objects: which call it was, results, virtual times, the order in which
 * calls began, and which had returned before which began.
 */
export function orderKey(history: History): string {
  const { calls } = history;
  let key = '';
  for (const call of calls)
    key += `${call.thread}.${call.index}=${resultKey(call.result)}@${call.elapsed?.ms ?? 0}<${startedBy(calls, call.end)};`;
  return key;
}

/** How many calls had begun when one returned. They are in order of start, so that says which. */
function startedBy(calls: readonly CallRecord[], end: number): number {
  let n = calls.length;
  while (n > 0 && calls[n - 1].start > end) n--;
  return n;
}

/** The same with the order of all starts and ends: what an objection says depends on no more. */
export function historyKey(history: History): string {
  const points: { readonly at: number; readonly id: string }[] = [];
  for (const [i, record] of history.calls.entries()) {
    if (record.thread < 0) continue;
    points.push({ at: record.start, id: `${i}(` }, { at: record.end, id: `${i})` });
  }
  points.sort((a, b) => a.at - b.at);
  return `${orderKey(history)}${points.map((p) => p.id).join('')}`;
}

function resultKey(result: Result): string {
  switch (result.kind) {
    case 'value':
      return String(result.value);
    case 'errno':
      return result.errno;
    case 'bytes':
      return `${result.count}"${result.data}"`;
    case 'fds':
      return `fd${result.fds.join()}`;
    case 'events':
      return `${result.events.map((e) => `${e.name}:${e.mask}`).join()}+${result.unread ?? 0}`;
    case 'completions':
      return JSON.stringify(result.events);
    case 'hang':
    case 'killed':
      return result.kind;
  }
}

/** The ledger of a run: edges produced, what was reported, who was woken and by whom. One sentence each. */

import type { CallRecord } from '../history/history.ts';
import { printCall } from '../program/print.ts';
import { iocbsOf } from '../program/scope.ts';
import { formatResult } from '../program/values.ts';
import type { TracedStep } from './trace-run.ts';

const PRODUCERS = new Set(['write', 'read', 'close', 'shutdown', 'connect']);
const WAITS = new Set(['epoll_wait', 'epoll_pwait', 'poll']);

export function ledgerOf(records: readonly CallRecord[], steps: readonly TracedStep[]): string[] {
  const who = (r: CallRecord): string => (r.thread < 0 ? 'init' : `T${r.thread + 1}`);
  const produced = records
    .filter((r) => r.thread >= 0 && PRODUCERS.has(r.call.name))
    .filter((r) => r.result.kind === 'value' || (r.result.kind === 'bytes' && r.result.count > 0))
    .map((r) => `${who(r)}: ${printCall({ ...r.call, bind: [] })} = ${formatResult(r.result)}`);
  const reported = records
    .filter((r) => WAITS.has(r.call.name))
    .map((r) => `${who(r)}: ${formatResult(r.result)}`);
  const wakes = steps.flatMap((s, d) =>
    s.text.startsWith('wake ')
      ? [`${s.name} at step ${d + 1}${s.changed === '' ? ' (nobody was asleep)' : ''}`]
      : [],
  );
  const lines = requestsOf(records, who);
  if (lines.length > 0) lines.push(`wake-ups: ${wakes.length === 0 ? 'none' : wakes.join('; ')}`);
  if (reported.length === 0 || lines.length > 0) return lines;
  lines.push(`could change readiness: ${produced.length === 0 ? 'nothing' : produced.join('; ')}`);
  lines.push(`waits returned: ${reported.join('; ')}`);
  lines.push(`wake-ups: ${wakes.length === 0 ? 'none' : wakes.join('; ')}`);
  return lines;
}

const REAPS = new Set(['io_getevents', 'io_cancel', 'aio_ring_reap', 'io_destroy']);

/** What became of AIO requests, as the program saw it. */
function requestsOf(records: readonly CallRecord[], who: (r: CallRecord) => string): string[] {
  const say = (r: CallRecord): string => {
    const answer = formatResult(r.result);
    return `${who(r)}: ${r.call.name === 'io_getevents' ? answer : `${r.call.name} ${answer}`}`;
  };
  const submits = records.filter((r) => r.call.name === 'io_submit');
  if (submits.length === 0) return [];
  const accepted = submits.map((r) => `${who(r)}: ${acceptedOf(r)}`);
  const told = records.filter((r) => REAPS.has(r.call.name)).map(say);
  return [
    `requests accepted: ${accepted.join('; ')}`,
    `reported: ${told.length === 0 ? 'nobody asked' : told.join('; ')}`,
  ];
}

/** The names of those that io_submit() took, and its answer if that is not all of them. */
function acceptedOf(record: CallRecord): string {
  const { result } = record;
  const names = iocbsOf(record.call).map((e) => (e.kind === 'iocb' ? e.name : e.where));
  const count = result.kind === 'value' ? result.value : 0;
  const taken = names.slice(0, count).join(', ');
  if (count === names.length) return taken;
  return `${taken === '' ? 'none' : taken} of ${names.join(', ')} (${formatResult(result)})`;
}

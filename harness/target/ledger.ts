/** The ledger of a run: edges produced, what was reported, who was woken and by whom. One sentence each. */

import type { CallRecord } from '../history/history.ts';
import { printCall } from '../program/print.ts';
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
  const lines: string[] = [];
  if (reported.length === 0) return lines;
  lines.push(`could change readiness: ${produced.length === 0 ? 'nothing' : produced.join('; ')}`);
  lines.push(`waits returned: ${reported.join('; ')}`);
  lines.push(`wake-ups: ${wakes.length === 0 ? 'none' : wakes.join('; ')}`);
  return lines;
}

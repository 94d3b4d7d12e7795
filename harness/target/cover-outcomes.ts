/** What outcomes say of a kernel beside which they are: the results of its calls, and which belong together. */

import { formatMask } from '../abi/index.ts';
import type { Coverage } from '../coverage/index.ts';
import type { Program } from '../program/program.ts';
import type { Result } from '../program/result.ts';
import { formatRes } from '../program/values.ts';
import type { Observation } from './target.ts';

/** Enters the results of all outcomes as features, and the outcomes as a set under the shape of the program. */
export function coverOutcomes(
  coverage: Coverage,
  program: Program,
  outcomes: readonly Observation[],
): void {
  for (const { records } of outcomes)
    for (const { thread, call, result } of records)
      if (thread >= 0) coverage.add('result', `${call.name} ${resultClass(result)}`);
  const shape = program.threads.map((calls) => calls.map((call) => call.name).join(' ')).join('|');
  coverage.setOutcomes(`${shape}: ${outcomes.map(({ text }) => text).join('; ')}`);
}

/** A result without what is of the program: names, data, numbers of bytes. */
function resultClass(result: Result): string {
  switch (result.kind) {
    case 'value':
      return result.value <= 0 ? formatRes(result.value) : 'more';
    case 'errno':
      return result.errno;
    case 'fds':
      return 'ok';
    case 'events':
      return `[${result.events.map(({ mask }) => formatMask(mask)).join(', ')}]`;
    case 'completions':
      return `[${result.events.map(({ res }) => (res > 0 ? 'more' : formatRes(res))).join(', ')}]`;
    case 'bytes':
      return result.count === 0 ? '0' : 'more';
    case 'hang':
    case 'killed':
      return result.kind;
  }
}

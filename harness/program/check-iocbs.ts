/** Whether the list of an io_submit() fits the table of requests. */

import { IOCB_OPS, iocbOpOf } from '../abi/index.ts';
import { checkArgList } from './check-args.ts';
import { checkIocbName, type ArgScope, type Problem } from './check-names.ts';
import { didYouMean } from './did-you-mean.ts';
import type { IocbArg, IocbOp } from './program.ts';
import { isName, isReserved } from './words.ts';

/** Requests one call can submit. */
const IOCBS_MAX = 64;

/** The first thing wrong with a list, which is at `part`; or null. */
export function checkIocbs(
  entries: readonly IocbArg[],
  part: object,
  scope: ArgScope,
): Problem | null {
  if (entries.length > IOCBS_MAX)
    return { reason: `Cannot submit ${entries.length} iocbs: ${IOCBS_MAX} at most`, part };
  const filled = new Set<string>();
  for (const entry of entries) {
    if (entry.kind === 'pointer') continue;
    const { name, op } = entry;
    const problem =
      op === null ? checkIocbName(name, entry, scope) : checkFilled(name, op, entry, filled, scope);
    if (problem !== null) return problem;
  }
  return null;
}

function checkFilled(
  name: string,
  op: IocbOp,
  entry: IocbArg,
  filled: Set<string>,
  scope: ArgScope,
): Problem | null {
  if (!isName(name)) return { reason: `Cannot name an iocb "${name}": it is no name`, part: entry };
  if (isReserved(name))
    return { reason: `Cannot name an iocb "${name}": the word is reserved`, part: entry };
  if (filled.has(name))
    return { reason: `Cannot fill iocb "${name}" twice in one list`, part: entry };
  filled.add(name);
  const spec = iocbOpOf(op.name);
  if (spec === null) {
    const hint = didYouMean(
      op.name,
      IOCB_OPS.map((known) => known.name),
    );
    return { reason: `Cannot submit "${op.name}": no such request${hint}`, part: op };
  }
  const [, data] = op.args;
  // A device write and a bad buffer are of write(2) only; a request has buf= for the latter.
  if (op.name === 'pwrite' && data !== undefined && data.kind !== 'string' && data.kind !== 'int') {
    if (data.kind !== 'labelled' && data.kind !== 'name')
      return {
        reason: 'Cannot use this as data of pwrite(): expected a string or a number of bytes',
        part: data,
      };
  }
  return checkArgList(spec, op, 'submit', scope);
}

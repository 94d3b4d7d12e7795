/** `lostwake list`: what there is, as text or JSON. */

import { CHECKS } from '../check/checks.ts';
import { STRATEGIES } from '../explore/strategies.ts';
import { openCatalog } from '../runner/catalog.ts';
import { readRuntest, runtestNames, type Runtest } from '../runner/runtest.ts';
import { selectCases } from '../runner/select.ts';
import { suggestion, UsageError } from '../runner/usage-error.ts';
import { casesFolderOf } from './shared-flags.ts';
import { NOTHING, OK, ended, type Ending } from './exit-codes.ts';
import type { CommandLine } from './flags.ts';
import type { Place } from './main.ts';

/** A line of a list: a name, and columns or sentences behind it. */
interface Item {
  readonly name: string;
  readonly about: string;
  readonly more?: readonly string[];
}

const LISTS: Readonly<Record<string, (line: CommandLine) => Promise<readonly Item[]>>> = {
  async kernels() {
    const { kernels } = await openCatalog();
    return kernels.map((k) => ({
      name: k.spec,
      about: k.title,
      more: k.documents.map((document) => `from ${document}`),
    }));
  },
  async cases(line) {
    const cases = await selectCases({
      casesFolder: casesFolderOf(line),
      words: line.words.slice(1),
      runtest: line.all('runtest'),
      skip: line.all('skip'),
    });
    return cases.map((c) => ({
      name: c.id,
      about: c.about,
      more: [
        ...(c.rows.length > 1 ? [`${c.rows.length} rows`] : []),
        ...(c.docs.length > 0 ? [c.docs.join(' ')] : []),
      ],
    }));
  },
  async runtest(line) {
    const folder = casesFolderOf(line);
    return runtestNames(folder).map((name) => ({
      name,
      about: linesOf(readRuntest(folder, name)),
    }));
  },
  async strategies() {
    return STRATEGIES.map((s) => ({ name: s.name, about: s.title }));
  },
  async checks() {
    return CHECKS.map((c) => ({
      name: c.name,
      about: c.rule,
      more: [`promised on ${c.promisedOn}`, c.docs.join(' ')],
    }));
  },
};

function linesOf({ lines, prove }: Runtest): string {
  return `${lines.length} lines${prove ? ', all to be proved' : ''}`;
}

export async function listVerb(line: CommandLine, place: Place): Promise<Ending> {
  const names = Object.keys(LISTS);
  const [what] = line.words;
  if (what === undefined)
    throw new UsageError(`Cannot list nothing: say what, one of ${names.join(', ')}`);
  const list = LISTS[what];
  if (list === undefined) {
    const hint = suggestion(what, names) || `; there are: ${names.join(', ')}`;
    throw new UsageError(`Cannot list "${what}"${hint}`);
  }
  const items = await list(line);
  if (line.has('json')) place.out.write(`${JSON.stringify(items, null, 2)}\n`);
  else
    for (const item of items)
      place.out.write(itemText(item, Math.max(...items.map((i) => i.name.length))));
  return items.length === 0 ? ended(NOTHING, 'Nothing was selected') : ended(OK);
}

function itemText(item: Item, width: number): string {
  const column = Math.min(width, 44) + 2;
  // A longer name has a line of its own.
  const first =
    item.name.length < column ? item.name.padEnd(column) : `${item.name}\n${''.padEnd(column)}`;
  const lines = [`${first}${item.about}`.trimEnd()];
  for (const more of item.more ?? []) lines.push(`${''.padEnd(column)}${more}`);
  return `${lines.join('\n')}\n`;
}

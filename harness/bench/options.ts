/** The command line of the bench. */

import { parseArgs } from 'node:util';
import { STRATEGIES } from '../explore/strategies.ts';
import { UsageError } from '../runner/usage-error.ts';

export interface BenchOptions {
  /** Names of sections; empty: all. */
  readonly sections: readonly string[];
  /** Fuzzing runs per kernel and strategy, each with a seed of its own. */
  readonly seeds?: number;
  /** What one configuration may take. */
  readonly seconds?: number;
  readonly strategies: readonly string[];
  readonly json?: string;
  readonly against?: string;
  readonly help: boolean;
}

const MOST_SEEDS = 1000;
const MOST_SECONDS = 3600;

const FLAGS = {
  seeds: { type: 'string' },
  seconds: { type: 'string' },
  strategy: { type: 'string', multiple: true },
  json: { type: 'string' },
  against: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Reads the arguments; `names` are the sections there are. Throws a UsageError of one line. */
export function benchOptions(args: readonly string[], names: readonly string[]): BenchOptions {
  const { values, positionals } = parsed(args);
  for (const name of positionals)
    if (!names.includes(name))
      throw new UsageError(`Cannot measure "${name}"; there are: ${names.join(', ')}`);
  const { seeds, seconds, strategy = [], json, against, help = false } = values;
  const known: readonly string[] = STRATEGIES.map((s) => s.name);
  for (const name of strategy)
    if (!known.includes(name))
      throw new UsageError(`Cannot use --strategy "${name}"; there are: ${known.join(', ')}`);
  for (const [flag, path] of Object.entries({ json, against }))
    if (path === '') throw new UsageError(`Cannot use --${flag} "": a file is wanted`);
  return {
    sections: names.filter((name) => positionals.includes(name)),
    ...(seeds === undefined ? {} : { seeds: wholeNumber('seeds', seeds) }),
    ...(seconds === undefined ? {} : { seconds: duration('seconds', seconds) }),
    strategies: [...new Set(strategy)],
    ...(json === undefined ? {} : { json }),
    ...(against === undefined ? {} : { against }),
    help,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, allowPositionals: true });
  } catch (thrown) {
    const [line = ''] = String(thrown instanceof Error ? thrown.message : thrown).split(/\. |\n/);
    throw new UsageError(`Cannot understand the arguments: ${line}; see --help`);
  }
}

function wholeNumber(flag: string, text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < 1 || n > MOST_SEEDS)
    throw new UsageError(`Cannot use --${flag} "${text}": 1 to ${MOST_SEEDS} is wanted`);
  return n;
}

function duration(flag: string, text: string): number {
  const n = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || n <= 0 || n > MOST_SECONDS)
    throw new UsageError(`Cannot use --${flag} "${text}": more than 0, up to ${MOST_SECONDS}`);
  return n;
}

/** What `--help` prints. */
export function helpText(sections: readonly { readonly name: string; readonly title: string }[]) {
  const list = sections.map(({ name, title }) => `  ${name.padEnd(10)}${title}`).join('\n');
  return `usage: npm run bench -- [SECTION...] [options]

Measures on this machine; ratios are of the same run, and each configuration has a fresh process. Without a section
all of them are measured, with one seed for "bugs".

sections
${list}

options
  --seconds N      what one configuration may take (default: by section)
  --seeds N        runs per kernel and strategy in "bugs" (default 11; 1 when all sections are measured)
  --strategy NAME  for "bugs", repeatable (default: all that find bugs; dpor when all sections are measured)
  --json FILE      writes the results as JSON as well
  --against FILE   adds a column: how many times better each row is than in an earlier JSON
  -h, --help       this

exit codes: 0 measured, 2 arguments or a file that cannot be understood, 3 a count is not what it must be,
130 interrupted (what was measured is printed)
`;
}

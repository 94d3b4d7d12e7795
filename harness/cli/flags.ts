/** All flags in one table: parsing, help and checks are read from it. */

import { parseArgs } from 'node:util';
import { suggestion, UsageError } from '../runner/usage-error.ts';
import { EXIT_CODES } from './exit-codes.ts';

export const VERBS = ['run', 'list', 'explore', 'fuzz', 'merge', 'corpus', 'replay'] as const;
export type Verb = (typeof VERBS)[number];

type FlagType = 'text' | 'count' | 'range' | 'seconds' | 'switch' | 'choice';

export interface FlagSpec {
  readonly name: string;
  readonly type: FlagType;
  /** Placeholder in the help, or the words of a choice. */
  readonly value?: string;
  readonly many?: boolean;
  readonly fallback?: string;
  /** Bounds of a count, or of both ends of a range, included. */
  readonly least?: number;
  readonly most?: number;
  readonly short?: string;
  readonly verbs: readonly Verb[];
  readonly help: string;
}

const MODEL: readonly Verb[] = ['run', 'explore', 'fuzz', 'replay'];
const MODEL_OR_CORPUS: readonly Verb[] = [...MODEL, 'corpus'];
const EXPLORING: readonly Verb[] = ['run', 'explore', 'fuzz'];

export const FLAGS: readonly FlagSpec[] = [
  {
    name: 'kernel',
    type: 'text',
    value: 'SPEC',
    many: true,
    verbs: MODEL_OR_CORPUS,
    help: 'a model kernel, or a pattern: 2.6.20, 2.5.44+sys_epoll-v11',
  },
  {
    name: 'target',
    type: 'text',
    value: 'TARGET',
    many: true,
    verbs: ['run', 'explore'],
    help: 'host, model, or model:SPEC; default: all that a case is for',
  },
  {
    name: 'runtest',
    type: 'text',
    value: 'LIST',
    many: true,
    verbs: ['run', 'list'],
    help: 'cases of a list under cases/runtest',
  },
  {
    name: 'skip',
    type: 'text',
    value: 'NAME',
    many: true,
    verbs: ['run', 'list'],
    help: 'leave out a case, a row or a pattern',
  },
  {
    name: 'cases',
    type: 'text',
    value: 'FOLDER',
    verbs: ['run', 'list', 'explore', 'replay'],
    help: 'another folder of cases',
  },
  {
    name: 'schedule',
    type: 'text',
    value: 'TOKEN',
    verbs: ['replay'],
    help: "the schedule; default: the one in the program's header",
  },
  {
    name: 'seed',
    type: 'count',
    value: 'N',
    most: 2 ** 32 - 1,
    verbs: EXPLORING,
    help: 'seed of sampling and fuzzing; default: a fresh one, printed first',
  },
  {
    name: 'strategy',
    type: 'text',
    value: 'NAME',
    verbs: EXPLORING,
    fallback: 'dpor',
    help: 'how to explore; see "lostwake list strategies"',
  },
  {
    name: 'preemptions',
    type: 'count',
    value: 'N',
    most: 1000,
    verbs: EXPLORING,
    help: 'bound of --strategy dfs',
  },
  {
    name: 'timers',
    type: 'choice',
    value: 'idle|any',
    verbs: MODEL,
    help: 'timers fire when nothing else can run, or at any moment',
  },
  {
    name: 'memory',
    type: 'choice',
    value: 'sc|tso',
    verbs: ['run', 'explore', 'replay'],
    help: 'stores are seen at once, or wait in store buffers as on x86',
  },
  {
    name: 'faults',
    type: 'count',
    value: 'N',
    most: 100,
    verbs: MODEL,
    help: 'injected allocation failures per thread; default 0',
  },
  {
    name: 'hz',
    type: 'count',
    value: 'N',
    least: 1,
    most: 10_000,
    verbs: MODEL,
    help: 'ticks per second of the model; default 1000',
  },
  {
    name: 'max-steps',
    type: 'count',
    value: 'N',
    least: 1,
    verbs: MODEL,
    help: 'steps of one execution before it counts as endless',
  },
  {
    name: 'runs',
    type: 'count',
    value: 'N',
    least: 1,
    verbs: EXPLORING,
    help: 'executions at most (fuzz: programs; host: iterations)',
  },
  {
    name: 'time',
    type: 'seconds',
    value: 'SECONDS',
    verbs: EXPLORING,
    help: 'time limit: of each row (run), of the whole (explore, fuzz)',
  },
  {
    name: 'threads',
    type: 'range',
    value: 'N|A..B',
    least: 1,
    most: 4,
    verbs: ['fuzz'],
    fallback: '1..3',
    help: 'threads of a generated program',
  },
  {
    name: 'calls',
    type: 'range',
    value: 'N|A..B',
    least: 1,
    most: 8,
    verbs: ['fuzz'],
    fallback: '1..3',
    help: 'calls per thread of a generated program',
  },
  {
    name: 'until',
    type: 'count',
    value: 'N',
    least: 1,
    verbs: ['fuzz'],
    help: 'stop after N different findings',
  },
  {
    name: 'ignore',
    type: 'text',
    value: 'DETECTOR',
    many: true,
    verbs: ['fuzz'],
    help: 'leave findings of a detector out',
  },
  {
    name: 'coverage',
    type: 'choice',
    value: 'steer|count|off',
    verbs: ['fuzz'],
    fallback: 'steer',
    help: 'what programs show decides which come later, or is only counted',
  },
  {
    name: 'corpus',
    type: 'text',
    value: 'FOLDER',
    verbs: ['fuzz'],
    help: 'try the programs there first, and add what shows something new',
  },
  {
    name: 'into',
    type: 'text',
    value: 'FOLDER',
    verbs: ['corpus'],
    help: 'write the programs that are needed there',
  },
  {
    name: 'jobs',
    type: 'count',
    value: 'N',
    short: 'j',
    least: 1,
    most: 64,
    verbs: ['run', 'explore', 'fuzz'],
    help: 'worker threads; default: the processors (run, fuzz), 1 (explore)',
  },
  {
    name: 'shard',
    type: 'text',
    value: 'I/N',
    verbs: ['fuzz'],
    help: 'only part I of N parts of what a seed generates; see merge',
  },
  {
    name: 'output',
    type: 'text',
    value: 'FILE',
    short: 'o',
    verbs: ['fuzz', 'merge'],
    help: 'write the result as JSON, for merge',
  },
  {
    name: 'checkpoint',
    type: 'text',
    value: 'FILE',
    verbs: ['explore'],
    help: 'save a long exploration every 10 s; continue it if the file is there',
  },
  {
    name: 'counts',
    type: 'text',
    value: 'FILE',
    verbs: ['run'],
    help: 'compare the numbers of traces with those in a file',
  },
  { name: 'pin', type: 'switch', verbs: ['run'], help: 'write the numbers of traces to --counts' },
  {
    name: 'prove',
    type: 'switch',
    verbs: ['run'],
    help: 'what is not explored to the end fails, and the host is left out',
  },
  { name: 'bail', type: 'switch', verbs: ['run'], help: 'stop after the first failure' },
  {
    name: 'reporter',
    type: 'text',
    value: 'FORMAT[:FILE]',
    many: true,
    verbs: ['run'],
    help: 'text, tap, tap13 or json; default: text',
  },
  {
    name: 'color',
    type: 'choice',
    value: 'auto|always|never',
    verbs: VERBS,
    fallback: 'auto',
    help: 'colour of text; NO_COLOR and FORCE_COLOR are heard',
  },
  {
    name: 'quiet',
    type: 'switch',
    short: 'q',
    verbs: ['run', 'explore', 'fuzz', 'corpus'],
    help: 'no progress',
  },
  { name: 'json', type: 'switch', verbs: ['list'], help: 'the list as JSON' },
  { name: 'help', type: 'switch', short: 'h', verbs: VERBS, help: 'this text' },
];

/** What each verb is for, and what stands behind it. */
export const VERB_HELP: Readonly<Record<Verb, { readonly usage: string; readonly about: string }>> =
  {
    run: {
      usage: 'lostwake run [NAME|PATTERN|FILE.prog ...]',
      about: 'Runs cases on every target they are for.',
    },
    list: {
      usage: 'lostwake list kernels|cases|runtest|strategies|checks',
      about: 'Lists what there is.',
    },
    explore: {
      usage: 'lostwake explore NAME|FILE.prog',
      about: 'Shows every outcome and finding of one program.',
    },
    fuzz: {
      usage: 'lostwake fuzz --kernel SPEC',
      about: 'Generates programs and shrinks what they find.',
    },
    merge: {
      usage: 'lostwake merge FILE ...',
      about: 'Joins results of "fuzz --output", as of shards, and saves the best program of each.',
    },
    corpus: {
      usage: 'lostwake corpus FOLDER ...',
      about: 'Says what the programs of a corpus show, and how few of them show all of it.',
    },
    replay: {
      usage: 'lostwake replay NAME|FILE.prog',
      about: 'Shows one schedule of a program, step by step.',
    },
  };

/** A parsed command line. */
export class CommandLine {
  readonly verb: Verb;
  readonly words: readonly string[];
  private readonly values: Readonly<
    Record<string, string | boolean | (string | boolean)[] | undefined>
  >;

  constructor(
    verb: Verb,
    words: readonly string[],
    values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>,
  ) {
    this.verb = verb;
    this.words = words;
    this.values = values;
  }

  /** True if the switch was given. */
  has(name: string): boolean {
    return this.values[name] !== undefined && this.values[name] !== false;
  }

  text(name: string): string | undefined {
    const value = this.values[name];
    if (Array.isArray(value)) return String(value.at(-1));
    return typeof value === 'string' ? value : specOf(name).fallback;
  }

  /** All values of a flag that may be given several times. */
  all(name: string): readonly string[] {
    const value = this.values[name];
    if (value === undefined) return [];
    return (Array.isArray(value) ? value : [value]).map(String);
  }

  /** A whole number, checked when parsed. */
  count(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : Number(text);
  }

  /** `2` or `1..3`, checked when parsed. */
  range(name: string): { readonly min: number; readonly max: number } | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : rangeIn(text);
  }

  /** Seconds as milliseconds. */
  milliseconds(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : Number(text.replace(/s$/, '')) * 1000;
  }
}

function specOf(name: string): FlagSpec {
  const spec = FLAGS.find((flag) => flag.name === name);
  if (spec === undefined) throw new Error(`No flag "${name}" in the table`);
  return spec;
}

/** The verb of that name. Throws a UsageError. */
export function verbNamed(word: string): Verb {
  const verb = VERBS.find((v) => v === word);
  if (verb !== undefined) return verb;
  const hint = suggestion(word, VERBS) || `; there are: ${VERBS.join(', ')}`;
  throw new UsageError(`Cannot understand verb "${word}"${hint}`);
}

/** Reads `run --kernel 2.6.20 epoll_ctl02`. Throws a UsageError with one line. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const [first, ...rest] = argv;
  if (first === undefined)
    throw new UsageError(`Cannot start without a verb: ${VERBS.join(', ')}; try --help`);
  const verb = verbNamed(first);
  const own = FLAGS.filter((flag) => flag.verbs.includes(verb));
  const known = new Map(own.map((flag) => [flag.name, flag]));
  for (const word of rest) {
    if (word === '--') break;
    checkFlagWord(word, verb, known);
  }
  const parsed = parse(rest, own);
  for (const flag of own)
    for (const value of [parsed.values[flag.name]].flat()) checkValue(flag, value);
  return new CommandLine(verb, parsed.positionals, parsed.values);
}

function checkFlagWord(word: string, verb: Verb, known: ReadonlyMap<string, FlagSpec>): void {
  const match = /^--([^=]+)/.exec(word);
  if (match === null) {
    const short = /^-([^-\d])/.exec(word)?.[1];
    if (short !== undefined && ![...known.values()].some((flag) => flag.short === short))
      throw new UsageError(`Cannot understand "${word}"; try "lostwake ${verb} --help"`);
    return;
  }
  const name = match[1];
  if (known.has(name)) return;
  const elsewhere = FLAGS.find((flag) => flag.name === name);
  if (elsewhere !== undefined)
    throw new UsageError(
      `Cannot use --${name} with ${verb}: it is for ${elsewhere.verbs.join(', ')}`,
    );
  const hint =
    suggestion(
      `--${name}`,
      [...known.keys()].map((one) => `--${one}`),
    ) || `; try "lostwake ${verb} --help"`;
  throw new UsageError(`Cannot understand flag --${name}${hint}`);
}

function parse(rest: readonly string[], own: readonly FlagSpec[]) {
  try {
    return parseArgs({
      args: [...rest],
      allowPositionals: true,
      strict: true,
      options: Object.fromEntries(
        own.map((flag) => [
          flag.name,
          {
            type: flag.type === 'switch' ? ('boolean' as const) : ('string' as const),
            multiple: flag.many ?? false,
            ...(flag.short === undefined ? {} : { short: flag.short }),
          },
        ]),
      ),
    });
  } catch (thrown) {
    // parseArgs explains itself in several sentences; the first says it.
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const [sentence] = message.split(/\. |\n|\.$/);
    const lacking = /'(?:-\w, )?--([\w-]+)[^']*' argument (?:missing|is ambiguous)/.exec(
      sentence,
    )?.[1];
    if (lacking !== undefined)
      throw new UsageError(`Cannot use --${lacking} without a value: write --${lacking}=VALUE`);
    throw new UsageError(
      `Cannot read the command line: ${sentence.replace(/^Option /, 'option ')}`,
    );
  }
}

const COUNT_MAX = 1_000_000_000;

/** `3` is from 3 to 3. NaN for what is neither form. */
function rangeIn(text: string): { readonly min: number; readonly max: number } {
  const match = /^(\d{1,9})(?:\.\.(\d{1,9}))?$/.exec(text);
  return { min: Number(match?.[1]), max: Number(match?.[2] ?? match?.[1]) };
}

function checkValue(flag: FlagSpec, value: string | boolean | undefined): void {
  if (typeof value !== 'string') return;
  const refuse = (wanted: string): never => {
    throw new UsageError(`Cannot use --${flag.name} "${value}": ${wanted}`);
  };
  if (flag.type === 'count') {
    const [least, most] = [flag.least ?? 0, flag.most ?? COUNT_MAX];
    const fits = /^\d+$/.test(value) && Number(value) >= least && Number(value) <= most;
    if (!fits) refuse(`a whole number from ${least} to ${most} is wanted`);
  }
  if (flag.type === 'range') {
    const [least, most] = [flag.least ?? 0, flag.most ?? COUNT_MAX];
    const { min, max } = rangeIn(value);
    const fits = min >= least && max <= most && min <= max;
    if (!fits) refuse(`N or A..B is wanted, with numbers from ${least} to ${most}`);
  }
  if (flag.type === 'seconds' && !(/^\d+(\.\d+)?s?$/.test(value) && Number.parseFloat(value) > 0))
    refuse('seconds are wanted, as 60 or 0.5');
  if (flag.type === 'choice' && !(flag.value ?? '').split('|').includes(value))
    refuse(`one of ${(flag.value ?? '').split('|').join(', ')} is wanted`);
  if (flag.type === 'text' && value === '') refuse('something is wanted');
}

/** Help of one verb, from the table. */
export function verbHelp(verb: Verb): string {
  const own = FLAGS.filter((flag) => flag.verbs.includes(verb));
  const lines = [
    `Usage: ${VERB_HELP[verb].usage} [flags]`,
    '',
    VERB_HELP[verb].about,
    '',
    'Flags:',
  ];
  const heads = own.map((flag) => {
    const short = flag.short === undefined ? '' : `-${flag.short}, `;
    return `  ${short}--${flag.name}${flag.value === undefined ? '' : ` ${flag.value}`}`;
  });
  const width = Math.max(...heads.map((head) => head.length)) + 2;
  for (const [at, flag] of own.entries()) {
    const more = `${flag.many === true ? ' (repeatable)' : ''}${flag.fallback === undefined ? '' : ` [${flag.fallback}]`}`;
    lines.push(`${heads[at].padEnd(width)}${flag.help}${more}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Help of the whole command. */
export function mainHelp(): string {
  const lines = ['Usage: lostwake VERB [words] [flags]', '', 'Verbs:'];
  for (const verb of VERBS) lines.push(`  ${verb.padEnd(9)}${VERB_HELP[verb].about}`);
  lines.push('', 'Exit codes:');
  for (const { code, meaning } of EXIT_CODES) lines.push(`  ${String(code).padEnd(5)}${meaning}`);
  lines.push(
    '',
    '"lostwake VERB --help" has the flags of a verb, "lostwake --version" the version.',
  );
  return `${lines.join('\n')}\n`;
}

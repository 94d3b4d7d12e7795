/** Header lines of a program: the known keys, their meaning and the form of their values. */

import type { Program } from './program.ts';

interface MetaRow {
  readonly key: string;
  readonly meaning: string;
  readonly form: RegExp;
  readonly example: string;
}

const any = /^\S(.*\S)?$/;
const selectors = /^[A-Za-z0-9._+*<>=-]+( +[A-Za-z0-9._+*<>=-]+)*$/;
const count = /^[0-9]{1,9}$/;

/** All header keys. `name` is kept apart, as the program's name. */
export const META: readonly MetaRow[] = [
  {
    key: 'name',
    meaning: 'name of the program; default: the file name',
    form: any,
    example: 'mod-vs-del',
  },
  {
    key: 'about',
    meaning: 'one sentence: what the program shows',
    form: any,
    example: 'MOD races DEL',
  },
  { key: 'docs', meaning: 'ids of the semantics reference', form: any, example: 'E-B2 E-R80' },
  { key: 'on', meaning: 'targets it applies to', form: selectors, example: '2.6.20 host' },
  { key: 'not', meaning: 'targets it does not apply to', form: selectors, example: 'host' },
  {
    key: 'kernel',
    meaning: 'the kernel a saved counterexample is for',
    form: selectors,
    example: '2.6.20',
  },
  { key: 'schedule', meaning: 'the schedule that replays it there', form: any, example: 'k1:...' },
  {
    key: 'hz',
    meaning: 'ticks per second of the model',
    form: /^[1-9][0-9]{0,4}$/,
    example: '100',
  },
  {
    key: 'long-bits',
    meaning: 'bits of a long in the modelled process',
    form: /^(32|64)$/,
    example: '32',
  },
  {
    key: 'jiffies',
    meaning: 'the tick counter when the run starts',
    form: /^[0-9]{1,10}$/,
    example: '4294967000',
  },
  {
    key: 'ring',
    meaning: 'slots of every completion ring, one of which stays empty',
    form: /^([2-9]|[1-9][0-9]{1,4})$/,
    example: '4',
  },
  {
    key: 'aio-max-nr',
    meaning: 'requests that all contexts may reserve',
    form: count,
    example: '1',
  },
  {
    key: 'slots',
    meaning: 'requests that the disk takes at once',
    form: /^[1-9][0-9]{0,5}$/,
    example: '2',
  },
  {
    key: 'service',
    meaning: 'ticks the disk needs for a request; default: any time, in any order',
    form: /^[1-9][0-9]{0,5}$/,
    example: '3',
  },
  {
    key: 'faults',
    meaning: 'injected failures per thread: allocations, copies, signals',
    form: count,
    example: '1',
  },
  {
    key: 'memory',
    meaning: 'how stores reach memory: at once, or through store buffers as on x86',
    form: /^(sc|tso)$/,
    example: 'tso',
  },
  {
    key: 'timers',
    meaning: 'when timers fire: at idle, or any time',
    form: /^(idle|any)$/,
    example: 'idle',
  },
  {
    key: 'max-steps',
    meaning: 'bound on steps per run',
    form: /^[1-9][0-9]{0,8}$/,
    example: '20000',
  },
  {
    key: 'guards',
    meaning: 'the fix or report a regression case protects',
    form: any,
    example: 'epoll-acsem',
  },
  { key: 'ltp', meaning: 'the LTP case it corresponds to', form: any, example: 'epoll_ctl02' },
  { key: 'id', meaning: 'id of the catalogued bug or known failure', form: any, example: 'E-B2' },
];

/** The keys, for suggestions. */
export const META_KEYS: readonly string[] = META.map((row) => row.key);

/** The value of a header line, or null if the program has none of that key. */
export function metaOf(program: Program, key: string): string | null {
  return program.meta.find((entry) => entry.key === key)?.value ?? null;
}

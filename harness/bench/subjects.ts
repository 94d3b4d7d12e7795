/** What is explored: programs on the bare machine, whose numbers of traces are known, and programs on kernels. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  criticalSections,
  fileSystem,
  indexer,
  lastZero,
  modVersusDel,
  readersWriter,
  waitQueue,
} from '../explore/known-programs.ts';
import type { Scenario } from '../machine/index.ts';
import type { Program } from '../program/program.ts';
import { parseProgram } from '../program/text.ts';
import { packageRoot } from '../runner/case-index.ts';
import { findAndUse, registerWriteWait } from './twins.ts';

/** A program and where it runs: a kernel, or `machine` for one without a kernel around it. */
export interface Subject {
  readonly program: string;
  readonly kernel: string;
}

export const MACHINE = 'machine';

const MACHINE_PROGRAMS: Readonly<Record<string, (a: number, b: number) => Scenario>> = {
  'critical sections': criticalSections,
  'readers and a writer': readersWriter,
  'last zero': lastZero,
  'file system': fileSystem,
  indexer,
  'mod-versus-del': modVersusDel,
  'wait-queue': () => waitQueue(false),
  'wait-queue, checking first': () => waitQueue(true),
  'find-and-use': () => findAndUse(false),
  'find-and-use, too late': () => findAndUse(true),
  'register-write-wait': () => registerWriteWait(false),
  'register-write-wait, looking first': () => registerWriteWait(true),
};

/** Kernel programs of any size: so many threads of so many calls. */
const FAMILIES: Readonly<Record<string, { readonly init: string; readonly call: string }>> = {
  writers: {
    init: '  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN|EPOLLET)\n',
    call: 'write(w, "a")',
  },
  mods: {
    init: '  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\n',
    call: 'epoll_ctl(A, EPOLL_CTL_MOD, r, EPOLLIN)',
  },
};

/** The sizes behind a name: `critical sections 3 4`. */
function sizesOf(program: string): { readonly name: string; readonly sizes: readonly number[] } {
  const [, name = program, sizes = ''] = /^(.*?)((?: \d+)*)$/.exec(program) ?? [];
  return { name, sizes: sizes.trim().split(' ').filter(Boolean).map(Number) };
}

/** A program of fixtures/bench, or one of a family. */
export function benchProgram(program: string): Program {
  const { name, sizes } = sizesOf(program);
  const family = FAMILIES[name];
  if (family === undefined) {
    const path = join(packageRoot(), 'fixtures', 'bench', `${program}.prog`);
    return parseProgram(readFileSync(path, 'utf8'), path);
  }
  const [threads = 1, calls = 1] = sizes;
  const init = `init:\n  A = epoll_create(10)\n  r, w = pipe()\n${family.init}`;
  const thread = `  ${family.call}\n`.repeat(calls);
  const bodies = Array.from({ length: threads }, (_, t) => `T${t + 1}:\n${thread}`);
  return parseProgram(`${init}${bodies.join('')}`, program);
}

/** The scenario of a subject. A kernel is loaded only for one that has a kernel. */
export async function scenarioOf({ program, kernel }: Subject): Promise<Scenario> {
  if (kernel === MACHINE) {
    const { name, sizes } = sizesOf(program);
    const make = MACHINE_PROGRAMS[name];
    if (make === undefined) throw new RangeError(`Cannot find the program "${program}"`);
    return make(sizes[0] ?? 1, sizes[1] ?? 1);
  }
  const { modelTarget } = await import('../target/model.ts');
  return modelTarget(kernel).modelRun(benchProgram(program), {});
}

/** What the tests of the observers of AIO share: a kernel that does nothing but announce. */

import {
  engine,
  kfree,
  kmalloc,
  newWord,
  schedule,
  setCurrentState,
  tasks,
  taskConfig,
  TaskState,
  wakeUpProcess,
  write,
  type Kernel,
  type Mem,
  type Strategy,
  type Word,
} from '../machine/index.ts';
import { tinyScenario, type Tiny } from '../machine/scripted.ts';
import { Sanitizers } from './index.ts';

/** Beginnings that many tests have. */
const MACROS: Readonly<Record<string, string>> = {
  context: 'ctx.ring c 4; ctx.users c 1; ctx.linked c 1',
  admitted: 'context; kiocb.admitted k 1; kiocb.users k 2',
  accepted: 'admitted; kiocb.accepted k 10',
  put: 'kiocb.users k 0; kiocb.listed k 0',
  gone: 'put; free k; kiocb.freed k 0',
  posted: 'kiocb.completed k 5; kiocb.posted k 1; ctx.tail c 1; event.read c 1',
  waits: 'kiocb.run k 0; kiocb.linked k 1; kiocb.ran k -530',
  second: 'kiocb.admitted k2 2; kiocb.accepted k2 10',
  cancelled: 'kiocb.cancelled k 1; kiocb.completed k -4; kiocb.silent k 0',
  event: 'kiocb.completed k 5; kiocb.posted k 1',
  asleep: 'T2 getevents.begin c 1; T2 getevents.asleep c 0; T2 sleep',
  asleep3: 'T3 getevents.begin c 1; T3 getevents.asleep c 0; T3 sleep',
};

/**
 * The findings of what a kernel announces, in order and between semicolons: `T2 kiocb.run k 0; timer.needs k 0 file`.
 * T1 may be left out, and a name of MACROS stands for its text. Requests start with k and belong to context c;
 * `free k` frees, `sleep` sleeps until `wake T1`, `pass` does nothing.
 */
export function announce(text: string): string {
  const script = new Script(text);
  const sanitizers = new Sanitizers();
  engine.forget();
  engine.observer = sanitizers;
  engine.timers = 'idle';
  taskConfig.signalsInUse = true;
  engine.execute(tinyScenario(script.tiny()), script);
  return sanitizers
    .findings()
    .map((f) => `${f.detector} ${f.site}`)
    .join('; ');
}

/** Line after line, each by its thread and as a whole. */
class Script implements Strategy {
  private readonly lines: readonly { readonly who: number; readonly words: readonly string[] }[];
  private readonly mems = new Map<string, Mem>();
  private turn = 0;

  constructor(text: string) {
    this.lines = linesOf(text).map((line) => {
      const words = line.split(' ');
      const who = /^T[1-4]$/.test(words[0] ?? '') ? Number(words.shift()?.slice(1)) - 1 : 0;
      return { who, words };
    });
  }

  tiny(): Tiny {
    let clock: Word;
    const { lines } = this;
    const width = Math.max(...lines.map((line) => line.who)) + 1;
    const body = function* (script: Script, thread: number): Kernel<void> {
      for (const { who, words } of lines) {
        if (who !== thread) continue;
        yield* write(clock, 1, 'step');
        yield* perform(words, (name) => script.mem(name));
        if (words[0] !== 'sleep') script.turn++;
      }
    };
    const threads = Array.from({ length: width }, (_, thread) => () => body(this, thread));
    return { build: () => (clock = newWord('clock', 0)), threads };
  }

  private mem(name: string): Mem {
    let mem = this.mems.get(name);
    if (mem === undefined) {
      const kind = name.startsWith('k') ? 'kiocb' : name.startsWith('c') ? 'kioctx' : name;
      mem = kmalloc(kind, 'alloc');
      mem.permanent = true;
      this.mems.set(name, mem);
    }
    return mem;
  }

  begin(): boolean {
    return true;
  }

  /** Whoever's turn it is; a line that says `sleep` is over when its thread sleeps. */
  pick(): number {
    for (; this.turn < this.lines.length; this.turn++) {
      const who = this.lines[this.turn]?.who ?? 0;
      if (engine.isLive(who) && engine.isEnabled(who)) return who;
    }
    return -1;
  }

  alternative(): number {
    return 0;
  }

  end(): void {}
}

function* perform(words: readonly string[], memOf: (name: string) => Mem): Kernel<void> {
  const [what = '', name = '', value = '0', owner] = words;
  if (what === 'sleep') {
    yield* setCurrentState(TaskState.INTERRUPTIBLE, 'set');
    yield* schedule('asleep', { holds: () => false, describe: () => 'nothing' });
  } else if (what === 'wake') {
    const task = tasks[Number(name.slice(1)) - 1];
    if (task === null || task === undefined) throw new Error(`no task ${name}`);
    yield* wakeUpProcess(task, TaskState.INTERRUPTIBLE, 'wake');
  } else if (what === 'free') {
    kfree(memOf(name), 'free');
  } else if (what !== 'pass') {
    const of = owner === undefined ? (name.startsWith('k') ? memOf('c') : null) : memOf(owner);
    engine.observer.happened(what, memOf(name), Number(value), 'site', of);
  }
}

/** The lines with every macro replaced by its text. */
function linesOf(text: string): string[] {
  return text.split('; ').flatMap((line) => {
    const macro = MACROS[line];
    return macro === undefined ? [line] : linesOf(macro);
  });
}

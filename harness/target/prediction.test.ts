import t from 'tap';
import { strategyNamed } from '../explore/strategies.ts';
import { signatureOf } from '../history/history.ts';
import {
  Guarded,
  engine,
  kfree,
  kmalloc,
  newSpinLock,
  newWord,
  plainWrite,
  read,
  resetMemory,
  resetTasks,
  resetTimers,
  spinLock,
  spinUnlock,
  write,
  type Kernel,
} from '../machine/index.ts';
import { parseProgram } from '../program/text.ts';
import { Exploration } from './exploration.ts';
import { ModelRun } from './model-run.ts';
import type { Behaviour } from './target.ts';

const program = parseProgram('T1:\n  x = epoll_create(1)\nT2:\n  y = epoll_create(1)\n', 'two');

/** Two threads without calls in the place of a program on a kernel. */
function runOf<S>(make: () => S, body: (s: S, thread: number) => Kernel<void>): ModelRun {
  let state: S | null = null;
  const run: ModelRun = Object.create(ModelRun.prototype);
  return Object.assign(run, {
    threads: 2,
    *init(): Kernel<void> {
      resetTimers();
      resetTasks(2);
      resetMemory();
      state = make();
    },
    *body(thread: number): Kernel<void> {
      if (state !== null) yield* body(state, thread);
    },
    exit: undefined,
    exitUnseen: false,
    repeatable: false,
    records: () => [],
    history: () => ({ target: 'toy', calls: [], before: () => false }),
    returned: () => 0,
  });
}

function explorationOf(run: ModelRun): Exploration {
  return new Exploration('toy', program, run, strategyNamed('dpor'), {});
}

function signatures(seen: Behaviour): string[] {
  t.equal(seen.broken, undefined, 'the harness does not contradict itself');
  return seen.findings.map(({ finding }) => signatureOf(finding)).sort();
}

/** What one explorer reports, and what is made of the parts of two. */
function reported(run: ModelRun): readonly (readonly string[])[] {
  const alone = explorationOf(run).behaviour();
  const parts = [0, 1].map(() => {
    const explorer = explorationOf(run);
    explorer.branch({ levels: [] }, () => false);
    return explorer.part();
  });
  return [signatures(alone), signatures(explorationOf(run).join(parts, undefined))];
}

interface Object_ {
  readonly mem: ReturnType<typeof kmalloc>;
  readonly field: ReturnType<typeof newWord>;
  readonly other: ReturnType<typeof newWord>;
  readonly lock: ReturnType<typeof newSpinLock>;
  readonly data: Guarded;
  /** In no operation, and announced to nobody: nothing that the clocks could know. */
  isUsed: boolean;
}

function make(): Object_ {
  const mem = kmalloc('thing', 'alloc');
  mem.permanent = true;
  return {
    mem,
    field: newWord('field', 0, mem),
    other: newWord('other', 0),
    lock: newSpinLock('lock'),
    data: new Guarded('data'),
    isUsed: false,
  };
}

/** T1 uses the object, T2 frees it: if told to, only when it sees that T1 is done, or each under the lock. */
function useAndFree(how: 'freely' | 'when used'): ModelRun {
  return runOf(make, function* (s, thread) {
    if (thread === 0) {
      yield* write(s.field, 1, 'use');
      s.isUsed = true;
    } else {
      yield* read(s.other, 'look');
      if (how === 'freely' || s.isUsed) kfree(s.mem, 'free');
      yield* read(s.other, 'go on');
    }
  });
}

t.test(
  'a use after free that the clocks show possible is reported with a run that shows it',
  (t) => {
    t.same(reported(useAndFree('freely')), [['KASAN-UAF use / free'], ['KASAN-UAF use / free']]);
    const [found] = explorationOf(useAndFree('freely')).behaviour().findings;
    t.notOk(
      found !== undefined && 'predicted' in found.finding,
      'as it happens, not as a prediction',
    );
    t.end();
  },
);

t.test('a prediction that no run bears out is not reported, by one explorer or by several', (t) => {
  const run = useAndFree('when used');
  const explorer = explorationOf(run);
  explorer.branch({ levels: [] }, () => false);
  t.same(
    explorer.part().findings.map(({ key, predicted }) => [key, predicted]),
    [['KASAN-UAF use / free', true]],
    'it was predicted',
  );
  t.same(reported(run), [[], []]);
  t.end();
});

/** Both touch the data, with the lock or without. */
function touch(locked: boolean): ModelRun {
  return runOf(make, function* (s, thread) {
    if (locked) yield* spinLock(s.lock, 'lock');
    else yield* read(s.other, 'look');
    plainWrite(s.data, `touch ${thread}`);
    if (locked) yield* spinUnlock(s.lock, 'unlock');
    else yield* read(s.other, 'go on');
  });
}

t.test(
  'a data race is reported when the replay of its run shows it again, and not where a lock is',
  (t) => {
    t.same(reported(touch(false)), [['KCSAN touch 0 / touch 1'], ['KCSAN touch 0 / touch 1']]);
    t.same(reported(touch(true)), [[], []]);
    t.end();
  },
);

/** A race in the first executions after the state is new: the replay does not see it. */
function onlyOnce(): ModelRun {
  let runs = 0;
  return runOf(make, function* (s, thread) {
    if (thread === 0) runs++;
    yield* read(s.other, 'look');
    if (runs === 1) plainWrite(s.data, `touch ${thread}`);
    yield* read(s.other, 'go on');
  });
}

t.test('a race that its own replay does not show is the harness contradicting itself', (t) => {
  const seen = explorationOf(onlyOnce()).behaviour();
  t.match(seen.broken, /KCSAN touch 0 \/ touch 1 did not show again in its own replay/);
  t.same(seen.findings, []);
  t.end();
});

t.teardown(() => engine.forget());

import t from 'tap';
import { checkHistory } from '../check/checks.ts';
import { parseProgram } from '../program/text.ts';
import { modelTarget } from './model.ts';
import type { RunOptions } from './target.ts';

/** Every step of every outcome, as a counterexample tells it. */
function told(text: string, options: RunOptions): string[] {
  const program = parseProgram(text, 'told');
  const target = modelTarget('2.6.20');
  const all = { ...options, checks: checkHistory };
  return target
    .run(program, all)
    .outcomes.flatMap(({ schedule = '' }) =>
      target
        .explain(program, { schedule, sentence: '', search: '', replay: '', options: all })
        .rows.flatMap(({ text: step, changed }) => [step.trim(), changed ?? '']),
    );
}

t.test('a choice says what fails, or that it does not', (t) => {
  const rows = told(
    'init:\n  r, w = pipe()\nT1:\n  A = epoll_create(10)\n  x = epoll_wait(A, 1, 0)\nT2:\n  n = read(r, 1)\n',
    { faults: 1 },
  );
  for (const wanted of ['kmalloc fails', 'kmalloc succeeds', 'a signal comes'])
    t.ok(
      rows.some((row) => row.startsWith(`${wanted}  `)),
      wanted,
    );
  t.notOk(
    rows.some((row) => /choose \d+ of/.test(row)),
    'no bare number',
  );
  t.end();
});

t.test('what is freed stands behind its step, and a pipe is empty or not', (t) => {
  const rows = told(
    'init:\n  A = epoll_create(10)\n  r, w = pipe()\n  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)\nT1:\n  n = write(w, "a")\nT2:\n  d = epoll_ctl(A, EPOLL_CTL_DEL, r, NULL)\n',
    {},
  );
  t.ok(rows.some((row) => /^free epitem#1 {2}2\.6-/.test(row)));
  t.ok(rows.includes('pipe.nrbufs#1 empty -> between'));
  t.end();
});

import t from 'tap';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkHistory } from '../check/checks.ts';
import { Frontier } from '../explore/frontier.ts';
import { signatureOf } from '../history/history.ts';
import { parseProgram } from '../program/index.ts';
import { modelTarget } from '../target/model.ts';
import type { Behaviour, Progress } from '../target/target.ts';
import { Checkpoint } from './checkpoint.ts';
import { progressText, searchText } from './coverage-text.ts';
import { exploreShared } from './shared-exploration.ts';

const CASES: readonly (readonly [name: string, kernel: string])[] = [
  ['bugs/E-B02', '2.5.44+sys_epoll-v11'],
  ['bugs/E-B47', '2.6.20'],
];

/** Has 275 424 traces. */
const THREE_WAITERS = `
init:
  A = epoll_create(10)
  r, w = pipe()
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
T1:
  x = epoll_wait(A, 1, -1)
T2:
  y = epoll_wait(A, 1, -1)
T3:
  z = epoll_wait(A, 1, -1)
T4:
  n = write(w, "a")
`;

/** Has 1392 traces. */
const TWO_WAITERS = `
init:
  A = epoll_create(10)
  r, w = pipe()
  s, v = pipe()
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
  epoll_ctl(A, EPOLL_CTL_ADD, s, EPOLLIN)
T1:
  x = epoll_wait(A, 1, -1)
T2:
  y = epoll_wait(A, 1, 0)
T3:
  n = write(w, "a")
  m = write(v, "a")
`;

function load(name: string) {
  const path = `cases/${name}.prog`;
  return parseProgram(readFileSync(path, 'utf8'), path);
}

/** Everything that a reader is told. */
function told(b: Behaviour) {
  return {
    complete: b.complete,
    executions: b.executions,
    traces: b.traces,
    outcomes: b.outcomes.map((o) => `${o.text} x ${o.times} ${o.schedule ?? ''}`),
    findings: b.findings.map(
      (f) => `${signatureOf(f.finding)} x ${f.times}: ${f.finding.message} ${f.schedule ?? ''}`,
    ),
    broken: b.broken,
  };
}

t.test('an exploration on two threads says what it says on one', async (t) => {
  for (const [name, kernel] of CASES) {
    const program = load(name);
    const options = { checks: checkHistory };
    const alone = modelTarget(kernel).run(program, options);
    const both = await exploreShared({ kernel, hz: undefined, program, options, jobs: 2 });
    t.strictSame(told(both), told(alone), `${name}: ${alone.executions} executions`);
    const seen = [...both.outcomes, ...both.findings];
    t.notOk(
      seen.some((one) => 'since' in one),
      'two threads have no first execution',
    );
  }
});

t.test('a shared exploration that is interrupted says so and keeps what it has', async (t) => {
  const program = parseProgram(THREE_WAITERS, 'three waiters');
  const looks: Progress[] = [];
  const interrupted = (n: number, progress: () => Progress): boolean => {
    looks.push(progress());
    return n > 20;
  };
  const options = { checks: checkHistory, interrupted };
  const kernel = '2.6.20';
  const some = await exploreShared({ kernel, hz: undefined, program, options, jobs: 2 });
  t.ok(some.executions > 20);
  t.equal(some.complete, false);
  t.equal(some.incomplete, 'stopped');
  const { done = -1, executions } = looks.at(-1) ?? { executions: 0 };
  t.ok(executions > 20 && done > 0 && done < 0.1, `${done} of the known tree is behind it`);
  t.match(
    progressText(looks[looks.length - 1], 0, 0),
    /executions, \d+ traces, about 10\^[2-7] to go, /,
  );
  t.match(
    searchText(some, 'dpor'),
    /distinct traces; the known part .* suggests about 10\^[2-7] more$/,
  );
});

t.test('an exploration that is interrupted again and again comes to the same end', async (t) => {
  const path = join(t.testdir(), 'checkpoint.json');
  const kernel = '2.6.20';
  const program = parseProgram(TWO_WAITERS, 'two waiters');
  const options = { checks: checkHistory };
  const alone = modelTarget(kernel).run(program, options);
  const request = { kernel, hz: undefined, program, jobs: 2, saveEvery: 50 };
  let last: Behaviour | null = null;
  let rounds = 0;
  for (let limit = 600; last?.complete !== true; limit += 600, rounds++) {
    const checkpoint = new Checkpoint(path, kernel, program, options);
    last = await exploreShared({ ...request, options: { ...options, runs: limit }, checkpoint });
    t.equal(existsSync(path), !last.complete, 'the file is there as long as something is left');
  }
  t.equal(rounds, 3, 'interrupted at 600 and 1200 executions');
  t.strictSame(told(last), told(alone));
});

t.test('a checkpoint of something else is refused in one line', (t) => {
  const dir = t.testdir({ 'torn.json': '{"format": "lostwake che', 'list.json': '[]' });
  const program = parseProgram(TWO_WAITERS, 'two waiters');
  const other = parseProgram(THREE_WAITERS, 'three waiters');
  const part = { executions: 1, outOfSteps: 0, outcomes: [], findings: [], lessons: [] };
  const frontier = new Frontier().save();
  const path = join(dir, 'a.json');
  new Checkpoint(path, '2.6.20', program, {}).save({ frontier, part });
  t.strictSame(new Checkpoint(path, '2.6.20', program, {}).load()?.part, part);
  const cut = join(dir, 'cut.json');
  const saved = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(cut, JSON.stringify({ ...saved, frontier: {} }));
  const refused: readonly (readonly [Checkpoint, RegExp])[] = [
    [new Checkpoint(path, '2.5.44', program, {}), /its kernel is "2.6.20", not "2.5.44"/],
    [new Checkpoint(path, '2.6.20', other, {}), /its program is/],
    [new Checkpoint(path, '2.6.20', program, { faults: 1 }), /made with other flags or headers/],
    [new Checkpoint(join(dir, 'torn.json'), '2.6.20', program, {}), /JSON/],
    [new Checkpoint(join(dir, 'list.json'), '2.6.20', program, {}), /its format is/],
    [new Checkpoint(cut, '2.6.20', program, {}), /it is not whole/],
    [new Checkpoint('/dev/full', '2.6.20', program, {}), /no regular file/],
  ];
  for (const [checkpoint, why] of refused) t.throws(() => checkpoint.load(), { message: why });
  t.throws(() => new Checkpoint(dir, '2.6.20', program, {}).save({ frontier, part }), {
    message: /Cannot write checkpoint/,
  });
  t.end();
});

import t from 'tap';
import { readFileSync } from 'node:fs';
import { checkHistory } from '../check/checks.ts';
import { signatureOf } from '../history/history.ts';
import { parseProgram } from '../program/index.ts';
import { modelTarget } from '../target/model.ts';
import type { Behaviour } from '../target/target.ts';
import { exploreShared } from './shared-exploration.ts';

const CASES: readonly (readonly [name: string, kernel: string])[] = [
  ['bugs/E-B02', '2.5.44+sys_epoll-v11'],
  ['bugs/E-B47', '2.6.20'],
  ['bugs/E-B54', '2.6.20'],
  ['epoll_wait/epoll_wait15', '2.6.20'],
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
    outcomes: b.outcomes.map((o) => `${o.text} x ${o.times}`),
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
  }
});

t.test('a shared exploration that is interrupted says so and keeps what it has', async (t) => {
  const program = parseProgram(THREE_WAITERS, 'three waiters');
  const options = { checks: checkHistory, interrupted: (n: number) => n > 20 };
  const kernel = '2.6.20';
  const some = await exploreShared({ kernel, hz: undefined, program, options, jobs: 2 });
  t.ok(some.executions > 20);
  t.equal(some.complete, false);
  t.equal(some.incomplete, 'stopped');
});

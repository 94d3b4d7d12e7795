import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Parser } from 'tap-parser';
import type { CounterexampleRow, CounterexampleView } from '../history/counterexample.ts';
import { parseProgram } from '../program/text.ts';
import { packageRoot } from '../runner/case-index.ts';
import { withKnown } from '../runner/known.ts';
import {
  caseResult,
  outcomeOf,
  settle,
  summarise,
  type CaseResult,
  type ResultLine,
  type RunReport,
  type RunResult,
} from '../runner/result.ts';
import { counterexampleText } from './counterexample.ts';
import { jsonReporter } from './json.ts';
import type { Reporter, Write } from './reporter.ts';
import { tapReporter, tapText } from './tap.ts';
import { textReporter } from './text.ts';

const goldens = join(packageRoot(), 'fixtures', 'golden');
const options = { color: false, quiet: false, width: 100 };

/** Compares with a file under fixtures/golden; UPDATE_GOLDEN=1 writes it instead. */
function isGolden(test: Pick<typeof t, 'equal'>, name: string, text: string): void {
  const path = join(goldens, name);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(goldens, { recursive: true });
    writeFileSync(path, text);
  }
  test.equal(text, readFileSync(path, 'utf8'), name);
}

function printed(report: RunReport, make: (write: Write) => Reporter): string {
  let text = '';
  const reporter = make((piece) => {
    text += piece;
  });
  for (const result of report.cases) reporter.caseDone?.(result);
  reporter.end(report);
  return text;
}

const lostEdge = parseProgram(
  [
    'name: write-against-wait',
    'init:',
    '  A = epoll_create(1)',
    '  r, w = pipe()',
    '  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN|EPOLLET)',
    'T1:',
    '  x = epoll_wait(A, 8, -1)',
    '  y = read(r, 10) if x == {r:IN}',
    'T2:',
    '  n = write(w, "a")',
    'expect:',
    '  never x=hang',
  ].join('\n'),
  'write-against-wait.prog',
);

const lostEdgeRows: readonly CounterexampleRow[] = [
  { step: 4, column: 'T1', text: 'epoll_wait(A, 8, -1)' },
  { step: 5, column: 'T1', text: '  ep#1.ready is empty  2.6-SW1' },
  { step: 6, column: 'T2', text: 'write(w, "a")', switchCause: 'T1 preempted by the schedule' },
  { step: 6, column: 'T2', text: '  lock pipe#1.mutex', changed: 'pipe#1.mutex free -> T2' },
  {
    step: 7,
    column: 'softirq',
    text: 'ep_poll_callback(epi#1)',
    changed: 'ep#1.ready [] -> [epi#1]',
  },
  { step: 8, column: 'softirq', text: 'wake ep#1.wq: no sleeper', decisive: true },
  { step: 9, column: 'T2', text: '= 1' },
  { step: 10, column: 'T1', text: '', switchCause: 'T2 finished' },
  { step: 10, column: 'T1', text: '  add T1 to ep#1.wq', changed: 'ep#1.wq [] -> [T1]' },
  { step: 11, column: 'T1', text: '  sleep <hung>' },
];

const lostEdgeView: CounterexampleView = {
  sentence:
    'Lost edge: pipe#1 became readable at step 7; T1 went to sleep on ep#1 at step 11 and nothing will wake it',
  program: lostEdge,
  columns: ['T1', 'T2', 'softirq'],
  rows: lostEdgeRows,
  switches: 4,
  fewest: 'found',
  ledger: [
    'ep#1 / r: edges produced 1, reported 0, pending 1',
    'ep#1.wq: due 1 wake-up, delivered 0',
  ],
  decisiveMeans: 'after step 8 every continuation fails',
  source: ['fs/eventpoll.c: ep_poll_callback'],
  docs: ['E-R35', 'E-B2'],
  search: 'pct, seed 42; replayed twice, the same both times',
  replay: "npx lostwake replay write-against-wait --kernel 2.6.20 --schedule 'x1:0123:0*4'",
};

const nasty = 'a # b \\ c: "d" \'e\'\u0000\u0007 é \u2028 --- ...\t{[*&!%@`';

function run(caseId: string, row: string, target: string, lines: readonly ResultLine[]): RunResult {
  return { caseId, row, target, ...settle(lines) };
}

function reportOf(cases: readonly CaseResult[], stopped?: string): RunReport {
  const report = { cases, summary: summarise(cases), environment: { node: 'v20' } };
  return stopped === undefined ? report : { ...report, stopped };
}

const coverage = {
  executions: 27,
  traces: 27,
  outcomes: 2,
  complete: true,
  statement: 'dpor, complete: 27 traces, 27 executions',
};
const cut = {
  ...coverage,
  complete: false,
  incomplete: 'time 60 s',
  statement: 'pos (time 60 s): 27 executions, 20 distinct traces, at least 33 exist (Chao1)',
};
const pass: ResultLine = {
  status: 'PASS',
  message: 'Holds in all 27 runs',
  expected: 'always x=0',
};
const fail: ResultLine = {
  status: 'FAIL',
  message: 'Seen: x=hang',
  expected: 'never x=hang',
  actual: 'x=hang',
  schedule: 'x1:0123:0*4',
};
const conf: ResultLine = { status: 'CONF', message: 'Has no epoll_create1()' };

function everyKind(): RunReport {
  const about = (id: string) => ({
    id,
    about: `What ${id} says`,
    docs: ['E-R9'],
    file: `cases/${id}.prog`,
  });
  const known = [
    { id: 'K-1', name: 'known-one' },
    { id: 'K-2', name: 'fixed-one', target: '2.6.20' },
  ];
  return reportOf([
    caseResult(about('epoll_ctl02'), [
      { ...run('epoll_ctl02', 'epfd-is-closed', 'model:2.6.20', [pass]), coverage },
      { ...run('epoll_ctl02', 'epfd-is-closed', 'host', [pass]), milliseconds: 12 },
      run('epoll_ctl02', 'event-is-null', 'model:2.6.20', [pass, conf]),
      run('epoll_ctl02', 'event-is-null', 'host', [conf]),
    ]),
    caseResult(about('all-conf'), [run('all-conf', '', 'host', [conf])]),
    caseResult(about('bugs/E-B2'), [
      {
        ...run('bugs/E-B2', '', 'model:2.6.20', [pass, fail]),
        counterexample: lostEdgeView,
        replay: lostEdgeView.replay,
      },
      run('bugs/E-B2', '', 'model:2.5.44+sys_epoll-v11', [pass]),
    ]),
    caseResult(about('silent'), [
      run('silent', '', 'model:2.6.20', [{ status: 'INFO', message: 'talk' }]),
    ]),
    caseResult(about('warned'), [
      {
        ...run('warned', '', 'model:2.6.20', [
          { status: 'WARN', message: 'Not proved', expected: 'clean' },
        ]),
        coverage: cut,
      },
    ]),
    caseResult(about('proved'), [
      {
        ...run('proved', '', 'model:2.6.20', [
          { ...pass, finding: 'LEAK x', since: 3 },
          { status: 'PASS', message: 'Explored to the end: 27 traces', expected: 'complete' },
        ]),
        coverage,
        proof: true,
      },
      {
        ...run('proved', '', 'model:3.1', [
          {
            status: 'FAIL',
            message: 'No proof: a bound was met (time 60 s)',
            expected: 'complete',
          },
        ]),
        coverage: cut,
        proof: true,
      },
    ]),
    caseResult(about('known-one'), [
      withKnown(run('known-one', '', 'model:2.6.20', [fail]), known),
    ]),
    caseResult(about('fixed-one'), [
      withKnown(run('fixed-one', '', 'model:2.6.20', [pass]), known),
      withKnown(run('fixed-one', '', 'host', [pass]), known),
    ]),
    caseResult({ ...about('3-odd # name'), about: nasty }, [
      {
        ...run('3-odd # name', nasty, 'host', [
          { ...fail, message: nasty, expected: nasty, actual: `${nasty}\n${nasty}` },
        ]),
        replay: nasty,
      },
    ]),
  ]);
}

interface Tally {
  count: number;
  pass: number;
  fail: number;
  skip: number;
  todo: number;
}

/** Reads TAP back in strict mode: points of the subtests, and of the root. */
function readBack(tap: string): {
  ok: boolean;
  root: Tally;
  inner: Tally;
  problems: unknown[];
  bailout: boolean;
} {
  const inner: Tally = { count: 0, pass: 0, fail: 0, skip: 0, todo: 0 };
  const problems: unknown[] = [];
  const parser = new Parser({ strict: true });
  const add = (into: Tally, from: Tally) => {
    for (const key of ['count', 'pass', 'fail', 'skip', 'todo'] as const) into[key] += from[key];
  };
  parser.on('child', (child: Parser) => {
    child.on('extra', (line: string) => problems.push(line));
    child.on('complete', (results: Tally) => add(inner, results));
  });
  parser.on('extra', (line: string) => problems.push(line));
  let root: Tally = { count: 0, pass: 0, fail: 0, skip: 0, todo: 0 };
  let ok = false;
  let bailout = false;
  parser.on('complete', (results) => {
    ok = results.ok;
    bailout = results.bailout !== false;
    root = {
      count: results.count,
      pass: results.pass,
      fail: results.fail,
      skip: results.skip,
      todo: results.todo,
    };
    problems.push(
      ...results.failures.filter((failure: { tapError?: unknown }) => Boolean(failure.tapError)),
    );
  });
  parser.end(tap);
  return { ok, root, inner, problems, bailout };
}

for (const version of [13, 14] as const) {
  t.test(`TAP ${version} reads back in strict mode with the counts of the model`, (t) => {
    const report = everyKind();
    const { runs, cases } = report.summary;

    const tap = printed(report, (write) => tapReporter(write, options, version));
    const read = readBack(tap);

    t.same(read.problems, [], 'nothing that is not TAP');
    t.equal(read.ok, false, 'a failure fails the whole');
    t.equal(read.root.count, report.cases.length);
    t.equal(read.root.fail, cases.FAIL + cases.BROK);
    t.equal(read.inner.count, report.cases.flatMap((one) => one.runs).length);
    t.equal(
      read.inner.fail,
      runs.FAIL + runs.BROK + runs.known,
      'a known failure is a failing TODO',
    );
    t.equal(read.inner.todo, runs.known);
    t.equal(read.inner.skip, runs.CONF);
    t.equal(read.inner.pass, runs.PASS + runs.WARN + runs.CONF);
    t.equal(tap, tapText(report, version), 'the same bytes each time');
    t.notMatch(tap, /[^\n\x20-\x7e\u00e9]/, 'no control characters');
    isGolden(t, `report.tap${version}`, tap);
    t.end();
  });

  t.test(
    `TAP ${version} of a run without failures is ok, and of an interrupted one is not`,
    (t) => {
      const good = everyKind().cases.filter(
        (one) => one.verdict === 'PASS' || one.verdict === 'CONF' || one.known,
      );

      const whole = readBack(tapText(reportOf(good), version));
      const cut = readBack(tapText(reportOf(good, 'interrupted by SIGINT'), version));
      const bailed = readBack(tapText(reportOf(good, '--bail after the first failure'), version));
      const empty = readBack(tapText(reportOf([]), version));

      t.equal(whole.ok, true);
      t.same(whole.problems, []);
      t.equal(cut.bailout, true);
      t.equal(cut.ok, false);
      t.same(bailed.problems, []);
      t.equal(empty.root.count, 0);
      t.end();
    },
  );
}

t.test('text, TAP and JSON count the same', (t) => {
  const report = everyKind();

  const text = printed(report, (write) => textReporter(write, options));
  const json = JSON.parse(printed(report, (write) => jsonReporter(write, options)));
  const tap = tapText(report, 14);

  const { runs } = report.summary;
  const row = /^runs +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$/m.exec(text);
  t.same(row?.slice(1).map(Number), [
    runs.PASS,
    runs.FAIL,
    runs.BROK,
    runs.CONF,
    runs.WARN,
    runs.known,
  ]);
  t.same(json.summary, report.summary);
  const verdicts = json.cases.flatMap(
    (one: { runs: { verdict: string; known?: string }[] }) => one.runs,
  );
  const counted = (verdict: string) =>
    verdicts.filter(
      (one: { verdict: string; known?: string }) =>
        one.verdict === verdict && one.known === undefined,
    ).length;
  for (const verdict of ['PASS', 'FAIL', 'BROK', 'CONF', 'WARN'] as const)
    t.equal(counted(verdict), runs[verdict]);
  t.match(
    tap,
    `# runs: pass ${runs.PASS}, fail ${runs.FAIL}, broken ${runs.BROK}, skip ${runs.CONF}, warn ${runs.WARN}, known ${runs.known}`,
  );
  isGolden(t, 'report.txt', text);
  isGolden(
    t,
    'report.json',
    printed(report, (write) => jsonReporter(write, options)),
  );
  t.end();
});

t.test('colour is in the text when asked for, and nowhere else', (t) => {
  const report = everyKind();
  const colored = { ...options, color: true };

  // oxlint-disable-next-line no-control-regex -- escape sequences are what this is about
  const escape = /\u001b\[/;
  t.match(
    printed(report, (write) => textReporter(write, colored)),
    escape,
  );
  t.notMatch(
    printed(report, (write) => tapReporter(write, colored, 14)),
    escape,
  );
  t.notMatch(
    printed(report, (write) => jsonReporter(write, colored)),
    escape,
  );
  t.end();
});

t.test('a quiet text has the failures and the summary only', (t) => {
  const text = printed(everyKind(), (write) => textReporter(write, { ...options, quiet: true }));

  t.notMatch(text, /^PASS {2}epoll_ctl02/m);
  t.match(text, /^FAIL {2}bugs\/E-B2/m);
  t.match(text, /^Summary/m);
  t.end();
});

t.test('verdicts are those of LTP', (t) => {
  const verdict = (...words: ResultLine['status'][]) =>
    settle(words.map((status) => ({ status, message: status }))).verdict;

  t.equal(verdict('PASS', 'CONF'), 'PASS', 'a pass beside a skip is a pass');
  t.equal(verdict('CONF', 'INFO'), 'CONF');
  t.equal(verdict(), 'BROK', 'nothing reported is broken');
  t.equal(verdict('INFO'), 'BROK', 'talk is no result');
  t.equal(verdict('FAIL', 'BROK', 'PASS'), 'BROK');
  t.equal(verdict('PASS', 'WARN'), 'WARN');
  t.equal(outcomeOf(everyKind()), 'broken', 'broken before failed');
  t.equal(outcomeOf(reportOf([])), 'nothing');
  t.equal(outcomeOf(reportOf([], 'interrupted by SIGINT')), 'ok');
  t.end();
});

t.test(
  'a counterexample has sentence, program, table, ledger, documents and the replay last',
  (t) => {
    const text = counterexampleText(lostEdgeView, 110);

    isGolden(t, 'counterexample.txt', text);
    t.match(text.trimEnd().split('\n').at(-1), /^ {2}replay +npx lostwake replay /);
    t.match(text, /\*8 /, 'the decisive step is marked');
    t.match(text, /-- T1 preempted by the schedule --/);
    t.match(text, /8 steps, 1 preemption, 4 context switches, fewest found\n/);
    const { fewest: _, ...replayed } = lostEdgeView;
    const proven = counterexampleText({ ...replayed, switches: 1, fewest: 'proven' }, 110);
    t.match(proven, /1 preemption, 1 context switch, a proven minimum\n/);
    t.match(counterexampleText(replayed, 110), /, 4 context switches\n/, 'a replay claims nothing');
    t.end();
  },
);

t.test('a narrow table breaks its cells and loses nothing but blanks', (t) => {
  const narrow = counterexampleText(lostEdgeView, 62);

  isGolden(t, 'counterexample-narrow.txt', narrow);
  const lines = narrow
    .split('\n')
    .filter((line) => !/^ {2}(replay|ledger|search| {13})/.test(line));
  t.ok(
    lines.every((line) => line.length <= 66),
    'lines fit, but for what is pasted',
  );
  const letters = (text: string) => [...text.replace(/\s/g, '')].sort().join('');
  const wide = counterexampleText(lostEdgeView, 200);
  t.equal(letters(narrow), letters(wide));
  t.end();
});

t.test('a long table is cut in the middle, and says so', (t) => {
  const rows = Array.from({ length: 1000 }, (_, at) => ({
    step: at + 1,
    column: 'T1',
    text: `step number ${at + 1}`,
  }));

  const text = counterexampleText({ ...lostEdgeView, rows }, 100);

  t.match(text, /600 rows left out here/);
  t.match(text, /step number 200\n/);
  t.match(text, /step number 1000\n/);
  t.notMatch(text, /step number 500\n/);
  t.end();
});

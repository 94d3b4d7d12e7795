import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Parser } from 'tap-parser';
import { defaultCasesFolder, packageRoot } from '../runner/case-index.ts';
import { runtestNames } from '../runner/runtest.ts';
import { selectCases } from '../runner/select.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { FLAGS, VERBS, mainHelp, verbHelp } from './flags.ts';
import { endingOf, type Place } from './main.ts';
import { malformed } from './malformed.test-kit.ts';
import { Interrupt, Out } from './output.ts';

// Processes are started one after the other; a busy machine takes its time.
t.setTimeout(180_000);

const bin = join(packageRoot(), 'bin', 'lostwake.js');

const passes = `about: creation works
on: 2.6.20
T1:
  A = epoll_create(1)
expect:
  always A=ok
`;
const fails = passes.replace('always A=ok', 'always A=EINVAL');
/** Two writers and one reader: which byte is read depends on the schedule. */
const races = `about: who writes first
on: 2.6.20
init:
  r, w = pipe()
T1:
  write(w, "a")
T2:
  write(w, "b")
T3:
  x = read(r, 1)
expect:
  never x="b"
`;
const breaks = passes.replace('on: 2.6.20', 'on: 2.6.99');
/** Far more traces than anybody waits for. */
const endless = `on: 2.6.20
init:
  r, w = pipe()
${[1, 2, 3, 4].map((n) => `T${n}:\n${'  write(w, "a")\n  read(r, 1)\n'.repeat(4)}`).join('')}expect:
  clean
`;

/** What `fuzz --output` writes for a part of two. */
function fuzzed(kernel: string, part: number): string {
  const [programs, executions, complete] = [50, 70, 49];
  const shard = { index: part, of: 2 };
  const run = { seed: 1, shard, rounds: 1, options: {}, stopped: 'programs' };
  // The first part has the longer program.
  const program = `kernel: ${kernel}\nT1:\n  A = epoll_create(1)\n${'  close(A)\n'.repeat(3 - part)}`;
  const finding = { signature: 'LEAK x', ids: ['E-B1'], message: 'a leak', complete: true };
  return JSON.stringify({
    schema: 'lostwake-fuzz/1',
    kernel,
    runs: [{ ...run, programs, executions, complete }],
    findings: [{ ...finding, calls: 4 - part, program }],
    features: ['race a: x < y', part === 1 ? 'race a: y < x' : 'site read x'],
  });
}

const folder = t.testdir({
  good: { 'one.prog': passes, 'two.prog': passes, 'three-04.prog': passes },
  mixed: {
    'bad.prog': fails,
    'good.prog': passes,
    'race.prog': races,
    'known.prog': fails,
    'known-failures': 'K-1 known 2.6.20  # the expectation is wrong\n',
    runtest: { some: '# a list\nrace\n\ngood   # twice is once\ngood\nkn*\n' },
  },
  proofs: {
    'one.prog': passes.replace('on: 2.6.20', 'on: 2.6.20 host'),
    'two.prog': races.replace('never x="b"', 'always x="a"|"b"'),
    runtest: { proof: '# of two\n--prove\none\ntwo\n', plain: 'one\ntwo\n' },
  },
  fixed: { 'one.prog': passes, 'known-failures': 'K-2 one\n' },
  broken: { 'broken.prog': breaks, 'bad.prog': fails },
  long: { 'a.prog': passes, 'b.prog': endless },
  lists: {
    'one.prog': passes,
    sub: { 'one-b.prog': passes, 'same.prog': passes },
    other: { 'same.prog': passes },
    runtest: {
      nowhere: '\n# comment\none\nnothing-of-that-name\n',
      words: 'one and two\n',
      pattern: 'zzz*\n',
      unclosed: 'one{\n',
      ambiguous: 'same\n',
      row: 'one/row\n',
      flag: 'one\n--bail\n',
    },
  },
  'known-words': { 'one.prog': passes, 'known-failures': 'K-1\n' },
  'known-pattern': { 'one.prog': passes, 'known-failures': 'K-1 [one\n' },
  twins: { 'x.prog': passes, 'x.js': 'export default {}' },
  modules: {
    'no-case.js': 'export default { rows: [] }',
    'throws.js': 'throw new TypeError("no luck")',
    'syntax.js': 'export default {',
    'bad-row.js': `export default { kind: 'lostwake-case', verifies: 'v', rows: [{ why: 'a row', meta: [], text: () => 'T1:\\n  foo()\\n' }] }`,
    'no-text.js': `export default { kind: 'lostwake-case', verifies: 'v', rows: [{ why: 'a row', meta: [], text: () => { throw new Error('no text') } }] }`,
  },
  programs: {
    'unknown-call.prog': 'T1:\n  x = epoll_wiat(3, 8, 0)\n',
    'unknown-key.prog': 'abuot: x\nT1:\n  close(3)\n',
    'no-paren.prog': 'T1:\n  close(3\n',
    'init-blocks.prog':
      'init:\n  c = io_setup(1)\n  g = io_getevents(c, 1, 1, -1)\nT1:\n  close(3)\n',
    'bad-hz.prog': 'hz: often\nT1:\n  close(3)\n',
    'bad-expect.prog': 'T1:\n  x = close(3)\nexpect:\n  alway x=0\n',
    'bad-name.prog': 'T1:\n  x = close(y)\n',
    'thread-5.prog': 'T5:\n  close(3)\n',
    'no-outcome.prog': 'T1:\n  x = close(3)\nexpect:\n  always z=0\n',
  },
  fuzzed: {
    'a.json': fuzzed('2.6.20', 1),
    'b.json': fuzzed('3.1', 1),
    'c.json': fuzzed('2.6.20', 2),
    'twin.json': fuzzed('2.6.20', 1),
    'torn.json': fuzzed('2.6.20', 1).slice(0, 200),
    'newer.json': fuzzed('2.6.20', 1).replace('lostwake-fuzz/1', 'lostwake-fuzz/2'),
    'other.json': '{ "schema": "lostwake-report/1" }',
    'no-runs.json': fuzzed('2.6.20', 1).replace('"runs"', '"ruins"'),
    'bad-program.json': fuzzed('2.6.20', 1).replace('epoll_create(1)', 'epoll_crate(1)'),
    'bad-shard.json': fuzzed('2.6.20', 1).replace('"of":2', '"of":0'),
  },
  out: {},
});
const at = (...path: string[]) => join(folder, ...path);

const place: Place = { out: new Out(), interrupt: new Interrupt() };

/** Lists, cases and programs that cannot be read, and where the line must point. */
const unreadable: readonly (readonly [string[], RegExp])[] = [
  [
    ['--cases', at('lists'), '--runtest', 'nowhere'],
    /runtest\/nowhere:4: Cannot find the case "nothing-of-that-name"/,
  ],
  [
    ['--cases', at('lists'), '--runtest', 'words'],
    /runtest\/words:1: Cannot read "one and two": one name or pattern a line/,
  ],
  [
    ['--cases', at('lists'), '--runtest', 'pattern'],
    /runtest\/pattern:1: Cannot find the case "zzz\*"/,
  ],
  [['--cases', at('lists'), '--runtest', 'unclosed'], /"one{": "{" without "}"/],
  [
    ['--cases', at('lists'), '--runtest', 'ambiguous'],
    /runtest\/ambiguous:1: .*"other\/same", "sub\/same"/,
  ],
  [
    ['--cases', at('lists'), '--runtest', 'row'],
    /runtest\/row:1: Cannot find the row "row" of one; it has: no named rows/,
  ],
  [
    ['--cases', at('lists'), '--runtest', 'flag'],
    /runtest\/flag:2: Cannot use "--bail" in a list: --prove is all that there is/,
  ],
  [['--cases', at('lists'), '--runtest', '../x'], /list "\.\.\/x"/],
  [['--cases', at('known-words')], /known-failures:1: Cannot read "K-1"/],
  [['--cases', at('known-pattern')], /"\[" without "\]"/],
  [['--cases', at('twins')], /two cases "x"/],
  [['--cases', at('modules'), 'no-case'], /no-case\.js: .*no defineCase\(\)/],
  [['--cases', at('modules'), 'throws'], /throws\.js: Cannot load the case: no luck/],
  [['--cases', at('modules'), 'syntax'], /syntax\.js: Cannot load the case/],
  [['--cases', at('modules'), 'bad-row'], /bad-row\.js\[a-row\]:2:\d+: .*foo/],
  [['--cases', at('modules'), 'no-text'], /no-text\.js\[a-row\]: Cannot make the program: no text/],
  [[at('programs', 'unknown-call.prog')], /unknown-call\.prog:2:\d+: .*did you mean "epoll_wait"/],
  [[at('programs', 'unknown-key.prog')], /unknown-key\.prog:1:1: .*did you mean "about"/],
  [[at('programs', 'no-paren.prog')], /no-paren\.prog:2:\d+: /],
  [[at('programs', 'bad-hz.prog')], /bad-hz\.prog:1:\d+: /],
  [[at('programs', 'bad-expect.prog')], /bad-expect\.prog:4:3: .*did you mean "always"/],
  [[at('programs', 'bad-name.prog')], /bad-name\.prog:2:\d+: /],
  [[at('programs', 'thread-5.prog')], /thread-5\.prog:1:1: /],
  [[at('programs', 'no-outcome.prog')], /no-outcome\.prog:4:\d+: /],
];

t.test('what cannot be understood gives one line with a reason, and exit code 2', async (t) => {
  const all = [
    ...malformed(at),
    ...unreadable.map(([words, says]) => [['run', ...words], says] as const),
  ];
  t.ok(all.length >= 80, `${all.length} of them`);
  for (const [argv, says] of all) {
    const ending = await endingOf(argv, place);

    const name = argv.map((word) => word.replace(folder, '')).join(' ');
    t.equal(ending.code, 2, `lostwake ${name}`);
    t.match(ending.why, says);
    t.notMatch(ending.why, /\n/, 'one line');
  }
});

t.test(
  'a program whose init blocks: the call is named, and nothing is called explored',
  async (t) => {
    const ending = await endingOf(
      ['explore', at('programs', 'init-blocks.prog'), '--kernel', '2.6.20'],
      place,
    );

    t.equal(ending.code, 3);
    t.match(
      ending.why,
      /init-blocks\.prog on model:2\.6\.20: .*init\.2, g = io_getevents\(c, 1, 1, -1\), can never/,
    );
  },
);

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface SpawnOptions {
  /** Told each piece of standard output. */
  readonly heard?: (child: ReturnType<typeof spawn>) => void;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Runs the tool in a process of its own. */
async function lostwake(words: readonly string[], options: SpawnOptions = {}): Promise<Ended> {
  const child = spawn(process.execPath, [bin, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (piece: Buffer) => {
    out += piece.toString();
    options.heard?.(child);
  });
  child.stderr.on('data', (piece: Buffer) => {
    err += piece.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, out, err };
}

const quick = ['--jobs', '1'];

t.test('exit codes say what happened, and standard error why, in one line', async (t) => {
  const rows: readonly (readonly [string, string[], number, RegExp])[] = [
    ['all as expected', ['--cases', at('good')], 0, /^$/],
    ['a case fails', ['--cases', at('mixed'), 'bad'], 1, /^lostwake: Failed: 1 of 1 run\n$/],
    ['a known failure fails', ['--cases', at('mixed'), 'known'], 0, /^$/],
    ['a known failure passes', ['--cases', at('fixed')], 1, /^lostwake: Failed: 1 of 1 run\n$/],
    [
      'a kernel that is not there',
      ['--cases', at('broken')],
      3,
      /^lostwake: Broken: 1 of 2 runs .*\n$/,
    ],
    ['nothing selected', ['--cases', at('good'), 'zzz*'], 4, /^lostwake: Nothing was selected\n$/],
    [
      'usage',
      ['--cases', at('good'), '--nonsense'],
      2,
      /^lostwake: Cannot understand flag --nonsense.*\n$/,
    ],
  ];
  const ends = await Promise.all(rows.map(([, words]) => lostwake(['run', ...quick, ...words])));
  for (const [index, [name, , code, why]] of rows.entries()) {
    t.equal(ends[index].code, code, name);
    t.match(ends[index].err, why, name);
  }
});

t.test('Ctrl-C ends a run with what it has, and 130', async (t) => {
  const report = at('out', 'interrupted.tap');

  // The first line comes with the first case; the second has work for hours.
  const ended = await lostwake(
    ['run', ...quick, '--cases', at('long'), '--reporter', 'text', '--reporter', `tap:${report}`],
    { heard: (child) => child.kill('SIGINT') },
  );

  t.equal(ended.code, 130);
  t.match(ended.err, /^lostwake: Interrupted by SIGINT\n$/);
  t.match(ended.out, /^PASS {2}a /);
  t.match(ended.out, /Stopped early: interrupted by SIGINT/);
  t.match(
    readFileSync(report, 'utf8'),
    /^TAP version 14\n1\.\.1\n[^]*\nBail out! interrupted by SIGINT\n/,
  );
});

t.test('a reader that goes away is no error', async (t) => {
  const ended = await lostwake(['run', ...quick, '--cases', at('good')], {
    heard: (child) => child.stdout?.destroy(),
  });

  t.equal(ended.code, 0);
  t.equal(ended.err, '');
});

t.test(
  'a report that cannot be written is one line and exit code 3, and leaves nothing behind',
  async (t) => {
    const before = readdirSync(at('out'));
    const places = [at('out', 'no', 'such', 'x'), at('out'), at('good', 'one.prog', 'x')];
    if (existsSync('/dev/full')) places.push('/dev/full');
    for (const path of places) {
      const ending = await endingOf(
        [
          'run',
          '--quiet',
          '--cases',
          at('good'),
          'one',
          '--jobs',
          '1',
          '--reporter',
          `json:${path}`,
        ],
        place,
      );

      t.equal(ending.code, 3, path.replace(folder, ''));
      t.match(ending.why, /^Cannot write .*: .*\(E[A-Z]+\)$/);
    }
    t.same(readdirSync(at('out')), before);
    t.same(readdirSync(at('good')).length, 3);
  },
);

t.test('text, TAP and JSON of one run count the same, and TAP reads back', async (t) => {
  const [tap, tap13, json] = ['r.tap', 'r13.tap', 'r.json'].map((name) => at('out', name));
  const ended = await lostwake([
    'run',
    '--cases',
    at('mixed'),
    '--runtest',
    'some',
    '--reporter',
    'text',
    '--reporter',
    `tap:${tap}`,
    '--reporter',
    `tap13:${tap13}`,
    '--reporter',
    `json:${json}`,
  ]);

  t.equal(ended.code, 1);
  t.match(ended.out, /^runs +1 +1 +0 +0 +0 +1$/m);
  t.same(JSON.parse(readFileSync(json, 'utf8')).summary.runs, {
    PASS: 1,
    FAIL: 1,
    BROK: 0,
    CONF: 0,
    WARN: 0,
    known: 1,
  });
  for (const file of [tap, tap13]) {
    const problems: string[] = [];
    const parser = new Parser({ strict: true });
    parser.on('extra', (line: string) => problems.push(line));
    const results = await new Promise<{ count: number; fail: number }>((resolve) => {
      parser.on('complete', resolve);
      parser.end(readFileSync(file, 'utf8'));
    });
    t.same([results.count, results.fail, problems], [3, 1, []]);
  }
  const names = [...ended.out.matchAll(/^(?:PASS|FAIL|known) +(\S+)/gm)]
    .map((match) => match[1])
    .slice(0, 3);
  t.same(names, ['race', 'good', 'known'], 'in the order of the list, each once');
  t.match(ended.out, /never x="b"/);
  t.match(ended.out, /interleaving {2}/, 'the failure is shown step by step');
  t.match(ended.out, /replay +npx lostwake replay race --kernel 2\.6\.20 --schedule /);
});

t.test('the report is the same for any number of jobs', async (t) => {
  const words = ['run', '--cases', at('mixed'), '--reporter', 'tap'];

  const [one, four] = await Promise.all([
    lostwake([...words, '--jobs', '1']),
    lostwake([...words, '--jobs', '4']),
  ]);

  t.equal(one.out, four.out);
  t.match(one.out, /^TAP version 14\n1\.\.4\n/);
});

t.test(
  '--bail stops after the first failure; --skip leaves out exactly what it names',
  async (t) => {
    const bailed = await lostwake(['run', '--cases', at('mixed'), '--bail', ...quick]);
    const skipped = await lostwake([
      'run',
      '--cases',
      at('mixed'),
      '--skip',
      'bad',
      '--skip',
      'r*',
      ...quick,
    ]);

    t.equal(bailed.code, 1);
    t.match(bailed.out, /Stopped early: --bail after the first failure/);
    t.equal(skipped.code, 0);
    t.same(
      [...skipped.out.matchAll(/^(?:PASS|known) +(\S+)/gm)].map((match) => match[1]).slice(0, 2),
      ['good', 'known'],
    );
  },
);

t.test(
  'what is to be proved fails when a bound is met, and passes when nothing is left out',
  async (t) => {
    const run = (list: string, ...words: string[]) =>
      lostwake(['run', ...quick, '--cases', at('proofs'), '--runtest', list, ...words]);
    const bound = ['--runs', '2', '--target', 'model:2.6.20'];
    const [whole, cut, cutByFlag, unproved] = await Promise.all([
      run('proof'),
      run('proof', ...bound),
      run('plain', '--prove', ...bound),
      run('plain', ...bound),
    ]);

    t.equal(whole.code, 0);
    t.match(whole.out, /^PASS {2}two .*\(\d+ traces, complete\)$/m);
    t.match(whole.out, /^2 of 2 runs explored to the end: \d+ traces$/m);
    t.match(whole.out, /^CONF 1 run: A host proves nothing/m);
    for (const { code, out } of [cut, cutByFlag]) {
      t.equal(code, 1);
      t.match(out, /FAIL complete: No proof: a bound was met \(executions 2\)/);
      t.match(out, /replay +npx lostwake run two --kernel 2\.6\.20 --prove/);
      t.match(out, /^1 of 2 runs explored to the end: 1 trace$/m);
    }
    t.equal(unproved.code, 0, 'a warning is no failure where no proof is wanted');
  },
);

t.test('samples say what they tell of the rest', async (t) => {
  const words = ['--strategy', 'pos', '--runs', '40', '--seed', '1', '--target', 'model:2.6.20'];
  const { out } = await lostwake(['run', '--cases', at('proofs'), 'two', ...quick, ...words]);
  t.match(
    out,
    /^cover two on model:2\.6\.20: pos: 40 executions, .*Chao1.* 0\.\d+ \(Good-Turing\)$/m,
  );
});

t.test('no colour in pipes unless it is asked for', async (t) => {
  const words = ['run', '--cases', at('good'), 'one', ...quick];
  // oxlint-disable-next-line no-control-regex -- escape sequences are what this is about
  const escape = /\u001b\[/;

  const [plain, always, forced, both] = await Promise.all([
    lostwake(words),
    lostwake([...words, '--color', 'always']),
    lostwake(words, { env: { FORCE_COLOR: '1' } }),
    lostwake(words, { env: { FORCE_COLOR: '1', NO_COLOR: '1' } }),
  ]);

  t.notMatch(plain.out, escape);
  t.match(always.out, escape);
  t.match(forced.out, escape);
  t.notMatch(both.out, escape);
});

t.test('a failure is replayed by the command that it prints', async (t) => {
  const failed = await lostwake(['run', at('mixed', 'race.prog'), ...quick]);
  const command = /^ *replay +npx lostwake (.*)$/m.exec(failed.out)?.[1] ?? '';
  const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2]);

  const replayed = await lostwake(words);

  t.equal(words[0], 'replay');
  t.match(replayed.out, /interleaving {2}/);
  t.match(replayed.out, /x="b"|= "b"/);
});

t.test('results of fuzzing are written, joined and saved', async (t) => {
  const cwd = t.testdir();
  const words = ['fuzz', '--kernel', '2.5.44+sys_epoll-v11', '--seed', '8', '--threads', '1..2'];
  const part = (n: number) => [...words, '--runs', '40', '--shard', `${n}/2`, '-o', `${n}.json`];
  const parts = [await lostwake(part(1), { cwd }), await lostwake(part(2), { cwd })];
  const merged = await lostwake(['merge', '1.json', '2.json', '-o', 'all.json'], { cwd });
  const again = await lostwake(['merge', 'all.json'], { cwd });
  const command = /^npx lostwake (replay .*)$/m.exec(merged.out)?.[1] ?? '';
  const replayed = await lostwake(command.split(' '), { cwd });

  for (const one of parts) t.match(one.out, /^seed 8, shard [12]\/2, kernel /);
  t.same(
    [...parts, merged, again, replayed].map(({ code }) => code),
    [1, 1, 1, 1, 1],
  );
  t.match(merged.out, /^kernel 2\.5\.44\+sys_epoll-v11, 2 runs\n {2}seed 8, shard 1\/2: /);
  t.match(merged.out, /^\d+ findings; \d+ of 80 programs explored completely/m);
  t.equal(again.out, merged.out);
  t.match(replayed.out, /interleaving {2}/);

  const best = await lostwake(['merge', at('fuzzed', 'a.json'), at('fuzzed', 'c.json')], { cwd });
  t.match(
    best.out,
    /^1 finding; 98 of 100 programs explored completely, 2 sampled; 140 executions\ncovered: .*\n {2}LEAK x \(E-B1\), 2 calls$/m,
  );
  t.match(best.out, /^covered: sites 1, racing pairs 2 \(both orders 1\), /m);
  t.match(best.err, /^lostwake: 1 finding\n$/);
});

t.test('a corpus is filled, read first, and made smaller', async (t) => {
  const cwd = t.testdir({ full: { 'bad.prog': 'T1:\n  sleep(\n' } });
  const kernel = '2.5.44+sys_epoll-v11';
  const words = ['fuzz', '--kernel', kernel, '--seed', '8', '--threads', '1..2', '--calls', '1'];
  const fill = await lostwake([...words, '--runs', '30', '--corpus', 'full'], { cwd });
  const again = await lostwake([...words, '--runs', '1', '--corpus', 'full'], { cwd });
  const small = await lostwake(['corpus', 'full', '--into', 'small'], { cwd });
  const same = await lostwake(['corpus', 'small'], { cwd });
  const elsewhere = await lostwake(['corpus', 'small', '--kernel', '2.6.20'], { cwd });
  const empty = await lostwake(['corpus', '.', '--kernel', '2.6.20'], { cwd });

  const files = (name: string) => readdirSync(join(cwd, name)).sort();
  const progs = files('full').filter((name) => name !== 'bad.prog');
  t.match(fill.out, /, corpus e3b0c44298fc1c14 of 0 programs; until 30 programs\n/);
  t.match(fill.err, /^lostwake: full\/bad\.prog:2:\d+: .*; left out$/m);
  t.match(
    fill.out,
    /^covered: sites \d+, racing pairs \d+ \(both orders \d+\), .*, outcome sets \d+$/m,
  );
  t.match(fill.out, new RegExp(`\n${progs.length} programs added to full\n$`));
  t.ok(progs.length > 5 && progs.every((name) => /^[0-9a-f]{16}\.prog$/.test(name)));
  t.match(again.out, new RegExp(`, corpus [0-9a-f]{16} of ${progs.length} programs; until 1 `));
  t.match(small.out, new RegExp(`: ${progs.length} programs show \\d+ features\n`));
  t.match(small.out, new RegExp(`\n${files('small').length} programs added to small\n$`));
  t.ok(files('small').length < progs.length);
  const features = (out: string) => /show (\d+) features\n[^]*?(?=\n\d+ of)/.exec(out)?.[0];
  t.equal(features(same.out), features(small.out), 'no feature is lost');
  t.match(
    elsewhere.out,
    /^\d+ programs were kept for 2\.5\.44\+sys_epoll-v11: they are run on 2\.6\.20$/m,
  );
  t.same([small.code, same.code, elsewhere.code, empty.code], [0, 0, 0, 4]);
  t.match(empty.err, /^lostwake: No program in \. that can run on 2\.6\.20\n$/);
});

t.test('numbers of traces are pinned and compared', async (t) => {
  const cwd = t.testdir({
    'race.prog': races.replace('never', 'sometimes'),
    'counts.json': '{ "race 2.6.20": 1, "absent 2.6.20": 7 }',
  });
  const run = async (...more: string[]) =>
    await lostwake(['run', 'race.prog', '--counts', 'counts.json', ...more], { cwd });
  const pins = () => JSON.parse(readFileSync(join(cwd, 'counts.json'), 'utf8')) as unknown;

  const changed = await run();
  const pinned = await run('--pin');
  const same = await run();
  const bounded = await run('--runs', '3', '--strategy', 'random');

  t.equal(changed.code, 1);
  t.match(changed.out, /^race 2\.6\.20: (\d+) traces, 1 are pinned$/m);
  t.match(changed.err, /1 counts differ from counts\.json; --pin takes the new ones/);
  t.same([pinned.code, same.code, same.err], [0, 0, '']);
  t.match(pins(), { 'race 2.6.20': Number, 'absent 2.6.20': 7 });
  t.match(bounded.out, /^race 2\.6\.20: not explored to the end, \d+ traces are pinned$/m);
  writeFileSync(join(cwd, 'counts.json'), '{}');
  t.match((await run()).out, /^1 counts are not in counts\.json: --pin adds them$/m);
});

t.test('help has every flag of a verb, and the exit codes', (t) => {
  for (const verb of VERBS) {
    const help = verbHelp(verb);
    for (const flag of FLAGS) {
      const line = new RegExp(`^ +(-\\w, )?--${flag.name}\\b`, 'm');
      t.equal(line.test(help), flag.verbs.includes(verb), `${verb} --${flag.name}`);
    }
    t.match(mainHelp(), new RegExp(`^ +${verb}\\b`, 'm'));
  }
  for (const { code, meaning } of EXIT_CODES) t.match(mainHelp(), `${code}`.padEnd(5) + meaning);
  t.end();
});

t.test('every list of the package selects cases', async (t) => {
  const casesFolder = defaultCasesFolder();
  const names = runtestNames(casesFolder);

  for (const name of ['aio', 'bugs', 'default', 'epoll', 'host', 'smoke'])
    t.ok(names.includes(name), name);
  for (const name of names) {
    const cases = await selectCases({ casesFolder, words: [], runtest: [name], skip: [] });
    t.ok(cases.length > 3, name);
  }
});

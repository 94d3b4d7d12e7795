import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadKnownBugs } from '../runner/bug-index.ts';
import { packageRoot } from '../runner/case-index.ts';
import { listKernels } from '../target/model.ts';
import { Bench, WrongCount, type Section } from './bench.ts';
import { median, readBugs } from './bugs-section.ts';
import { benchOptions, helpText, type BenchOptions } from './options.ts';
import {
  comparedWith,
  machineText,
  quotient,
  sectionText,
  valueText,
  type Measurement,
} from './report.ts';
import { SECTIONS } from './sections.ts';
import { MACHINE, scenarioOf } from './subjects.ts';
import { exploredInFourWays } from './traces.ts';

const names = SECTIONS.map((section) => section.name);
const quiet = new AbortController().signal;

function bench(options: Partial<BenchOptions> = {}): Bench {
  const all = { sections: [], strategies: [], help: false, ...options };
  return new Bench(all, quiet, () => undefined);
}

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the bench; `until` is asked of what stands on standard error, and true interrupts it. */
async function run(args: readonly string[], until?: (err: string) => boolean): Promise<Ran> {
  const main = join(packageRoot(), 'build/harness/bench/main.js');
  const child = spawn(process.execPath, [main, ...args]);
  let [out, err] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => {
    err += data.toString();
    if (until?.(err) === true) child.kill('SIGINT');
  });
  return await new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

t.test('arguments that cannot be understood are refused in one line', (t) => {
  const table: readonly (readonly [readonly string[], RegExp])[] = [
    [['trace'], /"trace"; there are: traces, growth/],
    [['--seeds', '0'], /--seeds "0": 1 to 1000/],
    [['--seeds', '1.5'], /--seeds "1.5"/],
    [['--seconds', '0'], /--seconds "0"/],
    [['--seconds', 'NaN'], /--seconds "NaN"/],
    [['--strategy', 'best'], /--strategy "best"; there are: dpor/],
    [['--json', ''], /--json ""/],
    [['--wat'], /Unknown option '--wat'/],
    [['--seeds'], /--seeds/],
  ];
  for (const [args, message] of table) {
    try {
      benchOptions(args, names);
      t.fail(`accepted ${args.join(' ')}`);
    } catch (error) {
      t.match(String(error), message, args.join(' '));
      t.notMatch(String(error), /\n/, 'one line');
    }
  }
  t.same(
    benchOptions(['spin', 'rates', '--seconds', '0.5', '--seeds', '3'], names),
    { sections: ['rates', 'spin'], seconds: 0.5, seeds: 3, strategies: [], help: false },
    'sections are in the order of the report',
  );
  for (const name of names) t.match(helpText(SECTIONS), `  ${name}`, `--help has ${name}`);
  t.end();
});

t.test('a table has units and separators, says what was cut off, and compares', (t) => {
  t.equal(valueText(1_234_567.4, 'count'), '1,234,567');
  t.equal(valueText({ atLeast: 200_000 }, 'count'), '> 200,000');
  t.equal(valueText(0.0123, 'ms'), '12.3');
  t.equal(valueText(81_000_000, 'MB'), '81');
  t.equal(valueText(undefined, 'per'), '-');
  t.same(quotient({ atLeast: 10 }, 4), { atLeast: 2.5 }, 'a cut quotient is at least that');
  const head: Section = {
    name: 'x',
    title: 'things',
    reading: 'As it is.',
    columns: [
      { title: 'name', key: 'name', format: 'text' },
      { title: 'ms', key: 'time', format: 'ms' },
    ],
    main: { key: 'time', better: 'less' },
    measure: async () => undefined,
  };
  const row = (id: string, time: number): Measurement => ({ id, values: { name: 'a', time } });
  const before = { name: 'x', rows: [row('one', 0.02)] };
  t.equal(comparedWith(head, row('one', 0.01), before), 2, 'half the time is twice as good');
  t.equal(
    sectionText(head, [row('one', 0.01), row('two', 0.5)], before, true),
    'x: things\nAs it is.\n\nname    ms  x earlier\na     10.0       2.00\n       500          -\n',
  );
  const machine = { node: 'v20.1.0', cpu: 'Z80', cores: 2, load: 0.4 };
  t.equal(machineText(machine), 'node 20.1.0, Z80, 2 cores');
  t.match(machineText({ ...machine, load: 9 }), /busy already \(load 9\)/, 'a busy machine');
  t.equal(median([3, Infinity, 1]), 3, 'what was not found counts as later than all');
  t.end();
});

t.test('counts that are not what they must be are an error', async (t) => {
  const wrong = { program: 'mod-versus-del', kernel: MACHINE, traces: 5 };
  await t.rejects(exploredInFourWays(bench(), wrong, {}), WrongCount);

  const right = bench();
  await exploredInFourWays(right, { ...wrong, traces: 4 }, { program: 'litmus' });

  t.match(right.rows, [
    { values: { program: 'litmus', traces: 4, dpor: 1, 'brute executions': 10, peak: Number } },
  ]);
});

t.test('what cannot be measured says why in one line', async (t) => {
  const order = { kind: 'drive', driver: 'pos', sanitize: false, seconds: 0.01 } as const;
  await t.rejects(
    bench().ask('x', { ...order, program: 'no-such', kernel: MACHINE }),
    /Cannot measure .*no-such[^\n]*$/,
  );
});

t.test('each kind of configuration measures something in a process of its own', async (t) => {
  const kernel = '2.6.20';
  const program = 'mod-versus-del';
  const [proof, fuzz, coverage, bugs, one, two] = await Promise.all([
    bench().ask('proof', { kind: 'proof', words: ['bugs/E-B02'], warmUp: 0, measure: 0 }),
    bench().ask('fuzz', { kind: 'fuzz', kernel, threads: 2, calls: 1, seconds: 0.1 }),
    bench().ask('coverage', {
      ...{ kind: 'coverage', kernel, use: 'steer', seed: 1, threads: 2, calls: 1 },
      ...{ seconds: 60, programs: 20 },
    }),
    bench().ask('bugs', {
      kind: 'bugs',
      kernel: '2.5.44+sys_epoll-v11',
      strategy: 'dpor',
      seed: 1,
      ids: ['E-B2'],
      jobs: 1,
      seconds: 0.4,
    }),
    bench().ask('jobs', { kind: 'jobs', program, kernel, jobs: 1 }),
    bench().ask('jobs', { kind: 'jobs', program, kernel, jobs: 2 }),
  ]);
  t.ok(fuzz.programs > 0 && fuzz.complete > 0 && fuzz.complete <= fuzz.programs, 'fuzz');
  t.ok(coverage.programs === 20 && coverage.features > 20 && coverage.bothOrders > 0, 'coverage');
  t.match(proof.rows, [{ case: 'bugs/E-B02', execution: Number }], 'proof');
  t.ok(bugs.programs > 0 && bugs.executions > 0, 'bugs');
  t.ok(one.isComplete && one.traces > 1, 'jobs');
  t.same([two.traces, two.seen], [one.traces, one.seen], 'two threads see the same as one');
  for (const { peak } of [proof, fuzz, coverage, bugs, one, two])
    t.ok(peak > 20e6 && peak < 4e9, `${peak} bytes`);
});

t.test('the bugs of the list are catalogued, on kernels that are there', async (t) => {
  const kernels = listKernels().map((kernel) => kernel.spec);
  const known = new Set((await loadKnownBugs()).flatMap((bug) => bug.ids));
  const bugs = readBugs();
  t.equal(bugs.length, 20);
  t.equal(new Set(bugs.map(({ kernel, id }) => `${kernel} ${id}`)).size, 20, 'each once');
  for (const { kernel, id } of bugs) {
    t.ok(kernels.includes(kernel), kernel);
    t.ok(known.has(id), id);
  }
});

t.test('every program that the sections name is there', async (t) => {
  for (const program of ['waiters-write-add', 'mods 3 2', 'writers 2 2', 'pipe-epoll'])
    t.ok((await scenarioOf({ program, kernel: '2.6.20' })).threads >= 2, program);
  await t.rejects(scenarioOf({ program: 'first zero 5', kernel: MACHINE }), /Cannot find/);
});

t.test('an interrupted report prints and writes what it has', async (t) => {
  const json = join(t.testdir(), 'bench.json');
  const args = ['rates', '--seconds', '0.02', '--json', json];

  const { code, out } = await run(args, (err) => err.split('\n').length > 3);

  t.equal(code, 130);
  t.match(out, /^lostwake \d+\.\d+\.\d+ on node .*cores?(; busy .*)?\n\nrates: one core/);
  t.match(out, /mod-versus-del +machine +fast-check +off +[\d,]+ /);
  const file: unknown = JSON.parse(readFileSync(json, 'utf8'));
  t.match(file, {
    schema: 'lostwake-bench/1',
    sections: [{ name: 'rates', rows: [{ id: String }] }],
  });
});

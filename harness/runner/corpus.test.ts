import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DETECTORS } from '../abi/index.ts';
import { drawFromSeed, generateProgram, profileOf } from '../program/arbitrary/index.ts';
import { printProgram } from '../program/print.ts';
import { parseProgram } from '../program/text.ts';
import { additions, Measure, smallestCover, type Measured } from './corpus-cover.ts';
import { addToCorpus, kernelsOf, prepareCorpus, readCorpus, type Corpus } from './corpus.ts';
import { Feedback } from './fuzz-feedback.ts';
import { fuzz, type FuzzOptions, type FuzzResult } from './fuzz.ts';
import { saveProgram } from './save-finding.ts';

t.setTimeout(60_000);

const KERNEL = '2.5.44+sys_epoll-v11';
const MOD = `timers: any

init:
  A = epoll_create(10)
  r, w = pipe2(O_NONBLOCK)
  epoll_ctl(A, EPOLL_CTL_ADD, r, EPOLLIN)
T1:
  k = epoll_ctl(A, EPOLL_CTL_MOD, r, EPOLLIN)
T2:
  k2 = epoll_ctl(A, EPOLL_CTL_DEL, r)
`;
const PIPE = 'init:\n  r, w = pipe2(O_NONBLOCK)\nT1:\n  n = write(w, 1)\nT2:\n  y = read(r, 1)\n';

function fail(why: string): void {
  throw new Error(why);
}

t.test('a program goes into a corpus once, with what it brought, and comes back as it was', (t) => {
  const folder = join(t.testdir(), 'new', 'corpus');
  const brings = ['race ep.lock: v11-CT4 < v11-RM5', 'finding KASAN-UAF v11-MO1 / v11-RM6'];
  t.equal(addToCorpus(folder, KERNEL, { program: MOD, brings }), true);
  t.equal(addToCorpus(folder, KERNEL, { program: MOD, brings: ['site other x'] }), false);
  t.equal(addToCorpus(folder, KERNEL, { program: PIPE, brings: ['site read x'] }), true);

  const names = readdirSync(folder);
  t.equal(names.length, 2, 'nothing half-written is left');
  const file = names.map((name) => readFileSync(join(folder, name), 'utf8')).sort()[0];
  t.equal(
    file,
    `# brings ${brings[0]}\n# brings ${brings[1]}\nkernel: ${KERNEL}\n${MOD}`,
    'a program that anybody can read, and lostwake explore can run',
  );
  const corpus = readCorpus([folder], KERNEL, fail);
  t.same(corpus.programs.map(({ text }) => text).sort(), [MOD, PIPE].sort());
  t.equal(corpus.hash, readCorpus([folder, folder], KERNEL, fail).hash, 'nothing twice');
  t.same(kernelsOf([folder]), [KERNEL]);
  t.end();
});

t.test('what cannot be read or run is told in one line and left out', (t) => {
  const folder = t.testdir({
    'bad.prog': 'init:\n  A = epol_create(1)\n',
    'binary.prog': Buffer.from([0, 255, 254, 1, 2]),
    'empty.prog': '',
    'good.prog': PIPE,
    'notes.txt': 'no program',
    'of-v11.prog': `kernel: ${KERNEL}\n\ninit:\n  D = open("/dev/epoll", O_RDWR)\nT1:\n  ioctl(D, EP_ALLOC, 1)\n`,
    'folder.prog': {},
  });
  const told: string[] = [];
  const corpus = readCorpus([folder], '2.6.20', (why) => told.push(why.replace(folder, '')));

  t.same(
    corpus.programs
      .map((one) => one.file.replace(folder, ''))
      .filter((one) => one !== '/empty.prog'),
    ['/good.prog'],
  );
  t.ok(told.some((why) => /^\/bad\.prog:2:\d+: Cannot call "epol_create".*; left out$/.test(why)));
  t.ok(told.some((why) => /^\/binary\.prog:1:\d+: .*; left out$/.test(why)));
  t.ok(told.some((why) => /^\/of-v11\.prog: 2\.6\.20 has no .*; left out$/.test(why)));
  t.ok(told.includes('/folder.prog: EISDIR; left out'));
  for (const why of told) t.notMatch(why, /\n/);
  t.throws(() => readCorpus([join(folder, 'none')], '2.6.20', fail), /none: no such folder$/);
  const found = parseProgram(PIPE, 'found');
  for (const place of [join(folder, 'good.prog'), '/proc/none', '/proc/none/below']) {
    t.throws(() => prepareCorpus(place), { code: /^E/ }, place);
    t.throws(() => saveProgram(join(place, 'fuzz'), 'LEAK x', found), { code: /^E/ }, place);
  }
  t.end();
});

function measured(text: string, features: readonly string[]): Measured {
  const program = parseProgram(text, 'test');
  return { program: { file: '', text: printProgram(program), program, kernel: null }, features };
}

t.test(
  'the smallest cover has every feature, prefers small programs and keeps none for nothing',
  (t) => {
    const small = measured(PIPE, ['a', 'b']);
    const large = measured(`${PIPE}  y2 = read(r, 1)\n`, ['a', 'b']);
    const own = measured(MOD, ['c']);
    const greedy = measured(`${MOD}  k3 = close(A)\n`, ['b', 'c', 'd']);
    const needless = measured(`${MOD}  k3 = close(w)\n`, ['a', 'c', 'd']);

    t.same(smallestCover([large, small]), [small]);
    t.same(smallestCover([large, greedy, small, own, needless]).length, 2);
    t.same(smallestCover([own, small]), smallestCover([small, own]), 'in any order');
    t.same(smallestCover([]), []);
    t.same(additions([small, greedy]), [
      ['a', 'b'],
      ['c', 'd'],
    ]);
    t.end();
  },
);

t.test('a cover of generated programs shows all that they show', (t) => {
  const measure = new Measure({ kernel: KERNEL, runs: 300, maxSteps: 2000 });
  const size = { threads: { min: 1, max: 2 }, callsPerThread: { min: 1, max: 2 } };
  const programs = Array.from({ length: 60 }, (_, seed) =>
    generateProgram(drawFromSeed(seed), { profile: profileOf(KERNEL), ...size }),
  );
  const shown = programs.map((program) => measured(printProgram(program), []));
  const all = shown.map(({ program }) => ({ program, features: measure.features(program) }));
  const cover = smallestCover(all);

  const features = (list: readonly Measured[]): string[] =>
    [...new Set(list.flatMap((one) => one.features))].sort();
  t.same(features(cover), features(all));
  t.ok(cover.length > 5 && cover.length < 40, `${cover.length} of ${all.length}`);
  for (const one of cover)
    if (features(cover.filter((other) => other !== one)).length === features(all).length)
      t.fail(`not needed: ${one.program.text}`);
  t.same(measure.features(all[0].program), all[0].features, 'measured again it is the same');
  t.end();
});

t.test('rounds wait for what they depend on, and for nothing else', (t) => {
  const program = (n: number) => ({
    brings: [`site read ${n}`],
    program: String(n),
    outcomes: n,
    executions: 1,
  });
  const steering = new Feedback(true, 1);
  t.same([steering.poolFor(0), steering.poolFor(1)], [[], null], 'what is given comes first');
  steering.enter([program(0)]);
  t.same(
    [1, 2, 3, 4].map((n) => steering.poolFor(n)),
    [['0'], ['0'], ['0'], ['0']],
  );
  t.equal(steering.poolFor(5), null);
  steering.enter([program(1), { ...program(1), outcomes: 7 }]);
  t.equal(steering.poolFor(5), null, 'a generation is taken in as a whole');
  steering.enter([{ ...program(2), brings: ['site read 1'] }]);
  t.same(steering.poolFor(5), ['0', '1'], 'who brings nothing new is not kept');
  t.same(steering.poolFor(4), ['0'], 'and what was decided stays so');
  t.match(steering.counts(), { features: { site: 2 }, outcomeSets: 4 });

  const counting = new Feedback(false, 0);
  t.same(
    [0, 5, 500].map((n) => counting.poolFor(n)),
    [[], [], []],
  );
  // However far a run has come, so many rounds can be run side by side.
  const late = new Feedback(true, 0);
  for (let n = 0; n < 64; n++) late.enter([]);
  t.not(late.poolFor(64 + 15), null);
  t.end();
});

const SIZE = { min: 1, max: 2 };

async function run(more: Partial<FuzzOptions>): Promise<FuzzResult> {
  const options: FuzzOptions = {
    ...{ kernel: KERNEL, seed: 8, timeMs: Infinity, programs: 30, threads: SIZE, calls: SIZE },
    ...{ until: Infinity, strategy: 'dpor', runs: 300, timers: 'idle', faults: 0, maxSteps: 2000 },
    ...{
      hz: 1000,
      folder: t.testdirName,
      ignore: DETECTORS.filter((name) => name !== 'KASAN-UAF'),
      coverage: 'steer',
      ...more,
    },
  };
  const listener = { found() {}, progress() {}, stopped: () => false, clock: () => 0 };
  return await fuzz(options, listener, []);
}

t.test(
  'a corpus is tried first; what it shows is neither found again nor kept again',
  async (t) => {
    const folder = t.testdir();
    const first = await run({ folder });
    for (const kept of first.coverage?.kept ?? []) addToCorpus(join(folder, 'c'), KERNEL, kept);
    const corpus: Corpus = readCorpus([join(folder, 'c')], KERNEL, fail);
    const programs = corpus.programs.length;
    const again = await run({ folder, corpus, programs });

    t.ok(programs > 10, `${programs} programs`);
    t.equal(again.programs, programs);
    t.equal(again.rounds, 0, 'nothing was generated');
    t.same(
      [...(again.coverage?.features ?? [])].sort(),
      [...(first.coverage?.features ?? [])].sort(),
      'all features of the run that made it',
    );
    const signatures = (r: FuzzResult): string[] => r.findings.map((f) => f.signature).sort();
    t.same(signatures(again), signatures(first), 'and all its findings');
    const off = await run({ folder, coverage: 'off', programs: 5 });
    t.equal(off.coverage, null);
    mkdirSync(join(folder, 'e'));
    writeFileSync(join(folder, 'e', 'x.prog'), PIPE);
    t.not(readCorpus([join(folder, 'e')], KERNEL, fail).hash, corpus.hash);
  },
);

t.test('what was kept decides what comes next', async (t) => {
  // Nothing is found, so that each round has all its programs; from the fifth on there are mutants.
  const one = { min: 1, max: 1 };
  const more = { programs: 215, calls: one, ignore: DETECTORS };
  const [steered, counted] = [await run(more), await run({ ...more, coverage: 'count' })];
  const kept = (r: FuzzResult): string => r.coverage?.kept.map((k) => k.program).join('\n') ?? '';

  t.equal(steered.rounds, 5);
  t.ok(kept(steered) !== kept(counted));
});

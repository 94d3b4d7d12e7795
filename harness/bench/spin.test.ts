import t from 'tap';
import { Dfs } from '../explore/dfs.ts';
import { explore } from '../explore/explore.ts';
import { engine } from '../machine/index.ts';
import { countOnce } from './count.ts';
import { SPIN_MODES, TWINS, ourOpinion, runSpin, spinRun, whyNoSpin, type Twin } from './spin.ts';
import { MACHINE, scenarioOf } from './subjects.ts';

const why = await whyNoSpin();

/** Every interleaving, and how many of them end with somebody who cannot go on. */
async function interleavings(
  program: string,
): Promise<{ readonly all: number; readonly hung: number }> {
  let [all, hung] = [0, 0];
  explore(engine, await scenarioOf({ program, kernel: MACHINE }), new Dfs(engine), (end) => {
    all++;
    if (end === 'blocked') hung++;
  });
  return { all, hung };
}

async function weSay({ program }: Twin) {
  const order = { kind: 'count', kernel: MACHINE, strategy: 'dpor', sanitize: true } as const;
  const scenario = await scenarioOf({ program, kernel: MACHINE });
  return countOnce(scenario, { ...order, program, most: 1e6, seconds: 60 });
}

t.test('the litmus programs have the verdicts that the list of twins says', async (t) => {
  for (const twin of TWINS) {
    const counted = await weSay(twin);
    t.equal(counted.isComplete, true, twin.program);
    t.equal(ourOpinion(counted), twin.opinion, twin.program);
  }
});

const skip = why ?? false;

t.test('Spin and brute force see the same interleavings of a twin', { skip }, async (t) => {
  // The largest two are left to the bench: they have a quarter of a million interleavings.
  const small = TWINS.filter(({ model, bug }) => bug || /wait-queue|find-and-use/.test(model));
  const runs = await Promise.all(small.map((twin) => runSpin(twin, SPIN_MODES.histories, '-O0')));
  for (const [n, twin] of small.entries()) {
    const run = runs[n];
    const { all, hung } = await interleavings(twin.program);
    t.equal(run.opinion, twin.opinion, `${twin.program}: verdict`);
    t.equal(run.leaves, all, `${twin.program}: ${all} interleavings`);
    if (twin.opinion === 'hangs')
      t.equal(run.errors, hung, `${twin.program}: ${hung} of them hang`);
  }
});

t.test('the words of Spin are read, and refused if they are not of a complete search', (t) => {
  const text = [
    'State-vector 84 byte, depth reached 22, errors: 21',
    '    27804 states, stored',
    '      653 states, matched',
    '    28457 transitions (= stored+matched)',
    '    8.824	total actual memory usage',
    'pan: elapsed time 0.04 seconds',
    '3427 leaves',
  ].join('\n');
  const run = {
    states: 27_804,
    transitions: 28_457,
    errors: 21,
    leaves: 3_427,
    seconds: 0.04,
    peak: 8_824_000,
  };
  t.match(spinRun(text), { ...run, opinion: 'hangs' });
  t.equal(spinRun(`pan:1: assertion violated !(freed)\n${text}`).opinion, 'use after free');
  t.equal(spinRun(text.replace('errors: 21', 'errors: 0')).opinion, 'clean');
  t.throws(() => spinRun(`${text}\nWarning: Search not completed`), /come to the end/);
  t.throws(() => spinRun('segmentation fault'), /Cannot find .*errors/);
  t.end();
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseProgram } from '../program/text.ts';
import { loadKnownBugs } from './bug-index.ts';
import { fuzz, type FuzzListener, type FuzzOptions, type FuzzResult } from './fuzz.ts';
import { replay } from './replay.ts';
import { optionsFor as runOptionsFor } from './run-options.ts';

const KERNEL = '2.5.44+sys_epoll-v11';
const SEED = 8;

/** The listener of a run that nobody stops and that no clock limits. */
const silent: FuzzListener = {
  found() {},
  progress() {},
  stopped: () => false,
  clock: () => 0,
};

function optionsFor(folder: string, more: Partial<FuzzOptions> = {}): FuzzOptions {
  return {
    kernel: KERNEL,
    seed: SEED,
    timeMs: Infinity,
    programs: 250,
    threads: 2,
    calls: 2,
    until: 8,
    strategy: 'dpor',
    runs: 2000,
    timers: 'idle',
    faults: 0,
    maxSteps: 2000,
    hz: 1000,
    folder,
    ignore: ['LEAK'],
    ...more,
  };
}

function summaryOf(result: FuzzResult): string[] {
  return result.findings.map((f) => `${f.signature} ${f.schedule}`);
}

t.test('fuzzing finds catalogued bugs without a hint, shrunk to a few calls', async (t) => {
  t.comment(`seed ${SEED}`);
  const result = await fuzz(optionsFor(t.testdir()), silent, await loadKnownBugs());

  const ids = result.findings.flatMap((f) => f.ids);
  t.ok(ids.includes('E-B1') && ids.includes('E-B2'), ids.join(' '));
  t.equal(result.broken, undefined);
  for (const f of result.findings) {
    const longest = Math.max(0, ...f.program.threads.map((calls) => calls.length));
    t.ok(longest <= 4, `${f.signature}: ${longest} calls in a thread`);
    t.ok(f.callsFound >= f.program.init.length + f.program.threads.flat().length, 'not longer');
  }
});

t.test('a saved counterexample replays to its finding', async (t) => {
  const result = await fuzz(optionsFor(t.testdir(), { until: 4 }), silent, []);

  t.ok(result.findings.length > 0);
  for (const f of result.findings) {
    const program = parseProgram(readFileSync(f.file, 'utf8'), f.file);
    const again = replay(program, { kernel: KERNEL, schedule: f.schedule, command: '' });
    const seen = again.findings.map((one) => `${one.detector} ${one.site}`);
    t.ok(seen.includes(f.signature), f.signature);
  }
});

t.test(
  'fuzzing kernels with AIO finds what is wrong with them, and its files replay',
  async (t) => {
    const wanted: Readonly<Record<string, RegExp>> = {
      '2.6.20+fs-aio+aio-epoll-wait': / 2\.6-A[PT]\d/,
      '3.1+kiocb-batch-v3': /^KASAN-UAF .* \/ kiocb_batch_free/,
    };
    for (const [kernel, signature] of Object.entries(wanted)) {
      const { timers: _, ...options } = optionsFor(t.testdir(), {
        kernel,
        threads: 3,
        until: 1,
        ignore: ['LEAK', 'LEDGER', 'KMSAN', 'KCSAN', 'LATENCY', 'ACCOUNT', 'WAKEUP'],
      });
      const result = await fuzz({ ...options, programs: 60 }, silent, []);

      t.equal(result.broken, undefined);
      t.ok(
        result.findings.some((f) => signature.test(f.signature)),
        `${kernel}: ${result.findings.map((f) => f.signature).join(', ')}`,
      );
      for (const f of result.findings) {
        const program = parseProgram(readFileSync(f.file, 'utf8'), f.file);
        const said = runOptionsFor(program, {}, false);
        const again = replay(program, { ...said, kernel, schedule: f.schedule, command: '' });
        const seen = again.findings.map((one) => `${one.detector} ${one.site}`);
        t.ok(seen.includes(f.signature), f.signature);
      }
    }
  },
);

t.test('one seed, one result', async (t) => {
  const folder = t.testdir();
  const run = async (name: string, seed: number): Promise<string[]> =>
    summaryOf(await fuzz(optionsFor(join(folder, name), { until: 3, seed }), silent, []));

  t.same(await run('a', SEED), await run('b', SEED));
  t.notSame(await run('c', SEED), await run('d', SEED + 1));
});

t.test('fuzzing is silent where nothing is left to find', async (t) => {
  const first = await fuzz(optionsFor(t.testdir(), { programs: 30, until: Infinity }), silent, []);
  const ignore = ['LEAK', ...new Set(first.findings.map((f) => f.finding.detector))];
  const second = await fuzz(optionsFor(t.testdir(), { programs: 30, ignore }), silent, []);

  t.ok(first.findings.length > 0);
  t.same([second.findings.length, second.stopped, second.programs], [0, 'programs', 30]);
});

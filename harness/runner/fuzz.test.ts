import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseProgram } from '../program/text.ts';
import { loadKnownBugs } from './bug-index.ts';
import { fuzz, type FuzzListener, type FuzzOptions, type FuzzResult } from './fuzz.ts';
import { fuzzFile, fuzzFileText, mergeFuzzFiles } from './fuzz-file.ts';
import { openHere, type LaneListener, type OpenLane } from './fuzz-lane.ts';
import type { RoundNews } from './fuzz-order.ts';
import { RoundRunner } from './fuzz-round.ts';
import { replay } from './replay.ts';
import { optionsFor as runOptionsFor } from './run-options.ts';

// Threads are started, and a busy machine takes its time.
t.setTimeout(180_000);

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
    threads: { min: 1, max: 2 },
    calls: { min: 1, max: 2 },
    until: 8,
    strategy: 'dpor',
    runs: 100,
    timers: 'idle',
    faults: 0,
    maxSteps: 2000,
    hz: 1000,
    folder,
    ignore: ['LEAK'],
    coverage: 'steer',
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
        runs: 50,
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

/** Everything that a reader of the report and of the files is told. */
function toldOf(options: FuzzOptions, result: FuzzResult): string {
  const saved = result.findings.map((f) => readFileSync(f.file, 'utf8'));
  const views = result.findings.map((f) => [f.callsFound, f.view]);
  return [fuzzFileText(fuzzFile(options, result)), JSON.stringify(views), ...saved]
    .join('\n')
    .replaceAll(options.folder, 'FOLDER');
}

async function told(options: FuzzOptions, open?: OpenLane): Promise<string> {
  return toldOf(options, await fuzz(options, silent, [], open));
}

/** Lanes in this thread that answer later, each order by another number of turns. */
function lateLanes(): OpenLane {
  let given = 0;
  return (start, listener) => {
    const runner = new RoundRunner(start.options, start.bugs, start.halt);
    queueMicrotask(() => listener.ready());
    return {
      give(order) {
        const turns = [40, 0, 7, 90, 3][(given += 1) % 5];
        const news: RoundNews[] = [];
        void runner
          .run(order, (one) => news.push(one))
          .then(async () => {
            for (let n = 0; n < turns; n += 1) await new Promise((r) => setImmediate(r));
            for (const one of news) listener.news(one);
          });
      },
      async close() {},
    };
  };
}

t.test('what is found does not depend on the number of threads, nor on who is first', async (t) => {
  const kernels: readonly (readonly [kernel: string, programs: number, calls: number])[] = [
    [KERNEL, 80, 2],
    ['3.1+kiocb-batch-v3', 8, 1],
  ];
  for (const [kernel, programs, max] of kernels) {
    const limits = { kernel, programs, calls: { min: 1, max }, runs: 50, until: Infinity };
    const run = (jobs: number, open?: OpenLane): Promise<string> =>
      told(optionsFor(t.testdir(), { ...limits, jobs }), open);
    const one = await run(1);
    t.match(one, /"signature"/);
    t.equal(await run(2), one, `${kernel}, 2 threads`);
    for (const jobs of [3, 7]) t.equal(await run(jobs, lateLanes()), one, `${jobs} late lanes`);
  }
});

t.test('a run that the clock ends is the run of as many programs', async (t) => {
  for (const jobs of [1, 5]) {
    let looks = 0;
    const clock = (): number => (looks += 1);
    const limits = { jobs, programs: Infinity, until: Infinity };
    const timed = optionsFor(t.testdir(), { ...limits, timeMs: 300 });
    const result = await fuzz(
      timed,
      { ...silent, clock },
      [],
      jobs === 1 ? undefined : lateLanes(),
    );
    const counted = await fuzz(optionsFor(t.testdir(), { programs: result.programs }), silent, []);

    t.equal(result.stopped, 'time');
    t.ok(result.programs > 0);
    t.same(
      [summaryOf(result), result.executions, result.complete],
      [summaryOf(counted), counted.executions, counted.complete],
    );
  }
});

t.test('Ctrl-C ends the run with what was found', async (t) => {
  let found = 0;
  const listener = { ...silent, found: () => (found += 1), stopped: () => found > 1 };
  const options = optionsFor(t.testdir(), { jobs: 2, programs: Infinity, until: Infinity });
  const result = await fuzz(options, listener, []);

  t.equal(result.stopped, 'interrupted');
  t.ok(result.findings.length >= 2);
});

/** Lanes that die while they carry out some of the orders. */
function mortalLanes(dies: (order: number) => boolean): OpenLane {
  let given = 0;
  return (start, listener) => {
    let dead = false;
    const heard: LaneListener = {
      ...listener,
      news(news) {
        if (!dead) listener.news(news);
      },
    };
    const lane = openHere(start, heard);
    return {
      ...lane,
      give(order) {
        const mortal = dies((given += 1));
        lane.give(order);
        if (mortal)
          setTimeout(() => {
            dead = true;
            listener.lost('killed');
          }, 0);
      },
    };
  };
}

t.test('a thread that dies costs nothing but time; a round that kills two is broken', async (t) => {
  const limits = { programs: 60, until: Infinity, jobs: 3 };
  const whole = await told(optionsFor(t.testdir(), { ...limits, jobs: 1 }));

  const once = mortalLanes((order) => order === 2 || order === 3);
  t.equal(await told(optionsFor(t.testdir(), limits), once), whole);

  const always = await fuzz(
    optionsFor(t.testdir(), limits),
    silent,
    [],
    mortalLanes(() => true),
  );
  t.equal(always.stopped, 'interrupted');
  t.match(always.broken, /^Two threads died in round 0: killed$/);
});

t.test('shards have different programs, and merge puts the best of each together', async (t) => {
  const run = async (index: number) => {
    const shard = { index, of: 2 };
    const options = optionsFor(t.testdir(), { programs: 60, until: Infinity, shard });
    return { path: `${index}.json`, file: fuzzFile(options, await fuzz(options, silent, [])) };
  };
  const [a, b] = [await run(1), await run(2)];
  const runs = [a, b];
  const merged = mergeFuzzFiles(runs);

  t.same(merged, mergeFuzzFiles([b, a]), 'in any order');
  t.same(
    merged.runs.map((run) => [run.shard, run.programs]),
    [
      [{ index: 1, of: 2 }, 60],
      [{ index: 2, of: 2 }, 60],
    ],
  );
  const all = runs.flatMap(({ file }) => file.findings);
  const names = new Set(all.map((f) => f.signature));
  t.same(
    merged.findings.map((f) => f.signature),
    [...names].sort(),
  );
  for (const f of merged.findings) {
    const calls = all.filter((one) => one.signature === f.signature).map((one) => one.calls);
    t.equal(f.calls, Math.min(...calls), f.signature);
  }
  t.throws(() => mergeFuzzFiles([...runs, a]), /rounds of seed 8, shard 1\/2, are in 1\.json/);
});

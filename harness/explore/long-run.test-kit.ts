/**
 * `npm run test:long`: the exact explorer against the reference on as many random programs as one likes, on several
 * processors. Prints TAP; progress goes to stderr. A program that fails can be run alone by its number.
 */

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Kind, KIND_NAMES } from '../machine/op.ts';
import { examine, toyNumber, REFERENCE_STEPS } from './exactness.ts';

const SEED = 20_261_120;
const BATCH = 250;
/** Of one program in so many, every interleaving is followed to its end. */
const WALK_EVERY = 10;
const PROGRESS_SECONDS = 15;
const SHOWN_FAILURES = 10;

interface Start {
  readonly seed: number;
  readonly programs: number;
  /** The next program, and whether to stop. */
  readonly shared: Int32Array;
}

interface Failure {
  readonly n: number;
  readonly wrong: string;
  readonly program: string;
}

/** What a batch came to. */
interface Tally {
  programs: number;
  over: number;
  walked: number;
  traces: number;
  interleavings: number;
  failures: Failure[];
  readonly kinds: Float64Array;
}

function emptyTally(): Tally {
  const kinds = new Float64Array(KIND_NAMES.length);
  return { programs: 0, over: 0, walked: 0, traces: 0, interleavings: 0, failures: [], kinds };
}

function take(tally: Tally, seed: number, n: number): void {
  const program = toyNumber(seed, n);
  const one = examine(program, n % WALK_EVERY === 0);
  tally.programs++;
  tally.over += one.isOver ? 1 : 0;
  tally.walked += one.isWalked ? 1 : 0;
  tally.traces += one.traces;
  tally.interleavings += one.interleavings;
  one.kinds.forEach((times, kind) => (tally.kinds[kind] += times));
  if (one.wrong !== '')
    tally.failures.push({ n, wrong: one.wrong, program: JSON.stringify(program) });
}

function add(sum: Tally, part: Tally): void {
  sum.programs += part.programs;
  sum.over += part.over;
  sum.walked += part.walked;
  sum.traces += part.traces;
  sum.interleavings += part.interleavings;
  sum.failures.push(...part.failures);
  part.kinds.forEach((times, kind) => (sum.kinds[kind] += times));
}

/** In a worker: batches until there are no more or it is told to stop. */
function work({ seed, programs, shared }: Start): void {
  for (;;) {
    const from = Atomics.add(shared, 0, BATCH);
    if (from >= programs || Atomics.load(shared, 1) === 1) return;
    const tally = emptyTally();
    for (let n = from; n < Math.min(from + BATCH, programs); n++) {
      if (Atomics.load(shared, 1) === 1) break;
      take(tally, seed, n);
    }
    parentPort?.postMessage(tally);
  }
}

async function runWorkers(start: Start, jobs: number, hear: (part: Tally) => void): Promise<void> {
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: start });
      worker.on('message', hear);
      worker.on('error', reject);
      worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`exit ${code}`))));
    });
  await Promise.all(Array.from({ length: jobs }, one));
}

/** Kinds that no program made use of; the one that no primitive submits does not count. */
function unused(kinds: Float64Array): string[] {
  return KIND_NAMES.filter((_, kind) => kind !== Kind.LOCAL && kinds[kind] === 0);
}

function report(sum: Tally, { seed, programs }: Start, seconds: number): boolean {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const rate = Math.round(sum.programs / seconds);
  say(
    `# seed ${seed}, ${sum.programs} of ${programs} programs in ${seconds.toFixed(0)} s (${rate}/s)`,
  );
  say(`# ${sum.traces} traces; ${sum.interleavings.toPrecision(4)} interleavings`);
  say(
    `# ${sum.walked} programs had every interleaving followed to its end without merging, and went to source-DPOR as well`,
  );
  say(`# ${sum.over} programs took the reference over ${REFERENCE_STEPS} steps: not compared`);
  say(`# operations: ${KIND_NAMES.map((name, kind) => `${name} ${sum.kinds[kind]}`).join(', ')}`);
  for (const { n, wrong, program } of sum.failures.slice(0, SHOWN_FAILURES)) {
    say(`# program ${n}: ${wrong}: ${program}`);
    say(`#   alone: node build/harness/explore/long-run.test-kit.js --seed ${seed} --only ${n}`);
  }
  const isWhole = sum.programs === programs;
  const idle = programs < 10_000 ? [] : unused(sum.kinds);
  const table: readonly (readonly [boolean, string])[] = [
    [sum.failures.length === 0, `${sum.failures.length} programs differ from the reference`],
    [isWhole, isWhole ? 'every program was looked at' : 'stopped before the end'],
    [
      idle.length === 0,
      `every kind of operation was met${idle.map((name) => `, not ${name}`).join('')}`,
    ],
  ];
  table.forEach(([isGood, what], i) => say(`${isGood ? 'ok' : 'not ok'} ${i + 1} - ${what}`));
  say(`1..${table.length}`);
  return table.every(([isGood]) => isGood);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      programs: { type: 'string' },
      seed: { type: 'string' },
      jobs: { type: 'string' },
      only: { type: 'string' },
    },
  });
  const count = values.programs ?? process.env['LOSTWAKE_TOY_PROGRAMS'] ?? '1000000';
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const start: Start = { seed: Number(values.seed ?? SEED), programs: Number(count), shared };
  const jobs = Number(values.jobs ?? availableParallelism());
  for (const number of [start.seed, start.programs, jobs, Number(values.only ?? 0)])
    if (!Number.isInteger(number) || number < 0) throw new Error('options are whole numbers');
  const sum = emptyTally();
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  process.stdout.write('TAP version 14\n');
  if (values.only !== undefined) {
    take(sum, start.seed, Number(values.only));
    process.exitCode = report(sum, { ...start, programs: 1 }, seconds()) ? 0 : 1;
    return;
  }
  process.once('SIGINT', () => Atomics.store(shared, 1, 1));
  const timer = setInterval(() => {
    const { programs, traces, over, failures } = sum;
    process.stderr.write(
      `${programs} of ${start.programs} programs, ${traces} traces, ${over} too large, ` +
        `${failures.length} differ, ${seconds().toFixed(0)} s\n`,
    );
  }, PROGRESS_SECONDS * 1000);
  await runWorkers(start, jobs, (part) => {
    add(sum, part);
    if (sum.failures.length >= SHOWN_FAILURES) Atomics.store(shared, 1, 1);
  });
  clearInterval(timer);
  process.exitCode = report(sum, start, seconds()) ? 0 : 1;
}

if (isMainThread) await main();
else work(workerData as Start);

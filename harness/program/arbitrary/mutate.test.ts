import * as fc from 'fast-check';
import t from 'tap';
import {
  isSmaller,
  missingOn,
  parseProgram,
  printProgram,
  problemOf,
  programHash,
  shrinkProgram,
  type Program,
} from '../index.ts';
import {
  arbitraryProgram,
  drawFromSeed,
  generateProgram,
  mutate,
  profileOf,
  steeredProgram,
} from './index.ts';

const SEED = Number(process.env['PROGRAM_SEED'] ?? 20_261_121);
t.comment(`seed ${SEED} (PROGRAM_SEED overrides)`);

const KERNELS = [
  '2.5.44+sys_epoll-v11',
  '2.6.20',
  '2.6.20+fs-aio+aio-epoll-wait',
  '3.1+kiocb-batch-v3',
];
const BOUNDS = { threads: { min: 1, max: 3 }, callsPerThread: { min: 1, max: 3 } };

/** The mutants that some choices make of some programs. */
function mutants(selector: string, seed: number, count: number): [Program, Program | null][] {
  const options = { profile: profileOf(selector), ...BOUNDS };
  return Array.from({ length: count }, (_, n) => {
    const draw = drawFromSeed(seed + n);
    const program = generateProgram(draw, options);
    const donor = (): Program => generateProgram(draw, options);
    return [program, mutate(program, draw, { selector, ...BOUNDS, donor, accepts: () => true })];
  });
}

t.test('mutants are valid, within bounds, no copies, and survive the text form', async (t) => {
  for (const kernel of KERNELS) {
    const made = mutants(kernel, SEED, 80);
    const whole = made.filter(([, mutant]) => mutant !== null);
    t.ok(whole.length > 76, `${kernel}: ${whole.length} of ${made.length}`);
    for (const [program, mutant] of whole) {
      if (mutant === null) continue;
      const text = printProgram(mutant);
      const reason = problemOf(mutant) ?? missingOn(mutant, kernel);
      if (reason !== null) t.fail(`${reason}\n${text}`);
      const longest = Math.max(...mutant.threads.map((calls) => calls.length));
      const shortest = Math.min(...mutant.threads.map((calls) => calls.length));
      if (mutant.threads.length > 3 || mutant.threads.length < 1 || longest > 3 || shortest < 1)
        t.fail(`out of bounds\n${text}`);
      if (programHash(mutant) === programHash(program)) t.fail(`a copy\n${text}`);
      if (printProgram(parseProgram(text, '')) !== text) t.fail(`not read back\n${text}`);
    }
    const different = new Set(whole.map(([, mutant]) => mutant && programHash(mutant)));
    t.ok(different.size > 0.9 * whole.length, 'different ones');
  }
});

t.test('the same choices make the same mutants', async (t) => {
  const told = (kernel: string): string =>
    mutants(kernel, SEED, 15)
      .map(([, mutant]) => (mutant === null ? '-' : printProgram(mutant)))
      .join('\n');
  for (const kernel of KERNELS) t.equal(told(kernel), told(kernel));
});

t.test('a mutant is near: most calls of the program are in it', async (t) => {
  const names = (p: Program): string[] => [p.init, ...p.threads].flat().map((call) => call.name);
  let kept = 0;
  let all = 0;
  for (const [program, mutant] of mutants('2.6.20', SEED, 80)) {
    const left = mutant === null ? [] : names(mutant);
    for (const name of names(program)) {
      all += 1;
      const at = left.indexOf(name);
      if (at < 0) continue;
      kept += 1;
      left.splice(at, 1);
    }
  }
  t.ok(kept > 0.75 * all, `${kept} of ${all}`);
});

t.test('nothing that is not accepted, and null where nothing is', async (t) => {
  const options = { profile: profileOf('2.6.20'), ...BOUNDS };
  const draw = drawFromSeed(SEED);
  const program = generateProgram(draw, options);
  const donor = (): Program => generateProgram(draw, options);
  const selector = '2.6.20';
  t.equal(mutate(program, draw, { selector, ...BOUNDS, donor, accepts: () => false }), null);
  const single = (p: Program): boolean => p.threads.length === 1;
  for (let n = 0; n < 50; n++) {
    const mutant = mutate(program, draw, { selector, ...BOUNDS, donor, accepts: single });
    if (mutant !== null && !single(mutant)) t.fail(printProgram(mutant));
  }
});

t.test('steered programs: fresh ones where nothing is kept, mutants shrink like any', async (t) => {
  const profile = profileOf('2.5.44+sys_epoll-v11');
  const accepts = (): boolean => true;
  const plain = { profile, ...BOUNDS, accepts };
  const draw = drawFromSeed(SEED);
  const kept = Array.from({ length: 5 }, () => generateProgram(draw, plain));
  const sample = (programs: readonly Program[]): Program[] =>
    fc.sample(steeredProgram({ ...plain, kept: programs }), { seed: SEED, numRuns: 60 });
  const told = (programs: readonly Program[]): string => programs.map(printProgram).join('\n');
  const steered = sample(kept);

  t.equal(told(sample([])), told(fc.sample(arbitraryProgram(plain), { seed: SEED, numRuns: 60 })));
  t.equal(told(sample(kept)), told(steered), 'a function of the seed and of what is kept');
  t.ok(told(sample(kept.slice(1))) !== told(steered));
  for (const [n, program] of steered.entries()) {
    if (problemOf(program) !== null) t.fail(printProgram(program));
    const [small] = n % 4 === 0 ? shrinkProgram(program) : [];
    if (small === undefined) continue;
    if (problemOf(small) !== null || !isSmaller(small, program)) t.fail(printProgram(small));
  }
  // A failing mutant ends up as small as a failing fresh program does.
  const details = fc.check(
    fc.property(
      steeredProgram({ ...plain, kept }),
      (p) => ![...p.init, ...p.threads.flat()].some((call) => call.name === 'epoll_wait'),
    ),
    { seed: SEED, numRuns: 200 },
  );
  const [least] = details.counterexample ?? [];
  const calls = least === undefined ? [] : [...least.init, ...least.threads.flat()];
  t.same(
    calls.map((call) => call.name),
    ['epoll_create', 'epoll_wait'],
  );
});

import t from 'tap';
import { readFileSync } from 'node:fs';
import { checkHistory } from '../check/checks.ts';
import { Dfs } from '../explore/dfs.ts';
import { explore } from '../explore/explore.ts';
import { countSwitches } from '../explore/minimise.ts';
import { parseSchedule } from '../explore/token.ts';
import { signatureOf } from '../history/history.ts';
import { engine } from '../machine/index.ts';
import type { Program } from '../program/program.ts';
import { parseProgram } from '../program/text.ts';
import { Sanitizers } from '../sanitizers/index.ts';
import { modelTarget } from './model.ts';
import { mergeParts } from './part.ts';
import type { Behaviour, FoundFinding } from './target.ts';

const V11 = '2.5.44+sys_epoll-v11';
type Bug = readonly [name: string, kernel: string];
/** Small enough for brute force. */
const SMALL: readonly Bug[] = [
  ['E-B02', V11],
  ['E-B03', V11],
  ['E-B30', V11],
];
const BUGS: readonly Bug[] = [
  ...SMALL,
  ['E-B01', V11],
  ['E-B05', V11],
  ['A-B91', '3.1+kiocb-batch-v3'],
];

function load(name: string): Program {
  const path = `cases/bugs/${name}.prog`;
  return parseProgram(readFileSync(path, 'utf8'), path);
}

/** By signature: the fewest switches of any run, without any reduction. */
function byBruteForce(kernel: string, program: Program): Map<string, number> {
  const run = modelTarget(kernel).modelRun(program, {});
  const sanitizers = new Sanitizers();
  const fewest = new Map<string, number>();
  engine.observer = sanitizers;
  explore(engine, run, new Dfs(engine), () => {
    const switches = countSwitches([...engine.log.thr.subarray(0, engine.log.length)]);
    const checks = checkHistory(run.history(run.records()), program);
    for (const finding of [...sanitizers.findings(), ...checks]) {
      const signature = signatureOf(finding);
      const shows = !('predicted' in finding);
      const known = fewest.get(signature) ?? Infinity;
      if (shows && switches < known) fewest.set(signature, switches);
    }
  });
  return fewest;
}

function switchesOf(found: FoundFinding): number {
  return countSwitches(parseSchedule(found.schedule ?? '').threads);
}

function told(b: Behaviour): string[] {
  return b.findings.map(
    (f) => `${signatureOf(f.finding)} ${f.schedule ?? ''} ${f.fewest ?? ''} ${f.finding.message}`,
  );
}

t.test('what is called a proven minimum has as few switches as brute force finds', (t) => {
  let compared = 0;
  for (const [name, kernel] of SMALL) {
    const program = load(name);
    const { complete, findings } = modelTarget(kernel).run(program, { checks: checkHistory });
    t.ok(complete && findings.length > 0, `${name}: complete`);
    const fewest = byBruteForce(kernel, program);
    for (const found of findings) {
      t.equal(found.fewest, 'proven', `${name}: ${signatureOf(found.finding)}`);
      compared++;
      t.equal(switchesOf(found), fewest.get(signatureOf(found.finding)), 'the same number');
    }
  }
  t.ok(compared >= 8, `${compared} findings compared`);
  t.end();
});

t.test('every way to explore completely shows a finding by the same schedule', (t) => {
  for (const [name, kernel] of BUGS) {
    const program = load(name);
    const target = modelTarget(kernel);
    const options = { checks: checkHistory };
    const exact = target.run(program, options);
    if (SMALL.some(([small]) => small === name)) {
      const naive = target.run(program, { ...options, strategy: 'dfs' });
      t.strictSame(told(naive), told(exact), `${name}: dfs`);
    }
    // As if it had been spread over several explorers, or interrupted.
    const whole = target.exploration(program, options);
    whole.branch({ levels: [] }, () => false);
    const part = whole.part();
    const joined = target.exploration(program, options).join([mergeParts([part, part])], undefined);
    t.strictSame(told(joined), told(exact), `${name}: joined`);
    const schedules = (b: Behaviour) => b.outcomes.map((o) => `${o.text} ${o.schedule ?? ''}`);
    t.strictSame(schedules(joined), schedules(exact), `${name}: outcomes`);
  }
  t.end();
});

t.test('what samples show is shortened, and not called proven', (t) => {
  let longer = 0;
  let shorter = 0;
  for (const [name, kernel] of BUGS) {
    const program = load(name);
    const target = modelTarget(kernel);
    const exact = target.run(program, { checks: checkHistory });
    const best = new Map(exact.findings.map((f) => [signatureOf(f.finding), switchesOf(f)]));
    for (const seed of [1, 2, 3]) {
      const sampling = { checks: checkHistory, strategy: 'random', runs: 8, seed };
      const asFound = target.run(program, { ...sampling, brief: true });
      const shortened = target.run(program, sampling);
      for (const [at, found] of shortened.findings.entries()) {
        const signature = signatureOf(found.finding);
        t.equal(found.fewest, 'found', `${name}, seed ${seed}: ${signature}`);
        const [before, after] = [switchesOf(asFound.findings[at]), switchesOf(found)];
        if (after > before) t.fail(`${after} switches after shortening, ${before} before`);
        const least = best.get(signature) ?? Infinity;
        if (after < least) t.fail(`${after} switches, and ${least} are proven`);
        if (before > least) longer++;
        if (after < before) shorter++;
      }
    }
  }
  t.ok(
    shorter > longer / 2,
    `of ${longer} that were longer than they had to be ${shorter} became shorter`,
  );
  t.end();
});

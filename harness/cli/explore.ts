/** `lostwake explore`: every outcome and finding of one program on each target asked for. */

import { checkHistory } from '../check/checks.ts';
import { signatureOf } from '../history/history.ts';
import { counterexampleText } from '../report/counterexample.ts';
import { openCatalog } from '../runner/catalog.ts';
import { progressText, searchText } from '../runner/coverage-text.ts';
import { replayCommand } from '../runner/job.ts';
import { metaValue } from '../runner/load-case.ts';
import { hzFor, optionsFor, type Overrides } from '../runner/run-options.ts';
import { Checkpoint } from '../runner/checkpoint.ts';
import { exploreShared } from '../runner/shared-exploration.ts';
import {
  chooseTargets,
  placements,
  targetNamed,
  type ExplainingTarget,
  type TargetCatalog,
} from '../runner/targets.ts';
import { UsageError } from '../runner/usage-error.ts';
import type { Program } from '../program/program.ts';
import type { Behaviour, RunOptions } from '../target/target.ts';
import { oneProgram, overridesOf, type OneProgram } from './shared-flags.ts';
import { BROKEN, FAILED, NOTHING, OK, ended, foundText, type Ending } from './exit-codes.ts';
import type { CommandLine } from './flags.ts';
import type { Place } from './main.ts';
import { ProgressLine, textWidth } from './output.ts';

export async function exploreVerb(line: CommandLine, place: Place): Promise<Ending> {
  const one = await oneProgram(line);
  const catalog = await openCatalog();
  const targets = await targetsFor(line, one, catalog);
  if (targets.length === 0) return ended(NOTHING, 'The program is for no target that is here');
  let worst: Ending = ended(OK);
  for (const target of targets) {
    const ending = await exploreOn(target, one, catalog, line, place);
    if (ending.code > worst.code) worst = ending;
    if (place.interrupt.signal !== null) break;
  }
  return worst;
}

async function targetsFor(
  line: CommandLine,
  one: OneProgram,
  catalog: TargetCatalog,
): Promise<readonly string[]> {
  const asked = { kernels: line.all('kernel'), targets: line.all('target') };
  const chosen = await chooseTargets(catalog, asked);
  if (chosen.length > 0) return chosen;
  const kernel = metaValue(one.program, 'kernel');
  if (kernel !== undefined) return [targetNamed(kernel)];
  if (one.program.expect.length === 0) return await whereItRuns(one, catalog);
  return placements(one.program, catalog, [])
    .filter((p) => p.conf === undefined)
    .map((p) => p.target);
}

/** A program that expects nothing: every primary kernel and the host, where its calls exist. */
async function whereItRuns(one: OneProgram, catalog: TargetCatalog): Promise<string[]> {
  const names = catalog.kernels.filter((k) => k.primary).map((k) => targetNamed(k.spec));
  const able: string[] = [];
  for (const name of [...names, 'host'])
    if ((await catalog.open(name, {})).refuses(one.program) === null) able.push(name);
  return able;
}

async function exploreOn(
  name: string,
  one: OneProgram,
  catalog: TargetCatalog,
  line: CommandLine,
  place: Place,
): Promise<Ending> {
  const overrides = overridesOf(line);
  const hz = hzFor(one.program, overrides);
  const target = await catalog.open(name, hz === undefined ? {} : { hz });
  const refusal = target.refuses(one.program);
  if (refusal !== null) throw new UsageError(`Cannot explore ${one.word} on ${name}: ${refusal}`);
  const progress = new ProgressLine(line.has('quiet'));
  const limit = overrides.timeLimit ?? Infinity;
  const started = performance.now();
  const options = { ...optionsFor(one.program, overrides, name === 'host'), checks: checkHistory };
  const sharing = sharingOf(line, overrides, name);
  let [late, base] = [false, -1];
  const ran = await runOn(target, one, sharing, hz, {
    ...options,
    interrupted: (executions, now) => {
      const spent = performance.now() - started;
      // What a checkpoint brought along took no time.
      if (base < 0) base = executions;
      progress.tell(() => `${one.word} on ${name}: ${progressText(now(), base, spent)}`);
      late ||= spent > limit;
      return place.interrupt.signal !== null || late;
    },
  });
  const behaviour = late && !ran.complete ? { ...ran, incomplete: `time ${limit / 1000} s` } : ran;
  progress.clear();
  const { broken } = behaviour;
  if (broken === undefined || behaviour.executions > 0)
    printBehaviour(behaviour, overrides.strategy ?? 'dpor', place);
  if (broken !== undefined)
    return ended(BROKEN, `Cannot explore ${one.word} on ${name}: ${broken}`);
  const [first] = behaviour.findings;
  if (first === undefined) return ended(OK);
  const job = {
    caseId: one.loaded.id,
    row: one.row,
    replayName: one.word,
    program: one.program,
    target: name,
    overrides,
    prove: false,
  };
  const replay = replayCommand(job, first.schedule);
  if (first.schedule !== undefined && target.explain !== undefined) {
    const view = target.explain(one.program, {
      schedule: first.schedule,
      sentence: first.finding.message,
      finding: signatureOf(first.finding),
      search: searchText(behaviour, overrides.strategy ?? 'dpor'),
      replay,
      ...(first.fewest === undefined ? {} : { fewest: first.fewest }),
      options,
    });
    place.out.line();
    place.out.write(counterexampleText(view, textWidth()));
  }
  return ended(FAILED, `${foundText(behaviour.findings.length)} on ${name}`);
}

interface Sharing {
  readonly jobs: number;
  readonly checkpoint: string | undefined;
}

/** Threads and checkpoint file: both are for what the exact explorer does on a model. */
function sharingOf(line: CommandLine, overrides: Overrides, name: string): Sharing {
  const jobs = line.count('jobs') ?? 1;
  const checkpoint = line.text('checkpoint');
  const flag = checkpoint === undefined ? '--jobs' : '--checkpoint';
  if (jobs === 1 && checkpoint === undefined) return { jobs, checkpoint };
  if (name === 'host')
    throw new UsageError(`Cannot use ${flag} on the host: it is for explorations of a model`);
  const { strategy = 'dpor' } = overrides;
  if (strategy !== 'dpor')
    throw new UsageError(`Cannot use ${flag} with --strategy ${strategy}: it is for dpor only`);
  return { jobs, checkpoint };
}

async function runOn(
  target: ExplainingTarget,
  one: OneProgram,
  { jobs, checkpoint: path }: Sharing,
  hz: number | undefined,
  options: RunOptions,
): Promise<Behaviour> {
  const { program } = one;
  if (jobs === 1 && path === undefined) return await runHere(target, program, options);
  const kernel = target.selector;
  const request = { kernel, hz, program, options, jobs };
  if (path === undefined) return await exploreShared(request);
  const checkpoint = new Checkpoint(path, kernel, program, options, hz);
  return await exploreShared({ ...request, checkpoint });
}

/** A signal is only heard between two turns of the event loop: there is one after every slice. */
async function runHere(
  target: ExplainingTarget,
  program: Program,
  options: RunOptions,
): Promise<Behaviour> {
  const slices = target.slices?.(program, options);
  if (slices === undefined) return await target.run(program, options);
  for (;;) {
    const { done, value } = slices.next();
    if (done === true) return value;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function printBehaviour(b: Behaviour, strategy: string, place: Place): void {
  place.out.line(`${b.target}: ${searchText(b, strategy)}`);
  for (const o of b.outcomes) {
    const text = o.text === '' ? '(nothing is named)' : o.text;
    place.out.line(
      `  outcome ${text}  x ${o.times}${o.schedule === undefined ? '' : `  ${o.schedule}`}`,
    );
  }
  for (const { finding, times, schedule } of b.findings) {
    place.out.line(`  finding ${signatureOf(finding)}  x ${times}: ${finding.message}`);
    if (schedule !== undefined) place.out.line(`          ${schedule}`);
  }
  if (b.findings.length === 0) place.out.line('  no finding');
}

/**
 * How soon the exact explorer meets each catalogued bug, from the program that the catalogue has for it and with no hint:
 * the time and the number of the execution that shows the last of what the program's expect block says can be seen, and
 * those of the whole exploration.
 */

import { checkHistory } from '../check/checks.ts';
import { blockFor } from '../check/selector.ts';
import { signatureOf } from '../history/history.ts';
import type { Expectation, Program } from '../program/program.ts';
import { satisfies } from '../program/values.ts';
import { defaultCasesFolder } from '../runner/case-index.ts';
import { openCatalog } from '../runner/catalog.ts';
import { hzFor, optionsFor } from '../runner/run-options.ts';
import { selectCases } from '../runner/select.ts';
import { identityOf, placements, selectorOf } from '../runner/targets.ts';
import { modelTarget, type ModelTarget } from '../target/model.ts';
import type { Behaviour, RunOptions } from '../target/target.ts';

/** One program on one kernel that has its bug. */
export interface BugTime {
  readonly case: string;
  readonly kernel: string;
  /** What shows the bug: a finding, or an outcome where the answer itself is what is wrong. */
  readonly shownBy: 'finding' | 'outcome';
  readonly threads: number;
  /** Calls of init and of all threads. */
  readonly calls: number;
  /** Number of the execution after which all of it was seen, and of all. */
  readonly execution: number;
  readonly traces: number;
  /**
   * Milliseconds until then, and until the end, of compiled code, without parsing or building the kernel: processor time,
   * and the least of several measurements, as what else the machine does can only add.
   */
  readonly toFind: number;
  readonly whole: number;
}

/** Milliseconds of processor time spent on each program before the measurement, and on the measurement. */
export interface BugTimeOptions {
  readonly warmUp: number;
  readonly measure: number;
}

/** Explorations, or times the warm-up, after which nothing gets faster any more. */
const COMPILED_AFTER = 20;

/** Measures every case that the words select on every model kernel where its expect block has a bug to show. */
export async function* bugTimes(
  words: readonly string[],
  options: BugTimeOptions,
): AsyncGenerator<BugTime> {
  const catalog = await openCatalog();
  const cases = await selectCases({
    casesFolder: defaultCasesFolder(),
    words: [...words],
    runtest: [],
    skip: [],
  });
  for (const { id, rows } of cases)
    for (const { name, program } of rows)
      for (const { target, conf } of placements(program, catalog, [])) {
        if (conf !== undefined || target === 'host') continue;
        const row = measured(name === '' ? id : `${id}/${name}`, target, program, options);
        if (row !== null) yield row;
      }
}

/** Null if nothing is to be seen there: a proof, and no bug. */
function measured(
  name: string,
  target: string,
  program: Program,
  { warmUp, measure }: BugTimeOptions,
): BugTime | null {
  const wanted = wantedOf(program, target);
  if (wanted.length === 0) return null;
  const hz = hzFor(program, {});
  const model = modelTarget(selectorOf(target), hz === undefined ? {} : { hz });
  const options = { ...optionsFor(program, {}, false), checks: checkHistory };
  const seen = warmedUp(() => model.run(program, options), warmUp);
  if (!seen.complete) throw new Error(`${name} on ${target} is not explored to the end`);
  const execution = Math.max(...wanted.map((one) => firstOf(program, seen, one)));
  if (!Number.isFinite(execution)) throw new Error(`${name} on ${target} does not show its bug`);
  const times: Timed[] = [];
  for (
    const started = process.cpuUsage();
    millisecondsSince(started) < measure || times.length < 3;
  )
    times.push(timed(model, program, options, { execution, traces: seen.traces }));
  return {
    case: name,
    kernel: selectorOf(target),
    shownBy: wanted[0].kind === 'finding' ? 'finding' : 'outcome',
    threads: program.threads.length,
    calls: program.init.length + program.threads.flat().length,
    execution,
    traces: seen.traces,
    toFind: fastest(times.map((one) => one.toFind)),
    whole: fastest(times.map((one) => one.whole)),
  };
}

/** Explores until the code is compiled: what is wanted of time, and of explorations, unless they are long. */
function warmedUp(explore: () => Behaviour, warmUp: number): Behaviour {
  const started = process.cpuUsage();
  let seen = explore();
  for (let n = 1; ; n++) {
    const spent = millisecondsSince(started);
    if (spent >= warmUp && (n >= COMPILED_AFTER || spent >= COMPILED_AFTER * warmUp)) return seen;
    seen = explore();
  }
}

/** The findings that the block expects; where there are none, the outcomes. */
function wantedOf(program: Program, target: string): readonly Expectation[] {
  const all = blockFor(program.expect, identityOf(target))?.expectations ?? [];
  const findings = all.filter((one) => one.kind === 'finding');
  const isClean = all.some((one) => one.kind === 'clean' || one.kind === 'absent');
  if (findings.length > 0 || isClean) return findings;
  return all.filter((one) => one.kind === 'sometimes' || one.kind === 'exactly');
}

/** The execution after which an expectation is met; Infinity if none. */
function firstOf(program: Program, seen: Behaviour, wanted: Expectation): number {
  const outcome = (conjunction: Parameters<typeof satisfies>[1]): number =>
    least(seen.outcomes.filter((one) => satisfies(program, conjunction, one.records)));
  switch (wanted.kind) {
    case 'finding':
      return least(seen.findings.filter((one) => isOf(signatureOf(one.finding), wanted)));
    case 'sometimes':
      return outcome(wanted.outcome);
    case 'exactly':
      return Math.max(...wanted.outcomes.map(outcome));
    default:
      return 0;
  }
}

function isOf(
  signature: string,
  wanted: { readonly detector: string; readonly site?: string | undefined },
): boolean {
  const [detector, ...site] = signature.split(' ');
  const text = site.join(' ');
  if (detector !== wanted.detector) return false;
  return (
    wanted.site === undefined || text === wanted.site || text.split(' / ').includes(wanted.site)
  );
}

function least(all: readonly { readonly since?: number }[]): number {
  return Math.min(...all.map((one) => one.since ?? Infinity));
}

interface Timed {
  readonly toFind: number;
  readonly whole: number;
}

function timed(
  model: ModelTarget,
  program: Program,
  options: RunOptions,
  last: Pick<BugTime, 'execution' | 'traces'>,
): Timed {
  let toFind = 0;
  let whole = 0;
  const started = process.cpuUsage();
  model.run(program, {
    ...options,
    interrupted: (n) => {
      if (n === last.execution) toFind = millisecondsSince(started);
      if (n === last.traces) whole = millisecondsSince(started);
      return false;
    },
  });
  return { toFind, whole };
}

/** Of this process alone. */
function millisecondsSince(started: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1000;
}

function fastest(list: readonly number[]): number {
  return Math.min(...list);
}

/** The size of program, and the milliseconds, that the summary speaks of. */
const SMALL = { threads: 3, calls: 8 };
const SOON = 10;

/** How many of the small programs show their bug soon, and how many are over as soon. */
export function bugTimeSummary(rows: readonly BugTime[]): string {
  const small = rows.filter((row) => row.threads <= SMALL.threads && row.calls <= SMALL.calls);
  const found = small.filter((row) => row.toFind <= SOON).length;
  const whole = small.filter((row) => row.whole <= SOON).length;
  return (
    `${found} of ${small.length} found within ${SOON} ms, ${whole} explored to the end within ${SOON} ms ` +
    `(at most ${SMALL.threads} threads and ${SMALL.calls} calls)`
  );
}

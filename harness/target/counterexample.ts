/** One failing run made readable: replayed with notes, calls and their results between the steps. */

import { explore } from '../explore/explore.ts';
import { countSwitches } from '../explore/minimise.ts';
import { parseSchedule } from '../explore/token.ts';
import type { CounterexampleRow, CounterexampleView } from '../history/counterexample.ts';
import { signatureOf, type CallRecord, type Finding } from '../history/history.ts';
import { engine } from '../machine/index.ts';
import { printCall } from '../program/print.ts';
import type { Program } from '../program/program.ts';
import { formatResult } from '../program/values.ts';
import type { Checks } from './confirm.ts';
import { ledgerOf } from './ledger.ts';
import { cycleFinding } from './livelock.ts';
import type { RunOptions } from './target.ts';
import type { ModelRun } from './model-run.ts';
import { TellingSanitizers, Tracer, type Aside, type TracedStep } from './trace-run.ts';

/** What a counterexample is made from. */
export interface ToExplain {
  readonly schedule: string;
  /** What happened, in one sentence. */
  readonly sentence: string;
  /** `KASAN-UAF v11-MO1 / v11-RM6`, when a finding is shown. */
  readonly finding?: string;
  /** Ids of the semantics reference, beside those of the program. */
  readonly docs?: readonly string[];
  readonly search: string;
  /** What is known of the schedule's switches. */
  readonly fewest?: 'proven' | 'found';
  readonly replay: string;
  /** How the run was made: timers, faults, checks. */
  readonly options?: RunOptions;
}

/** Replays the schedule and tells the run. Throws Nondeterminism if the schedule does not fit the program. */
export function explainRun(
  run: ModelRun,
  program: Program,
  what: ToExplain,
  checks: Checks,
): CounterexampleView {
  const sanitizers = new TellingSanitizers();
  engine.observer = sanitizers;
  const tracer = new Tracer(parseSchedule(what.schedule), () => run.returned());
  explore(engine, run, tracer, () => undefined);
  const records = run.records();
  const findings: Finding[] = [...sanitizers.findings()];
  const { circle } = tracer;
  if (circle !== null) findings.push(cycleFinding(circle));
  else if (checks !== undefined) findings.push(...checks(run.history(records), program));
  const finding = findings.find((f) => signatureOf(f) === what.finding) ?? findings[0];
  const decisive = finding?.steps.at(-1);
  const columns = [
    ...new Set([...program.threads.map((_, t) => `T${t + 1}`), ...tracer.steps.map((s) => s.name)]),
  ];
  return {
    sentence: what.sentence,
    program,
    columns,
    rows: rowsOf(tracer.steps, records, decisive, sanitizers.asides),
    legend: legendOf(columns),
    switches: countSwitches(tracer.steps.map((s) => s.thread)),
    ...(what.fewest === undefined ? {} : { fewest: what.fewest }),
    ledger: ledgerOf(records, tracer.steps),
    decisiveMeans:
      finding === undefined
        ? 'the step that decides it'
        : `${finding.detector}: ${finding.message}`,
    docs: [...new Set([...docsOf(program), ...(what.docs ?? [])])],
    search: what.search,
    replay: what.replay,
  };
}

/** What the machine's own threads do, by how their names begin. */
const ROLES: readonly (readonly [prefix: string, role: string])[] = [
  ['exit', 'the task that ends the process when all its threads have ended'],
  ['worker:', 'the kernel thread of a work queue'],
  ['timer:', 'a timer that has expired, in softirq context'],
  ['irq:', 'an interrupt'],
];

function legendOf(columns: readonly string[]): string[] {
  return columns.flatMap((name) => {
    const role = ROLES.find(([prefix]) => name === prefix || name.startsWith(prefix))?.[1];
    return role === undefined ? [] : [`${name}: ${role}`];
  });
}

function docsOf(program: Program): string[] {
  return program.meta.filter((m) => m.key === 'docs').flatMap((m) => m.value.split(/\s+/));
}

/** Steps with the calls they belong to: a call before its first step, its result behind its last. */
function rowsOf(
  steps: readonly TracedStep[],
  records: readonly CallRecord[],
  decisive: number | undefined,
  asides: readonly Aside[],
): CounterexampleRow[] {
  const rows: CounterexampleRow[] = [];
  const inThreads = records.filter((r) => r.thread >= 0);
  for (const [d, step] of steps.entries()) {
    const at = d + 1;
    if (step.cause !== '')
      rows.push({ step: at, column: step.name, text: '', switchCause: step.cause });
    for (const r of inThreads)
      if (r.thread === step.thread && startsAt(r, d))
        rows.push({ step: at, column: step.name, text: printCall(r.call) });
    rows.push({
      step: at,
      column: step.name,
      text: `  ${step.text}`,
      ...(step.changed === '' ? {} : { changed: step.changed }),
      ...(decisive !== undefined && Math.floor(decisive) === d ? { decisive: true } : {}),
    });
    for (const { after, text } of asides)
      if (after === d) rows.push({ step: at, column: step.name, text: `  ${text}` });
    for (const r of inThreads)
      if (r.thread === step.thread && (r.end === d || (r.end === d + 0.5 && r.start === r.end)))
        rows.push({ step: at, column: step.name, text: `= ${formatResult(r.result)}` });
  }
  for (const r of inThreads)
    if (r.end === Infinity)
      rows.push({
        step: steps.length,
        column: `T${r.thread + 1}`,
        text: `<${formatResult(r.result)}>`,
      });
  return rows;
}

function startsAt(record: CallRecord, d: number): boolean {
  return record.start === d || (record.start === record.end && record.start === d + 0.5);
}

/**
 * The host target: programs on the Linux that this runs on, in a child process that can be killed.
 *
 * One child serves all programs of a process; it is started when first needed and again after it was lost.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa, type ResultPromise } from 'execa';
import { signatureOf, type CallRecord, type History } from '../history/history.ts';
import type { Call, Program } from '../program/program.ts';
import { outcomeText } from '../program/values.ts';
import { planFor } from './host-plan.ts';
import { HostRefusal } from './host-refusals.ts';
import {
  parseAnswer,
  type HostAnswer,
  type HostOutcome,
  type HostRecord,
} from './host-protocol.ts';
import type {
  Behaviour,
  FoundFinding,
  Observation,
  Progress,
  RunOptions,
  Target,
} from './target.ts';

/** Iterations of a program with several threads unless asked otherwise. */
const CONCURRENT_RUNS = 400;
const SEQUENTIAL_RUNS = 1;
/** No new iteration begins after that; the second one is for a number of iterations that was asked for. */
const BUDGET_MS = 150;
const ASKED_BUDGET_MS = 20_000;
/** The same for programs that call io_destroy(), which waits for other processors for some 30 ms. */
const DESTROY_BUDGET_MS = 600;
/** Without an answer for that long a child is lost. */
const ANSWER_MS = 30_000;
const START_MS = 20_000;
/** How often a run that is wanted no more is noticed. */
const ASK_MS = 100;
/** Waits on a clock are held against it to the millisecond. */
const TICK_MS = 1;

const CHILD_OPTIONS = {
  stdin: 'pipe',
  stdout: 'pipe',
  stderr: 'pipe',
  buffer: { stdout: false, stderr: true },
  maxBuffer: { stdout: Infinity, stderr: 100_000 },
  reject: false,
  cleanup: true,
  killSignal: 'SIGKILL',
  // What instruments the parent (coverage, loaders) is not meant for a child whose threads sleep in calls.
  // Its spare threads destroy AIO contexts, which they wait for most of the time.
  env: { NODE_OPTIONS: '', NODE_V8_COVERAGE: '', UV_THREADPOOL_SIZE: '64' },
} as const;

type ChildProcess = ResultPromise<typeof CHILD_OPTIONS>;

/** Release of the running kernel: `6.18.0`. */
export function hostRelease(): string {
  return release();
}

/** What can be said without starting anything: null if the host can be tried. */
function refusalOfPlatform(): string | null {
  if (process.platform !== 'linux') return `the host is ${process.platform}, not Linux`;
  if (process.arch !== 'x64')
    return `the host is ${process.arch}; system call numbers are known for x64`;
  return null;
}

/** A started child and the answers that have come. */
class HostChild {
  readonly folder: string;
  private readonly process: ChildProcess;
  private readonly waiting: ((answer: HostAnswer | string) => void)[] = [];
  private readonly arrived: (HostAnswer | string)[] = [];
  private gone = false;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'lostwake-'));
    const script = fileURLToPath(new URL('./host-child.js', import.meta.url));
    this.process = execa(process.execPath, [script, this.folder], CHILD_OPTIONS);
    createInterface({ input: this.process.stdout }).on('line', (line) => {
      this.give(parseAnswer(line) ?? `the child says what it never says: "${line.slice(0, 80)}"`);
    });
    // A child that has died cannot be written to: its end tells the reason.
    this.process.stdin.on('error', () => undefined);
    const sweep = (): void => rmSync(this.folder, { recursive: true, force: true });
    // When this process ends first nothing else removes the folder.
    process.once('exit', sweep);
    void this.process.then((result) => {
      this.gone = true;
      process.off('exit', sweep);
      sweep();
      this.give(lossOf(result));
    });
    // Nothing waits for an idle child: it must not keep the process alive.
    this.process.unref();
    for (const stream of [this.process.stdin, this.process.stdout, this.process.stderr])
      unrefStream(stream);
  }

  private give(answer: HostAnswer | string): void {
    const taker = this.waiting.shift();
    if (taker === undefined) this.arrived.push(answer);
    else taker(answer);
  }

  /** Id of the process. */
  get pid(): number | undefined {
    return this.process.pid;
  }

  /** False once it has ended. */
  get alive(): boolean {
    return !this.gone;
  }

  /** The next answer, or a sentence that says why there is none. */
  async answer(limitMs: number): Promise<HostAnswer | string> {
    const first = this.arrived.shift();
    if (first !== undefined) return first;
    if (this.gone) return 'the child has ended';
    return await new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.waiting.length = 0;
        resolve(`the child did not answer for ${limitMs / 1000} s`);
      }, limitMs);
      this.waiting.push((answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
  }

  send(job: object): void {
    if (!this.gone) this.process.stdin.write(`${JSON.stringify(job)}\n`);
  }

  kill(): void {
    this.process.kill('SIGKILL');
  }
}

/** A child, or why there can be none. */
function startChild(): HostChild | string {
  try {
    return new HostChild();
  } catch (error) {
    return `the host cannot run programs: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function unrefStream(stream: object): void {
  if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
}

/** One line on how a child ended. */
function lossOf(result: Awaited<ChildProcess>): string {
  const how =
    result.signal === undefined
      ? `ended with exit code ${result.exitCode ?? '?'}`
      : `was killed by ${result.signal}`;
  const said =
    typeof result.stderr === 'string' ? result.stderr.trim().split('\n').at(-1) : undefined;
  return `the child ${how}${said === undefined || said === '' ? '' : `: ${said.slice(0, 200)}`}`;
}

export type Probe =
  { readonly ok: true; readonly kernel: string } | { readonly ok: false; readonly why: string };

export class HostTarget implements Target {
  readonly name = 'host';
  readonly selector = 'host';
  private child: HostChild | null = null;
  private unable: string | null = refusalOfPlatform();
  private jobs = 0;
  private turn: Promise<unknown> = Promise.resolve();
  private readonly answerMs: number;

  /** A child that has not answered after `answerMs` milliseconds is killed. */
  constructor({ answerMs = ANSWER_MS }: { readonly answerMs?: number } = {}) {
    this.answerMs = answerMs;
  }

  refuses(program: Program): string | null {
    if (this.unable !== null) return this.unable;
    try {
      planFor(program);
      return null;
    } catch (error) {
      if (error instanceof HostRefusal) return error.message;
      throw error;
    }
  }

  /** Starts a child if there is none; answers why not. */
  private async up(): Promise<HostChild | { readonly why: string }> {
    if (this.child?.alive === true) return this.child;
    this.child = null;
    const child = startChild();
    if (typeof child === 'string') {
      this.unable = child;
      return { why: child };
    }
    const answer = await child.answer(START_MS);
    if (typeof answer !== 'string' && answer.kind === 'ready') {
      this.child = child;
      return child;
    }
    child.kill();
    if (typeof answer === 'string') return { why: answer };
    if (answer.kind === 'unable') this.unable = `the host cannot run programs: ${answer.why}`;
    return { why: this.unable ?? `the child begins with "${answer.kind}"` };
  }

  /** Finds out whether programs can run here at all; refuses() knows it from then on. */
  async probe(): Promise<Probe> {
    if (this.unable !== null) return { ok: false, why: this.unable };
    const child = await this.inTurn(() => this.up());
    return child instanceof HostChild
      ? { ok: true, kernel: release() }
      : { ok: false, why: child.why };
  }

  /** Runs a program; programs asked for at the same time run one after the other. */
  async run(program: Program, options: RunOptions): Promise<Behaviour> {
    return await this.inTurn(() => this.runNow(program, options));
  }

  private async runNow(program: Program, options: RunOptions): Promise<Behaviour> {
    const plan = planFor(program);
    const child = await this.up();
    if (!(child instanceof HostChild)) return brokenBehaviour(child.why);
    const concurrent = program.threads.length > 1;
    const id = ++this.jobs;
    const runs = options.runs ?? (concurrent ? CONCURRENT_RUNS : SEQUENTIAL_RUNS);
    const stopped = watchInterrupts(options, child);
    const budgetMs = options.runs === undefined ? budgetOf(program) : ASKED_BUDGET_MS;
    child.send({ id, plan, runs, budgetMs, seed: options.seed ?? 1 });
    const answer = await child.answer(this.answerMs);
    const wasStopped = stopped();
    if (typeof answer !== 'string' && answer.kind === 'done' && answer.id === id)
      return behaviourOf(program, answer.outcomes, answer.executions, options);
    this.close();
    if (wasStopped) return emptyBehaviour('interrupted');
    if (typeof answer === 'string') return brokenBehaviour(answer);
    return brokenBehaviour(
      answer.kind === 'broken' ? answer.why : `the child answered "${answer.kind}" to a job`,
    );
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => undefined);
    return await mine;
  }

  /** Ends the child. The target can be used again. */
  close(): void {
    this.child?.kill();
    this.child = null;
  }

  /** Id of the child's process, while there is one. */
  get childPid(): number | undefined {
    return this.child?.pid;
  }
}

function budgetOf(program: Program): number {
  const destroys = program.threads.some((calls) => calls.some((c) => c.name === 'io_destroy'));
  return destroys ? DESTROY_BUDGET_MS : BUDGET_MS;
}

/** Kills the child when nobody wants its answer any more; the function given back ends that and says if it did. */
function watchInterrupts(options: RunOptions, child: HostChild): () => boolean {
  let stopped = false;
  const timer = setInterval(() => {
    if (options.interrupted?.(0, () => NOT_YET) !== true) return;
    stopped = true;
    child.kill();
  }, ASK_MS);
  return () => {
    clearInterval(timer);
    return stopped;
  };
}

let only: HostTarget | null = null;

/** The host, one for the process. Whether anything can run here shows at the first program, or with probeHost(). */
export function hostTarget(): HostTarget {
  return (only ??= new HostTarget());
}

/** The host, after it was found out whether it can run anything: refuses() tells the reason if not. */
export async function openHostTarget(): Promise<HostTarget> {
  const target = hostTarget();
  await target.probe();
  return target;
}

/** Whether programs can run here at all, found out by starting the child. */
export async function probeHost(): Promise<Probe> {
  return await hostTarget().probe();
}

/** A child says nothing before it is done. */
const NOT_YET: Progress = { executions: 0, traces: 0, findings: 0 };

function emptyBehaviour(incomplete: string): Behaviour {
  return {
    target: 'host',
    complete: false,
    incomplete,
    executions: 0,
    traces: 0,
    outcomes: [],
    findings: [],
  };
}

function brokenBehaviour(why: string): Behaviour {
  return { ...emptyBehaviour('broken'), broken: `Cannot run on the host: ${why}` };
}

function behaviourOf(
  program: Program,
  outcomes: readonly HostOutcome[],
  executions: number,
  options: RunOptions,
): Behaviour {
  const byText = new Map<string, { first: Observation; times: number }>();
  const findings = new Map<string, FoundFinding>();
  for (const outcome of outcomes) {
    const records = outcome.records.map((r) => recordOf(program, r));
    const history = historyOf(records);
    const text = outcomeText(program, records);
    const known = byText.get(text);
    if (known === undefined)
      byText.set(text, { first: { text, records, history, times: 0 }, times: outcome.times });
    else known.times += outcome.times;
    for (const finding of options.checks?.(history, program) ?? []) {
      const signature = signatureOf(finding);
      if (!findings.has(signature))
        findings.set(signature, { finding, times: outcome.times, history });
    }
  }
  const list = [...byText.values()].map(({ first, times }) => ({ ...first, times }));
  // One thread alone has one order of calls.
  const complete = program.threads.length < 2;
  return {
    target: 'host',
    complete,
    ...(complete ? {} : { incomplete: `sampled, ${executions} runs` }),
    executions,
    traces: 0,
    outcomes: list.sort((a, b) => (a.text < b.text ? -1 : 1)),
    findings: [...findings.values()],
  };
}

function recordOf(program: Program, r: HostRecord): CallRecord {
  const calls: readonly Call[] = r.thread < 0 ? program.init : (program.threads[r.thread] ?? []);
  return {
    thread: r.thread,
    index: r.index,
    call: calls[r.index],
    result: r.result,
    start: r.start,
    end: r.end < 0 ? Infinity : r.end,
    elapsed: { ms: r.ms, tickMs: TICK_MS },
  };
}

function historyOf(records: readonly CallRecord[]): History {
  return {
    target: 'host',
    calls: [...records].sort((a, b) => a.start - b.start),
    before: (a, b) =>
      a.end < b.start ||
      (a.thread === b.thread && a.index < b.index) ||
      (a.thread < 0 && b.thread >= 0),
  };
}

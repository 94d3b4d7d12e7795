/** Runs a program in this process as often as asked, and collects the distinct ways it went. */

import { readdirSync, truncateSync, unlinkSync } from 'node:fs';
import { type Actors, HostBroken } from './host-actors.ts';
import { LATER_MAX, type Libc, NR } from './host-libc.ts';
import { CallOrders } from './host-orders.ts';
import type { HostPlan } from './host-plan.ts';
import type { HostJob, HostOutcome, HostRecord } from './host-protocol.ts';
import {
  ACTOR,
  COMMAND,
  MODE,
  RECORD,
  RECORD_WORDS,
  WORD,
  actorAt,
  monotonicMs,
  recordAt,
  writeText,
  type Shared,
} from './host-shared.ts';
import type { Result } from '../history/history.ts';

/** How long everybody must be seen asleep before it is called for ever; TCP has work in softirqs. */
const STILL_MS = 0.6;
const STILL_TCP_MS = 20;
/** The same for requests that a worker of the kernel ends, and for those that may go to a disk. */
const STILL_WORKER_MS = 300;
const STILL_DISK_MS = 1000;
/** The same where somebody destroys a context, which takes its time when no request is in the way. */
const STILL_DESTROY_MS = 500;
/** An iteration that has neither ended nor come to rest by then breaks the child. */
const ITERATION_MS = 15_000;
/** For signals to get actors out of their calls. */
const KICK_MS = 2000;
/** Share of time and iterations that goes to running call by call. */
const STEPS_SHARE = 0.6;
/** Longest random delays before calls, in turns of a loop; one iteration each, in turn. */
const DELAYS = [0, 64, 1000, 10_000, 60_000];

/** One way the calls went, as indices into the tables of results. */
interface Seen {
  times: number;
  readonly calls: readonly {
    readonly part: number;
    readonly index: number;
    readonly result: number;
    readonly start: number;
    readonly end: number;
    readonly ms: number;
  }[];
}

export interface Stage {
  readonly shared: Shared;
  readonly libc: Libc;
  readonly actors: Actors;
  /** The private folder of files and FIFOs. */
  readonly folder: string;
  /** What is still being destroyed of earlier iterations. */
  readonly leftovers: Promise<number>[];
}

export class Conductor {
  readonly #stage: Stage;
  readonly #job: HostJob;
  readonly #plan: HostPlan;
  readonly #threads: number;
  readonly #slots: number;
  readonly #stillMs: number;
  readonly #seen = new Map<string, Seen>();

  constructor(stage: Stage, job: HostJob) {
    this.#stage = stage;
    this.#job = job;
    this.#plan = job.plan;
    this.#threads = job.plan.parts.length - 1;
    this.#slots = job.plan.parts.flat().reduce((n, call) => n + call.slots.length, 0);
    this.#stillMs = stillMs(job.plan);
  }

  /** Throws HostBroken when the child is of no use any more. */
  run(): { executions: number; outcomes: HostOutcome[] } {
    const { actors, shared } = this.#stage;
    const parties = Math.max(1, this.#threads);
    const before = openDescriptors();
    writeText(shared, '');
    actors.load(this.#plan, parties);
    const executions = this.#iterate();
    const tables = actors.dump(parties);
    checkLeaks(before, openDescriptors());
    return {
      executions,
      outcomes: [...this.#seen.values()].map((seen) => outcomeOf(seen, tables)),
    };
  }

  #iterate(): number {
    const { runs, budgetMs } = this.#job;
    const orders = new CallOrders(this.#threads);
    const began = monotonicMs();
    let executions = 0;
    // The orders of whole threads are run even on a machine that is slow just now.
    const least = Math.min(runs, this.#threads > 1 ? factorial(this.#threads) + DELAYS.length : 1);
    for (; executions < runs; executions += 1) {
      const spent = monotonicMs() - began;
      if (spent > budgetMs && (executions >= least || spent > 3 * budgetMs) && executions > 0)
        break;
      const early = executions < runs * STEPS_SHARE && spent < budgetMs * STEPS_SHARE;
      const steps =
        this.#threads > 1 && !orders.done && (early || executions < factorial(this.#threads));
      this.#iteration(executions, steps ? orders : null);
      if (steps) orders.advance();
    }
    return executions;
  }

  #iteration(number: number, orders: CallOrders | null): void {
    const { words } = this.#stage.shared;
    this.#reset();
    Atomics.store(words, WORD.seed, (this.#job.seed * 1_000_003 + number) | 0);
    Atomics.store(words, WORD.delay, this.#threads > 1 ? (DELAYS[number % DELAYS.length] ?? 0) : 0);
    const begun = this.#plan.parts[0]?.length === 0 || this.#runInit();
    if (begun && this.#threads > 0) this.#runThreads(orders);
    this.#note();
    this.#clean();
  }

  #reset(): void {
    const { contexts, fds, ports, records, times, words } = this.#stage.shared;
    contexts.fill(0, 0, this.#plan.contexts);
    fds.fill(-1, 0, this.#slots);
    ports.fill(0, 0, this.#slots);
    times[0] = 0;
    for (const word of [WORD.stamp, WORD.finished, WORD.arrived, WORD.hung])
      Atomics.store(words, word, 0);
    for (const [part, calls] of this.#plan.parts.entries()) {
      for (let index = 0; index < calls.length; index += 1)
        records[recordAt(part, index) + RECORD.result] = 0;
    }
  }

  /** False if init never ends. */
  #runInit(): boolean {
    const { actors, shared } = this.#stage;
    Atomics.store(shared.words, WORD.mode, MODE.race);
    actors.command(0, COMMAND.init);
    const ended = this.#untilRest(1, null);
    Atomics.store(shared.words, WORD.finished, 0);
    return ended;
  }

  #runThreads(orders: CallOrders | null): void {
    const { actors, shared } = this.#stage;
    Atomics.store(shared.words, WORD.mode, orders === null ? MODE.race : MODE.steps);
    Atomics.store(shared.words, WORD.parties, this.#threads);
    for (let actor = 0; actor < this.#threads; actor += 1) {
      Atomics.store(shared.words, actorAt(actor) + ACTOR.grant, 0);
    }
    for (let actor = 0; actor < this.#threads; actor += 1) actors.command(actor, COMMAND.run);
    this.#untilRest(this.#threads, orders);
  }

  /** Lets the first actors run until all have ended (true), or those that have not sleep for ever (false). */
  #untilRest(count: number, orders: CallOrders | null): boolean {
    const { actors, shared } = this.#stage;
    const limit = monotonicMs() + ITERATION_MS;
    for (let looks = 0; ; looks += 1) {
      const activity = Atomics.load(shared.words, WORD.activity);
      if (Atomics.load(shared.words, WORD.finished) >= count) break;
      const still = orders === null && looks === 0 ? null : actors.settled(count);
      const waiting = still === null ? [] : actors.waiting(count);
      if (orders !== null && waiting.length > 0) {
        actors.grant(orders.choose(waiting));
        looks = 0;
        continue;
      }
      if (still !== null && this.#isForEver(count, still)) {
        // Whoever ended between the first look and the second is not asleep.
        if (Atomics.load(shared.words, WORD.finished) >= count) break;
        this.#release(count);
        actors.checkFault();
        return false;
      }
      // Call by call somebody is about to say something: look again at once, a few times.
      if (orders === null || looks > 20) Atomics.wait(shared.words, WORD.activity, activity, 0.2);
      if (monotonicMs() > limit)
        throw new HostBroken(`no rest after ${ITERATION_MS / 1000} s: ${still ?? 'threads run'}`);
    }
    actors.checkFault();
    return true;
  }

  /** Whether nobody moves for a while, and nothing is known that could wake them. */
  #isForEver(count: number, still: string): boolean {
    const { actors, shared } = this.#stage;
    if (!actors.isForEver(count)) return false;
    const activity = Atomics.load(shared.words, WORD.activity);
    const least = actors.isDestroying(count) ? STILL_DESTROY_MS : 0;
    const until = monotonicMs() + Math.max(least, this.#stillMs);
    while (monotonicMs() < until) {
      if (Atomics.wait(shared.words, WORD.activity, activity, 0.3) !== 'timed-out') return false;
    }
    return actors.settled(count) === still && actors.isForEver(count);
  }

  /** Gets the sleepers out of their calls; they note a hang. */
  #release(count: number): void {
    const { actors, shared } = this.#stage;
    Atomics.store(shared.words, WORD.hung, 1);
    const limit = monotonicMs() + KICK_MS;
    for (;;) {
      const activity = Atomics.load(shared.words, WORD.activity);
      if (Atomics.load(shared.words, WORD.finished) >= count) return;
      actors.kick(count);
      if (Atomics.load(shared.words, WORD.finished) >= count) return;
      Atomics.wait(shared.words, WORD.activity, activity, 1);
      if (monotonicMs() > limit)
        throw new HostBroken('a thread cannot be got out of its system call');
    }
  }

  /** Counts the way this iteration went. */
  #note(): void {
    const { records } = this.#stage.shared;
    let key = '';
    for (const [part, calls] of this.#plan.parts.entries()) {
      for (let index = 0; index < calls.length; index += 1) {
        key += `${records[recordAt(part, index) + RECORD.result]} `;
      }
    }
    const known = this.#seen.get(key);
    if (known !== undefined) known.times += 1;
    else this.#seen.set(key, { times: 1, calls: this.#calls() });
  }

  #calls(): Seen['calls'] {
    const { lengths, records } = this.#stage.shared;
    return this.#plan.parts.flatMap((calls, part) =>
      calls.flatMap((_, index) => {
        const at = recordAt(part, index);
        const result = records[at + RECORD.result] ?? 0;
        if (result === 0) return [];
        const [start = 0, end = 0] = [records[at + RECORD.start], records[at + RECORD.end]];
        const ms = lengths[at / RECORD_WORDS] ?? 0;
        return [{ part, index, result: result - 1, start, end, ms }];
      }),
    );
  }

  /** Closes what the iteration opened and removes what it made. */
  #clean(): void {
    const { folder, libc, shared } = this.#stage;
    const { owned } = shared;
    for (let fd = owned.findIndex(isOwned); fd >= 0; fd = owned.findIndex(isOwned)) {
      if (owned[fd] === 2) this.#abort(fd);
      owned[fd] = 0;
      libc.sys(NR.close, fd);
    }
    this.#destroyContexts();
    for (const name of this.#plan.made) remove(`${folder}/${name}`);
    if (this.#plan.usesFile) truncateSync(`${folder}/file`);
  }

  /** Each takes some 30 ms, almost all of it waiting: others can wait meanwhile. */
  #destroyContexts(): void {
    const { libc, shared, leftovers } = this.#stage;
    for (let slot = 0; slot < this.#plan.contexts; slot += 1) {
      if (shared.contextsOwned[slot] !== 1) continue;
      shared.contextsOwned[slot] = 0;
      const handle = shared.contexts[slot] ?? 0;
      if (leftovers.length < LATER_MAX) leftovers.push(libc.later(NR.io_destroy, handle));
      else libc.sys(NR.io_destroy, handle);
    }
  }

  /** Closing then resets the connection: thousands of them would wait out their time otherwise. */
  #abort(fd: number): void {
    const linger = 13;
    this.#stage.libc.sys(NR.setsockopt, fd, 1, linger, this.#linger(), 8);
  }

  #lingerAt = 0;

  #linger(): number {
    if (this.#lingerAt === 0) {
      const arena = this.#stage.libc.map(64);
      arena.view.setInt32(0, 1, true);
      this.#lingerAt = arena.base;
    }
    return this.#lingerAt;
  }
}

function stillMs(plan: HostPlan): number {
  const requests = plan.parts
    .flat()
    .flatMap((call) => call.args)
    .flatMap((arg) => (arg.kind === 'iocbs' ? arg.entries : []));
  const ops = requests.flatMap((r) => (r.kind === 'iocb' && r.op !== null ? [r.op.name] : []));
  if (ops.includes('fsync') || ops.includes('fdsync')) return STILL_DISK_MS;
  if (ops.includes('poll')) return STILL_WORKER_MS;
  return plan.usesTcp ? STILL_TCP_MS : STILL_MS;
}

function isOwned(kind: number): boolean {
  return kind !== 0;
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not made in this iteration.
  }
}

function openDescriptors(): ReadonlySet<string> {
  return new Set(readdirSync('/proc/self/fd'));
}

function checkLeaks(before: ReadonlySet<string>, after: ReadonlySet<string>): void {
  const more = [...after].filter((fd) => !before.has(fd));
  if (more.length > 0) throw new HostBroken(`descriptors ${more.join(', ')} were left open`);
  const fewer = [...before].filter((fd) => !after.has(fd));
  if (fewer.length > 0)
    throw new HostBroken(`descriptors ${fewer.join(', ')} of the child were closed`);
}

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1);
}

function outcomeOf(seen: Seen, tables: readonly (readonly Result[])[]): HostOutcome {
  const records: HostRecord[] = seen.calls.map(({ part, index, result, ...times }) => {
    const value = tables[part]?.[result];
    if (value === undefined) throw new HostBroken(`a result of part ${part} was lost`);
    return { thread: part - 1, index, result: value, ...times };
  });
  return { times: seen.times, records };
}

/**
 * An actor: a thread of the child that runs one thread of a program, again and again.
 *
 * It sleeps on its command word between iterations. Actor 0 runs init as well.
 */

import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from 'node:worker_threads';
import type { Result } from '../history/history.ts';
import { matches } from '../program/values.ts';
import type { Action } from './host-action.ts';
import { Caller } from './host-caller.ts';
import { prepare } from './host-calls.ts';
import { NR, loadLibc } from './host-libc.ts';
import type { HostCall, HostPlan } from './host-plan.ts';
import {
  ACTOR,
  COMMAND,
  MODE,
  PHASE,
  RECORD,
  RECORD_WORDS,
  WORD,
  actorAt,
  monotonicMs,
  readText,
  recordAt,
  sharedMemory,
  writeText,
} from './host-shared.ts';

/** What an actor is started with. */
export interface ActorData {
  readonly buffer: SharedArrayBuffer;
  readonly actor: number;
  readonly folder: string;
  readonly iocbsAt: number;
  /** Plans come in here, tables of results go out. */
  readonly port: MessagePort;
}

/** Calls of one part of a program, ready to be made. */
interface Part {
  readonly calls: readonly { readonly call: HostCall; readonly action: Action }[];
  /** Distinct results seen, and their places in the list by text. */
  readonly results: Result[];
  readonly places: Map<string, number>;
}

const HANG: Result = { kind: 'hang' };
/** Turns of a spinning loop before the processor is given to somebody else. */
const SPINS = 2000;

class Actor {
  readonly #shared;
  readonly #libc;
  readonly #caller: Caller;
  readonly #actor: number;
  readonly #at: number;
  readonly #port: MessagePort;
  #parts: readonly Part[] = [];
  #random = 1;
  #initResults = new Map<string, Result>();
  #conditionsOnInit = false;

  constructor(data: ActorData) {
    this.#shared = sharedMemory(data.buffer);
    this.#libc = loadLibc();
    this.#actor = data.actor;
    this.#at = actorAt(data.actor);
    this.#port = data.port;
    this.#caller = new Caller({ ...data, shared: this.#shared, libc: this.#libc });
    Atomics.store(this.#shared.words, this.#at + ACTOR.tid, this.#libc.sys(NR.gettid));
  }

  serve(): never {
    const { words } = this.#shared;
    for (let given = 0; ;) {
      Atomics.wait(words, this.#at + ACTOR.command, given);
      given = Atomics.load(words, this.#at + ACTOR.command);
      try {
        this.#obey(given & 7);
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  #obey(command: number): void {
    if (command === COMMAND.load) this.#load();
    else if (command === COMMAND.init) this.#run(0);
    else if (command === COMMAND.run) this.#runThread();
    else if (command === COMMAND.dump) this.#dump();
  }

  /** Our own mistake: the conductor gives up the child and shows the text. */
  #fail(error: unknown): void {
    const { words } = this.#shared;
    writeText(
      this.#shared,
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    );
    Atomics.store(words, WORD.fault, 1);
    this.#answer();
    this.#finish();
  }

  #answer(): void {
    Atomics.add(this.#shared.words, this.#at + ACTOR.answers, 1);
    Atomics.notify(this.#shared.words, this.#at + ACTOR.answers);
  }

  #load(): void {
    // The child's main thread sent it, and made it with planFor().
    const plan = receiveMessageOnPort(this.#port)?.message as HostPlan;
    this.#caller.symbols = plan.symbols;
    this.#caller.iocbNames = plan.iocbs;
    const mine = [
      this.#actor === 0 ? (plan.parts[0] ?? []) : [],
      plan.parts[this.#actor + 1] ?? [],
    ];
    this.#parts = mine.map((calls) => ({
      calls: calls.map((call) => ({ call, action: prepare(call) })),
      results: [],
      places: new Map(),
    }));
    this.#conditionsOnInit = plan.parts
      .slice(1)
      .some((calls) => calls.some((c) => c.when !== undefined));
    this.#answer();
  }

  #dump(): void {
    this.#port.postMessage(this.#parts.map((part) => part.results));
    this.#parts = [];
    this.#answer();
  }

  #runThread(): void {
    const { words } = this.#shared;
    this.#random = (Atomics.load(words, WORD.seed) * 4 + this.#actor + 1) | 1;
    if (Atomics.load(words, WORD.mode) === MODE.race) this.#barrier();
    if (this.#conditionsOnInit) this.#initResults = this.#readInitResults();
    this.#run(1);
  }

  /** All actors leave it within some nanoseconds of each other, if there are processors for all. */
  #barrier(): void {
    const { words } = this.#shared;
    const parties = Atomics.load(words, WORD.parties);
    Atomics.add(words, WORD.arrived, 1);
    for (let spins = 1; Atomics.load(words, WORD.arrived) < parties; spins += 1) {
      if (spins % SPINS === 0) this.#libc.sys(NR.sched_yield);
    }
  }

  /** Part 0 is init, part 1 this actor's thread. */
  #run(which: 0 | 1): void {
    const part = this.#parts[which];
    if (part === undefined) return this.#finish();
    const names = new Map<string, Result>(which === 0 ? [] : this.#initResults);
    const steps = which === 1 && Atomics.load(this.#shared.words, WORD.mode) === MODE.steps;
    const place = which === 0 ? 0 : this.#actor + 1;
    let granted = 0;
    for (const [index, { call, action }] of part.calls.entries()) {
      const { when } = call;
      if (when !== undefined && matches(when.value, names.get(when.name)) === when.negated)
        continue;
      granted += 1;
      if (steps) this.#awaitGrant(granted);
      else if (which === 1) this.#dawdle();
      const result = this.#perform(action, part, recordAt(place, index));
      if (result === HANG) break;
      for (const name of call.bind) names.set(name, result);
    }
    if (which === 0 && this.#conditionsOnInit) writeText(this.#shared, JSON.stringify([...names]));
    this.#finish();
  }

  #perform(action: Action, part: Part, record: number): Result {
    const { lengths, records, words } = this.#shared;
    Atomics.store(words, this.#at + ACTOR.nr, -1);
    Atomics.store(words, this.#at + ACTOR.phase, PHASE.calling);
    const began = monotonicMs();
    records[record + RECORD.start] = Atomics.add(words, WORD.stamp, 1);
    let result = action(this.#caller);
    const end = Atomics.add(words, WORD.stamp, 1);
    lengths[record / RECORD_WORDS] = monotonicMs() - began;
    // Whatever a call returns after everybody was found asleep for ever is our own kick's doing.
    const hung = Atomics.load(words, WORD.hung) === 1;
    if (hung) result = HANG;
    records[record + RECORD.end] = hung ? -1 : end;
    records[record + RECORD.result] = placeOf(result, part) + 1;
    return result;
  }

  #awaitGrant(turn: number): void {
    const { words } = this.#shared;
    Atomics.store(words, this.#at + ACTOR.phase, PHASE.waiting);
    this.#tell();
    const grant = this.#at + ACTOR.grant;
    for (let seen = Atomics.load(words, grant); seen < turn; seen = Atomics.load(words, grant)) {
      Atomics.wait(words, grant, seen);
    }
  }

  #finish(): void {
    const { words } = this.#shared;
    Atomics.store(words, this.#at + ACTOR.phase, PHASE.finished);
    Atomics.add(words, WORD.finished, 1);
    this.#tell();
  }

  #tell(): void {
    Atomics.add(this.#shared.words, WORD.activity, 1);
    Atomics.notify(this.#shared.words, WORD.activity);
  }

  /** A random delay before a call, from nothing to the iteration's longest; half of the calls have none. */
  #dawdle(): void {
    const longest = Atomics.load(this.#shared.words, WORD.delay);
    if (longest === 0) return;
    const r = this.#draw();
    if ((r & 1) === 0) return;
    for (let turns = (r >>> 1) % longest; turns > 0; turns -= 1) {
      Atomics.load(this.#shared.words, this.#at);
    }
  }

  /** xorshift32; its seed is the iteration's. */
  #draw(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return x >>> 0;
  }

  #readInitResults(): Map<string, Result> {
    const text = readText(this.#shared);
    // Written by actor 0 after init.
    return new Map(text === '' ? [] : (JSON.parse(text) as [string, Result][]));
  }
}

function placeOf(result: Result, part: Part): number {
  const key = JSON.stringify(result);
  const known = part.places.get(key);
  if (known !== undefined) return known;
  part.results.push(result);
  part.places.set(key, part.results.length - 1);
  return part.results.length - 1;
}

if (parentPort !== null) {
  // The child's main thread started this file with an ActorData.
  const actor = new Actor(workerData as ActorData);
  parentPort.postMessage('up');
  actor.serve();
}

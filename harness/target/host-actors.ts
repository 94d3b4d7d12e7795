/** The threads of the child that run program threads: starting them, commanding them, watching them. */

import {
  MessageChannel,
  type MessagePort,
  Worker,
  receiveMessageOnPort,
} from 'node:worker_threads';
import type { Result } from '../history/history.ts';
import { IOCBS_BYTES, guardOf } from './host-iocbs.ts';
import type { Arena, Libc } from './host-libc.ts';
import { NR } from './host-libc.ts';
import { type HostPlan, IOCBS_MAX } from './host-plan.ts';
import {
  ACTOR,
  COMMAND,
  PHASE,
  WORD,
  actorAt,
  monotonicMs,
  readText,
  type Shared,
} from './host-shared.ts';
import type { ActorData } from './host-thread.ts';
import { ActorWatch } from './host-watch.ts';

/** Signal that gets an actor out of a call; never one of a program's. */
export const KICK_SIGNAL = 12;

const ANSWER_MS = 5000;

/** The child cannot go on: one line for the message. */
export class HostBroken extends Error {}

export class Actors {
  readonly #shared: Shared;
  readonly #libc: Libc;
  readonly #folder: string;
  readonly #arena: Arena;
  readonly #iocbsAt: number;
  readonly #ports: MessagePort[] = [];
  readonly #watches: ActorWatch[] = [];
  readonly #commands: number[] = [];

  constructor(shared: Shared, libc: Libc, folder: string) {
    this.#shared = shared;
    this.#libc = libc;
    this.#folder = folder;
    this.#arena = libc.map(4096);
    this.#iocbsAt = mapIocbs(libc);
  }

  /** Has at least that many actors up. Rejects with the worker's error. */
  async start(count: number): Promise<void> {
    const started: Promise<void>[] = [];
    for (let actor = this.#ports.length; actor < count; actor += 1)
      started.push(this.#startOne(actor));
    await Promise.all(started);
    for (let actor = this.#watches.length; actor < count; actor += 1) {
      this.#watches.push(new ActorWatch(this.#libc, this.#arena, this.#shared, actor));
    }
  }

  #startOne(actor: number): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    port1.unref();
    this.#ports[actor] = port1;
    this.#commands[actor] = 0;
    const data: ActorData = {
      buffer: this.#shared.buffer,
      actor,
      folder: this.#folder,
      iocbsAt: this.#iocbsAt,
      port: port2,
    };
    const worker = new Worker(new URL('./host-thread.js', import.meta.url), {
      workerData: data,
      transferList: [port2],
    });
    return new Promise((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('error', reject);
    });
  }

  /** Gives the plan to the first actors. */
  load(plan: HostPlan, count: number): void {
    for (let actor = 0; actor < count; actor += 1) {
      this.#ports[actor]?.postMessage(plan);
      this.#ask(actor, COMMAND.load);
    }
  }

  /** Takes the tables of results: of init, and of each thread. */
  dump(count: number): readonly (readonly Result[])[] {
    const tables: (readonly Result[])[] = [];
    for (let actor = 0; actor < count; actor += 1) {
      this.#ask(actor, COMMAND.dump);
      const port = this.#ports[actor];
      const message = port === undefined ? undefined : receiveMessageOnPort(port);
      // The actor answers with the results of its two parts, the first one empty but for actor 0.
      const [ofInit = [], ofThread = []] = (message?.message ?? []) as (readonly Result[])[];
      if (actor === 0) tables.push(ofInit);
      tables.push(ofThread);
    }
    return tables;
  }

  #ask(actor: number, command: number): void {
    const { words } = this.#shared;
    const at = actorAt(actor) + ACTOR.answers;
    const before = Atomics.load(words, at);
    this.command(actor, command);
    const answered = Atomics.wait(words, at, before, ANSWER_MS);
    this.checkFault();
    if (answered === 'timed-out')
      throw new HostBroken(`thread ${actor + 1} of the child does not answer`);
  }

  /** Throws HostBroken if an actor failed. */
  checkFault(): void {
    if (Atomics.load(this.#shared.words, WORD.fault) === 0) return;
    throw new HostBroken(readText(this.#shared).split('\n').slice(0, 2).join(' '));
  }

  /** Wakes an actor to do something; its phase says that it is at work until it says otherwise. */
  command(actor: number, command: number): void {
    const { words } = this.#shared;
    const at = actorAt(actor);
    this.setBusy(actor);
    const count = (this.#commands[actor] ?? 0) + 1;
    this.#commands[actor] = count;
    Atomics.store(words, at + ACTOR.command, count * 8 + command);
    Atomics.notify(words, at + ACTOR.command);
  }

  /** Until the actor says otherwise it is neither asleep nor waiting. */
  setBusy(actor: number): void {
    const { words } = this.#shared;
    Atomics.store(words, actorAt(actor) + ACTOR.nr, -1);
    Atomics.store(words, actorAt(actor) + ACTOR.phase, PHASE.calling);
  }

  /** Lets an actor begin its next call. */
  grant(actor: number): void {
    const { words } = this.#shared;
    this.setBusy(actor);
    Atomics.add(words, actorAt(actor) + ACTOR.grant, 1);
    Atomics.notify(words, actorAt(actor) + ACTOR.grant);
  }

  /** Those of the first actors that wait for a grant. */
  waiting(count: number): number[] {
    return this.#inPhase(count, PHASE.waiting);
  }

  /**
   * What everybody is at, if nobody moves: every one of them has ended, waits for a grant or was asleep in its
   * call. Null if somebody runs.
   */
  #stillness(count: number): string | null {
    let text = '';
    for (const watch of this.#watches.slice(0, count)) {
      const { phase } = watch;
      if (phase === PHASE.calling && !watch.isAsleep()) return null;
      text += `${phase}.${watch.sequence} `;
    }
    return text;
  }

  /** As #stillness(), looked at twice: who was woken by a later one after it was looked at shows then. */
  settled(count: number): string | null {
    const first = this.#stillness(count);
    return first !== null && first === this.#stillness(count) ? first : null;
  }

  /** True if nothing that is known of can wake any of those that are asleep. */
  isForEver(count: number): boolean {
    if (monotonicMs() < (this.#shared.times[0] ?? 0)) return false;
    const asleep = this.#asleep(count);
    if (asleep.some((watch) => watch.wakesItself)) return false;
    const deep = asleep.filter((watch) => !watch.isInterruptible());
    // Nobody asleep: the last one has just ended, and is about to say so.
    return asleep.length > deep.length && deep.every((watch) => watch.isIn(NR.io_destroy));
  }

  /** True if somebody waits for requests of others to end: most of the time that does not take long. */
  isDestroying(count: number): boolean {
    return this.#asleep(count).some((watch) => watch.isIn(NR.io_destroy));
  }

  #asleep(count: number): readonly ActorWatch[] {
    return this.#watches.slice(0, count).filter((watch) => watch.phase === PHASE.calling);
  }

  #inPhase(count: number, phase: number): number[] {
    const found: number[] = [];
    for (let actor = 0; actor < count; actor += 1) {
      if (this.#watches[actor]?.phase === phase) found.push(actor);
    }
    return found;
  }

  /** Signals everybody who is still in a call. */
  kick(count: number): void {
    for (const actor of this.#inPhase(count, PHASE.calling)) {
      const tid = Atomics.load(this.#shared.words, actorAt(actor) + ACTOR.tid);
      this.#libc.sys(NR.tgkill, process.pid, tid, KICK_SIGNAL);
    }
  }
}

/** Memory for the request blocks of a program; behind each buffer a page that faults. */
function mapIocbs(libc: Libc): number {
  const { base } = libc.map(IOCBS_BYTES);
  for (let iocb = 0; iocb < IOCBS_MAX; iocb += 1)
    libc.sys(NR.mprotect, base + guardOf(iocb), 4096, 0);
  return base;
}

/** Who carries out the orders of a fuzzing run: a thread each, or for one job the thread that gives them. */

import { Worker } from 'node:worker_threads';
import type { KnownBug } from './bug-index.ts';
import type { RoundNews, RoundOptions, RoundOrder } from './fuzz-order.ts';
import { RoundRunner } from './fuzz-round.ts';
import { messageOf } from './usage-error.ts';

/** What a thread is started with. */
export interface RoundStart {
  readonly options: RoundOptions;
  readonly bugs: readonly KnownBug[];
  /** Places are those of Halt. */
  readonly halt: Int32Array;
}

/** What a thread says. */
export type RoundMessage = { readonly kind: 'ready' } | RoundNews;

/** Who listens to a lane. */
export interface LaneListener {
  /** Can be given its first order. */
  ready(): void;
  news(news: RoundNews): void;
  /** Is no more. */
  lost(why: string): void;
}

/** Carries out one order at a time. */
export interface Lane {
  give(order: RoundOrder): void;
  close(): Promise<unknown>;
}

export type OpenLane = (start: RoundStart, listener: LaneListener) => Lane;

/** In this thread: nothing is started, and nothing is copied. */
export function openHere(start: RoundStart, listener: LaneListener): Lane {
  const runner = new RoundRunner(start.options, start.bugs, start.halt);
  queueMicrotask(() => listener.ready());
  return {
    give(order) {
      runner
        .run(order, (news) => listener.news(news))
        .catch((thrown: unknown) => listener.lost(messageOf(thrown)));
    },
    async close() {},
  };
}

/** In a thread of its own. */
export function openThread(start: RoundStart, listener: LaneListener): Lane {
  const worker = new Worker(new URL('./fuzz-worker.js', import.meta.url), { workerData: start });
  let gone = false;
  const lose = (why: string): void => {
    if (!gone) listener.lost(why);
    gone = true;
  };
  worker.on('message', (message: RoundMessage) => {
    if (message.kind === 'ready') listener.ready();
    else listener.news(message);
  });
  worker.on('error', (thrown) => lose(messageOf(thrown)));
  worker.on('exit', (code) => lose(`it ended with ${code}`));
  return {
    give: (order) => worker.postMessage(order),
    close() {
      gone = true;
      return worker.terminate();
    },
  };
}

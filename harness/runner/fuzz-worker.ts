/** What runs in each thread of a fuzzing run: takes an order, answers with what is new. */

import { parentPort, workerData } from 'node:worker_threads';
import type { RoundMessage, RoundStart } from './fuzz-lane.ts';
import type { RoundOrder } from './fuzz-order.ts';
import { RoundRunner } from './fuzz-round.ts';

/** Milliseconds between two messages of progress. */
const PROGRESS_EVERY = 100;

if (parentPort !== null) serve(parentPort);

function serve(port: NonNullable<typeof parentPort>): void {
  // Only a lane starts this file, and with a RoundStart.
  const start = workerData as RoundStart;
  const runner = new RoundRunner(start.options, start.bugs, start.halt);
  const say = (message: RoundMessage): void => port.postMessage(message);
  let said = performance.now();
  port.on('message', (order: RoundOrder) => {
    const run = runner.run(order, (news) => {
      const now = performance.now();
      if (news.kind === 'progress' && now - said < PROGRESS_EVERY) return;
      said = now;
      say(news);
    });
    // Nobody else hears of it: the thread ends with it, and that is heard.
    run.catch((thrown: unknown) =>
      setImmediate(() => {
        throw thrown;
      }),
    );
  });
  say({ kind: 'ready' });
}

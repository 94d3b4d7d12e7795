/**
 * The process in which programs run on the host: jobs in on stdin, answers out on stdout, a line each.
 *
 * Argument: the private folder, which it removes when stdin ends.
 */

import { rmSync, writeFileSync, writeSync } from 'node:fs';
import { release } from 'node:os';
import { createInterface } from 'node:readline';
import { Actors, HostBroken, KICK_SIGNAL } from './host-actors.ts';
import { Conductor, type Stage } from './host-conductor.ts';
import { type Libc, NR, loadLibc } from './host-libc.ts';
import type { HostAnswer, HostJob } from './host-protocol.ts';
import { sharedMemory } from './host-shared.ts';

const SIGUSR1 = 10;
/** AIO contexts that may wait for their end while programs run. */
const LEFTOVERS_MAX = 64;

function say(answer: HostAnswer): void {
  let text = Buffer.from(`${JSON.stringify(answer)}\n`);
  while (text.length > 0) text = text.subarray(writeSome(text));
}

/** How much of it was written: nothing while the pipe to the parent is full. */
function writeSome(text: Buffer): number {
  try {
    return writeSync(1, text);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    return 0;
  }
}

/** Throws Error when a call that every program needs is not allowed. */
function tryCalls(libc: Libc): void {
  const arena = libc.map(64);
  const need = (what: string, r: number): number => {
    if (r < 0) throw new Error(`${what}() is refused with errno ${-r}`);
    return r;
  };
  need('pipe2', libc.sys(NR.pipe2, arena.base, 0));
  const ends = [arena.view.getInt32(0, true), arena.view.getInt32(4, true)];
  const set = need('epoll_create1', libc.sys(NR.epoll_create1, 0));
  arena.view.setUint32(0, 1, true);
  need('epoll_ctl', libc.sys(NR.epoll_ctl, set, 1, ends[0] ?? -1, arena.base));
  need('epoll_wait', libc.sys(NR.epoll_wait, set, arena.base, 1, 0));
  for (const fd of [...ends, set]) libc.sys(NR.close, fd);
}

async function setUp(folder: string): Promise<Stage> {
  const libc = loadLibc();
  tryCalls(libc);
  libc.installNoopHandler(SIGUSR1);
  libc.installNoopHandler(KICK_SIGNAL);
  writeFileSync(`${folder}/file`, '');
  const shared = sharedMemory();
  const actors = new Actors(shared, libc, folder);
  await actors.start(2);
  return { shared, libc, actors, folder, leftovers: [] };
}

async function serve(stage: Stage): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    // The parent wrote it, with the types of this build.
    const job = JSON.parse(line) as HostJob;
    try {
      await stage.actors.start(Math.max(1, job.plan.parts.length - 1));
      say({ kind: 'done', id: job.id, ...new Conductor(stage, job).run() });
      // Few are left while the next program runs: what all contexts may hold is limited.
      if (stage.leftovers.length > LEFTOVERS_MAX) await Promise.all(stage.leftovers.splice(0));
    } catch (error) {
      const why = error instanceof HostBroken ? error.message : `child failed: ${String(error)}`;
      say({ kind: 'broken', id: job.id, why });
      return;
    }
  }
}

async function main(): Promise<void> {
  const [folder] = process.argv.slice(2);
  if (folder === undefined)
    throw new TypeError('The host child is started with a folder of its own');
  let stage: Stage;
  try {
    stage = await setUp(folder);
  } catch (error) {
    say({ kind: 'unable', why: error instanceof Error ? error.message : String(error) });
    process.exit(0);
  }
  try {
    say({ kind: 'ready', release: release() });
    await serve(stage);
  } catch (error) {
    // Nobody listens any more, most likely.
    console.error(String(error));
  }
  // The parent may be gone, or be a thread that was stopped: it cannot be relied on for this.
  rmSync(folder, { recursive: true, force: true });
  // process.exit() would wait for threads that are in system calls.
  stage.libc.sys(NR.exit_group, 0);
}

await main();

/**
 * The task that ends the process when all its threads have ended: exit of the address space as ordinary steps, so
 * that workers, timers and other processors are explored against it.
 */

import { slotOf } from '../kernel/slots.ts';
import {
  HarnessBug,
  Kind,
  down,
  engine,
  newKernelTask,
  newSemaphore,
  up,
  type Kernel,
  type Semaphore,
} from '../machine/index.ts';

const SITE = 'do_exit';

export class ExitTask {
  private readonly threads: number;
  private readonly exitMm: () => Kernel<void>;
  /** Raised when a thread has ended. */
  private ended: Semaphore[] = [];

  constructor(threads: number, exitMm: () => Kernel<void>) {
    this.threads = threads;
    this.exitMm = exitMm;
  }

  /** Called from init, after boot. */
  start(): void {
    const slot = slotOf('exit');
    if (slot === null) throw new HarnessBug('Cannot start the exit task: it has no slot');
    this.ended = [];
    // Without a thread there is nothing to wait for.
    for (let t = 0; t < Math.max(1, this.threads); t++)
      this.ended.push(newSemaphore(`end of T${t + 1}`, this.threads === 0 ? 1 : 0));
    newKernelTask(slot);
    const body = (): Kernel<void> => this.run(slot);
    engine.startPseudoThread(slot, 'exit', 'task', Kind.DOWN, this.ended[0], SITE, body);
  }

  /** The last step of a thread. */
  *threadEnds(thread: number): Kernel<void> {
    yield* up(this.ended[thread], SITE);
  }

  /** The wait for the first thread is over when this starts. */
  private *run(slot: number): Kernel<void> {
    for (const semaphore of this.ended.slice(1)) yield* down(semaphore, SITE);
    // From here on a sleep without end is nobody's wish.
    engine.daemon[slot] = 0;
    yield* this.exitMm();
  }
}

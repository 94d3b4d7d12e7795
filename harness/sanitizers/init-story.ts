/** What init announced, to be told again in executions that start from what it built. */

import { engine, INIT_SLOT, type Lifetime, type Observer } from '../machine/index.ts';

type Told = (observer: Observer) => void;

export class InitStory {
  private told: Told[] = [];
  private telling = false;
  private announced = false;
  /** False after something whose telling would depend on when in init it was. */
  canBeTold = true;

  clear(): void {
    this.told = [];
    this.announced = false;
    this.canBeTold = true;
  }

  /** A lock was taken or let go. */
  lock(taken: boolean, lock: number, kind: number, site: string): void {
    if (this.telling || engine.exiting) return;
    const arg = engine.pArg[INIT_SLOT];
    this.told.push((observer) => {
      engine.pArg[INIT_SLOT] = arg;
      if (taken) observer.acquired(lock, kind, site);
      else observer.released(lock, kind, site);
    });
  }

  happened(what: string, mem: Lifetime, value: number, site: string, of: Lifetime | null): void {
    if (this.telling || engine.exiting) return;
    this.announced = true;
    this.told.push((observer) => observer.happened(what, mem, value, site, of));
  }

  /** A free or a wake-up: who follows announcements looks at the state it finds. */
  changed(): void {
    if (this.announced && !engine.exiting) this.canBeTold = false;
  }

  /** Tells the observer all of it, as init would. */
  tell(observer: Observer): void {
    const { current } = engine;
    this.telling = true;
    engine.inline = true;
    engine.current = INIT_SLOT;
    for (const told of this.told) told(observer);
    engine.inline = false;
    engine.current = current;
    this.telling = false;
  }
}

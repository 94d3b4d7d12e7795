/**
 * What operations mean, for the reference interpreter: when they can go ahead, what they do, and what they come
 * after.
 *
 * Clocks are kept as joins: each object has the clock of its last writer (or last operation) and the join of the
 * clocks of its readers.
 */

import { Kind } from '../machine/op.ts';
import { BASE, F, NOTHING, ReferenceRows, SEM, SLOTS } from './reference-state.ts';
import { mixEvent } from './trace-key.ts';

const RUNNING_BIT = 16;

export class ReferenceEffects extends ReferenceRows {
  /** What the step answered. */
  protected result = 0;
  /** Two lanes of the hash of the event stepped last. */
  laneA = 0;
  laneB = 0;
  /** How often each kind was executed. */
  readonly steps = new Float64Array(Object.keys(Kind).length);
  /** Clock of the event that is stepped, by slot of the machine. */
  private readonly clock = new Uint8Array(SLOTS);
  private readonly own = new Uint8Array(SLOTS);

  isLive(t: number): boolean {
    return this.get(t, F.KIND) !== NOTHING;
  }

  /** 0 if thread t cannot do what it wants to do now, else how many ways there are. */
  ways(t: number): number {
    if (!this.isLive(t) || !this.isEnabled(t)) return 0;
    return this.get(t, F.DRAINS) === 1 ? 1 : this.get(t, F.ALTS);
  }

  private isEnabled(t: number): boolean {
    if (this.get(t, F.DRAINS) === 1) return this.object(this.get(t, F.OWED)) > 0;
    const value = this.object(this.get(t, F.OBJ));
    switch (this.get(t, F.KIND)) {
      case Kind.LOCK:
      case Kind.AWAIT:
      case Kind.WLOCK:
        return value === 0;
      case Kind.RLOCK:
        return value >= 0;
      case Kind.DOWN:
        return value > 0;
      case Kind.RELAX:
        return value !== this.get(t, F.ARG);
      case Kind.JOIN:
        return (value & this.get(t, F.ARG)) === 0;
      case Kind.RWSEM_GRANT:
        return ((value >> t) & 1) === 1;
      case Kind.FIRE:
        return ((value >> t) & 1) === 1 && this.mayFire(t);
      default:
        return true;
    }
  }

  /** In idle mode time moves when nothing else can happen, and then to the earliest deadline. */
  private mayFire(t: number): boolean {
    if (this.program.timers === 'any' || !this.isInFuture(t)) return true;
    const deadline = this.global(this.at.deadline + t);
    for (let u = 0; u < this.n; u++) {
      if (u === t || !this.isLive(u)) continue;
      const fires = this.get(u, F.KIND) === Kind.FIRE;
      if (!fires && this.isEnabled(u)) return false;
      const isArmed = fires && ((this.object(BASE) >> u) & 1) === 1;
      if (isArmed && this.global(this.at.deadline + u) < deadline) return false;
    }
    return true;
  }

  private isInFuture(t: number): boolean {
    return this.global(this.at.deadline + t) > this.global(this.at.jiffies);
  }

  // ---- what an event comes after ----

  /** Gives thread t's next event its clock and notes it with the objects it is on. */
  protected tick(t: number, kind: number, o: number, alternative: number): void {
    const { own, n } = this;
    const mine = this.clockRow + t * n;
    for (let u = 0; u < n; u++) own[u] = this.clocks[mine + u];
    if (kind === Kind.FIRE && this.program.timers === 'idle' && this.isInFuture(t))
      for (let u = 0; u < n; u++) this.join(this.clockRow + u * n);
    const second = kind === Kind.WRITE ? this.get(t, F.OBJ2) : -1;
    const reads = second >= 0 && this.get(t, F.RD2) === 1;
    if (kind !== Kind.CHOICE) this.joinObject(kind, o);
    if (second >= 0) this.joinObject(reads ? Kind.READ : Kind.WRITE, second);
    own[t]++;
    for (let u = 0; u < n; u++) this.clocks[mine + u] = own[u];
    if (kind !== Kind.CHOICE) this.noteObject(kind, o);
    if (second >= 0) this.noteObject(reads ? Kind.READ : Kind.WRITE, second);
    this.hash(t, alternative);
  }

  private writer(o: number): number {
    return this.clockRow + (this.n + o) * this.n;
  }

  private readers(o: number): number {
    return this.clockRow + (this.n + this.at.objects + o) * this.n;
  }

  private join(from: number): void {
    const { own, clocks, n } = this;
    for (let u = 0; u < n; u++) if (clocks[from + u] > own[u]) own[u] = clocks[from + u];
  }

  /** A reader comes after the last writer, a writer after readers too, a release after nothing but its thread. */
  private joinObject(kind: number, o: number): void {
    if (kind === Kind.RUNLOCK || kind === Kind.WUNLOCK) return;
    this.join(this.writer(o));
    if (kind === Kind.WRITE || kind === Kind.ADD || kind === Kind.WLOCK) this.join(this.readers(o));
  }

  private noteObject(kind: number, o: number): void {
    // Who takes a rwlock is heard of by nobody before the release.
    if (kind === Kind.RLOCK || kind === Kind.WLOCK) return;
    const { own, clocks, n } = this;
    if (kind === Kind.READ || kind === Kind.RUNLOCK) {
      const to = this.readers(o);
      for (let u = 0; u < n; u++) if (own[u] > clocks[to + u]) clocks[to + u] = own[u];
      return;
    }
    const to = this.writer(o);
    for (let u = 0; u < n; u++) clocks[to + u] = own[u];
  }

  private hash(t: number, alternative: number): void {
    const { clock, own, cast } = this;
    clock.fill(0);
    for (let u = 0; u < this.n; u++) clock[cast[u].slot] = own[u];
    this.laneA = mixEvent(cast[t].slot, alternative, clock, 0, SLOTS, 0);
    this.laneB = mixEvent(cast[t].slot, alternative, clock, 0, SLOTS, 1);
  }

  // ---- what it does ----

  protected effect(t: number, kind: number, o: number): void {
    const value = this.object(o);
    const arg = this.get(t, F.ARG);
    switch (kind) {
      case Kind.READ:
        this.result = value;
        break;
      case Kind.ADD:
        this.result = value;
        this.setObject(o, value + arg);
        break;
      case Kind.LOCK:
        this.setObject(o, 1);
        break;
      case Kind.TRYLOCK:
        this.result = value === 0 ? 1 : 0;
        this.setObject(o, 1);
        break;
      case Kind.UNLOCK:
      case Kind.WUNLOCK:
        this.setObject(o, 0);
        break;
      case Kind.RLOCK:
      case Kind.UP:
        this.setObject(o, value + 1);
        break;
      case Kind.RUNLOCK:
      case Kind.DOWN:
        this.setObject(o, value - 1);
        break;
      case Kind.WLOCK:
        this.setObject(o, -1);
        break;
      case Kind.SET:
      case Kind.WRITE:
        this.setObject(o, arg);
        break;
      case Kind.WAKE:
        this.result = (value & arg) === 0 ? 0 : 1;
        if (this.result === 1) this.setObject(o, 0);
        break;
      case Kind.NOW:
        this.result = this.global(this.at.jiffies);
        break;
      default:
        this.timerOrSem(t, kind, arg);
    }
  }

  private timerOrSem(t: number, kind: number, arg: number): void {
    const base = this.object(BASE);
    switch (kind) {
      case Kind.ARM:
        this.result = (base >> arg) & 1;
        this.setObject(BASE, base | (1 << arg));
        this.setGlobal(this.at.deadline + arg, this.get(t, F.ARG2));
        break;
      case Kind.CANCEL:
        this.result = (base >> arg) & 1;
        this.setObject(BASE, base & ~(1 << arg));
        break;
      case Kind.FIRE:
        this.setObject(BASE, (base & ~(1 << t)) | (1 << (t + RUNNING_BIT)));
        if (this.isInFuture(t)) this.setGlobal(this.at.jiffies, this.global(this.at.deadline + t));
        break;
      case Kind.EXPIRED:
        this.setObject(BASE, base & ~(1 << (t + RUNNING_BIT)));
        break;
      case Kind.RWSEM_ASK:
        this.result = this.ask(t, arg === 1) ? 1 : 0;
        break;
      case Kind.RWSEM_GRANT:
        this.setObject(SEM, this.object(SEM) & ~(1 << t));
        break;
      case Kind.RWSEM_UP:
        this.handOver(arg === 1);
        break;
      default:
        break;
    }
  }

  // ---- the fair semaphore: active readers or -1, and a queue of thread * 2 + (writes) ----

  private ask(t: number, write: boolean): boolean {
    const waiting = this.global(this.at.queued);
    if (waiting === 0 && this.admit(write)) return true;
    this.setGlobal(this.at.queue + waiting, t * 2 + (write ? 1 : 0));
    this.setGlobal(this.at.queued, waiting + 1);
    return false;
  }

  private admit(write: boolean): boolean {
    const active = this.global(this.at.active);
    if (write ? active !== 0 : active < 0) return false;
    this.setGlobal(this.at.active, write ? -1 : active + 1);
    return true;
  }

  private handOver(write: boolean): void {
    this.setGlobal(this.at.active, write ? 0 : this.global(this.at.active) - 1);
    let waiting = this.global(this.at.queued);
    while (waiting > 0) {
      const first = this.global(this.at.queue);
      if (!this.admit((first & 1) === 1)) break;
      for (let i = 1; i < waiting; i++)
        this.setGlobal(this.at.queue + i - 1, this.global(this.at.queue + i));
      this.setGlobal(this.at.queue + --waiting, 0);
      this.setObject(SEM, this.object(SEM) | (1 << (first >> 1)));
    }
    this.setGlobal(this.at.queued, waiting);
  }
}

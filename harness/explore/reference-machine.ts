/**
 * The toy programs once more, without engine, generators, log or strategy: an interpreter of explicit states, written
 * from the meaning of the operations. It shares with the machine the numbers of kinds and slots, so that traces can be
 * compared, and nothing else. What differs is a fault in one of the two.
 */

import { Kind } from '../machine/op.ts';
import { ReferenceEffects } from './reference-effects.ts';
import {
  BASE,
  COUNT,
  F,
  MOST_STORES,
  NOTHING,
  RAISED,
  RWLOCK,
  SEM,
  SLOTS,
  SPIN,
  STORE,
  STORE_OBJECTS,
  TASK,
  WORD,
} from './reference-state.ts';
import type { ToyOp, ToyProgram } from './toy-program.ts';
import { WORDS, mixResult } from './toy.ts';

const INTERRUPTIBLE = 1;
const ANY_SLEEP = 3;
const RUNNING_BIT = 16;
const HOLDS_SEM = 1 << 8;

/** Parts of a nap. */
const Nap = {
  SLEEP: 0,
  START: 1,
  ARM: 2,
  SIGNAL: 3,
  STAY: 4,
  AWAIT: 5,
  CANCEL: 6,
  JOIN: 7,
  END: 8,
} as const;

export class ReferenceMachine extends ReferenceEffects {
  private readonly lists: readonly (readonly ToyOp[])[];
  /** The thread of the timer of each user's naps, and that of the timer with a handler; -1: none. */
  private readonly napTimer: readonly number[];
  private readonly timer: number;

  constructor(program: ToyProgram) {
    super(program);
    const { cast } = this;
    const lists = {
      user: (of: number) => program.threads[of],
      timer: () => program.timer ?? [],
      interrupt: () => program.interrupt ?? [],
      nap: () => [],
      flusher: () => [],
    };
    this.lists = cast.map(({ role, of }) => lists[role](of));
    this.napTimer = program.threads.map((_, t) =>
      cast.findIndex(({ role, of }) => role === 'nap' && of === t),
    );
    this.timer = cast.findIndex(({ role }) => role === 'timer');
    cast.forEach(({ role, of }, t) => {
      if (role === 'user') this.goOn(t);
      else if (role === 'interrupt') this.rest(t, false);
      else if (role === 'flusher') this.want(t, Kind.DOWN, ready(of, 0));
      else this.want(t, Kind.FIRE, BASE);
    });
  }

  /** Some thread of the program has not come to its end. */
  isStuck(): boolean {
    for (let t = 0; t < this.users; t++) if (this.isLive(t)) return true;
    return false;
  }

  /** What the toy scenario answers at the end of an execution. */
  outcome(): number {
    let hash = 0;
    for (let w = 0; w < WORDS; w++) hash = mixResult(hash, this.object(WORD + w));
    for (let slot = 0, t = 0; slot < SLOTS; slot++) {
      const isHere = t < this.n && this.cast[t].slot === slot;
      hash = mixResult(hash, isHere ? this.get(t, F.SEEN) : 0);
      if (isHere) t++;
    }
    return hash;
  }

  /** Executes what thread t wants to do, with that alternative, and has it want the next thing. */
  step(t: number, alternative: number): void {
    const drains = this.get(t, F.DRAINS) === 1;
    const kind = drains ? Kind.DOWN : this.get(t, F.KIND);
    const o = drains ? this.get(t, F.OWED) : this.get(t, F.OBJ);
    this.steps[kind]++;
    this.tick(t, kind, o, alternative);
    this.result = alternative;
    this.effect(t, kind, o);
    const { role } = this.cast[t];
    if (drains) {
      this.put(t, F.DRAINS, 0);
      this.put(t, F.OWED, 0);
    } else if (role === 'user') this.advance(t);
    else if (role === 'flusher') this.carry(t, kind);
    else if (role === 'nap') this.wakeSleeper(t, kind);
    else this.handle(t, kind);
  }

  // ---- what a thread wants ----

  private want(t: number, kind: number, o: number, arg = 0): boolean {
    this.put(t, F.KIND, kind);
    this.put(t, F.OBJ, o);
    this.put(t, F.OBJ2, -1);
    this.put(t, F.ARG, arg);
    this.put(t, F.ALTS, 1);
    const passes = kind === Kind.READ || kind === Kind.NOW || kind === Kind.RELAX;
    if (!passes && this.get(t, F.OWED) > 0) this.put(t, F.DRAINS, 1);
    return true;
  }

  private wantChoice(t: number, alternatives: number): boolean {
    this.put(t, F.KIND, Kind.CHOICE);
    this.put(t, F.OBJ, 0);
    this.put(t, F.OBJ2, -1);
    this.put(t, F.ALTS, alternatives);
    return true;
  }

  /** Up to the next operation that is one; false at the end of the list. */
  private goOn(t: number): boolean {
    const list = this.lists[t];
    for (;;) {
      const pc = this.get(t, F.PC);
      if (pc >= list.length) {
        this.put(t, F.KIND, NOTHING);
        return false;
      }
      const op = list[pc];
      if (this.get(t, F.SKIP) === 1) {
        this.put(t, F.SKIP, 0);
        this.put(t, F.PC, pc + 1);
      } else if (this.begin(t, op)) return true;
      else this.leave(t, op, op.op === 'trylock' ? 1 : 0);
    }
  }

  /** A whole toy operation is done: what it leaves behind. */
  private leave(t: number, op: ToyOp, value: number): void {
    this.put(t, F.SEEN, mixResult(this.get(t, F.SEEN), value));
    let skip = false;
    if (op.op === 'read') {
      this.put(t, F.LAST, value);
      skip = op.skip && (value & 1) === 1;
    } else if (op.op === 'choice') skip = value === op.skipOn;
    else if (op.op === 'trylock') skip = value === 0;
    else if (op.op === 'fault') skip = value === 1;
    this.put(t, F.SKIP, skip ? 1 : 0);
    this.put(t, F.PC, this.get(t, F.PC) + 1);
    this.put(t, F.PHASE, 0);
  }

  private phase(t: number, phase: number): void {
    this.put(t, F.PHASE, phase);
  }

  /** False if there is nothing to do. */
  private begin(t: number, op: ToyOp): boolean {
    switch (op.op) {
      case 'read':
        return this.want(t, Kind.READ, WORD + op.word);
      case 'write':
        return this.beginWrite(t, op.word, op.copy ? (this.get(t, F.LAST) + 1) & 3 : op.value);
      case 'add':
        return this.want(t, Kind.ADD, WORD + op.word, op.value);
      case 'write2':
        this.want(t, Kind.WRITE, WORD + op.word);
        this.put(t, F.OBJ2, WORD + op.other);
        this.put(t, F.RD2, op.otherRead ? 1 : 0);
        return true;
      case 'choice':
        return this.wantChoice(t, op.alternatives);
      case 'fault':
        return this.get(t, F.TAKEN) < this.program.faults && this.wantChoice(t, 2);
      case 'lock':
      case 'trylock':
      case 'unlock':
        return this.beginSpin(t, op.op, op.lock);
      case 'rlock':
      case 'wlock':
      case 'rwunlock':
        return this.beginRw(t, op.op, op.lock);
      case 'down-read':
      case 'down-write':
      case 'up':
        return this.beginSem(t, op.op);
      default:
        return this.beginOther(t, op);
    }
  }

  private beginOther(t: number, op: ToyOp): boolean {
    switch (op.op) {
      case 'sleep':
        return this.want(t, Kind.SET, TASK + t, INTERRUPTIBLE);
      case 'await':
        return this.want(t, Kind.AWAIT, TASK + t);
      case 'set':
        return this.want(t, Kind.SET, TASK + op.thread, op.state);
      case 'wake':
        return this.want(t, Kind.WAKE, TASK + op.thread, op.mode);
      case 'post':
        return this.want(t, Kind.UP, COUNT);
      case 'wait':
        return this.want(t, Kind.DOWN, COUNT);
      case 'relax':
        return this.want(t, Kind.RELAX, COUNT, op.seen);
      case 'join':
        return this.want(t, Kind.JOIN, COUNT, op.mask);
      case 'raise':
        return this.program.interrupt !== undefined && this.want(t, Kind.UP, RAISED);
      case 'now':
        return this.want(t, Kind.NOW, BASE);
      case 'nap':
        return this.want(t, Kind.SET, TASK + t, INTERRUPTIBLE);
      case 'arm':
        return this.timer >= 0 && this.wantArm(t, this.timer, op.expires);
      case 'cancel':
      case 'cancel-sync':
        return this.timer >= 0 && this.want(t, Kind.CANCEL, BASE, this.timer);
      case 'barrier':
        return this.get(t, F.OWED) > 0 && this.wantRaised(t, Kind.DOWN, this.get(t, F.OWED));
      default:
        return false;
    }
  }

  private wantArm(t: number, timer: number, deadline: number): boolean {
    this.put(t, F.ARG2, deadline);
    return this.want(t, Kind.ARM, BASE, timer);
  }

  /** An operation of the store buffer itself: it waits for nothing else. */
  private wantRaised(t: number, kind: number, o: number): boolean {
    this.want(t, kind, o);
    this.put(t, F.DRAINS, 0);
    return true;
  }

  private beginSpin(t: number, what: 'lock' | 'trylock' | 'unlock', lock: number): boolean {
    const held = this.get(t, F.HELD);
    const bit = 1 << lock;
    const has = (held & bit) !== 0;
    if (what === 'unlock' ? !has : has) return false;
    if (what === 'trylock') return this.want(t, Kind.TRYLOCK, SPIN + lock);
    this.put(t, F.HELD, held ^ bit);
    return this.want(t, what === 'lock' ? Kind.LOCK : Kind.UNLOCK, SPIN + lock);
  }

  private beginRw(t: number, what: 'rlock' | 'wlock' | 'rwunlock', lock: number): boolean {
    const held = this.get(t, F.HELD);
    const [reads, writes] = [1 << (2 + lock), 1 << (4 + lock)];
    const mine = held & (reads | writes);
    if (what === 'rwunlock') {
      if (mine === 0) return false;
      this.put(t, F.HELD, held ^ mine);
      return this.want(t, mine === reads ? Kind.RUNLOCK : Kind.WUNLOCK, RWLOCK + lock);
    }
    if (mine !== 0) return false;
    this.put(t, F.HELD, held | (what === 'rlock' ? reads : writes));
    return this.want(t, what === 'rlock' ? Kind.RLOCK : Kind.WLOCK, RWLOCK + lock);
  }

  private beginSem(t: number, what: 'down-read' | 'down-write' | 'up'): boolean {
    const held = this.get(t, F.HELD);
    const mine = held & (HOLDS_SEM | (HOLDS_SEM << 1));
    if ((what === 'up') === (mine === 0)) return false;
    const writes = what === 'up' ? mine !== HOLDS_SEM : what === 'down-write';
    this.put(t, F.HELD, held ^ (HOLDS_SEM << (writes ? 1 : 0)));
    return this.want(t, what === 'up' ? Kind.RWSEM_UP : Kind.RWSEM_ASK, SEM, writes ? 1 : 0);
  }

  // ---- store buffers ----

  private isBuffered(t: number): boolean {
    return this.program.storeBuffers && t < this.users;
  }

  private beginWrite(t: number, word: number, value: number): boolean {
    if (!this.isBuffered(t)) return this.want(t, Kind.WRITE, WORD + word, value);
    const n = this.get(t, F.STORES);
    if (n >= MOST_STORES) throw new RangeError('The reference has no room for so many stores');
    const entry = this.at.stored + (t * MOST_STORES + n) * 2;
    this.setGlobal(entry, word);
    this.setGlobal(entry + 1, value);
    this.put(t, F.STORES, n + 1);
    this.put(t, F.OWED, ready(t, n) + 1);
    return this.wantRaised(t, Kind.UP, ready(t, n));
  }

  /** What thread t takes a word to be that has this value in memory: its own latest store may not be there yet. */
  private seenAs(t: number, word: number, value: number): number {
    if (!this.isBuffered(t)) return value;
    for (let n = this.get(t, F.STORES) - 1; n >= this.get(t, F.CARRIED); n--) {
      const entry = this.at.stored + (t * MOST_STORES + n) * 2;
      if (this.global(entry) === word) return this.global(entry + 1);
    }
    return value;
  }

  /** The flusher: waits for a store, writes it, says so. */
  private carry(t: number, kind: number): void {
    const { of } = this.cast[t];
    const n = this.get(t, F.PC);
    const entry = this.at.stored + (of * MOST_STORES + n) * 2;
    if (kind === Kind.DOWN)
      this.want(t, Kind.WRITE, WORD + this.global(entry), this.global(entry + 1));
    else if (kind === Kind.WRITE) {
      this.put(of, F.CARRIED, n + 1);
      this.want(t, Kind.UP, ready(of, n) + 1);
    } else {
      this.put(t, F.PC, n + 1);
      this.want(t, Kind.DOWN, ready(of, n + 1));
    }
  }

  // ---- after an event ----

  private wakeSleeper(t: number, kind: number): void {
    if (kind === Kind.FIRE) this.want(t, Kind.WAKE, TASK + this.cast[t].of, ANY_SLEEP);
    else if (kind === Kind.WAKE) this.want(t, Kind.EXPIRED, BASE);
    else this.want(t, Kind.FIRE, BASE);
  }

  /** A timer or an interrupt: its list from the start each time. */
  private handle(t: number, kind: number): void {
    const isTimer = t === this.timer;
    const begins = isTimer ? kind === Kind.FIRE : this.get(t, F.PHASE) === IDLE;
    if (kind === Kind.EXPIRED) this.want(t, Kind.FIRE, BASE);
    else if (begins) {
      this.put(t, F.PC, 0);
      this.put(t, F.LAST, 0);
      this.put(t, F.SKIP, 0);
      this.put(t, F.PHASE, 0);
      if (!this.goOn(t)) this.rest(t, isTimer);
    } else if (this.advance(t) === false) this.rest(t, isTimer);
  }

  private rest(t: number, isTimer: boolean): void {
    if (isTimer) this.want(t, Kind.EXPIRED, BASE);
    else {
      this.want(t, Kind.DOWN, RAISED);
      this.put(t, F.PHASE, IDLE);
    }
  }

  /** False if the list is at its end. */
  private advance(t: number): boolean {
    const op = this.lists[t][this.get(t, F.PC)];
    const { result } = this;
    switch (op.op) {
      case 'read':
        return this.next(t, op, this.seenAs(t, op.word, result));
      case 'trylock':
        if (result === 1) this.put(t, F.HELD, this.get(t, F.HELD) | (1 << op.lock));
        return this.next(t, op, result);
      case 'fault':
        this.put(t, F.TAKEN, this.get(t, F.TAKEN) + result);
        return this.next(t, op, result);
      case 'barrier':
        this.put(t, F.OWED, 0);
        return this.next(t, op, 0);
      case 'down-read':
      case 'down-write':
        if (this.get(t, F.PHASE) === 1 || result === 1) return this.next(t, op, 0);
        this.phase(t, 1);
        return this.want(t, Kind.RWSEM_GRANT, SEM);
      case 'cancel-sync':
        if (this.get(t, F.PHASE) === 1) return this.next(t, op, this.get(t, F.KEPT));
        this.phase(t, 1);
        this.put(t, F.KEPT, result);
        return this.want(t, Kind.JOIN, BASE, 1 << (this.timer + RUNNING_BIT));
      case 'nap':
        return this.advanceNap(t, op, op.ticks);
      default:
        return this.next(t, op, result);
    }
  }

  private next(t: number, op: ToyOp, value: number): boolean {
    this.leave(t, op, value);
    return this.goOn(t);
  }

  private advanceNap(t: number, op: ToyOp, ticks: number): boolean {
    const phase = this.get(t, F.PHASE);
    const timer = this.napTimer[t];
    const { result } = this;
    this.phase(t, phase + 1);
    switch (phase) {
      case Nap.SLEEP:
        return this.want(t, Kind.NOW, BASE);
      case Nap.START:
        this.put(t, F.KEPT, result);
        return this.wantArm(t, timer, result + ticks);
      case Nap.ARM:
        return this.fallAsleep(t);
      case Nap.SIGNAL:
        this.put(t, F.TAKEN, this.get(t, F.TAKEN) + result);
        this.put(t, F.INTERRUPTED, result);
        return this.fallAsleep(t);
      case Nap.STAY:
        return this.want(t, Kind.AWAIT, TASK + t);
      case Nap.AWAIT:
        return this.want(t, Kind.CANCEL, BASE, timer);
      case Nap.CANCEL:
        return this.want(t, Kind.JOIN, BASE, 1 << (timer + RUNNING_BIT));
      case Nap.JOIN:
        return this.want(t, Kind.NOW, BASE);
      default:
        return this.next(t, op, Math.max(0, this.get(t, F.KEPT) + ticks - result));
    }
  }

  /** A signal may come before a sleep wherever failures are injected, and then there is none. */
  private fallAsleep(t: number): boolean {
    const asked = this.get(t, F.PHASE) === Nap.SIGNAL + 1;
    if (this.program.faults > 0 && this.get(t, F.INTERRUPTED) === 1) {
      this.phase(t, Nap.STAY);
      return this.want(t, Kind.SET, TASK + t, 0);
    }
    if (!asked && this.get(t, F.TAKEN) < this.program.faults) {
      this.phase(t, Nap.SIGNAL);
      return this.wantChoice(t, 2);
    }
    this.phase(t, Nap.AWAIT);
    return this.want(t, Kind.AWAIT, TASK + t);
  }
}

/** Phase of an interrupt that waits to be raised. */
const IDLE = 99;

/** What the n-th store of thread t raises when it is in the buffer; the next object, when it is in memory. */
function ready(t: number, n: number): number {
  return STORE + t * STORE_OBJECTS + 2 * n;
}

/** A replayed run with what each step changed and why the run came from one thread to the next. */

import { Replay } from '../explore/replay.ts';
import type { Schedule } from '../explore/token.ts';
import {
  alternativeAt,
  engine,
  valueText,
  type Cycle,
  type Lifetime,
  type Strategy,
} from '../machine/index.ts';
import { Sanitizers } from '../sanitizers/index.ts';
import { memName } from '../sanitizers/names.ts';
import { CLASS_OF, Class, KIND_NAMES, Kind, TaskState } from '../machine/op.ts';

/** One step as the report wants it. */
export interface TracedStep {
  readonly thread: number;
  readonly name: string;
  /** Number of the event within its thread, from 1. */
  readonly index: number;
  readonly text: string;
  readonly changed: string;
  /** Why another thread ran before this step; '' if none did. */
  readonly cause: string;
}

const VERBS: Readonly<Record<string, string>> = {
  LOCK: 'lock',
  TRYLOCK: 'trylock',
  UNLOCK: 'unlock',
  RLOCK: 'read_lock',
  RUNLOCK: 'read_unlock',
  WLOCK: 'write_lock',
  WUNLOCK: 'write_unlock',
  READ: 'read',
  WRITE: 'write',
  ADD: 'add to',
  SET: 'set',
  WAKE: 'wake',
  AWAIT: 'sleep until',
  RWSEM_ASK: 'down',
  RWSEM_GRANT: 'get',
  RWSEM_UP: 'up',
  ARM: 'arm timer on',
  CANCEL: 'cancel timer on',
  FIRE: 'timer fires on',
  NOW: 'read clock of',
  CHOICE: 'choose',
  JOIN: 'wait for',
  RELAX: 'spin on',
  DOWN: 'down',
  UP: 'up',
};

const TASK_STATES: Readonly<Record<number, string>> = {
  [TaskState.RUNNING]: 'RUNNING',
  [TaskState.INTERRUPTIBLE]: 'INTERRUPTIBLE',
  [TaskState.UNINTERRUPTIBLE]: 'UNINTERRUPTIBLE',
};

/** Something that is no step, told behind the step after which it happened. */
export interface Aside {
  /** Position of the step. */
  readonly after: number;
  readonly text: string;
}

/** Sanitizers that keep notes of what is freed: no step, and often what the story is about. */
export class TellingSanitizers extends Sanitizers {
  readonly asides: Aside[] = [];

  override freed(mem: Lifetime, site: string): void {
    const after = engine.position();
    if (after >= 0) this.asides.push({ after, text: `free ${memName(mem)}  ${site}` });
    super.freed(mem, site);
  }
}

/** Follows a schedule and keeps notes. */
export class Tracer implements Strategy {
  readonly steps: TracedStep[] = [];
  private readonly inner: Replay;
  private readonly numbers = new Map<string, Map<number, number>>();
  private before = 0;
  private cause = '';
  private pending = false;

  /** `returned` counts the calls that have returned: a schedule may end in a circle. */
  constructor(schedule: Schedule, returned: () => number) {
    this.inner = new Replay(engine, schedule, { mode: 'strict', returned });
  }

  /** The circle that the run goes round in at the end of its schedule. */
  get circle(): Cycle | null {
    return this.inner.cycle;
  }

  begin(): boolean {
    return this.inner.begin();
  }

  pick(): number {
    this.settle();
    const t = this.inner.pick();
    const last = engine.depth === 0 ? -1 : engine.log.thr[engine.depth - 1];
    this.cause = last < 0 || last === t ? '' : this.whyNot(last);
    return t;
  }

  private whyNot(t: number): string {
    const name = engine.threadName[t];
    if (engine.oops[t] !== null) return `${name} died (oops)`;
    if (!engine.isLive(t)) return `${name} finished`;
    if (engine.isEnabled(t)) return `${name} preempted by the schedule`;
    return engine.pKind[t] === Kind.AWAIT
      ? `${name} sleeps`
      : `${name} waits for ${this.nameOf(engine.pObj[t])}`;
  }

  alternative(t: number, n: number): number {
    return this.inner.alternative(t, n);
  }

  recorded(d: number): void {
    const o = engine.log.obj[d];
    this.before = o < 0 ? 0 : engine.state[o];
    this.pending = true;
  }

  end(): void {
    this.settle();
    this.inner.end();
  }

  /** Completes the note of the last step, now that its effect is known. */
  private settle(): void {
    if (!this.pending) return;
    this.pending = false;
    const { log } = engine;
    const d = log.length - 1;
    const kind = log.kind[d];
    const o = log.obj[d];
    const object = o < 0 ? '' : ` ${this.nameOf(o)}`;
    const verb = VERBS[KIND_NAMES[kind]] ?? KIND_NAMES[kind].toLowerCase();
    const what = log.alts[d] > 1 ? this.chosen(d) : `${verb}${object}`;
    this.steps.push({
      thread: log.thr[d],
      name: engine.threadName[log.thr[d]],
      index: log.idx[d],
      text: `${what}  ${log.site[d]}`,
      changed: this.change(kind, o),
      cause: this.cause,
    });
  }

  private chosen(d: number): string {
    const { log } = engine;
    const name = alternativeAt(log.site[d], log.alt[d]);
    return name ?? `choose ${log.alt[d] + 1} of ${log.alts[d]}`;
  }

  private change(kind: number, o: number): string {
    if (o < 0 || engine.state[o] === this.before) return '';
    const after = engine.state[o];
    if (kind === Kind.SET || kind === Kind.WAKE)
      return `${this.nameOf(o)} ${stateName(this.before)} -> ${stateName(after)}`;
    if (CLASS_OF[kind] !== Class.MEM) return '';
    const word = engine.nameOf(o).replace(/#\d+$/, '');
    return `${this.nameOf(o)} ${valueText(word, this.before)} -> ${valueText(word, after)}`;
  }

  /** `ep.lock#1`: class of the object and its number in order of first appearance. */
  nameOf(o: number): string {
    const kind = engine.nameOf(o);
    // Some objects are named with their owner's number.
    if (/#\d+$/.test(kind)) return kind;
    let numbers = this.numbers.get(kind);
    if (numbers === undefined) {
      numbers = new Map();
      this.numbers.set(kind, numbers);
    }
    let n = numbers.get(o);
    if (n === undefined) {
      n = numbers.size + 1;
      numbers.set(o, n);
    }
    return `${kind}#${n}`;
  }
}

function stateName(state: number): string {
  return TASK_STATES[state] ?? String(state);
}

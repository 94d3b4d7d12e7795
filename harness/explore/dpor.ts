/**
 * Optimal dynamic partial order reduction with wakeup trees: visits every Mazurkiewicz trace exactly once
 * (exploration.md 4, 5, 7, 8). Knows operations and threads, nothing of kernels.
 */

import type { Engine, Strategy } from '../machine/engine.ts';
import { HarnessBug, MAX_THREADS } from '../machine/op.ts';
import {
  stepsOf,
  type Asleep,
  type Branch,
  type Level,
  type Reversal,
  type Step,
  type Twig,
} from './frontier.ts';
import { RaceFinder, type RaceMutation } from './races.ts';
import { Sequence, depends } from './sequence.ts';
import { ROOT, WakeupTree } from './wakeup-tree.ts';

/** Deliberate damage for the tests of exploration.md 13.3: each must be noticed. */
export interface DporMutation extends RaceMutation {
  readonly ignoreBlocked?: boolean;
  readonly onlyNewRaces?: boolean;
  readonly cutToNeeded?: boolean;
  readonly stopAtLater?: boolean;
  readonly noSleepTest?: boolean;
  readonly choiceNeverCovers?: boolean;
}

/** One reversal waiting to be inserted: from a recorded event or from an operation that stayed blocked. */
interface Blocked {
  readonly partner: number;
  readonly exclusion: readonly number[] | null;
  readonly thr: number;
  readonly obj: number;
  readonly rd: number;
}

export class Dpor implements Strategy {
  /** Executions that ended because everything enabled was asleep; optimal exploration has none. */
  sleepSetBlocked = 0;
  executions = 0;
  keep = 0;
  readonly tree = new WakeupTree();

  private readonly engine: Engine;
  private readonly mutation: DporMutation;
  private readonly races: RaceFinder;
  private finished = false;
  private blockedSleep = false;

  /** Tree node of the branch being explored, by depth. */
  private node = new Int32Array(FIRST_DEPTHS);
  // Sleep set by depth and thread: alternatives of the pending operation that are fully explored, and that operation.
  private asleep = new Int32Array(FIRST_DEPTHS * MAX_THREADS);
  private sObj = new Int32Array(FIRST_DEPTHS * MAX_THREADS);
  private sRd = new Uint8Array(FIRST_DEPTHS * MAX_THREADS);
  private sObj2 = new Int32Array(FIRST_DEPTHS * MAX_THREADS);
  private sRd2 = new Uint8Array(FIRST_DEPTHS * MAX_THREADS);
  private sAlts = new Uint8Array(FIRST_DEPTHS * MAX_THREADS);
  // Races in order of their later event, flat; raceStart[d] is the first of event d.
  private raceStart = new Int32Array(FIRST_DEPTHS + 1);
  private depths = FIRST_DEPTHS;
  private readonly racePartner: number[] = [];
  private readonly raceLater: number[] = [];
  private readonly raceExclusion: (readonly number[] | null)[] = [];
  private raceCount = 0;
  /** Operations that were blocked when virtual time moved, by the barrier's position. */
  private readonly atBarrier: { readonly at: number; readonly blocked: Blocked }[] = [];
  private readonly v = new Sequence();
  private readonly sinkEvent: (partner: number, exclusion: readonly number[] | null) => void;
  private recording = 0;
  /** Steps that belong to the frontier: what lies above is somebody else's. */
  private floor = 0;
  /** The way to the branch, until it has been gone once. */
  private way: readonly Level[] = [];
  /** Reversals that belong above the floor, since they were last taken. */
  private readonly above: Reversal[] = [];
  /**
   * What went there before. It is not put into the tree here: the frontier may find it covered by something else,
   * and then it covers nothing.
   */
  private readonly sent = new Set<string>();

  /** With a branch: explores what lies below its last step, and nothing else. */
  constructor(engine: Engine, mutation: DporMutation = {}, branch: Branch | null = null) {
    this.engine = engine;
    this.mutation = mutation;
    if (branch !== null) {
      this.floor = branch.levels.length;
      this.way = branch.levels;
      this.tree.plant(branch.levels);
    }
    this.races = new RaceFinder(engine, mutation);
    this.sinkEvent = (partner, exclusion) => {
      this.racePartner[this.raceCount] = partner;
      this.raceExclusion[this.raceCount] = exclusion;
      this.raceLater[this.raceCount] = this.recording;
      this.raceCount++;
    };
  }

  /** Makes room for twice as many depths. */
  private grow(): void {
    this.depths *= 2;
    const rows = this.depths * MAX_THREADS;
    this.node = copyInto(new Int32Array(this.depths), this.node);
    this.raceStart = copyInto(new Int32Array(this.depths + 1), this.raceStart);
    this.asleep = copyInto(new Int32Array(rows), this.asleep);
    this.sObj = copyInto(new Int32Array(rows), this.sObj);
    this.sRd = copyInto(new Uint8Array(rows), this.sRd);
    this.sObj2 = copyInto(new Int32Array(rows), this.sObj2);
    this.sRd2 = copyInto(new Uint8Array(rows), this.sRd2);
    this.sAlts = copyInto(new Uint8Array(rows), this.sAlts);
  }

  begin(): boolean {
    if (this.finished) return false;
    this.blockedSleep = false;
    this.raceCount = this.raceStart[this.keep];
    while (this.atBarrier.length > 0 && this.atBarrier[this.atBarrier.length - 1].at >= this.keep)
      this.atBarrier.pop();
    return true;
  }

  pick(): number {
    const { engine } = this;
    const d = engine.depth;
    if (d < this.keep) return engine.log.thr[d];
    if (d < this.way.length) this.putAsleep(d, this.way[d].left);
    const parent = d === 0 ? ROOT : this.node[d - 1];
    const guided = this.tree.firstChild(parent);
    if (guided >= 0) return this.follow(d, guided);
    const t = this.freeChoice(d);
    if (t < 0) return -1;
    const covered = this.asleep[d * MAX_THREADS + t];
    for (let a = 0; a < engine.pAlts[t]; a++) {
      if ((covered & (1 << a)) === 0)
        this.tree.append(
          parent,
          t,
          a,
          engine.pObj[t],
          engine.pRd[t],
          engine.pObj2[t],
          engine.pRd2[t],
          engine.pAlts[t],
        );
    }
    this.node[d] = this.tree.firstChild(parent);
    return t;
  }

  /** Siblings to the left of the way are somebody else's business. */
  private putAsleep(d: number, left: readonly Asleep[]): void {
    for (const { step, mask } of left) {
      const at = d * MAX_THREADS + step.thr;
      this.asleep[at] |= mask;
      this.sObj[at] = step.obj;
      this.sRd[at] = step.rd;
      this.sObj2[at] = step.obj2;
      this.sRd2[at] = step.rd2;
      this.sAlts[at] = step.alts;
    }
  }

  private follow(d: number, node: number): number {
    const { engine, tree } = this;
    const t = tree.thr[node];
    if (!engine.isLive(t) || !engine.isEnabled(t))
      throw new HarnessBug(
        `Cannot follow the wakeup tree at step ${d}: thread ${t} is not enabled`,
      );
    if (engine.pObj[t] !== tree.obj[node] || engine.pRd[t] !== tree.rd[node])
      throw new HarnessBug(
        `Cannot follow the wakeup tree at step ${d}: thread ${t} wants ${engine.pSite[t]}`,
      );
    this.node[d] = node;
    return t;
  }

  /** An enabled thread that is not asleep: the running one if possible, else the lowest. */
  private freeChoice(d: number): number {
    const { engine } = this;
    const running = engine.current;
    if (d > 0 && this.isAwake(d, running)) return running;
    let sleeping = false;
    for (let t = 0; t < engine.width; t++) {
      if (!engine.isLive(t) || !engine.isEnabled(t)) continue;
      if (this.isAwake(d, t)) return t;
      sleeping = true;
    }
    if (sleeping) this.blockedSleep = true;
    return -1;
  }

  private isAwake(d: number, t: number): boolean {
    const { engine } = this;
    if (!engine.isLive(t) || !engine.isEnabled(t)) return false;
    const all = (1 << engine.pAlts[t]) - 1;
    return (this.asleep[d * MAX_THREADS + t] & all) !== all;
  }

  alternative(): number {
    return this.tree.alt[this.node[this.engine.depth]];
  }

  recorded(d: number): void {
    if (d + 2 >= this.depths) this.grow();
    this.raceStart[d] = this.raceCount;
    this.recording = d;
    this.races.ofEvent(d, this.sinkEvent);
    this.raceStart[d + 1] = this.raceCount;
    if (this.engine.log.barrier[d] === 1) this.rememberBlocked(d);
    this.inheritSleep(d);
  }

  /** sleep[d+1]: who was asleep and commutes with event d stays asleep. */
  private inheritSleep(d: number): void {
    const { log } = this.engine;
    const t = log.thr[d];
    const from = d * MAX_THREADS;
    const to = from + MAX_THREADS;
    const barrier = log.barrier[d] === 1;
    for (let q = 0; q < log.width; q++) {
      const mask = this.asleep[from + q];
      if (
        mask === 0 ||
        barrier ||
        q === t ||
        depends(
          this.sObj[from + q],
          this.sRd[from + q],
          this.sObj2[from + q],
          this.sRd2[from + q],
          log.obj[d],
          log.rd[d],
          log.obj2[d],
          log.rd2[d],
        )
      ) {
        this.asleep[to + q] = 0;
        continue;
      }
      this.asleep[to + q] = mask;
      this.sObj[to + q] = this.sObj[from + q];
      this.sRd[to + q] = this.sRd[from + q];
      this.sObj2[to + q] = this.sObj2[from + q];
      this.sRd2[to + q] = this.sRd2[from + q];
      this.sAlts[to + q] = this.sAlts[from + q];
    }
    for (let q = log.width; q < MAX_THREADS; q++) this.asleep[to + q] = 0;
  }

  private rememberBlocked(d: number): void {
    this.forBlocked((blocked) => this.atBarrier.push({ at: d, blocked }), this.engine.log.thr[d]);
  }

  private forBlocked(use: (blocked: Blocked) => void, except: number): void {
    const { engine } = this;
    for (let t = 0; t < engine.width; t++) {
      if (t === except || !engine.isLive(t) || engine.isEnabled(t)) continue;
      const obj = engine.pObj[t];
      const rd = engine.pRd[t];
      this.races.ofBlocked(t, (partner, exclusion) => use({ partner, exclusion, thr: t, obj, rd }));
    }
  }

  end(): void {
    this.executions++;
    this.way = [];
    if (this.blockedSleep) this.sleepSetBlocked++;
    const from = this.mutation.onlyNewRaces === true ? this.raceStart[this.keep] : 0;
    for (let r = from; r < this.raceCount; r++)
      this.insertEvent(this.racePartner[r], this.raceExclusion[r], this.raceLater[r]);
    if (this.mutation.ignoreBlocked !== true) {
      for (const { blocked } of this.atBarrier) this.insertBlocked(blocked);
      this.forBlocked((blocked) => this.insertBlocked(blocked), -1);
    }
    this.backtrack();
  }

  private backtrack(): void {
    const { log } = this.engine;
    for (let d = log.length - 1; d >= this.floor; d--) {
      const parent = d === 0 ? ROOT : this.node[d - 1];
      const t = log.thr[d];
      this.tree.removeFirst(parent);
      const at = d * MAX_THREADS + t;
      this.asleep[at] |= 1 << log.alt[d];
      this.sObj[at] = log.obj[d];
      this.sRd[at] = log.rd[d];
      this.sObj2[at] = log.obj2[d];
      this.sRd2[at] = log.rd2[d];
      this.sAlts[at] = log.alts[d];
      if (this.tree.firstChild(parent) >= 0) {
        this.keep = d;
        return;
      }
    }
    this.finished = true;
  }

  // ---- insertion (5.3) ----

  private insertEvent(e: number, exclusion: readonly number[] | null, later: number): void {
    const { log } = this.engine;
    this.collect(e, exclusion, later);
    this.v.pushEvent(log, later);
    this.insert(e);
  }

  private insertBlocked(b: Blocked): void {
    this.collect(b.partner, b.exclusion, -1);
    this.v.push(b.thr, 0, b.obj, b.rd, -1, 1, 1);
    this.insert(b.partner);
  }

  /** v without its last element: everything behind position i that does not happen after e (none of X). */
  private collect(i: number, exclusion: readonly number[] | null, later: number): void {
    const { log } = this.engine;
    const { v, mutation } = this;
    v.clear();
    const end = mutation.stopAtLater === true && later >= 0 ? later : log.length;
    for (let k = i + 1; k < end; k++) {
      if (k === later) continue;
      if (exclusion === null) {
        if (log.happensBefore(i, k)) continue;
      } else if (exclusion.some((x) => x === k || (x < k && log.happensBefore(x, k)))) continue;
      if (
        mutation.cutToNeeded === true &&
        later >= 0 &&
        !(k < later && log.happensBefore(k, later))
      )
        continue;
      v.pushEvent(log, k);
    }
  }

  private insert(i: number): void {
    if (this.mutation.noSleepTest !== true && this.isCoveredBySleep(i)) return;
    if (i >= this.floor) {
      this.graft(i);
      return;
    }
    // What the tree here knows of the levels above is as old as the branch; the frontier has the last word.
    const steps = stepsOf(this.v);
    if (this.sent.has(keyOf(i, steps)) || !this.graft(i, false)) return;
    this.sent.add(keyOf(i, steps));
    const asleep = [...this.asleep.subarray(i * MAX_THREADS, (i + 1) * MAX_THREADS)];
    this.above.push({ depth: i, steps, asleep });
  }

  /** Reversals for the frontier that came up since the last call. */
  takeAbove(): Reversal[] {
    return this.above.splice(0);
  }

  /**
   * Gives away the shallowest level on which something waits: the levels down to it, for the frontier; null if there
   * is none. Between executions only.
   */
  share(): Level[] | null {
    if (this.finished || this.executions === 0) return null;
    const levels: Level[] = [];
    for (let d = this.floor; d <= this.keep; d++) {
      const level = this.levelAt(d);
      levels.push(level);
      if (level.right.length === 0) continue;
      this.floor = d + 1;
      return levels;
    }
    return null;
  }

  /** Gives away all that is left: every level, and what lies below the step that would be next. */
  surrender(): { readonly levels: Level[]; readonly below: Twig[] } {
    if (this.finished) return { levels: [], below: [] };
    if (this.executions === 0)
      throw new HarnessBug('Cannot surrender a branch before it was begun');
    const levels: Level[] = [];
    for (let d = this.floor; d <= this.keep; d++) levels.push(this.levelAt(d));
    const below = this.tree.twigsBelow(this.runningAt(this.keep));
    this.finished = true;
    return { levels, below };
  }

  private runningAt(d: number): number {
    return this.tree.firstChild(d === 0 ? ROOT : this.node[d - 1]);
  }

  private levelAt(d: number): Level {
    const running = this.runningAt(d);
    const right = this.tree.twigsAfter(running);
    return { step: this.tree.stepOf(running), left: this.asleepAt(d), right };
  }

  private asleepAt(d: number): Asleep[] {
    const list: Asleep[] = [];
    for (let thr = 0; thr < MAX_THREADS; thr++) {
      const at = d * MAX_THREADS + thr;
      const mask = this.asleep[at];
      if (mask === 0) continue;
      const [obj, rd, obj2, rd2, alts] = [
        this.sObj[at],
        this.sRd[at],
        this.sObj2[at],
        this.sRd2[at],
        this.sAlts[at],
      ];
      list.push({ step: { thr, alt: 0, obj, rd, obj2, rd2, alts }, mask });
    }
    return list;
  }

  /** 1: something asleep at i has explored every continuation that v stands for. */
  private isCoveredBySleep(i: number): boolean {
    const { v } = this;
    for (let q = 0; q < this.engine.log.width; q++) {
      const at = i * MAX_THREADS + q;
      const mask = this.asleep[at];
      if (mask === 0) continue;
      let j = 0;
      let dependent = false;
      while (j < v.length && v.thr[j] !== q) {
        if (
          depends(
            this.sObj[at],
            this.sRd[at],
            this.sObj2[at],
            this.sRd2[at],
            v.obj[j],
            v.rd[j],
            v.obj2[j],
            v.rd2[j],
          )
        ) {
          dependent = true;
          break;
        }
        j++;
      }
      if (dependent) continue;
      if (j < v.length) {
        if ((mask & (1 << v.alt[j])) !== 0) return true;
      } else if (mask === (1 << this.sAlts[at]) - 1) return true;
    }
    return false;
  }

  /** 2: walks down from the node before the race and appends what the tree does not have yet; true if it did. */
  private graft(i: number, append = true): boolean {
    const { tree, v } = this;
    const start = i === 0 ? ROOT : this.node[i - 1];
    let p = start;
    for (;;) {
      let c = tree.firstChild(p);
      if (c < 0 && p !== start) return false;
      let matched = -1;
      while (c >= 0) {
        const j = this.match(c);
        if (j >= 0) {
          if (v.length === 1) return false;
          v.remove(j);
          matched = c;
          break;
        }
        if (j === COVERED && this.covers(p, c, p === start ? i : -1)) return false;
        c = tree.nextSibling(c);
      }
      if (matched < 0) {
        if (append) this.appendChain(p);
        return true;
      }
      p = matched;
    }
  }

  /** Position in v of the node's event if v can start with it; else NO_MATCH, or COVERED if v is silent on it. */
  private match(node: number): number {
    const { tree, v } = this;
    for (let j = 0; j < v.length; j++) {
      if (v.thr[j] === tree.thr[node]) return v.alt[j] === tree.alt[node] ? j : NO_MATCH;
      if (tree.dependsOn(node, v, j)) return NO_MATCH;
    }
    return COVERED;
  }

  /**
   * A child whose thread is not in v covers v if all its alternatives have a child or, right before the race
   * (at depth i), are asleep.
   */
  private covers(parent: number, node: number, i: number): boolean {
    const { tree } = this;
    const alts = tree.alts[node];
    if (alts === 1) return true;
    if (this.mutation.choiceNeverCovers === true) return false;
    let mask = i >= 0 ? this.asleep[i * MAX_THREADS + tree.thr[node]] : 0;
    for (let c = tree.firstChild(parent); c >= 0; c = tree.nextSibling(c))
      if (tree.thr[c] === tree.thr[node]) mask |= 1 << tree.alt[c];
    return mask === (1 << alts) - 1;
  }

  private appendChain(p: number): void {
    const { tree, v } = this;
    let parent = p;
    for (let j = 0; j < v.length; j++)
      parent = tree.append(
        parent,
        v.thr[j],
        v.alt[j],
        v.obj[j],
        v.rd[j],
        v.obj2[j],
        v.rd2[j],
        v.alts[j],
      );
  }
}

/** Depths there is room for at first; most programs need no more. */
const FIRST_DEPTHS = 256;

function copyInto<T extends Int32Array | Uint8Array>(to: T, from: T): T {
  to.set(from);
  return to;
}

/** A reversal in a word: operations follow from who goes and how often. */
function keyOf(depth: number, steps: readonly Step[]): string {
  return `${depth}:${steps.map(({ thr, alt }) => thr * 256 + alt).join()}`;
}

const NO_MATCH = -1;
const COVERED = -2;

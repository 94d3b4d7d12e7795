/**
 * Optimal dynamic partial order reduction with wakeup trees: visits every Mazurkiewicz trace exactly once
 * (exploration.md 4, 5, 7, 8). Knows operations and threads, nothing of kernels.
 */

import type { Engine, Strategy } from '../machine/engine.ts';
import { HarnessBug, MAX_THREADS } from '../machine/op.ts';
import { published } from '../machine/published.ts';
import { giveBack, takeTables } from './depth-tables.ts';
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
import { depends } from './sequence.ts';
import { ROOT, WakeupTree } from './wakeup-tree.ts';

const { obj: pObj, rd: pRd, obj2: pObj2, rd2: pRd2, alts: pAlts } = published;

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

  private readonly tables = takeTables();
  private raceCount = 0;
  /** Operations that were blocked when virtual time moved, by the barrier's position. */
  private readonly atBarrier: { readonly at: number; readonly blocked: Blocked }[] = [];
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
    const { racePartner, raceExclusion, raceLater } = this.tables;
    this.sinkEvent = (partner, exclusion) => {
      racePartner[this.raceCount] = partner;
      raceExclusion[this.raceCount] = exclusion;
      raceLater[this.raceCount] = this.recording;
      this.raceCount++;
    };
  }

  begin(): boolean {
    if (this.finished) return false;
    this.blockedSleep = false;
    this.raceCount = this.tables.raceStart[this.keep];
    while (this.atBarrier.length > 0 && this.atBarrier[this.atBarrier.length - 1].at >= this.keep)
      this.atBarrier.pop();
    return true;
  }

  pick(): number {
    const { engine, tree } = this;
    const d = engine.depth;
    if (d < this.way.length) this.putAsleep(d, this.way[d].left);
    const { node } = this.tables;
    const parent = d === 0 ? ROOT : node[d - 1];
    const guided = tree.firstChild(parent);
    if (guided >= 0) return this.follow(d, guided);
    const t = this.freeChoice(d);
    if (t < 0) return -1;
    const covered = this.masked(d, t);
    for (let a = 0; a < pAlts[t]; a++)
      if ((covered & (1 << a)) === 0)
        tree.append(parent, t, a, pObj[t], pRd[t], pObj2[t], pRd2[t], pAlts[t]);
    node[d] = tree.firstChild(parent);
    return t;
  }

  /** Siblings to the left of the way are somebody else's business. */
  private putAsleep(d: number, left: readonly Asleep[]): void {
    for (const { step, mask } of left) this.sleep(d, step, mask);
  }

  /** Alternatives of thread t's operation that are asleep at depth d. */
  private masked(d: number, t: number): number {
    const { sleepers, asleep } = this.tables;
    return (sleepers[d] & (1 << t)) === 0 ? 0 : asleep[d * MAX_THREADS + t];
  }

  /** These alternatives of an operation are fully explored at depth d. */
  private sleep(d: number, step: Step, mask: number): void {
    const { tables } = this;
    const at = d * MAX_THREADS + step.thr;
    tables.asleep[at] = this.masked(d, step.thr) | mask;
    tables.sleepers[d] |= 1 << step.thr;
    tables.sObj[at] = step.obj;
    tables.sRd[at] = step.rd;
    tables.sObj2[at] = step.obj2;
    tables.sRd2[at] = step.rd2;
    tables.sAlts[at] = step.alts;
  }

  private follow(d: number, node: number): number {
    const { engine, tree } = this;
    const t = tree.thr[node];
    if (!engine.isLive(t) || !engine.isEnabled(t))
      throw new HarnessBug(
        `Cannot follow the wakeup tree at step ${d}: thread ${t} is not enabled`,
      );
    if (pObj[t] !== tree.obj[node] || pRd[t] !== tree.rd[node])
      throw new HarnessBug(
        `Cannot follow the wakeup tree at step ${d}: thread ${t} wants ${engine.pSite[t]}`,
      );
    this.tables.node[d] = node;
    return t;
  }

  /** An enabled thread that is not asleep: the running one if possible, else the lowest. */
  private freeChoice(d: number): number {
    const { engine } = this;
    const running = engine.current;
    if (d > 0 && engine.isLive(running) && engine.isEnabled(running) && this.isAwake(d, running))
      return running;
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
    const mask = this.masked(d, t);
    return mask === 0 || mask !== (1 << pAlts[t]) - 1;
  }

  alternative(): number {
    return this.tree.alt[this.tables.node[this.engine.depth]];
  }

  recorded(d: number): void {
    const { tables } = this;
    const { log } = this.engine;
    if (d + 2 >= tables.depths) tables.grow();
    this.recording = d;
    this.races.ofEvent(d, this.sinkEvent);
    tables.raceStart[d + 1] = this.raceCount;
    if (log.barrier[d] === 1) {
      this.rememberBlocked(d);
      tables.sleepers[d + 1] = 0;
    } else if (tables.sleepers[d] === 0) tables.sleepers[d + 1] = 0;
    else this.inheritSleep(d);
  }

  /** What thread q has asleep at depth d and still behind event d. */
  private kept(d: number, q: number): number {
    const { log } = this.engine;
    if (log.barrier[d] === 1 || q === log.thr[d]) return 0;
    const { sObj, sRd, sObj2, sRd2 } = this.tables;
    const at = d * MAX_THREADS + q;
    const [o, o2] = [log.obj[d], log.obj2[d]];
    return depends(sObj[at], sRd[at], sObj2[at], sRd2[at], o, log.rd[d], o2, log.rd2[d])
      ? 0
      : this.masked(d, q);
  }

  /** sleep[d+1]: who was asleep and commutes with event d stays asleep. */
  private inheritSleep(d: number): void {
    const { log } = this.engine;
    const { tables } = this;
    const { sObj, sRd, sObj2, sRd2 } = tables;
    let stay = tables.sleepers[d] & ~(1 << log.thr[d]);
    for (let q = 0; q < log.width; q++) {
      if ((stay & (1 << q)) === 0) continue;
      const from = d * MAX_THREADS + q;
      const to = from + MAX_THREADS;
      const [o, o2] = [log.obj[d], log.obj2[d]];
      if (depends(sObj[from], sRd[from], sObj2[from], sRd2[from], o, log.rd[d], o2, log.rd2[d])) {
        stay &= ~(1 << q);
        continue;
      }
      tables.asleep[to] = tables.asleep[from];
      sObj[to] = sObj[from];
      sRd[to] = sRd[from];
      sObj2[to] = sObj2[from];
      sRd2[to] = sRd2[from];
      tables.sAlts[to] = tables.sAlts[from];
    }
    tables.sleepers[d + 1] = stay;
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
    const { raceStart, racePartner, raceExclusion, raceLater } = this.tables;
    const from = this.mutation.onlyNewRaces === true ? raceStart[this.keep] : 0;
    for (let r = from; r < this.raceCount; r++)
      this.insertEvent(racePartner[r], raceExclusion[r], raceLater[r]);
    if (this.mutation.ignoreBlocked !== true) {
      for (const { blocked } of this.atBarrier) this.insertBlocked(blocked);
      this.forBlocked((blocked) => this.insertBlocked(blocked), -1);
    }
    this.backtrack();
  }

  private backtrack(): void {
    const { log } = this.engine;
    const { tables, tree } = this;
    for (let d = log.length - 1; d >= this.floor; d--) {
      const parent = d === 0 ? ROOT : tables.node[d - 1];
      tree.removeFirst(parent);
      if (tree.firstChild(parent) < 0) continue;
      this.explored(d);
      this.keep = d;
      return;
    }
    this.finish();
  }

  /** What was done at depth d need not be done there again. */
  private explored(d: number): void {
    const { log } = this.engine;
    const { tables } = this;
    const t = log.thr[d];
    const at = d * MAX_THREADS + t;
    tables.asleep[at] = this.masked(d, t) | (1 << log.alt[d]);
    tables.sleepers[d] |= 1 << t;
    tables.sObj[at] = log.obj[d];
    tables.sRd[at] = log.rd[d];
    tables.sObj2[at] = log.obj2[d];
    tables.sRd2[at] = log.rd2[d];
    tables.sAlts[at] = log.alts[d];
  }

  private finish(): void {
    if (!this.finished) giveBack(this.tables);
    this.finished = true;
  }

  // ---- insertion (5.3) ----

  private insertEvent(e: number, exclusion: readonly number[] | null, later: number): void {
    this.collect(e, exclusion, later);
    this.tables.v.push(later);
    this.insert(e);
  }

  private insertBlocked(b: Blocked): void {
    this.collect(b.partner, b.exclusion, -1);
    this.tables.v.push(this.engine.log.sketch(b.thr, b.obj, b.rd));
    this.insert(b.partner);
  }

  /** v without its last element: everything behind position i that does not happen after e (none of X). */
  private collect(i: number, exclusion: readonly number[] | null, later: number): void {
    const { log } = this.engine;
    const { mutation } = this;
    const { v } = this.tables;
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
      v.push(k);
    }
  }

  private insert(i: number): void {
    if (this.mutation.noSleepTest !== true && this.isCoveredBySleep(i)) return;
    if (i >= this.floor) {
      this.graft(i);
      return;
    }
    // What the tree here knows of the levels above is as old as the branch; the frontier has the last word.
    const steps = stepsOf(this.tables.v, this.engine.log);
    if (this.sent.has(keyOf(i, steps)) || !this.graft(i, false)) return;
    this.sent.add(keyOf(i, steps));
    const asleep = Array.from({ length: MAX_THREADS }, (_, t) => this.masked(i, t));
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
    this.finish();
    return { levels, below };
  }

  /**
   * Share of what is to be explored that is behind us, as far as the tree is known (exploration.md 15): of the
   * siblings on every level those that are finished. Between executions only.
   */
  done(): number {
    if (this.finished) return 1;
    let done = 0;
    let share = 1;
    for (let d = this.floor; d <= this.keep && this.executions > 0; d++) {
      const behind = this.finishedAt(d);
      let known = behind;
      for (let c = this.runningAt(d); c >= 0; c = this.tree.nextSibling(c)) known++;
      done += (share * behind) / known;
      share /= known;
    }
    return done;
  }

  /** Alternatives that were explored on level d: what is asleep there and was not so from the level above. */
  private finishedAt(d: number): number {
    let n = 0;
    for (let q = 0; q < MAX_THREADS; q++) {
      const inherited = d > 0 ? this.kept(d - 1, q) : 0;
      for (let left = this.masked(d, q) & ~inherited; left !== 0; left &= left - 1) n++;
    }
    return n;
  }

  private runningAt(d: number): number {
    return this.tree.firstChild(d === 0 ? ROOT : this.tables.node[d - 1]);
  }

  private levelAt(d: number): Level {
    const running = this.runningAt(d);
    const right = this.tree.twigsAfter(running);
    return { step: this.tree.stepOf(running), left: this.asleepAt(d), right };
  }

  private asleepAt(d: number): Asleep[] {
    const { sObj, sRd, sObj2, sRd2, sAlts } = this.tables;
    const list: Asleep[] = [];
    for (let thr = 0; thr < MAX_THREADS; thr++) {
      const at = d * MAX_THREADS + thr;
      const mask = this.masked(d, thr);
      if (mask === 0) continue;
      const [obj, rd, obj2, rd2, alts] = [sObj[at], sRd[at], sObj2[at], sRd2[at], sAlts[at]];
      list.push({ step: { thr, alt: 0, obj, rd, obj2, rd2, alts }, mask });
    }
    return list;
  }

  /** 1: something asleep at i has explored every continuation that v stands for. */
  private isCoveredBySleep(i: number): boolean {
    const sleepers = this.tables.sleepers[i];
    if (sleepers === 0) return false;
    for (let q = 0; q < this.engine.log.width; q++)
      if ((sleepers & (1 << q)) !== 0 && this.isCoveredBy(i * MAX_THREADS + q, q)) return true;
    return false;
  }

  private isCoveredBy(at: number, q: number): boolean {
    const { log } = this.engine;
    const { v, asleep, sObj, sRd, sObj2, sRd2, sAlts } = this.tables;
    const mask = asleep[at];
    for (let j = 0; j < v.length; j++) {
      const d = v.at[j];
      if (log.thr[d] === q) return (mask & (1 << log.alt[d])) !== 0;
      if (
        depends(
          sObj[at],
          sRd[at],
          sObj2[at],
          sRd2[at],
          log.obj[d],
          log.rd[d],
          log.obj2[d],
          log.rd2[d],
        )
      )
        return false;
    }
    return mask === (1 << sAlts[at]) - 1;
  }

  /** 2: walks down from the node before the race and appends what the tree does not have yet; true if it did. */
  private graft(i: number, append = true): boolean {
    const { tree } = this;
    const { v, node } = this.tables;
    const start = i === 0 ? ROOT : node[i - 1];
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
    const { tree } = this;
    const { log } = this.engine;
    const { v } = this.tables;
    const t = tree.thr[node];
    for (let j = 0; j < v.length; j++) {
      const d = v.at[j];
      if (log.thr[d] === t) return log.alt[d] === tree.alt[node] ? j : NO_MATCH;
      if (tree.dependsOn(node, log, d)) return NO_MATCH;
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
    let mask = i >= 0 ? this.masked(i, tree.thr[node]) : 0;
    for (let c = tree.firstChild(parent); c >= 0; c = tree.nextSibling(c))
      if (tree.thr[c] === tree.thr[node]) mask |= 1 << tree.alt[c];
    return mask === (1 << alts) - 1;
  }

  private appendChain(p: number): void {
    const { tree } = this;
    const { v } = this.tables;
    let parent = p;
    for (let j = 0; j < v.length; j++) parent = tree.appendEvent(parent, this.engine.log, v.at[j]);
  }
}

/** A reversal in a word: operations follow from who goes and how often. */
function keyOf(depth: number, steps: readonly Step[]): string {
  return `${depth}:${steps.map(({ thr, alt }) => thr * 256 + alt).join()}`;
}

const NO_MATCH = -1;
const COVERED = -2;

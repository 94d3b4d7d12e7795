/**
 * The part of a wakeup tree that several explorers share (exploration.md 15): each of them explores the free
 * subtree below one waiting leaf with the sequential algorithm, and reversals whose first event lies above that leaf
 * are inserted here, whenever they arrive.
 *
 * Lateness costs nothing: nodes that were reached through a wakeup sequence are kept after they are finished, and
 * what is asleep for a branch are the siblings to its left, whether finished, running or waiting.
 */

import type { EventLog } from '../machine/log.ts';
import { HarnessBug } from '../machine/op.ts';
import { depends, type Sequence } from './sequence.ts';

/** One step of a wakeup tree: who goes, which alternative, and the footprint of the operation. */
export interface Step {
  readonly thr: number;
  readonly alt: number;
  readonly obj: number;
  readonly rd: number;
  readonly obj2: number;
  readonly rd2: number;
  readonly alts: number;
}

/** A subtree as plain data. */
export interface Twig {
  readonly step: Step;
  readonly children: readonly Twig[];
}

/** A thread that is asleep: alternatives of its pending operation that somebody explores, as a bit mask. */
export interface Asleep {
  readonly step: Step;
  readonly mask: number;
}

/** A step on the way to a leaf, and what stands beside it. */
export interface Level {
  readonly step: Step;
  /** What is asleep before the step. */
  readonly left: readonly Asleep[];
  /** Siblings that come later. */
  readonly right: readonly Twig[];
}

/** What one explorer is to explore: everything below the last step. */
export interface Branch {
  readonly levels: readonly Level[];
}

/** A reversal whose first event lies on the way to the branch that found it. */
export interface Reversal {
  /** How many steps stand before the race. */
  readonly depth: number;
  readonly steps: readonly Step[];
  /** Masks of what was asleep there, by thread. */
  readonly asleep: readonly number[];
}

interface Node {
  readonly step: Step;
  readonly children: Node[];
  /** What was asleep here, besides children, when the node came to be shared. */
  asleep: readonly Asleep[];
  /** Explored from here on without guidance: it covers whatever starts with it. */
  free: boolean;
}

/** A node as plain data; `waits` for a leaf that nobody has taken. */
export interface SavedNode {
  readonly step: Step;
  readonly asleep: readonly Asleep[];
  readonly free: boolean;
  readonly waits: boolean;
  readonly children: readonly SavedNode[];
}

/** A branch that is being explored, as the frontier knows it. */
export interface Lease {
  readonly branch: Branch;
  /** Nodes from the first step to the last one that is shared. */
  readonly path: Node[];
}

const NOTHING: Step = { thr: -1, alt: 0, obj: -1, rd: 1, obj2: -1, rd2: 1, alts: 1 };

export class Frontier {
  private readonly root = newNode(NOTHING);
  /** Ways to leaves that nobody has taken. */
  private readonly waiting: Node[][] = [[]];
  private running = 0;

  /** Leaves that wait for an explorer. */
  get ready(): number {
    return this.waiting.length;
  }

  /** Whether everything has been explored. */
  get finished(): boolean {
    return this.waiting.length === 0 && this.running === 0;
  }

  /** The next leaf to explore, or null if none waits. */
  take(): Lease | null {
    const path = this.waiting.pop();
    if (path === undefined) return null;
    this.running++;
    (path.at(-1) ?? this.root).free = true;
    return { branch: { levels: path.map((node, d) => this.levelOf(path, node, d)) }, path };
  }

  private levelOf(path: readonly Node[], node: Node, d: number): Level {
    const parent = d === 0 ? this.root : path[d - 1];
    const at = parent.children.indexOf(node);
    const left: Asleep[] = [...parent.asleep];
    for (const { step } of parent.children.slice(0, at)) left.push({ step, mask: 1 << step.alt });
    return { step: node.step, left, right: parent.children.slice(at + 1).map(twigOf) };
  }

  /** The explorer of the branch has nothing left. */
  finish(_lease: Lease): void {
    this.running--;
  }

  /** The explorer keeps only what lies below these further levels; the siblings on them wait for others. */
  share(lease: Lease, levels: readonly Level[]): void {
    for (const level of levels) {
      const parent = lease.path.at(-1) ?? this.root;
      parent.asleep = level.left;
      const node = newNode(level.step);
      parent.children.push(node);
      for (const twig of level.right) this.hang(twig, parent, [...lease.path]);
      lease.path.push(node);
    }
  }

  private hang(twig: Twig, parent: Node, way: readonly Node[]): void {
    const node = newNode(twig.step);
    parent.children.push(node);
    const path = [...way, node];
    if (twig.children.length === 0) this.waiting.push(path);
    for (const child of twig.children) this.hang(child, node, path);
  }

  /** The explorer gives back all that it has left: the siblings on these levels and what lies below the last step. */
  surrender(lease: Lease, levels: readonly Level[], below: readonly Twig[]): void {
    this.share(lease, levels);
    const last = lease.path.at(-1) ?? this.root;
    if (levels.length > 0) {
      if (below.length === 0) this.waiting.push([...lease.path]);
      for (const twig of below) this.hang(twig, last, lease.path);
    }
    this.finish(lease);
  }

  /**
   * Share of what is to be explored that is behind everybody, as far as the tree is known; `doneBelow` answers that of
   * a branch somebody explores.
   */
  done(running: readonly Lease[], doneBelow: (lease: Lease) => number): number {
    if (this.finished) return 1;
    const waiting = new Set(this.waiting.map((path) => path.at(-1) ?? this.root));
    const leases = new Map(running.map((lease) => [lease.path.at(-1) ?? this.root, lease]));
    const share = (node: Node, inherited: readonly Asleep[]): number => {
      const lease = leases.get(node);
      if (lease !== undefined) return doneBelow(lease);
      if (waiting.has(node)) return 0;
      if (node.children.length === 0) return 1;
      // What fell asleep here was explored before the node came to be shared.
      let done = alternativesIn(node.asleep, inherited);
      const known = done + node.children.length;
      const asleep = [...inherited, ...node.asleep];
      for (const child of node.children) {
        done += share(
          child,
          asleep.filter(({ step }) => commute(step, child.step)),
        );
        asleep.push({ step: child.step, mask: 1 << child.step.alt });
      }
      return done / known;
    };
    return share(this.root, []);
  }

  /** Everything that is left to do, as plain data. Nobody must be exploring. */
  save(): SavedNode {
    if (this.running > 0) throw new HarnessBug('Cannot save a frontier while somebody explores');
    const waiting = new Set(this.waiting.map((path) => path.at(-1) ?? this.root));
    const saved = (node: Node): SavedNode => ({
      step: node.step,
      asleep: node.asleep,
      free: node.free,
      waits: waiting.has(node),
      children: node.children.map(saved),
    });
    return saved(this.root);
  }

  /** Goes on where a saved frontier stopped. */
  restore(saved: SavedNode): void {
    this.waiting.length = 0;
    const fill = (node: Node, from: SavedNode, path: readonly Node[]): void => {
      node.asleep = from.asleep;
      node.free = from.free;
      if (from.waits) this.waiting.push([...path]);
      for (const child of from.children) {
        const made = newNode(child.step);
        node.children.push(made);
        fill(made, child, [...path, made]);
      }
    };
    fill(this.root, saved, []);
  }

  /** Inserts a reversal that the explorer of the lease found (5.3, step 2); true if it was not covered yet. */
  insert(lease: Lease, reversal: Reversal): boolean {
    const way = lease.path.slice(0, reversal.depth);
    const start = way.at(-1) ?? this.root;
    const branch = lease.path[reversal.depth];
    const v = [...reversal.steps];
    let p = start;
    let from = start.children.indexOf(branch) + 1;
    for (;;) {
      if (p !== start && (p.free || p.children.length === 0)) return false;
      const next = this.descend(p, from, v, p === start ? reversal.asleep : null);
      if (next === 'covered') return false;
      if (next === null) {
        this.append(p, v, way);
        return true;
      }
      way.push(next);
      p = next;
      from = 0;
    }
  }

  /** The child that v can start with, which v loses; null if there is none. */
  private descend(
    p: Node,
    from: number,
    v: Step[],
    asleep: readonly number[] | null,
  ): Node | 'covered' | null {
    for (let c = from; c < p.children.length; c++) {
      const child = p.children[c];
      const j = matchStep(child.step, v);
      if (j >= 0) {
        if (v.length === 1) return 'covered';
        v.splice(j, 1);
        return child;
      }
      if (j === SILENT && coversAll(p, child.step, asleep)) return 'covered';
    }
    return null;
  }

  private append(p: Node, v: readonly Step[], way: readonly Node[]): void {
    const path = [...way];
    let parent = p;
    for (const step of v) {
      const node = newNode(step);
      parent.children.push(node);
      path.push(node);
      parent = node;
    }
    this.waiting.push(path);
  }
}

const SILENT = -2;

/** Position of the step in v if v can start with it, SILENT if v does not have its thread, else -1. */
function matchStep(step: Step, v: readonly Step[]): number {
  for (const [j, other] of v.entries()) {
    if (other.thr === step.thr) return other.alt === step.alt ? j : -1;
    if (dependent(step, other)) return -1;
  }
  return SILENT;
}

function dependent(a: Step, b: Step): boolean {
  return depends(a.obj, a.rd, a.obj2, a.rd2, b.obj, b.rd, b.obj2, b.rd2);
}

function commute(a: Step, b: Step): boolean {
  return a.thr !== b.thr && !dependent(a, b);
}

/** How many alternatives are asleep that were not inherited. */
function alternativesIn(asleep: readonly Asleep[], inherited: readonly Asleep[]): number {
  let n = 0;
  for (const { step, mask } of asleep) {
    let left = mask;
    for (const other of inherited) if (other.step.thr === step.thr) left &= ~other.mask;
    for (; left !== 0; left &= left - 1) n++;
  }
  return n;
}

/** Whether every alternative of the step has a child or is asleep. */
function coversAll(p: Node, step: Step, asleep: readonly number[] | null): boolean {
  if (step.alts === 1) return true;
  let mask = asleep?.[step.thr] ?? 0;
  for (const child of p.children) if (child.step.thr === step.thr) mask |= 1 << child.step.alt;
  return mask === (1 << step.alts) - 1;
}

function newNode(step: Step): Node {
  return { step, children: [], asleep: [], free: false };
}

function twigOf(node: Node): Twig {
  return { step: node.step, children: node.children.map(twigOf) };
}

/** The steps of a sequence as data. */
export function stepsOf(v: Sequence, log: EventLog): Step[] {
  return v.at.slice(0, v.length).map((d) => ({
    thr: log.thr[d],
    alt: log.alt[d],
    obj: log.obj[d],
    rd: log.rd[d],
    obj2: log.obj2[d],
    rd2: log.rd2[d],
    alts: log.alts[d],
  }));
}

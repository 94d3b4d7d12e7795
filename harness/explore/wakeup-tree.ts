/**
 * Wakeup trees (Abdulla, Aronsson, Jonsson, Sagonas 2014; exploration.md 5.1): what is still to be explored,
 * as ordered trees of (thread, alternative, operation) in an arena of integers with a free list.
 */

import type { EventLog } from '../machine/log.ts';
import type { Level, Step, Twig } from './frontier.ts';
import { depends } from './sequence.ts';

export const ROOT = 0;
const NIL = -1;

export class WakeupTree {
  readonly thr: number[] = [-1];
  readonly alt: number[] = [0];
  readonly obj: number[] = [-1];
  readonly rd: number[] = [1];
  readonly obj2: number[] = [-1];
  readonly rd2: number[] = [1];
  readonly alts: number[] = [1];
  private readonly first: number[] = [NIL];
  private readonly next: number[] = [NIL];
  private free = NIL;
  /** Nodes in use, without the root; the largest number there was. */
  size = 0;
  peak = 0;

  firstChild(node: number): number {
    return this.first[node];
  }

  nextSibling(node: number): number {
    return this.next[node];
  }

  /** Appends a last child and answers it. */
  append(
    parent: number,
    thr: number,
    alt: number,
    obj: number,
    rd: number,
    obj2: number,
    rd2: number,
    alts: number,
  ): number {
    const node = this.take();
    this.thr[node] = thr;
    this.alt[node] = alt;
    this.obj[node] = obj;
    this.rd[node] = rd;
    this.obj2[node] = obj2;
    this.rd2[node] = rd2;
    this.alts[node] = alts;
    this.first[node] = NIL;
    this.next[node] = NIL;
    let last = this.first[parent];
    if (last === NIL) this.first[parent] = node;
    else {
      while (this.next[last] !== NIL) last = this.next[last];
      this.next[last] = node;
    }
    return node;
  }

  /** Appends the event at position d as a last child and answers it. */
  appendEvent(parent: number, log: EventLog, d: number): number {
    return this.append(
      parent,
      log.thr[d],
      log.alt[d],
      log.obj[d],
      log.rd[d],
      log.obj2[d],
      log.rd2[d],
      log.alts[d],
    );
  }

  /** Appends a step and what lies below it. */
  private hang(parent: number, { step, children }: Twig): number {
    const { thr, alt, obj, rd, obj2, rd2, alts } = step;
    const node = this.append(parent, thr, alt, obj, rd, obj2, rd2, alts);
    for (const child of children) this.hang(node, child);
    return node;
  }

  /** The way to a branch, each step followed by its later siblings. */
  plant(levels: readonly Level[]): void {
    let parent = ROOT;
    for (const { step, right } of levels) {
      const node = this.hang(parent, { step, children: [] });
      for (const twig of right) this.hang(parent, twig);
      parent = node;
    }
  }

  /** The step of a node as data. */
  stepOf(node: number): Step {
    return {
      thr: this.thr[node],
      alt: this.alt[node],
      obj: this.obj[node],
      rd: this.rd[node],
      obj2: this.obj2[node],
      rd2: this.rd2[node],
      alts: this.alts[node],
    };
  }

  /** The later siblings of a node with everything below them. */
  twigsAfter(node: number): Twig[] {
    const twigs: Twig[] = [];
    for (let c = this.next[node]; c !== NIL; c = this.next[c])
      twigs.push({ step: this.stepOf(c), children: this.twigsBelow(c) });
    return twigs;
  }

  /** What lies below a node. */
  twigsBelow(node: number): Twig[] {
    const first = this.first[node];
    if (first === NIL) return [];
    return [
      { step: this.stepOf(first), children: this.twigsBelow(first) },
      ...this.twigsAfter(first),
    ];
  }

  private take(): number {
    this.size++;
    if (this.size > this.peak) this.peak = this.size;
    if (this.free !== NIL) {
      const node = this.free;
      this.free = this.next[node];
      return node;
    }
    return this.thr.push(-1) - 1;
  }

  /** Removes the first child of `parent`, which must have no children of its own any more. */
  removeFirst(parent: number): void {
    const node = this.first[parent];
    this.first[parent] = this.next[node];
    this.next[node] = this.free;
    this.free = node;
    this.size--;
  }

  /** Whether the operation of the node and the event at position d do not commute. */
  dependsOn(node: number, log: EventLog, d: number): boolean {
    return depends(
      this.obj[node],
      this.rd[node],
      this.obj2[node],
      this.rd2[node],
      log.obj[d],
      log.rd[d],
      log.obj2[d],
      log.rd2[d],
    );
  }
}

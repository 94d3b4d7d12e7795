/**
 * The part of lockdep about interrupts: a class of spinning locks that an interrupt takes must be taken with
 * interrupts off everywhere else, or the interrupt can come in between and spin on its own CPU's lock.
 */

import { engine } from '../machine/index.ts';
import type { FindingList } from './findings.ts';
import { currentName } from './names.ts';

/** How a class is used: in an interrupt, or with interrupts on in what an interrupt can interrupt. */
const USES = [
  { words: 'in hardirq context', inside: 'hardirq', open: '' },
  { words: 'in softirq context', inside: 'softirq', open: '' },
  { words: 'with interrupts on in softirq context', inside: '', open: 'softirq' },
  { words: 'with interrupts on in task context', inside: '', open: 'task' },
] as const;

/** Pairs of uses that can deadlock: the first interrupts the second. */
const CONFLICTS: readonly (readonly [number, number])[] = [
  [0, 2],
  [0, 3],
  [1, 3],
];

interface Use {
  epoch: number;
  site: string;
  who: string;
  position: number;
}

export class IrqUsage {
  private readonly findings: FindingList;
  private epoch = 0;
  /** By class, use and mode (writer, reader of a rwlock). */
  private readonly uses: (Use | null)[] = [];

  constructor(findings: FindingList) {
    this.findings = findings;
  }

  forget(): void {
    this.uses.length = 0;
  }

  begin(): void {
    this.epoch++;
  }

  /** A spinning lock of class c was taken by the current thread; true if no execution had such a use before. */
  taken(c: number, name: string, shared: boolean, irqsOff: boolean, site: string): boolean {
    const context = engine.contextOf(engine.current);
    const task = context === 'task' || context === 'worker';
    if (task) return !irqsOff && this.use(c, name, 3, shared, site);
    const inside = this.use(c, name, context === 'hardirq' ? 0 : 1, shared, site);
    const open = context === 'softirq' && !irqsOff && this.use(c, name, 2, shared, site);
    return inside || open;
  }

  private use(c: number, name: string, u: number, shared: boolean, site: string): boolean {
    const at = this.slot(c, u, shared);
    const old = this.uses[at];
    if (old?.epoch === this.epoch) return false;
    const isNew = old === undefined || old === null;
    const position = engine.position();
    if (isNew) this.uses[at] = { epoch: this.epoch, site, who: currentName(), position };
    else {
      old.epoch = this.epoch;
      old.site = site;
      old.who = currentName();
      old.position = position;
    }
    for (const [inside, open] of CONFLICTS) {
      if (u === inside) this.compare(c, name, at, open, shared, isNew);
      else if (u === open) this.compare(c, name, at, inside, shared, isNew);
    }
    return isNew;
  }

  private slot(c: number, u: number, shared: boolean): number {
    return (c * USES.length + u) * 2 + (shared ? 1 : 0);
  }

  private compare(
    c: number,
    name: string,
    at: number,
    u: number,
    shared: boolean,
    isNew: boolean,
  ): void {
    const mine = this.uses[at];
    const others = [
      this.uses[this.slot(c, u, false)],
      shared ? null : this.uses[this.slot(c, u, true)],
    ];
    const mineWords = USES[(at >> 1) % USES.length].words;
    for (const other of others) {
      if (other === null || other === undefined || mine === null || mine === undefined) continue;
      const inThisRun = other.epoch === this.epoch;
      if (!inThisRun && !isNew) continue;
      this.findings.add(
        'LOCKDEP',
        name,
        `${name} is taken ${mineWords} by ${mine.who} at ${mine.site} and ${USES[u].words} by ${other.who} ` +
          `at ${other.site}`,
        inThisRun ? [other.position, mine.position] : [mine.position],
        inThisRun ? {} : { acrossRuns: true },
      );
    }
  }
}

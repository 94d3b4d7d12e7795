/**
 * The softirq-disable count of every CPU; each thread runs on a CPU of its own.
 *
 * A task that sleeps while its count is not 0 schedules while atomic; one that is back in user space with such a
 * count has left its CPU out of balance for whoever runs there next.
 */

import { MAX_THREADS, engine } from '../machine/index.ts';
import type { FindingList } from './findings.ts';
import { currentName, threadName } from './names.ts';

export class SoftirqCount {
  private readonly findings: FindingList;
  private readonly depth = new Int32Array(MAX_THREADS);
  /** Where the count left 0, by thread. */
  private readonly site: string[] = new Array<string>(MAX_THREADS).fill('');
  private readonly position = new Int32Array(MAX_THREADS);
  private unbalanced = false;

  constructor(findings: FindingList) {
    this.findings = findings;
  }

  begin(): void {
    if (!this.unbalanced) return;
    this.unbalanced = false;
    this.depth.fill(0);
  }

  changed(change: number, site: string): void {
    const t = engine.current;
    if (this.depth[t] === 0) {
      this.site[t] = site;
      this.position[t] = engine.position();
    }
    this.depth[t] += change;
    this.unbalanced = true;
  }

  /** Whether the current thread has given back what it took. */
  isBalanced(): boolean {
    return this.depth[engine.current] === 0;
  }

  mightSleep(site: string): void {
    const t = engine.current;
    if (!this.unbalanced || this.depth[t] === 0) return;
    // Named after the imbalance: where it is noticed first depends on what the task does next.
    this.findings.add(
      'WARN',
      this.site[t],
      `scheduling while atomic: ${currentName()} may sleep at ${site} with a softirq-disable count of ` +
        `${this.depth[t]} (since ${this.site[t]})`,
      [this.position[t], engine.position()],
    );
  }

  /** At the end: no task that is back in user space may have left a count behind. */
  quiet(): void {
    if (!this.unbalanced) return;
    for (let t = 0; t < MAX_THREADS; t++) {
      const init = t === MAX_THREADS - 1;
      if (this.depth[t] === 0 || (!init && !engine.isDone(t))) continue;
      this.findings.add(
        'LOCKDEP',
        this.site[t],
        `${init ? 'init' : threadName(t)} returns to user space with a softirq-disable count of ` +
          `${this.depth[t]} (since ${this.site[t]})`,
        [this.position[t]],
      );
    }
  }
}

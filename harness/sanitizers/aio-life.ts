/**
 * The life of one kiocb: references, the one instance that runs, the run-list encoding, the wait queue it is linked
 * on, io_wait of the task that runs it, and its timer (A-I8 to A-I13, A-I20).
 */

import { engine, MAX_THREADS, type Lifetime } from '../machine/index.ts';
import { EIOCBRETRY, Encoding, type AioEvent, type AioState, type Kiocb } from './aio-state.ts';
import type { FindingList } from './findings.ts';
import { currentName, memName, threadName } from './names.ts';

/** A run that did not put io_wait back. */
interface Spoilt {
  readonly kiocb: Kiocb;
  readonly before: number;
  readonly after: number;
  readonly position: number;
}

export class AioLife {
  private readonly findings: FindingList;
  private readonly state: AioState;
  /** What task.io_wait was before the method that a thread runs was entered; -1 if it runs none. */
  private readonly ioWait = new Int32Array(MAX_THREADS);
  /** The last run after which io_wait of a thread was not what it had been. */
  private readonly spoilt = new Map<number, Spoilt>();

  constructor(findings: FindingList, state: AioState) {
    this.findings = findings;
    this.state = state;
  }

  begin(): void {
    this.ioWait.fill(-1);
    this.spoilt.clear();
  }

  happened(e: AioEvent): void {
    const k = e.kiocb;
    if (e.what === 'task.io-wait.used') this.used(e);
    if (k === null) return;
    switch (e.what) {
      case 'kiocb.users':
        if (e.value < 0) this.add('A-I8', `the references of ${memName(k.mem)} fall to ${e.value}`);
        return;
      case 'kiocb.kicked':
        k.kicked = e.value === 1;
        return;
      case 'kiocb.encoding':
        this.encoding(e, k);
        return;
      case 'kiocb.run':
        this.run(e, k);
        return;
      case 'kiocb.ran':
        this.ran(e, k);
        return;
      case 'kiocb.linked':
        this.linked(e, k);
        return;
      case 'kiocb.completed':
        if (k.linked > 0)
          this.add(
            'A-I12',
            `${memName(k.mem)} is completed at ${e.site} while it is linked on a wait queue`,
          );
        return;
      case 'task.io-wait.enter':
        this.ioWait[engine.current] = e.value;
        return;
      case 'task.io-wait.leave':
        this.left(e, k);
        return;
      default:
        if (e.what.startsWith('timer.')) this.timer(e, k);
    }
  }

  /** A-I10: what is queued was kicked, and nobody but its runner queues a kiocb that runs. */
  private encoding(e: AioEvent, k: Kiocb): void {
    k.hasEncoding = true;
    if (e.value === Encoding.QUEUED) {
      const name = memName(k.mem);
      if (!k.kicked)
        this.add('A-I10', `${name} is queued for a run at ${e.site} and was not kicked`);
      else if (k.runner >= 0 && k.runner !== engine.current)
        this.add('A-I10', `${name} is queued at ${e.site} while ${threadName(k.runner)} runs it`);
    }
    k.encoding = e.value;
  }

  /** A-I9. */
  private run(e: AioEvent, k: Kiocb): void {
    if (k.runner >= 0) {
      const who = `${currentName()} runs ${memName(k.mem)} at ${e.site}`;
      this.add('A-I9', `${who} while ${threadName(k.runner)} runs it`);
    }
    k.runner = engine.current;
    k.runs++;
    k.runAt = engine.position();
  }

  private ran(e: AioEvent, k: Kiocb): void {
    k.runner = -1;
    k.answer = e.value;
    if (e.value === EIOCBRETRY && k.hasEncoding && k.encoding === Encoding.RUNNING)
      this.add(
        'A-I10',
        `${memName(k.mem)} rests after ${e.site} as if it were running: no kick queues it`,
      );
  }

  /** A-I11, the first half. */
  private linked(e: AioEvent, k: Kiocb): void {
    k.linked = e.value;
    k.wasLinked = true;
    if (e.value > 1)
      this.add(
        'A-I11',
        `the wait entry of ${memName(k.mem)} is linked on ${e.value} queues at ${e.site}`,
      );
  }

  /** A run has left another io_wait behind than it found. */
  private left(e: AioEvent, k: Kiocb): void {
    const t = engine.current;
    const before = this.ioWait[t];
    this.ioWait[t] = -1;
    if (before < 0) return;
    if (before !== e.value)
      this.spoilt.set(t, { kiocb: k, before, after: e.value, position: engine.position() });
  }

  /** A-I13, told when the task needs its entry: until then nobody can see the difference. */
  private used(e: AioEvent): void {
    const spoilt = this.spoilt.get(engine.current);
    if (spoilt === undefined || spoilt.after !== e.value) return;
    const was = entryName(spoilt.before);
    const message =
      `${currentName()} waits with its io_wait at ${e.site}, which is ${entryName(e.value)} since it has run ` +
      `${memName(spoilt.kiocb.mem)}; it was ${was}`;
    this.findings.add('ACCOUNT', 'A-I13', message, [spoilt.position, engine.position()]);
  }

  private timer(e: AioEvent, k: Kiocb): void {
    switch (e.what) {
      case 'timer.armed':
        k.isArmed = true;
        return;
      case 'timer.cancelled':
        k.isArmed = false;
        return;
      case 'timer.fired':
        k.isArmed = false;
        k.firing++;
        return;
      case 'timer.done':
        k.firing--;
        return;
      case 'timer.needs':
        if (e.of !== null && !k.needs.includes(e.of)) k.needs.push(e.of);
        return;
      default:
    }
  }

  /** Called when memory is freed: A-I8 and A-I20. */
  freed(mem: Lifetime, site: string): void {
    const own = this.state.kiocbs.get(mem);
    if (own !== undefined) this.freedRequest(own, site);
    for (const k of this.state.kiocbs.values()) {
      if (k.mem !== mem && !k.needs.includes(mem)) continue;
      if (!k.isArmed && k.firing === 0) continue;
      const how = k.firing > 0 ? 'timer-running' : 'timer-pending';
      const what = k.firing > 0 ? 'its handler runs' : 'it is pending';
      this.findings.add(
        'ACCOUNT',
        `A-I20 / ${how}`,
        `${memName(mem)} is freed at ${site}; the timer of ${memName(k.mem)} needs it, and ${what}`,
        [engine.position()],
      );
    }
  }

  private freedRequest(k: Kiocb, site: string): void {
    const name = memName(k.mem);
    if (k.linked > 0)
      this.add('A-I8', `${name} is freed at ${site} while it is linked on a wait queue`);
    else if (k.encoding === Encoding.QUEUED)
      this.add('A-I8', `${name} is freed at ${site} while it is queued for a run`);
    else if (k.runner >= 0)
      this.add('A-I8', `${name} is freed at ${site} while ${threadName(k.runner)} runs it`);
    else if (k.accepted && k.users > 0)
      this.add('A-I8', `${name} is freed at ${site} with ${k.users} references`);
  }

  /** A-I11, the second half: a request at rest that nobody will run. */
  quiet(): void {
    for (const k of this.state.kiocbs.values()) {
      const rests = k.accepted && k.completed === 0 && !k.isGone && k.runner < 0 && k.runs > 0;
      if (!rests || k.answer !== EIOCBRETRY || !k.wasLinked || k.linked > 0) continue;
      if (k.kicked || k.encoding === Encoding.QUEUED) continue;
      this.findings.add(
        'ACCOUNT',
        'A-I11',
        `${memName(k.mem)} waits for another run, is linked on no queue and was not kicked: nobody will run it`,
        [k.runAt],
      );
    }
  }

  private add(id: string, message: string): void {
    this.findings.add('ACCOUNT', id, message, [engine.position()]);
  }
}

function entryName(value: number): string {
  if (value === 0) return 'null';
  return value === 1 ? "the task's own entry" : 'the entry of a kiocb';
}

/**
 * Exactly one report for every accepted request, with a result that is true, and cancellations that are what they
 * say (A-I6, A-I7, A-I22 to A-I25).
 */

import { engine } from '../machine/index.ts';
import { EIOCBRETRY, type AioEvent, type AioState, type Kiocb } from './aio-state.ts';
import type { FindingList } from './findings.ts';
import { memName } from './names.ts';

/** The largest errno that programs know (A-I25). */
const ERRNO_MAX = 133;

export class AioCompletion {
  private readonly findings: FindingList;
  private readonly state: AioState;

  constructor(findings: FindingList, state: AioState) {
    this.findings = findings;
    this.state = state;
  }

  happened(e: AioEvent): void {
    const k = e.kiocb;
    if (k === null) return;
    switch (e.what) {
      case 'kiocb.accepted':
        k.accepted = true;
        k.size = e.value;
        return;
      case 'kiocb.completed':
        this.completed(e, k);
        return;
      case 'kiocb.posted':
        this.posted(k);
        return;
      case 'kiocb.cancelled':
        if (e.value === 2) this.cancelAll(k);
        else k.byCancel = true;
        return;
      case 'kiocb.cancel-reported':
        this.reported(e, k);
        return;
      case 'kiocb.cancel-lost':
        k.lost = true;
        k.cancelAt = engine.position();
        return;
      case 'kiocb.consumed':
        k.moved = Math.max(k.moved, 0) + e.value;
        return;
      case 'kiocb.wrote':
        this.wrote(e, k);
        return;
      case 'kiocb.edges':
        k.edges += e.value;
        return;
      case 'kiocb.datagram':
        this.datagram(e, k);
        return;
      default:
    }
  }

  /** A-I7. */
  private completed(e: AioEvent, k: Kiocb): void {
    k.completed++;
    if (k.completed > 1) {
      const message = `${memName(k.mem)} is completed at ${e.site} and was completed before`;
      this.add('DUPLICATE', 'A-I7', message, k.doneAt);
    }
    k.result = e.value;
    k.doneAt = engine.position();
  }

  private posted(k: Kiocb): void {
    k.posted++;
    const name = memName(k.mem);
    if (k.posted > 1)
      this.add('DUPLICATE', 'A-I6 / event-twice', `${name} has two events`, k.doneAt);
    if (k.reported > 0) this.both(k);
    this.range(k);
    this.moved(k);
    k.doneAt = engine.position();
  }

  private reported(e: AioEvent, k: Kiocb): void {
    k.reported++;
    k.reportedResult = e.value;
    if (k.reported > 1) {
      const message = `two calls of io_cancel report that they cancelled ${memName(k.mem)}`;
      this.add('DUPLICATE', 'A-I6 / cancel-twice', message, k.cancelAt);
    }
    if (k.posted > 0) this.both(k);
    k.cancelAt = engine.position();
  }

  private both(k: Kiocb): void {
    const message = `${memName(k.mem)} has an event in the ring, and io_cancel reports that it cancelled it`;
    this.add('DUPLICATE', 'A-I6 / cancel-and-event', message, Math.max(k.doneAt, k.cancelAt));
  }

  /** A-I25. */
  private range(k: Kiocb): void {
    const { result } = k;
    const isCount = result >= 0 && (k.size < 0 || result <= k.size);
    if (isCount || (result < 0 && result >= -ERRNO_MAX)) return;
    const asked = k.size < 0 ? '' : `, ${k.size} at most`;
    const message = `${memName(k.mem)} answers ${result}, neither a count${asked} nor an errno that programs know`;
    this.add('ACCOUNT', 'A-I25', message);
  }

  /** A-I22 and A-I23 for requests that end with an event. */
  private moved(k: Kiocb): void {
    const said = Math.max(k.result, 0);
    const name = memName(k.mem);
    if (k.moved > 0 && k.result < 0) {
      const message = `${name} answers ${k.result} after it moved ${k.moved} bytes, which nobody is told of`;
      this.add('LEDGER', 'A-I23 / error-after-progress', message);
    } else if (k.moved >= 0 && k.moved !== said) {
      this.add('LEDGER', 'A-I23 / count', `${name} answers ${said} and moved ${k.moved} bytes`);
    }
    if (k.edges > said) {
      const message = `${name} took off ${k.edges} edges or one-shots and reports ${said} events`;
      this.add('LOST-EDGE', 'A-I22 / event', message);
    }
  }

  /** A-I23, the order: what is begun is finished before the next one begins (A-B68). */
  private wrote(e: AioEvent, k: Kiocb): void {
    k.target = e.of;
    for (const other of this.state.kiocbs.values()) {
      if (other === k) return;
      // It rests with a part of its bytes, and waits for room for the others.
      const rests = other.runner < 0 && other.answer === EIOCBRETRY && other.completed === 0;
      const isOpen = rests && other.moved < other.size && !other.byCancel && !other.byCancelAll;
      if (other.target === null || other.target !== e.of || !isOpen) continue;
      const message = `${memName(k.mem)} writes ${e.value} bytes into the middle of what ${memName(other.mem)} writes`;
      this.add('LEDGER', 'A-I23 / overtaken', message);
    }
  }

  /** A-I24. */
  private datagram(e: AioEvent, k: Kiocb): void {
    k.datagrams++;
    const name = memName(k.mem);
    if (k.datagrams > 1) {
      const message = `${name} sends ${k.datagrams} datagrams, the last one of ${e.value} bytes`;
      this.add('LEDGER', 'A-I24 / extra-datagram', message);
    } else if (k.size >= 0 && e.value !== k.size) {
      const message = `${name} sends a datagram of ${e.value} bytes, ${k.size} were to be sent`;
      this.add('LEDGER', 'A-I24 / payload', message);
    }
  }

  /** The whole context goes: what a reported cancellation left behind is to be seen now. */
  private cancelAll(k: Kiocb): void {
    this.holds(k);
    k.byCancelAll = true;
  }

  /** Cancellation safety: whoever was cancelled does not wait for anything. */
  private holds(k: Kiocb): void {
    if (k.reported === 0 || k.isGone || k.runner >= 0 || k.answer !== EIOCBRETRY) return;
    if (k.linked === 0 || k.kicked || k.isArmed || k.firing > 0) return;
    const name = memName(k.mem);
    this.add(
      'CANCEL',
      'holds',
      `io_cancel reports that it cancelled ${name}, which still waits on a queue and holds its file and its slot`,
      k.cancelAt,
    );
  }

  /** Nothing can run any more. */
  quiet(): void {
    for (const k of this.state.kiocbs.values()) {
      if (!k.accepted) continue;
      if (!k.byCancelAll) this.holds(k);
      this.consumed(k);
      if (k.posted > 0 || k.reported > 0 || k.byCancelAll) continue;
      if (k.lost) {
        const message = `io_cancel answers an error and ${memName(k.mem)} posts no event: nobody learns how it ended`;
        this.add('LOST-EVENT', 'A-I6 / cancel-failed', message, k.cancelAt);
      } else if (k.completed > 0) {
        const message = `${memName(k.mem)} is completed, and neither an event nor io_cancel reports it`;
        this.add('LOST-EVENT', 'A-I6 / silent', message, k.doneAt);
      } else if (k.isPut) {
        this.add(
          'LOST-EVENT',
          'A-I7',
          `${memName(k.mem)} was accepted, is gone and was never completed`,
        );
      }
    }
  }

  /** Cancellation safety: what was consumed is what io_cancel reports. */
  private consumed(k: Kiocb): void {
    if (k.reported === 0 || k.posted > 0) return;
    const said = Math.max(k.reportedResult, 0);
    const name = memName(k.mem);
    if (k.moved > said) {
      const message = `io_cancel reports ${said} for ${name}, which moved ${k.moved} bytes`;
      this.add('CANCEL', 'consumed / A-I23', message, k.cancelAt);
    } else if (k.moved >= 0 && k.moved < said) {
      const message = `io_cancel reports ${said} for ${name}, which moved only ${k.moved} bytes`;
      this.add('CANCEL', 'over-reported / A-I23', message, k.cancelAt);
    }
    if (k.edges > said) {
      const message = `io_cancel reports ${said} for ${name}, which took off ${k.edges} edges or one-shots`;
      this.add('CANCEL', 'consumed / A-I22', message, k.cancelAt);
    }
  }

  private add(detector: string, site: string, message: string, earlier = -1): void {
    const steps = [earlier, engine.position()].sort((a, b) => a - b);
    this.findings.add(detector, site, message, steps);
  }
}

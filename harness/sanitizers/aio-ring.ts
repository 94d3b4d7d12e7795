/**
 * The completion ring: what was posted, what was read, and what lies between (A-I3, A-I4, A-I5). What user space
 * does to head and tail is its own affair; what the kernel then makes of it is not.
 */

import { engine, MAX_THREADS } from '../machine/index.ts';
import type { AioEvent, AioState, Ctx, Kiocb } from './aio-state.ts';
import type { FindingList } from './findings.ts';
import { currentName, memName } from './names.ts';

export class AioRing {
  private readonly findings: FindingList;
  private readonly state: AioState;
  /** The event that each thread took out of a ring last. */
  private readonly last = new Map<number, Kiocb | null>();
  /** Events that each thread has in its hands from the call that it is in. */
  private readonly delivered = new Int32Array(MAX_THREADS);
  /** Slots that no event needed when each thread was refused one last. */
  private readonly room = new Int32Array(MAX_THREADS);

  constructor(findings: FindingList, state: AioState) {
    this.findings = findings;
    this.state = state;
  }

  begin(): void {
    this.last.clear();
    this.room.fill(0);
  }

  happened(e: AioEvent): void {
    const { ctx } = e;
    if (ctx === null) return;
    switch (e.what) {
      case 'ctx.ring':
        ctx.slots = e.value;
        return;
      case 'kiocb.admitted':
        this.overAdmitted(e, ctx);
        return;
      case 'kiocb.posted':
        this.posted(e, ctx);
        return;
      case 'event.read':
        this.read(e, ctx);
        return;
      case 'event.user-read':
        ctx.taken.add(e.value);
        this.take(e, ctx, e.value);
        return;
      case 'event.fault':
        this.fault(ctx);
        return;
      case 'submit.full':
        this.room[engine.current] = e.value - this.inFlight(ctx);
        return;
      case 'submit.refused':
        this.refused(e, ctx);
        return;
      case 'getevents.begin':
        this.delivered[engine.current] = 0;
        return;
      case 'getevents.return':
        this.counted(e);
        return;
      case 'ctx.user-head':
        this.userHead(e, ctx);
        return;
      case 'ctx.user-tail':
        ctx.isTouched = true;
        return;
      case 'ctx.tail':
        if (e.value !== ctx.tail) this.words(e, ctx, 'tail', ctx.tail);
        return;
      case 'ctx.head':
        if (ctx.slots > 0 && e.value >= ctx.slots) this.words(e, ctx, 'head', e.value % ctx.slots);
        ctx.head = e.value;
        return;
      default:
    }
  }

  /** A-I3, as long as user space keeps its hands off. */
  private overAdmitted(e: AioEvent, ctx: Ctx): void {
    if (ctx.slots === 0 || ctx.isTouched) return;
    const promised = ctx.unread.size + ctx.live - ctx.postedLive;
    if (promised <= ctx.slots - 1) return;
    this.findings.add(
      'ACCOUNT',
      'A-I3',
      `${promised} events may come to ${memName(ctx.mem)}, whose ring has room for ${ctx.slots - 1}: one too ` +
        `many was admitted at ${e.site}`,
      [engine.position()],
    );
  }

  /** Requests whose event is still to come; those that are gone have none. */
  private inFlight(ctx: Ctx): number {
    let count = ctx.live - ctx.postedLive;
    for (const k of this.state.kiocbs.values())
      if (k.ctx === ctx && k.admitted && k.isGone && !k.isPut && k.posted === 0) count--;
    return count;
  }

  /** A-R30, A-B31, A-B90: EAGAIN is for a ring that is full. */
  private refused(e: AioEvent, ctx: Ctx): void {
    const room = this.room[engine.current];
    this.room[engine.current] = 0;
    if (room <= 0 || ctx.isTouched) return;
    const message = `${currentName()} gets EAGAIN at ${e.site}, and ${room} slots of ${memName(ctx.mem)} are free`;
    this.findings.add('COUNT', 'A-R30', message, [engine.position()]);
  }

  private posted(e: AioEvent, ctx: Ctx): void {
    const { kiocb } = e;
    if (kiocb !== null && kiocb.posted === 1 && kiocb.admitted && !kiocb.isPut) ctx.postedLive++;
    if (ctx.slots === 0) return;
    const slot = (e.value - 1 + ctx.slots) % ctx.slots;
    const buried = ctx.unread.get(slot);
    ctx.tail = e.value;
    ctx.unread.delete(slot);
    ctx.unread.set(slot, kiocb);
    ctx.taken.delete(slot);
    if (buried !== undefined) {
      this.lost(
        'A-I4 / overwritten',
        `slot ${slot} of ${memName(ctx.mem)} is overwritten before its event was read`,
      );
    }
    if (ctx.unread.size > 0 && ctx.tail === ctx.head) {
      const count = ctx.unread.size;
      this.lost(
        'A-I4 / ring-empty',
        `tail meets head in ${memName(ctx.mem)}: the ring looks empty and ${count} unread events are lost`,
      );
    }
  }

  private lost(site: string, message: string): void {
    this.findings.add('LOST-EVENT', site, message, [engine.position()]);
  }

  /** The kernel has moved head on over the slot that it read. */
  private read(e: AioEvent, ctx: Ctx): void {
    if (ctx.slots === 0) return;
    const slot = (e.value - 1 + ctx.slots) % ctx.slots;
    this.delivered[engine.current]++;
    this.last.set(engine.current, ctx.unread.get(slot) ?? null);
    this.take(e, ctx, slot);
    ctx.head = e.value;
  }

  /** A-I4: whoever takes an event out of a slot where none was put gets one that was there before. */
  private take(e: AioEvent, ctx: Ctx, slot: number): void {
    if (ctx.slots === 0 || ctx.unread.delete(slot)) return;
    this.findings.add(
      'DUPLICATE',
      'A-I4',
      `${currentName()} reads slot ${slot} of ${memName(ctx.mem)} at ${e.site}, in which no event waits`,
      [engine.position()],
    );
  }

  /** A-I6, A-B2: out of the ring and not in the hands of the program. */
  private fault(ctx: Ctx): void {
    this.delivered[engine.current]--;
    const kiocb = this.last.get(engine.current) ?? null;
    const name = kiocb === null ? 'a request' : memName(kiocb.mem);
    this.lost(
      'A-I6 / efault',
      `the event of ${name} is out of the ring of ${memName(ctx.mem)} and could not be copied to the program`,
    );
  }

  /** A-R53, A-B3: the answer is the number of events that the program has got. */
  private counted(e: AioEvent): void {
    const count = this.delivered[engine.current];
    if (Math.max(e.value, 0) === count) return;
    const message = `io_getevents of ${currentName()} answers ${e.value} and has stored ${count} events`;
    this.findings.add('COUNT', 'A-R53', message, [engine.position()]);
  }

  /** A program that steps over unread events has had them; one that steps beyond the tail has not. */
  private userHead(e: AioEvent, ctx: Ctx): void {
    const { slots } = ctx;
    if (slots === 0) return;
    let slot = ctx.head;
    const stop = ((e.value % slots) + slots) % slots;
    for (let n = 0; n < slots && slot !== stop; n++) {
      if (!ctx.taken.delete(slot)) ctx.isTouched = true;
      ctx.unread.delete(slot);
      slot = (slot + 1) % slots;
    }
    ctx.head = e.value;
  }

  /** A-I5. */
  private words(e: AioEvent, ctx: Ctx, word: string, right: number): void {
    if (ctx.slots === 0) return;
    const message = `${word} of the ring of ${memName(ctx.mem)} is ${e.value} at ${e.site} and should be ${right}`;
    this.findings.add('ACCOUNT', 'A-I5', message, [engine.position()]);
  }
}

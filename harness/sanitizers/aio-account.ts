/**
 * The accounts of AIO: reqs_active, active_reqs, references of contexts, the system-wide number of requests and
 * file references (A-I1, A-I2, A-I16 to A-I19).
 */

import { engine, type Lifetime } from '../machine/index.ts';
import type { AioEvent, AioState, Ctx, Kiocb } from './aio-state.ts';
import type { FindingList } from './findings.ts';
import { currentName, memName } from './names.ts';

export class AioAccount {
  private readonly findings: FindingList;
  private readonly state: AioState;
  /** What aio_nr was when it was last told, what it should be, and the limit. */
  private told = 0;
  private reserved = 0;
  private limit = Infinity;

  constructor(findings: FindingList, state: AioState) {
    this.findings = findings;
    this.state = state;
  }

  begin(): void {
    this.told = 0;
    this.reserved = 0;
    this.limit = Infinity;
  }

  happened(e: AioEvent): void {
    const { kiocb, ctx } = e;
    if (kiocb !== null) this.request(e, kiocb, ctx);
    else if (ctx !== null) this.context(e, ctx);
  }

  private request(e: AioEvent, k: Kiocb, ctx: Ctx | null): void {
    switch (e.what) {
      case 'kiocb.admitted':
        k.admitted = true;
        k.listed = true;
        if (ctx === null) return;
        ctx.live++;
        this.gone(ctx);
        this.counted(e, ctx);
        return;
      case 'kiocb.freed':
        this.put(e, k, ctx);
        return;
      case 'kiocb.listed':
        k.listed = e.value === 1;
        k.byCancelAll ||= e.value === 2;
        return;
      case 'kiocb.users':
        k.users = e.value;
        this.offTheList(e, k);
        return;
      case 'kiocb.run':
        this.offTheList(e, k);
        return;
      case 'kiocb.file':
        k.files += e.value;
        if (k.files < 0) this.add('A-I19', `${memName(k.mem)} drops a file that it does not have`);
        return;
      default:
    }
  }

  private put(e: AioEvent, k: Kiocb, ctx: Ctx | null): void {
    if (k.isPut) {
      this.add('A-I8', `${memName(k.mem)} is put for the last time twice`);
      return;
    }
    k.isPut = true;
    if (k.files > 0) this.add('A-I19', `${memName(k.mem)} is gone, and its file reference stays`);
    if (ctx === null || !k.admitted) return;
    ctx.live--;
    if (k.posted > 0) ctx.postedLive--;
    this.gone(ctx);
    this.counted(e, ctx);
  }

  /** A-I1, at every change of reqs_active. */
  private counted(e: AioEvent, ctx: Ctx): void {
    if (ctx.live === e.value) return;
    const what = `${memName(ctx.mem)} counts ${e.value} requests in reqs_active`;
    this.add('A-I1', `${what} and has ${ctx.live}: at ${e.site}`);
  }

  /** A-I1 for memory that was freed while it is counted; told when the count is looked at next. */
  private gone(ctx: Ctx): void {
    for (const k of this.state.kiocbs.values()) {
      if (k.ctx !== ctx || !k.isGone || !k.admitted || k.isPut) continue;
      const what = `${memName(k.mem)} was freed at ${k.mem.freeSite}`;
      this.add('A-I1', `${what} and is still counted in reqs_active of ${memName(ctx.mem)}`);
    }
  }

  /** A-I2 the other way round: whoever is still used can be found by a cancel. */
  private offTheList(e: AioEvent, k: Kiocb): void {
    if (!k.admitted || k.listed || k.byCancelAll || k.users <= 0) return;
    this.add('A-I2', `${memName(k.mem)} has ${k.users} users at ${e.site} and is on no list`);
  }

  private context(e: AioEvent, ctx: Ctx): void {
    switch (e.what) {
      case 'ctx.users':
        this.users(e, ctx);
        return;
      case 'ctx.linked':
        ctx.isLinked = true;
        return;
      case 'ctx.unlinked':
        ctx.isLinked = false;
        return;
      case 'ctx.dead':
        ctx.isDead = true;
        return;
      case 'ctx.freed':
        this.freedContext(ctx);
        return;
      case 'ctx.max-reqs':
        ctx.reserved = e.value;
        return;
      case 'ctx.max-nr':
        this.limit = e.value;
        return;
      case 'ctx.nr':
        this.systemWide(e, ctx);
        return;
      default:
    }
  }

  /** A-I16: the last reference goes when nothing is in flight, and none comes after it. */
  private users(e: AioEvent, ctx: Ctx): void {
    const name = memName(ctx.mem);
    const isLast = ctx.users > 0 && e.value === 0;
    if (e.value < 0 || (ctx.users === 0 && e.value > 0) || ctx.isFreed) {
      this.add(
        'A-I16',
        `${currentName()} changes users of ${name} to ${e.value} after the last put`,
      );
    } else if (isLast && ctx.live > 0) {
      this.add('A-I16', `${name} loses its last reference with ${ctx.live} requests in flight`);
    } else if (isLast && ctx.isLinked) {
      this.add('A-I16', `${name} loses its last reference while the process can look it up`);
    }
    ctx.users = e.value;
  }

  private freedContext(ctx: Ctx): void {
    const name = memName(ctx.mem);
    if (ctx.isFreed) this.add('A-I16', `${name} is freed twice`);
    else if (ctx.users > 0) this.add('A-I16', `${name} is freed with ${ctx.users} users`);
    ctx.isFreed = true;
  }

  /** A-I17 and A-I18: two announcements for a context, when it is accounted and when it is no more. */
  private systemWide(e: AioEvent, ctx: Ctx): void {
    this.reserved += ctx.isAccounted ? -ctx.reserved : ctx.reserved;
    ctx.isAccounted = !ctx.isAccounted;
    this.told = e.value;
    if (e.value !== this.reserved) {
      const what = `aio_nr is ${e.value} at ${e.site}`;
      this.add('A-I17', `${what}, and the contexts that exist reserve ${this.reserved}`);
    }
    if (ctx.isAccounted && e.value > this.limit)
      this.add('A-I18', `aio_nr is ${e.value} at ${e.site}, over aio_max_nr ${this.limit}`);
  }

  /** Called when memory is freed. */
  freed(mem: Lifetime, site: string): void {
    const k = this.state.kiocbs.get(mem);
    if (k === undefined || k.isGone) return;
    k.isGone = true;
    if (!k.listed || k.isPut) return;
    const name = k.ctx === null ? 'its context' : memName(k.ctx.mem);
    this.add('A-I2', `${memName(mem)} is freed at ${site} on active_reqs of ${name}`);
  }

  /** Nothing can run any more. */
  quiet(): void {
    for (const ctx of this.state.ctxs.values()) {
      this.gone(ctx);
      if (isAtRest() && !ctx.isFreed && ctx.users >= 0 && ctx.users !== (ctx.isLinked ? 1 : 0)) {
        const name = memName(ctx.mem);
        this.add('A-I16', `${name} has ${ctx.users} users, and nobody is inside a call on it`);
      }
    }
  }

  /** After the exit of the process. */
  end(): void {
    const isAllFreed = [...this.state.ctxs.values()].every((ctx) => ctx.isFreed);
    if (isAllFreed && this.told !== 0)
      this.add('A-I17', `aio_nr is ${this.told} after the last context is gone`);
  }

  private add(id: string, message: string): void {
    this.findings.add('ACCOUNT', id, message, [engine.position()]);
  }
}

/** True if every thread has ended and every worker waits for work. */
function isAtRest(): boolean {
  for (let t = 0; t < engine.width; t++)
    if (engine.oops[t] !== null || (engine.isLive(t) && engine.daemon[t] === 0)) return false;
  return true;
}

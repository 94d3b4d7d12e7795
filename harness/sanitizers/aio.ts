/**
 * Observers of AIO: the kernel announces what happens to requests and contexts, and each rule of section 8 of the
 * semantics reference watches what it needs. What is not announced is not judged.
 */

import { engine, Kind, type Lifetime } from '../machine/index.ts';
import { AioAccount } from './aio-account.ts';
import { AioCompletion } from './aio-completion.ts';
import { AioLife } from './aio-life.ts';
import { AioRing } from './aio-ring.ts';
import { AioSleepers } from './aio-sleepers.ts';
import { AioEvent, AioState } from './aio-state.ts';
import type { FindingList } from './findings.ts';

/** Announcements whose object is a context; all others are about a request. */
const CONTEXT = /^(ctx|getevents|wait-all|submit|event|ring|work|wake)\./;

export class Aio {
  private readonly findings: FindingList;
  private readonly state = new AioState();
  private readonly event = new AioEvent();
  private readonly account: AioAccount;
  private readonly life: AioLife;
  private readonly completion: AioCompletion;
  private readonly ring: AioRing;
  private readonly sleepers: AioSleepers;
  private readonly isContext = new Map<string, boolean>();
  private isUsed = false;

  constructor(findings: FindingList) {
    this.findings = findings;
    this.account = new AioAccount(findings, this.state);
    this.life = new AioLife(findings, this.state);
    this.completion = new AioCompletion(findings, this.state);
    this.ring = new AioRing(findings, this.state);
    this.sleepers = new AioSleepers(findings, this.state);
  }

  begin(): void {
    if (!this.isUsed) return;
    this.isUsed = false;
    this.state.begin();
    this.account.begin();
    this.life.begin();
    this.ring.begin();
    this.sleepers.begin();
  }

  happened(what: string, mem: Lifetime, value: number, site: string, of: Lifetime | null): void {
    this.isUsed = true;
    const e = this.event;
    e.what = what;
    e.value = value;
    e.site = site;
    e.of = of;
    this.resolve(e, mem, of);
    this.account.happened(e);
    this.life.happened(e);
    this.completion.happened(e);
    this.ring.happened(e);
    this.sleepers.happened(e);
    if (what === 'ring.unmap' || what === 'ring.hidden') this.mapping(e);
  }

  private resolve(e: AioEvent, mem: Lifetime, of: Lifetime | null): void {
    if (e.what === 'task.io-wait.used') {
      // About the set that is waited for.
      e.kiocb = null;
      e.ctx = null;
      return;
    }
    const isOfRequest = e.what === 'submit.ran-other' || !this.isOfContext(e.what);
    if (!isOfRequest) {
      e.kiocb = null;
      e.ctx = this.state.ctxOf(mem);
      return;
    }
    const owner = e.what.startsWith('kiocb.') && e.what !== 'kiocb.file' ? of : null;
    e.kiocb = this.state.kiocbOf(mem, owner);
    e.ctx = e.kiocb.ctx;
  }

  private isOfContext(what: string): boolean {
    let answer = this.isContext.get(what);
    if (answer === undefined) {
      answer = CONTEXT.test(what);
      this.isContext.set(what, answer);
    }
    return answer;
  }

  /** Pages that are not the ring's, or not any more. */
  private mapping(e: AioEvent): void {
    if (e.what === 'ring.hidden') {
      const message = 'an event is written to pages that the program does not see any more';
      this.findings.add('STALE', 'ring-hidden', message, [engine.position()]);
    } else if (e.value > 0) {
      const message = `the end of a context unmaps ${e.value} pages that are not those of its ring (${e.site})`;
      this.findings.add('FOREIGN', 'ring-unmap', message, [engine.position()]);
    }
  }

  freed(mem: Lifetime, site: string): void {
    if (!this.isUsed || mem.freed) return;
    this.account.freed(mem, site);
    this.life.freed(mem, site);
  }

  /** A wake-up of the task with this state object. */
  woke(state: number, did: boolean): void {
    if (!this.isUsed || !did) return;
    for (let t = 0; t < engine.users; t++)
      if (engine.isLive(t) && engine.pKind[t] === Kind.AWAIT && engine.pObj[t] === state)
        this.sleepers.woke(did, t);
  }

  /** Nothing can run any more. */
  quiet(): void {
    if (!this.isUsed) return;
    this.account.quiet();
    this.life.quiet();
    this.completion.quiet();
    this.sleepers.quiet();
  }

  /** After the exit of the process. */
  end(): void {
    if (this.isUsed) this.account.end();
  }
}

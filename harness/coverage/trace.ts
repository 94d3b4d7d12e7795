/**
 * What one execution shows, read from its event log when it is over. All of it belongs to the trace: runs that differ
 * only in the order of steps that commute show the same, so it does not matter which of them an explorer visits.
 */

import { engine, Kind, MAX_OBJECTS, MAX_THREADS, Class, type EventLog } from '../machine/index.ts';
import { CLASS_OF, TaskState } from '../machine/op.ts';
import { FeatureTable, Words, type SeenFeatures } from './feature-table.ts';

/** Says which call of the program a thread was in. */
export interface CallSpans {
  /** The call of event number `idx` of the thread, and the number of its last event; null outside the program. */
  spanAt(thread: number, idx: number): { readonly name: string; readonly last: number } | null;
}

const NONE = -1;

/** Reads logs; what it learns of names it keeps, what it learns of an execution goes to `seen`. */
export class TraceReader {
  readonly #sites = new Words();
  readonly #classes = new Words();
  readonly #actors = new Words();
  readonly #seen: SeenFeatures;
  readonly #reached: FeatureTable;
  readonly #blocked: FeatureTable;
  readonly #sleepFirst: FeatureTable;
  readonly #wakeFirst: FeatureTable;
  readonly #timerFirst: FeatureTable;
  readonly #timerLast: FeatureTable;
  /** By class of the object. */
  readonly #races: FeatureTable[] = [];

  // Of the execution that is read; by object, valid where `#when` is the number of this reading.
  #reading = 0;
  readonly #when = new Int32Array(MAX_OBJECTS);
  readonly #lastWrite = new Int32Array(MAX_OBJECTS);
  readonly #lastWake = new Int32Array(MAX_OBJECTS);
  /** Threads that read it since, as bits. */
  readonly #readers = new Int32Array(MAX_OBJECTS);
  readonly #lastRead = new Int32Array(MAX_OBJECTS * MAX_THREADS);
  readonly #classOf = new Int32Array(MAX_OBJECTS);
  readonly #className: string[] = new Array<string>(MAX_OBJECTS).fill('');
  // By event.
  #siteOf = new Int32Array(256);
  #before = new Int32Array(256);
  // By thread.
  readonly #own = new Int32Array(MAX_THREADS);
  readonly #actor = new Int32Array(MAX_THREADS);
  readonly #until = new Int32Array(MAX_THREADS);
  readonly #fires: number[] = [];
  readonly #wakes: number[] = [];

  constructor(seen: SeenFeatures) {
    const site = (n: number): string => this.#sites.word(n);
    const actor = (n: number): string => this.#actors.word(n);
    const table = (text: (a: number, b: number) => string): FeatureTable =>
      new FeatureTable(seen, text);
    this.#seen = seen;
    this.#reached = table((a, b) => `site ${actor(a)} ${site(b)}`);
    this.#blocked = table((a, b) => `blocked ${this.#classes.word(a)} at ${site(b)}`);
    this.#sleepFirst = table((a, b) => `sleep ${site(a)} < wake ${site(b)}`);
    this.#wakeFirst = table((a, b) => `wake ${site(a)} < sleep ${site(b)}`);
    this.#timerFirst = table((a, b) => `timer ${actor(a)} < wake ${site(b)}`);
    this.#timerLast = table((a, b) => `timer wake ${site(a)} < ${actor(b)}`);
  }

  /** Reads the execution that has just ended. */
  read(log: EventLog, calls: CallSpans): void {
    this.#begin(log.length);
    for (let d = 0; d < log.length; d++) {
      const t = log.thr[d];
      const site = this.#sites.numberOf(log.site[d]);
      this.#siteOf[d] = site;
      this.#before[d] = this.#own[t];
      this.#reach(log, d, t, site, calls);
      const kind = log.kind[d];
      const cls = CLASS_OF[kind];
      if (cls !== Class.NONE) {
        this.#meet(log, d, log.obj[d], cls !== Class.SER && log.rd[d] === 1);
        if (log.obj2[d] >= 0) this.#meet(log, d, log.obj2[d], log.rd2[d] === 1);
      }
      if (kind === Kind.FIRE) this.#fires.push(d);
      this.#own[t] = d;
    }
    for (const fire of this.#fires) for (const wake of this.#wakes) this.#time(log, fire, wake);
  }

  #begin(length: number): void {
    this.#reading += 1;
    this.#own.fill(NONE);
    this.#until.fill(0);
    this.#fires.length = 0;
    this.#wakes.length = 0;
    if (this.#siteOf.length >= length) return;
    this.#siteOf = new Int32Array(2 * length);
    this.#before = new Int32Array(2 * length);
  }

  #reach(log: EventLog, d: number, t: number, site: number, calls: CallSpans): void {
    const idx = log.idx[d];
    if (idx > this.#until[t]) {
      const span = calls.spanAt(t, idx);
      this.#until[t] = span === null ? idx : span.last;
      this.#actor[t] = this.#actors.numberOf(span === null ? plainName(t) : span.name);
    }
    this.#reached.see(this.#actor[t], site);
  }

  /** Event d is at object o: who was there before, and what that says. */
  #meet(log: EventLog, d: number, o: number, reads: boolean): void {
    const t = log.thr[d];
    if (this.#when[o] !== this.#reading) this.#open(o);
    const last = this.#lastWrite[o];
    if (last !== NONE && log.thr[last] !== t) this.#race(o, last, d);
    if (reads) {
      this.#readers[o] |= 1 << t;
      this.#lastRead[o * MAX_THREADS + t] = d;
      if (log.kind[d] === Kind.RLOCK) this.#wait(log, o, last, d);
      return;
    }
    const readers = this.#readers[o] & ~(1 << t);
    let latest = last;
    for (let u = 0; readers >> u !== 0; u++) {
      if (((readers >> u) & 1) === 0) continue;
      const read = this.#lastRead[o * MAX_THREADS + u];
      this.#race(o, read, d);
      if (read > latest) latest = read;
    }
    this.#act(log, d, o, latest);
    this.#readers[o] = 0;
    this.#lastWrite[o] = d;
  }

  #open(o: number): void {
    this.#when[o] = this.#reading;
    this.#lastWrite[o] = NONE;
    this.#lastWake[o] = NONE;
    this.#readers[o] = 0;
    const name = engine.objectName[o];
    if (this.#className[o] === name) return;
    this.#className[o] = name;
    // Some objects are named with their owner's number.
    const c = this.#classes.numberOf(name.replace(/#\d+$|(?<= of T)\d+$/, ''));
    this.#classOf[o] = c;
    while (this.#races.length <= c) this.#races.push(this.#racesAt(this.#races.length));
  }

  #racesAt(c: number): FeatureTable {
    const name = this.#classes.word(c);
    const text = (a: number, b: number): string =>
      `race ${name}: ${this.#sites.word(a)} < ${this.#sites.word(b)}`;
    return new FeatureTable(this.#seen, text);
  }

  #race(o: number, first: number, second: number): void {
    this.#races[this.#classOf[o]].see(this.#siteOf[first], this.#siteOf[second]);
  }

  /** What the kinds that change an object say beside that they met: `last` is who was there before. */
  #act(log: EventLog, d: number, o: number, last: number): void {
    switch (log.kind[d]) {
      case Kind.LOCK:
      case Kind.WLOCK:
      case Kind.DOWN:
      case Kind.RWSEM_GRANT:
        this.#wait(log, o, last, d);
        break;
      case Kind.TRYLOCK:
        if (log.before[d] !== 0) this.#blocked.see(this.#classOf[o], this.#siteOf[d]);
        break;
      case Kind.WAKE:
        this.#wakes.push(d);
        if (log.before[d] !== TaskState.RUNNING) this.#lastWake[o] = d;
        break;
      case Kind.AWAIT:
        this.#awake(log, d, this.#lastWake[o]);
        break;
      default:
        break;
    }
  }

  /** Somebody let go of the lock, and the thread could have come to it before: then it would have had to wait. */
  #wait(log: EventLog, o: number, last: number, d: number): void {
    if (last === NONE || log.thr[last] === log.thr[d] || follows(log, this.#before[d], last))
      return;
    this.#blocked.see(this.#classOf[o], this.#siteOf[d]);
  }

  /** A task goes on after schedule(), which it can have come to before its wake-up, or after, or either. */
  #awake(log: EventLog, d: number, wake: number): void {
    if (wake === NONE || log.thr[wake] === log.thr[d]) return;
    const place = this.#placeOf(log, wake);
    const came = this.#before[d];
    if (!follows(log, came, wake)) this.#sleepFirst.see(this.#siteOf[d], place);
    if (!follows(log, wake, came)) this.#wakeFirst.see(place, this.#siteOf[d]);
  }

  /** Wake-ups are all made at one place: where they come from is the step before the first of them. */
  #placeOf(log: EventLog, wake: number): number {
    let at = this.#before[wake];
    while (at !== NONE && log.kind[at] === Kind.WAKE) at = this.#before[at];
    return this.#siteOf[at === NONE ? wake : at];
  }

  #time(log: EventLog, fire: number, wake: number): void {
    const t = log.thr[fire];
    if (log.thr[wake] === t) return;
    const timer = this.#actors.numberOf(plainName(t));
    const place = this.#placeOf(log, wake);
    if (!follows(log, fire, wake)) this.#timerFirst.see(timer, place);
    if (!follows(log, wake, fire)) this.#timerLast.see(place, timer);
  }
}

/** Whether event a comes after event b in every run of this trace; the beginning of a thread, -1, after nothing. */
function follows(log: EventLog, a: number, b: number): boolean {
  return a > b && b !== NONE && log.happensBefore(b, a);
}

/** What runs outside the calls of the program, without its number. */
function plainName(t: number): string {
  if (t < engine.users) return 'thread';
  return engine.threadName[t].replace(/[#\d]+/g, '').replaceAll(' ', '-');
}

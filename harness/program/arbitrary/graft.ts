/** Calls of one program made part of another: names become those of their kind there, or are made anew. */

import { makesDescriptors, syscallOf } from '../../abi/index.ts';
import type { Call, Condition, Program } from '../program.ts';
import { renameIn, usedIocbs, usedNames, type Draft, type Origin } from '../rewrite.ts';
import { filledIocbs, iocbsOf } from '../scope.ts';
import { chance, pick, type Draw } from './draw.ts';

/** Where calls go: before number `at` of a thread; thread -1 is init. */
export interface Spot {
  readonly thread: number;
  readonly at: number;
}

/** Of a hundred names, those that become one that is there already: programs are about things that are shared. */
const SHARED = 85;

/** The calls of one thread of a draft; -1 is init. */
export function listOf(draft: Draft, thread: number): readonly Origin[] {
  return thread < 0 ? draft.init : draft.threads[thread];
}

/** The draft with other calls in one thread. */
export function withList(draft: Draft, thread: number, list: readonly Origin[]): Draft {
  if (thread < 0) return { init: list, threads: draft.threads };
  return { init: draft.init, threads: draft.threads.with(thread, list) };
}

/** What the names stand for that these calls bind: the call that makes it and which of its results it is. */
export function rolesOf(calls: readonly Call[]): Map<string, string> {
  const roles = new Map<string, string>();
  for (const call of calls) {
    const [source] = call.args;
    const copied = call.name === 'dup' && source?.kind === 'name' ? roles.get(source.name) : null;
    for (const [i, name] of call.bind.entries())
      roles.set(name, copied ?? `${call.name.replace(/[12]$/, '')} ${i}`);
  }
  return roles;
}

/**
 * Puts calls of `donor`, in their order, into the draft. Answers null where something they need cannot be had. The
 * result can still be no valid program.
 */
export function graft(
  draft: Draft,
  donor: Program,
  calls: readonly Call[],
  spot: Spot,
  draw: Draw,
): Draft | null {
  const work = new Graft(draft, donor, spot, draw);
  const placed: Origin[] = [];
  for (const call of calls) {
    const fitted = work.fit(call);
    if (fitted === null) return null;
    placed.push({ call: fitted, thread: spot.thread, index: -1 });
  }
  const { imports } = work;
  if (spot.thread < 0)
    return withList(draft, -1, draft.init.toSpliced(spot.at, 0, ...imports, ...placed));
  const list = listOf(draft, spot.thread).toSpliced(spot.at, 0, ...placed);
  return withList(withList(draft, spot.thread, list), -1, [...draft.init, ...imports]);
}

class Graft {
  /** Calls of the donor's init that make what is not there. */
  readonly imports: Origin[] = [];
  private readonly draft: Draft;
  private readonly donor: Program;
  private readonly spot: Spot;
  private readonly draw: Draw;
  private readonly taken: Set<string>;
  private readonly iocbs: Set<string>;
  /** Names that can be used at the spot, by what they stand for. */
  private readonly there: ReadonlyMap<string, string>;
  private readonly donorRoles: ReadonlyMap<string, string>;
  private readonly names = new Map<string, string>();

  constructor(draft: Draft, donor: Program, spot: Spot, draw: Draw) {
    this.draft = draft;
    this.donor = donor;
    this.spot = spot;
    this.draw = draw;
    const all = [draft.init, ...draft.threads].flat().map(({ call }) => call);
    this.taken = new Set(all.flatMap((call) => call.bind));
    this.iocbs = new Set(filledIocbs(all));
    const before = listOf(draft, spot.thread).slice(0, spot.at);
    const visible = spot.thread < 0 ? before : [...draft.init, ...before];
    this.there = rolesOf(visible.map(({ call }) => call));
    this.donorRoles = rolesOf([donor.init, ...donor.threads].flat());
  }

  /** The call with names of the draft; null if there is none for one of them. */
  fit(call: Call): Call | null {
    const { when, ...bare } = call;
    for (const name of usedNames(bare)) if (!this.findName(name)) return null;
    if (!this.findIocbs(bare)) return null;
    const bind = bare.bind.map((name) => this.bound(name));
    const fitted = renameIn({ ...bare, bind }, this.names);
    const kept = when === undefined ? null : this.condition(when, call);
    return kept === null ? fitted : renameIn({ ...fitted, when: kept }, this.names);
  }

  /** A condition stays if what it tests has come with the call. */
  private condition(when: Condition, call: Call): Condition | null {
    const known = usedNames(call).every((name) => this.names.has(name));
    const name = this.names.get(when.name);
    return known && name !== undefined && usedIocbs(call).every((one) => this.iocbs.has(one))
      ? { ...when, name }
      : null;
  }

  private bound(name: string): string {
    let fresh = name;
    for (let n = 2; this.taken.has(fresh); n++) fresh = `${name.replace(/\d+$/, '')}${n}`;
    this.taken.add(fresh);
    this.names.set(name, fresh);
    return fresh;
  }

  private findName(name: string): boolean {
    if (this.names.has(name)) return true;
    if (/^T[1-4]$/.test(name)) return this.findThread(name);
    const role = this.donorRoles.get(name);
    const alike = [...this.there].flatMap(([one, its]) => (its === role ? [one] : []));
    if (alike.length > 0 && chance(this.draw, SHARED)) {
      this.names.set(name, pick(this.draw, alike));
      return true;
    }
    return this.importMaker(name);
  }

  private findThread(name: string): boolean {
    const { thread } = this.spot;
    const others = this.draft.threads.flatMap((_, t) => (t === thread ? [] : [`T${t + 1}`]));
    if (thread < 0 || others.length === 0) return false;
    this.names.set(name, pick(this.draw, others));
    return true;
  }

  private importMaker(name: string): boolean {
    const maker = this.donor.init.find((call) => call.bind.includes(name));
    const spec = maker === undefined ? null : syscallOf(maker.name);
    if (maker === undefined || spec === null) return false;
    if (!makesDescriptors(spec) && spec.returns !== 'context') return false;
    const made = this.fit(maker);
    if (made === null) return false;
    this.imports.push({ call: made, thread: -1, index: -1 });
    return true;
  }

  /** A request that is cancelled can be any that the draft fills; one that is submitted again is a certain one. */
  private findIocbs(call: Call): boolean {
    for (const entry of iocbsOf(call))
      if (entry.kind === 'iocb' && entry.op !== null) this.iocbs.add(entry.name);
    for (const name of usedIocbs(call)) {
      if (this.iocbs.has(name)) continue;
      if (this.iocbs.size === 0 || call.name !== 'io_cancel') return false;
      this.names.set(name, pick(this.draw, [...this.iocbs]));
    }
    return true;
  }
}

/** What a check is. */

import type { CallRecord, Finding, History } from '../history/history.ts';
import type { Program } from '../program/program.ts';
import { registrationsOf, type Registration } from './registrations.ts';
import { worldOf, type World } from './world.ts';

/** One rule over histories; silent unless the history proves that the rule was broken. */
export interface Check {
  /** `lost-edge`. */
  readonly name: string;
  /** The rule in one sentence. */
  readonly rule: string;
  /** Ids of the semantics reference. */
  readonly docs: readonly string[];
  /** The kernels on which the rule is promised, in words. */
  readonly promisedOn: string;
  readonly check: (history: History, program: Program) => Finding[];
}

/** A history read once for all checks. */
export interface Facts {
  readonly world: World;
  readonly registrations: readonly Registration[];
}

const known = new WeakMap<History, Facts>();

/** The facts of a history; remembered as long as the history lives. */
export function factsOf(history: History): Facts {
  const found = known.get(history);
  if (found !== undefined) return found;
  const world = worldOf(history);
  const facts = { world, registrations: registrationsOf(world) };
  known.set(history, facts);
  return facts;
}

/** A finding decided by these calls, the decisive one last. */
export function findingOf(
  detector: string,
  site: string,
  message: string,
  records: readonly CallRecord[],
): Finding {
  const steps = records
    .map((record) => (Number.isFinite(record.end) ? record.end : record.start))
    .sort((a, b) => a - b);
  return { detector, site, message, steps };
}

/** One of each signature, in order of first sight. */
export function distinct(findings: readonly Finding[]): Finding[] {
  const seen = new Map<string, Finding>();
  for (const finding of findings) {
    const signature = `${finding.detector} ${finding.site}`;
    if (!seen.has(signature)) seen.set(signature, finding);
  }
  return [...seen.values()];
}

/** `T2`, or `init`. */
export function threadOf(record: CallRecord): string {
  return record.thread < 0 ? 'init' : `T${record.thread + 1}`;
}

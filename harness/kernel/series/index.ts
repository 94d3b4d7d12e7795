/** Kernel specs: `base+patch+patch`, what they mean, and the kernels they build. */

import { build2544, plain2544 } from '../build-2.5.44.ts';
import { build2620, plain2620 } from '../build-2.6.20.ts';
import { build31, plain31 } from '../build-3.1.ts';
import type { BuiltKernel } from '../kernel.ts';
import { aioEpollTimerSync } from './aio-epoll-timer-sync.ts';
import { aioEpollWait } from './aio-epoll-wait.ts';
import { aioFallbackNonblock } from './aio-fallback-nonblock.ts';
import { base, type Base } from './base.ts';
import { batchAccountingFix } from './batch-accounting-fix.ts';
import { batchWakeupFix } from './batch-wakeup-fix.ts';
import { epollAcsem } from './epoll-acsem.ts';
import { epollAddAndTest } from './epoll-add-and-test.ts';
import { fsAio } from './fs-aio.ts';
import { kiocbBatchV2 } from './kiocb-batch-v2.ts';
import { kiocbBatchV3 } from './kiocb-batch-v3.ts';
import { noPlug } from './no-plug.ts';
import type { PatchInfo } from './patch.ts';
import { strayUnlockBh } from './stray-unlock-bh.ts';
import { sysEpollV11 } from './sys_epoll-v11.ts';

export type { Patch, PatchInfo } from './patch.ts';

/** Every base with its patches in the order in which they were proposed. */
const BASES: readonly Base[] = [
  base({
    name: '2.5.44',
    title: 'Linux 2.5.44: one-page pipes, no epoll',
    plain: plain2544,
    patches: [sysEpollV11, epollAcsem, epollAddAndTest],
    build: build2544,
  }),
  base({
    name: '2.6.20',
    title: 'Linux 2.6.20: eventpoll as merged, AIO with retries',
    plain: plain2620,
    patches: [fsAio, aioEpollWait, aioEpollTimerSync, aioFallbackNonblock],
    build: build2620,
  }),
  base({
    name: '3.1',
    title: 'Linux 3.1: AIO on a block device, one kiocb at a time, plugged; no epoll here',
    plain: plain31,
    patches: [
      kiocbBatchV2,
      kiocbBatchV3,
      noPlug,
      batchAccountingFix,
      batchWakeupFix,
      strayUnlockBh,
    ],
    build: build31,
  }),
];

/** All patches, base by base. */
export const PATCHES: readonly PatchInfo[] = BASES.flatMap((b) => b.patches);

/** A spec that makes sense: a base, and patches each of which applies. */
export interface KernelSpec {
  /** As it is printed: `2.5.44+sys_epoll-v11`. */
  readonly text: string;
  readonly base: string;
  readonly patches: readonly string[];
}

/** A kernel spec that cannot be built. */
export class KernelSpecError extends SyntaxError {
  override name = 'KernelSpecError';
}

function fail(text: string, why: string): never {
  throw new KernelSpecError(`Cannot build kernel "${text}": ${why}`);
}

/**
 * Reads a spec, or throws a KernelSpecError of one line that names what is wrong (unknown base or patch, a patch of
 * another base, a missing prerequisite, a patch twice, two that exclude each other) and what there is instead.
 */
export function parseKernelSpec(text: string): KernelSpec {
  const [baseName = '', ...names] = text.split('+');
  const base = BASES.find((b) => b.name === baseName);
  if (base === undefined)
    fail(
      text,
      `no base "${baseName}"; ${suggest(
        baseName,
        BASES.map((b) => b.name),
      )}`,
    );
  const applied: string[] = [];
  for (const name of names) {
    const patch = PATCHES.find((p) => p.name === name);
    if (patch === undefined)
      fail(text, `no patch "${name}"; ${suggest(name, patchesOf(base.name))}`);
    if (patch.base !== base.name) fail(text, `patch "${name}" applies to ${patch.base} only`);
    checkSeries(text, base.name, applied, patch);
    applied.push(name);
  }
  return { text: [base.name, ...applied].join('+'), base: base.name, patches: applied };
}

/** Refuses a patch that does not apply after these. */
function checkSeries(text: string, base: string, applied: string[], patch: PatchInfo): void {
  const { name } = patch;
  if (applied.includes(name)) fail(text, `patch "${name}" is there twice; leave one out`);
  const other = applied.find((a) => excludes(patch, a));
  if (other !== undefined)
    fail(text, `patches "${other}" and "${name}" exclude each other; leave one out`);
  const missing = patch.requires.find((r) => !applied.includes(r));
  if (missing === undefined) return;
  const lacking = [...prerequisitesOf(missing), missing].filter((r) => !applied.includes(r));
  const repaired = [base, ...applied, ...lacking, name].join('+');
  fail(text, `patch "${name}" needs "${missing}" before it; try "${repaired}"`);
}

/** Whether one of the two says that it cannot stand beside the other. */
function excludes(patch: PatchInfo, name: string): boolean {
  if (patch.excludes?.includes(name) === true) return true;
  return PATCHES.some((p) => p.name === name && p.excludes?.includes(patch.name) === true);
}

/** What must stand before a patch, and before that, in an order that applies. */
function prerequisitesOf(name: string): string[] {
  const direct = PATCHES.filter((p) => p.name === name).flatMap((p) => p.requires);
  return [...new Set(direct.flatMap((r) => [...prerequisitesOf(r), r]))];
}

function patchesOf(base: string): string[] {
  return PATCHES.filter((p) => p.base === base).map((p) => p.name);
}

/** `did you mean "x"?` if one name is close, else what there is. */
function suggest(name: string, known: readonly string[]): string {
  const close = known
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .sort((a, b) => a.distance - b.distance)
    .find(({ candidate, distance }) => distance <= Math.max(2, Math.floor(candidate.length / 3)));
  if (close !== undefined) return `did you mean "${close.candidate}"?`;
  return known.length === 0 ? 'there is none for this base' : `there is ${known.join(', ')}`;
}

/** Levenshtein. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + cost));
    }
    row = next;
  }
  return row[b.length];
}

/** Builds the kernel of a spec, as text or parsed. Each call makes a kernel of its own. */
export function buildKernel(spec: string | KernelSpec): BuiltKernel {
  const parsed = typeof spec === 'string' ? parseKernelSpec(spec) : spec;
  const base = BASES.find((b) => b.name === parsed.base);
  if (base === undefined) fail(parsed.text, `no base "${parsed.base}"`);
  return base.build(parsed.text, parsed.patches);
}

/** A kernel that can be had, for `lostwake list kernels`. */
export interface KernelListing {
  readonly spec: string;
  readonly title: string;
  /** Seed document of its last patch, or null for a plain base. */
  readonly seed: string | null;
}

/** The plain bases, and each patch on the series it was posted on, else on the smallest that it needs. */
export function listKernels(): readonly KernelListing[] {
  return BASES.flatMap((base) => [
    { spec: base.name, title: base.title, seed: null },
    ...base.patches.map((patch) => ({
      spec: [base.name, ...(patch.postedOn ?? prerequisitesOf(patch.name)), patch.name].join('+'),
      title: patch.title,
      seed: patch.seed,
    })),
  ]);
}

/** Which targets there are, which of them a program is for, and how one is opened. */

import { release } from 'node:os';
import { blockFor, selects, type TargetIdentity } from '../check/selector.ts';
import type { CounterexampleView } from '../history/counterexample.ts';
import type { Program } from '../program/program.ts';
import type { ToExplain } from '../target/counterexample.ts';
import type { Behaviour, RunOptions, Target } from '../target/target.ts';
import { metaValue, metaWords } from './load-case.ts';
import { isPattern } from './pattern.ts';
import { messageOf, suggestion, UsageError } from './usage-error.ts';

/** A kernel of the catalogue. */
export interface KernelEntry {
  /** `2.5.44+sys_epoll-v11`. */
  readonly spec: string;
  readonly title: string;
  /** Document(s) that it is built from. */
  readonly documents: readonly string[];
  /** Runs every program that does not say where it belongs. */
  readonly primary: boolean;
}

/** What is the same for every run on a target. */
export interface TargetOptions {
  /** Ticks per second of a model. */
  readonly hz?: number;
}

/** A target that can tell one of its runs step by step, and runs in slices for who is asked to stop meanwhile. */
export interface ExplainingTarget extends Target {
  explain?(program: Program, what: ToExplain): CounterexampleView;
  slices?(program: Program, options: RunOptions): Generator<undefined, Behaviour>;
}

/** Where runs get their targets from; the tests have one of their own. */
export interface TargetCatalog {
  readonly kernels: readonly KernelEntry[];
  /** Opens `model:<spec>` or `host`. Throws a RangeError with one line for a spec that cannot be. */
  open(name: string, options: TargetOptions): Promise<ExplainingTarget>;
}

/** Target names chosen on the command line; empty: whatever a case is for. */
export type Chosen = readonly string[];

/** `model:2.6.20` → `2.6.20`. */
export function selectorOf(target: string): string {
  return target.replace(/^model:/, '');
}

/** `2.6.20` → `model:2.6.20`; `host` stays. */
export function targetNamed(selector: string): string {
  return selector === 'host' ? 'host' : `model:${selector}`;
}

/** Reads `--kernel` and `--target` values into target names. Throws a UsageError for what is not there. */
export async function chooseTargets(
  catalog: TargetCatalog,
  asked: { readonly kernels: readonly string[]; readonly targets: readonly string[] },
): Promise<Chosen> {
  const chosen = new Set<string>();
  for (const kernel of asked.kernels)
    for (const name of kernelsMeant(catalog, kernel)) chosen.add(name);
  for (const target of asked.targets) {
    if (target === 'host') chosen.add('host');
    else if (target === 'model' && asked.kernels.length === 0) {
      for (const kernel of catalog.kernels) chosen.add(targetNamed(kernel.spec));
    } else if (target.startsWith('model:')) {
      for (const name of kernelsMeant(catalog, selectorOf(target))) chosen.add(name);
    } else if (target !== 'model') {
      const hint =
        suggestion(target, ['model', 'host']) || '; there are: model, model:<kernel>, host';
      throw new UsageError(`--target: Cannot run on "${target}"${hint}`);
    }
  }
  for (const name of chosen) await openOrUsageError(catalog, name);
  return [...chosen];
}

function kernelsMeant(catalog: TargetCatalog, kernel: string): string[] {
  if (kernel === '') throw new UsageError('--kernel: Cannot use an empty kernel name');
  if (kernel === 'host')
    throw new UsageError('--kernel: Cannot use "host": it is no model kernel, but a --target');
  if (!isPattern(kernel)) return [targetNamed(kernel)];
  const meant = catalog.kernels.filter((entry) => selects(kernel, { selector: entry.spec }));
  if (meant.length > 0) return meant.map((entry) => targetNamed(entry.spec));
  throw new UsageError(
    `--kernel: Cannot find a kernel like "${kernel}"; see "lostwake list kernels"`,
  );
}

async function openOrUsageError(catalog: TargetCatalog, name: string): Promise<void> {
  try {
    await catalog.open(name, {});
  } catch (thrown) {
    if (!(thrown instanceof RangeError) && !(thrown instanceof SyntaxError)) throw thrown;
    const message = messageOf(thrown);
    const specs = catalog.kernels.map((entry) => entry.spec);
    const hint = message.includes('did you mean') ? '' : suggestion(selectorOf(name), specs);
    throw new UsageError(`--kernel: ${message}${hint}`);
  }
}

/** Where one program runs, and why it does not run elsewhere. */
export interface Placement {
  readonly target: string;
  /** Absent: runs. Else a reason for CONF. */
  readonly conf?: string;
}

/**
 * The targets of a program. Not chosen: those its `on:` names, else those of its expect blocks when each has a
 * selector, else the primary kernels and the host. Chosen: exactly those, CONF where it is for others.
 */
export function placements(program: Program, catalog: TargetCatalog, chosen: Chosen): Placement[] {
  const selectors = selectorsOf(program);
  if (chosen.length > 0) return chosen.map((target) => placementOn(program, target, selectors));
  const known = catalog.kernels.map((entry) => targetNamed(entry.spec));
  const targets =
    selectors === null
      ? [
          ...catalog.kernels
            .filter((entry) => entry.primary)
            .map((entry) => targetNamed(entry.spec)),
          'host',
        ]
      : [...known, ...exactKernels(selectors, known), 'host'];
  return targets
    .filter((target) => isFor(program, target, selectors))
    .map((target) => placementOn(program, target, selectors));
}

function placementOn(
  program: Program,
  target: string,
  selectors: readonly string[] | null,
): Placement {
  if (!isFor(program, target, selectors)) {
    const where = metaValue(program, 'on') ?? selectors?.join(' ') ?? 'others';
    return { target, conf: `Not for ${selectorOf(target)}: it is for ${where}` };
  }
  if (blockFor(program.expect, identityOf(target)) === undefined) {
    return { target, conf: `Nothing is expected on ${selectorOf(target)}` };
  }
  return { target };
}

/** Null: every target. */
function selectorsOf(program: Program): string[] | null {
  const on = metaWords(program, 'on');
  if (on.length > 0) return on;
  if (program.expect.some((block) => block.selectors.length === 0)) return null;
  return program.expect.length === 0 ? null : program.expect.flatMap((block) => block.selectors);
}

function isFor(program: Program, target: string, selectors: readonly string[] | null): boolean {
  const identity = identityOf(target);
  if (metaWords(program, 'not').some((selector) => selects(selector, identity))) return false;
  // `host>=6.0` is still for the host when this one is older: the placement says CONF then.
  return (
    selectors === null ||
    selectors.some((one) => selects(one, identity) || one.split(/[<>=]/)[0] === identity.selector)
  );
}

/** Kernels that a case names exactly and that no list has: another series of known patches. */
function exactKernels(selectors: readonly string[], known: readonly string[]): string[] {
  return selectors
    .filter((one) => one !== 'host' && !isPattern(one) && !/[<>=]/.test(one))
    .map(targetNamed)
    .filter((target) => !known.includes(target));
}

/** What selectors are held against. */
export function identityOf(target: string): TargetIdentity {
  return target === 'host'
    ? { selector: 'host', release: release() }
    : { selector: selectorOf(target) };
}

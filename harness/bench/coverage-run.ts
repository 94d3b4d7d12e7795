/** What fuzzing covers with and without mutants of the programs that showed something new. */

import { DETECTORS } from '../abi/index.ts';
import { kindOf } from '../coverage/index.ts';
import { bugIds, loadKnownBugs } from '../runner/bug-index.ts';
import { fuzz } from '../runner/fuzz.ts';
import type { CoverageOrder } from './orders.ts';
import { processorSeconds } from './processor.ts';

/** What one run came to. */
export interface CoverageRun {
  readonly programs: number;
  readonly executions: number;
  readonly features: number;
  /** Racing pairs of which both orders were seen. */
  readonly bothOrders: number;
  readonly signatures: number;
  /** Catalogued bugs. */
  readonly bugs: number;
  /** Of processor time. */
  readonly seconds: number;
}

/** Fuzzes in this thread. Nothing is shrunk: findings count as features. */
export async function coverageRun(order: CoverageOrder): Promise<CoverageRun> {
  const { kernel, use, seed, threads, calls, programs = Infinity, seconds } = order;
  const known = await loadKnownBugs();
  const started = processorSeconds();
  const clock = (): number => (processorSeconds() - started) * 1000;
  const result = await fuzz(
    {
      ...{ kernel, seed, programs, timeMs: seconds * 1000, coverage: use },
      threads: { min: 1, max: threads },
      calls: { min: 1, max: calls },
      ...{ until: Infinity, strategy: 'dpor', runs: 2000, faults: 0, maxSteps: 2000, hz: 1000 },
      // Ignored findings end no round.
      ignore: DETECTORS,
      folder: 'unused',
    },
    { found() {}, progress() {}, stopped: () => false, clock },
    [],
  );
  const features = [...(result.coverage?.features ?? [])];
  const signatures = features.filter((feature) => kindOf(feature) === 'finding');
  const bugs = signatures.flatMap((feature) => {
    const [, detector = '', site = ''] = /^finding (\S+) (.*)$/.exec(feature) ?? [];
    return bugIds(known, kernel, { detector, site, message: '', steps: [] });
  });
  return {
    programs: result.programs,
    executions: result.executions,
    features: features.length,
    bothOrders: result.coverage?.counts.bothOrders ?? 0,
    signatures: signatures.length,
    bugs: new Set(bugs).size,
    seconds: clock() / 1000,
  };
}

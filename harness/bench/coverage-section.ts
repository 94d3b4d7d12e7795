/** What fuzzing covers in a given time, and what looking costs. */

import type { CoverageUse } from '../runner/fuzz-order.ts';
import { median } from './bugs-section.ts';
import type { CoverageRun } from './coverage-run.ts';
import type { Section } from './bench.ts';

const KERNELS = ['2.5.44+sys_epoll-v11', '2.6.20', '2.6.20+fs-aio+aio-epoll-wait'];
const USES: readonly CoverageUse[] = ['off', 'count', 'steer'];
const SEEDS = 3;
const SECONDS = 20;
const SURVEY_SECONDS = 3;

export const coverageSection: Section = {
  name: 'coverage',
  title: 'what fuzzing covers, one core',
  reading:
    'Programs of up to 3 threads and 3 calls for a given time: nobody looks (off), what they show is counted (count), or half of\n' +
    'them are mutants of those that showed something new (steer). Medians over seeds; nothing is shrunk.',
  columns: [
    { title: 'kernel', key: 'kernel', format: 'text' },
    { title: 'coverage', key: 'use', format: 'text' },
    { title: 'programs', key: 'programs', format: 'count' },
    { title: 'executions', key: 'executions', format: 'count' },
    { title: 'features', key: 'features', format: 'count' },
    { title: 'x count', key: 'ratio', format: 'per' },
    { title: 'pairs in both orders', key: 'bothOrders', format: 'count' },
    { title: 'signatures', key: 'signatures', format: 'count' },
    { title: 'catalogued bugs', key: 'bugs', format: 'count' },
  ],
  main: { key: 'features', better: 'more' },
  async measure(bench) {
    const seconds = bench.options.seconds ?? (bench.isSurvey ? SURVEY_SECONDS : SECONDS);
    const seeds = bench.options.seeds ?? (bench.isSurvey ? 1 : SEEDS);
    for (const kernel of KERNELS) {
      let counted = 0;
      for (const use of USES) {
        const label = `${use} on ${kernel}`;
        const runs: CoverageRun[] = [];
        for (let seed = 1; seed <= seeds; seed++) {
          const size = { threads: 3, calls: 3, seconds };
          runs.push(await bench.ask(label, { kind: 'coverage', kernel, use, seed, ...size }));
        }
        const middle = (what: keyof CoverageRun): number => median(runs.map((run) => run[what]));
        bench.check(`${label}, features are seen`, middle('features') > 0, use !== 'off');
        if (use === 'count') counted = middle('features');
        bench.add({
          id: label,
          values: {
            kernel,
            use,
            programs: middle('programs'),
            executions: middle('executions'),
            ...(use === 'off' ? {} : { ratio: middle('features') / counted }),
            ...(use === 'off' ? {} : seen(middle)),
          },
        });
      }
    }
  },
};

function seen(middle: (what: keyof CoverageRun) => number) {
  return {
    features: middle('features'),
    bothOrders: middle('bothOrders'),
    signatures: middle('signatures'),
    bugs: middle('bugs'),
  };
}

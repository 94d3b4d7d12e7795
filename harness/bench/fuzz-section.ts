/** Generated programs per second and core, each explored to its end. */

import type { Section } from './bench.ts';

const KERNELS = ['2.5.44+sys_epoll-v11', '2.6.20'];
const SHAPES = [
  { threads: 2, calls: 2 },
  { threads: 3, calls: 1 },
  { threads: 3, calls: 2 },
];
const SECONDS = 2;

export const fuzzSection: Section = {
  name: 'fuzz',
  title: 'exhaustive fuzzing, one core',
  reading:
    'Programs of exactly so many threads and calls, generated, explored with sanitizers and checks. A program is complete\n' +
    'when all its traces were visited; one that has too many is sampled after that.',
  columns: [
    { title: 'kernel', key: 'kernel', format: 'text' },
    { title: 'threads x calls', key: 'shape', format: 'text' },
    { title: 'programs/s', key: 'rate', format: 'count' },
    { title: 'complete %', key: 'complete', format: 'per' },
    { title: 'executions/program', key: 'each', format: 'per' },
    { title: 'executions/s', key: 'executions', format: 'count' },
    { title: 'signatures found', key: 'findings', format: 'count' },
    { title: 'MB', key: 'peak', format: 'MB' },
  ],
  main: { key: 'rate', better: 'more' },
  async measure(bench) {
    const seconds = bench.options.seconds ?? SECONDS;
    for (const kernel of KERNELS)
      for (const { threads, calls } of SHAPES) {
        const shape = `${threads} x ${calls}`;
        const label = `${shape} on ${kernel}`;
        const m = await bench.ask(label, { kind: 'fuzz', kernel, threads, calls, seconds });
        const isSound = m.complete > 0 && m.complete <= m.programs && m.executions >= m.programs;
        bench.check(`${label}, explores programs`, isSound, true);
        bench.add({
          id: label,
          values: {
            kernel,
            shape,
            rate: m.programs / m.seconds,
            complete: (100 * m.complete) / m.programs,
            each: m.executions / m.programs,
            executions: m.executions / m.seconds,
            findings: m.findings,
            peak: m.peak,
          },
        });
      }
  },
};

/** What a second core brings to one exploration. */

import { availableParallelism } from 'node:os';
import type { Section } from './bench.ts';
import type { Answer, JobsOrder } from './orders.ts';

const PROGRAM = 'waiters-write-add';
const KERNEL = '2.6.20';
/** More are measured if there are more cores. */
const JOBS = [1, 2, 4, 8];

export const jobsSection: Section = {
  name: 'jobs',
  title: 'one exploration on several threads',
  reading:
    'fixtures/bench/waiters-write-add.prog, as "lostwake explore --jobs N". Traces, outcomes and findings are compared and must\n' +
    'be the same; "x 1 job" is of the time.',
  columns: [
    { title: 'program', key: 'program', format: 'text' },
    { title: 'kernel', key: 'kernel', format: 'text' },
    { title: 'jobs', key: 'jobs', format: 'count' },
    { title: 'traces', key: 'traces', format: 'count' },
    { title: 's', key: 'seconds', format: 's' },
    { title: 'traces/s', key: 'rate', format: 'count' },
    { title: 'x 1 job', key: 'times', format: 'per' },
    { title: 'MB', key: 'peak', format: 'MB' },
  ],
  main: { key: 'seconds', better: 'less' },
  async measure(bench) {
    const cores = availableParallelism();
    let first: Answer<JobsOrder> | undefined;
    for (const jobs of JOBS.filter((n) => n <= Math.max(2, cores))) {
      const label = `${PROGRAM} on ${KERNEL}, ${jobs} ${jobs === 1 ? 'job' : 'jobs'}`;
      const answer = await bench.ask(label, {
        kind: 'jobs',
        program: PROGRAM,
        kernel: KERNEL,
        jobs,
      });
      first ??= answer;
      bench.check(`${label}, is complete`, answer.isComplete, true);
      bench.check(`${label}, traces`, answer.traces, first.traces);
      bench.check(`${label}, outcomes and findings`, answer.seen.join(), first.seen.join());
      bench.add({
        id: label,
        values: {
          program: PROGRAM,
          kernel: KERNEL,
          jobs,
          traces: answer.traces,
          seconds: answer.seconds,
          rate: answer.traces / answer.seconds,
          times: first.seconds / answer.seconds,
          peak: answer.peak,
        },
      });
    }
    if (cores < 2) bench.note('jobs: there is one core here, so no speed-up is to be expected');
  },
};

/** Steps and executions per second of one core, beside fast-check's scheduler() on the same programs. */

import type { Section } from './bench.ts';
import { MACHINE } from './subjects.ts';

const V11 = '2.5.44+sys_epoll-v11';
/** The litmus programs have no kernel around them: they show what the engine itself costs. */
const SUBJECTS = [
  { kernel: MACHINE, program: 'mod-versus-del' },
  { kernel: MACHINE, program: 'wait-queue' },
  { kernel: MACHINE, program: 'critical sections 3 4' },
  { kernel: V11, program: 'mod-versus-del' },
  { kernel: V11, program: 'pipe-epoll' },
  { kernel: '2.6.20', program: 'mod-versus-del' },
  { kernel: '2.6.20', program: 'pipe-epoll' },
];

/** The first is what the others are compared with. */
const DRIVERS = [
  { driver: 'fast-check', sanitize: false },
  { driver: 'random', sanitize: false },
  { driver: 'random', sanitize: true },
  { driver: 'pos', sanitize: false },
  { driver: 'dpor', sanitize: false },
  { driver: 'dpor', sanitize: true },
];
const SECONDS = 0.8;

export const ratesSection: Section = {
  name: 'rates',
  title: "one core, beside fast-check's scheduler()",
  reading:
    'Each driver chooses who takes the next step of the same program. An operation is a step, or one of init and exit;\n' +
    '"x fast-check" is of executions per second.',
  columns: [
    { title: 'program', key: 'program', format: 'text' },
    { title: 'kernel', key: 'kernel', format: 'text' },
    { title: 'driver', key: 'driver', format: 'text' },
    { title: 'sanitizers', key: 'sanitizers', format: 'text' },
    { title: 'steps/s', key: 'steps', format: 'count' },
    { title: 'operations/s', key: 'operations', format: 'count' },
    { title: 'executions/s', key: 'executions', format: 'count' },
    { title: 'x fast-check', key: 'times', format: 'per' },
    { title: 'MB', key: 'peak', format: 'MB' },
  ],
  main: { key: 'executions', better: 'more' },
  async measure(bench) {
    const seconds = bench.options.seconds ?? SECONDS;
    for (const { program, kernel } of SUBJECTS) {
      let base = 0;
      for (const { driver, sanitize } of DRIVERS) {
        const label = `${program} on ${kernel}, ${driver}${sanitize ? ' with sanitizers' : ''}`;
        const order = { kind: 'drive', program, kernel, driver, sanitize, seconds } as const;
        const m = await bench.ask(label, order);
        bench.check(`${label}, does something`, m.executions > 0 && m.steps > m.executions, true);
        const rate = m.executions / m.seconds;
        if (driver === 'fast-check') base = rate;
        bench.add({
          id: label,
          values: {
            program,
            kernel,
            driver,
            sanitizers: sanitize ? 'on' : 'off',
            steps: m.steps / m.seconds,
            operations: m.operations / m.seconds,
            executions: rate,
            times: rate / base,
            peak: m.peak,
          },
        });
      }
    }
  },
};

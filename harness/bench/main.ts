/**
 * `npm run bench`: steps and executions per second of the explorers, beside fast-check's own scheduler() driving
 * the same kernel programs. Ratios are of this run; each configuration has a fresh process.
 */

import { fileURLToPath } from 'node:url';
import { $ } from 'zx';
import type { Measured } from './drive.ts';

interface Row {
  readonly program: string;
  readonly kernel: string;
  readonly driver: string;
  readonly sanitizers: string;
}

const V11 = '2.5.44+sys_epoll-v11';
/** The litmus programs have no kernel around them: they show what the engine itself costs. */
const SUBJECTS = [
  { kernel: 'machine', program: 'mod-versus-del' },
  { kernel: 'machine', program: 'wait-queue' },
  { kernel: V11, program: 'mod-versus-del' },
  { kernel: V11, program: 'pipe-epoll' },
  { kernel: '2.6.20', program: 'mod-versus-del' },
  { kernel: '2.6.20', program: 'pipe-epoll' },
];
const DRIVERS = [
  { driver: 'fast-check', sanitizers: 'off' },
  { driver: 'random', sanitizers: 'off' },
  { driver: 'random', sanitizers: 'on' },
  { driver: 'pos', sanitizers: 'off' },
  { driver: 'dpor', sanitizers: 'off' },
  { driver: 'dpor', sanitizers: 'on' },
];

async function measured(row: Row, seconds: number): Promise<Measured> {
  const one = fileURLToPath(new URL('./one.js', import.meta.url));
  const output = await $({
    quiet: true,
  })`node ${one} ${row.program} ${row.kernel} ${row.driver} ${row.sanitizers} ${seconds}`;
  // The child prints exactly this structure.
  return JSON.parse(output.stdout) as Measured;
}

function count(n: number): string {
  return Math.round(n).toLocaleString('en').padStart(12);
}

async function main(): Promise<void> {
  const seconds = Number(process.argv[2] ?? '2');
  const heads = ['program', 'kernel', 'driver', 'sanitizers'];
  const title = [
    heads[0].padEnd(16),
    heads[1].padEnd(22),
    heads[2].padEnd(11),
    heads[3].padEnd(10),
  ];
  process.stdout.write(
    `${title.join(' ')} ${'steps/s'.padStart(12)} ${'operations/s'.padStart(12)} ${'executions/s'.padStart(12)} ${'x fast-check'.padStart(12)}\n`,
  );
  for (const { program, kernel } of SUBJECTS) {
    let base = 0;
    for (const { driver, sanitizers } of DRIVERS) {
      const m = await measured({ program, kernel, driver, sanitizers }, seconds);
      const rate = m.executions / m.seconds;
      if (driver === 'fast-check') base = rate;
      const cells = [
        program.padEnd(16),
        kernel.padEnd(22),
        driver.padEnd(11),
        sanitizers.padEnd(10),
      ];
      process.stdout.write(
        `${cells.join(' ')} ${count(m.steps / m.seconds)} ${count(m.operations / m.seconds)} ${count(rate)} ${(rate / base).toFixed(1).padStart(12)}\n`,
      );
    }
  }
}

await main();

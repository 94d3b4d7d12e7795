/** One configuration in a process of its own: prints one line of JSON. */

import { benchScenario, driveFastCheck, driveStrategy, type Measured } from './drive.ts';

async function main(): Promise<void> {
  const [program = '', kernel = '', driver = '', sanitizers = '', seconds = '3'] =
    process.argv.slice(2);
  const scenario = benchScenario(program, kernel);
  const measure = async (time: number): Promise<Measured> =>
    driver === 'fast-check'
      ? await driveFastCheck(scenario, time)
      : driveStrategy(scenario, driver, sanitizers === 'on', time);
  // Once to warm up: what is measured is compiled code.
  await measure(Number(seconds) / 3);
  process.stdout.write(`${JSON.stringify(await measure(Number(seconds)))}\n`);
}

await main();

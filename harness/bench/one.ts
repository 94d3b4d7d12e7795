/** One configuration in a process of its own: takes an order as JSON, prints one line of JSON. */

import type { Measured } from './drive.ts';
import type { DriveOrder, Order, ProofOrder } from './orders.ts';
import { scenarioOf } from './subjects.ts';

/** Seconds after which the code of a kernel is compiled; who measures for less is content with less. */
const WARM = 0.6;

async function drive(order: DriveOrder): Promise<Measured> {
  const { driveFastCheck, driveStrategy } = await import('./drive.ts');
  const scenario = await scenarioOf(order);
  const measure = async (seconds: number): Promise<Measured> =>
    order.driver === 'fast-check'
      ? await driveFastCheck(scenario, seconds)
      : driveStrategy(scenario, order.driver, order.sanitize, seconds);
  // Once to warm up: what is measured is compiled code.
  await measure(Math.min(order.seconds, Math.max(order.seconds / 3, WARM)));
  return await measure(order.seconds);
}

async function prove({ words, ...options }: ProofOrder): Promise<object> {
  const { bugTimes } = await import('./proof.ts');
  const rows = [];
  for await (const row of bugTimes(words, options)) rows.push(row);
  return { rows };
}

// What is not needed is not loaded: it would count as memory of the configuration.
async function carryOut(order: Order): Promise<object> {
  switch (order.kind) {
    case 'count':
      return (await import('./count.ts')).count(await scenarioOf(order), order);
    case 'drive':
      return await drive(order);
    case 'fuzz':
      return (await import('./fuzz-rate.ts')).fuzzRate(order);
    case 'proof':
      return await prove(order);
    case 'coverage':
      return await (await import('./coverage-run.ts')).coverageRun(order);
    case 'bugs':
      return await (await import('./bug-run.ts')).runForBugs(order);
    default:
      return await (await import('./jobs-run.ts')).exploreWith(order);
  }
}

async function main(): Promise<void> {
  // Only measure.ts starts this, with an order.
  const answer = await carryOut(JSON.parse(process.argv[2] ?? '') as Order);
  const peak = process.resourceUsage().maxRSS * 1024;
  process.stdout.write(`${JSON.stringify({ ...answer, peak })}\n`);
}

await main();

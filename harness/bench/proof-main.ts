/** `node build/harness/bench/proof-main.js [CASE ...]`: how soon the exact explorer meets each catalogued bug. */

import { bugTimes, bugTimeSummary, bugTimeText, type BugTime } from './proof.ts';

const words = process.argv.slice(2);
const rows: BugTime[] = [];
process.stdout.write(
  'case                  shown by  size  in execution   ms found ms whole  kernel\n',
);
for await (const row of bugTimes(words.length === 0 ? ['bugs/*'] : words, {
  warmUp: 150,
  measure: 200,
})) {
  rows.push(row);
  process.stdout.write(`${bugTimeText(row)}\n`);
}
process.stdout.write(`${bugTimeSummary(rows)}\n`);

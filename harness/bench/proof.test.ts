import t from 'tap';
import { bugTimes, bugTimeSummary, type BugTime } from './proof.ts';

async function measured(...words: string[]): Promise<BugTime[]> {
  const rows: BugTime[] = [];
  for await (const row of bugTimes(words, { warmUp: 0, measure: 0 })) rows.push(row);
  return rows;
}

t.test(
  'a bug is timed where it is, by its findings or by its outcomes, and a fix is not',
  async (t) => {
    const rows = await measured('bugs/E-B02', 'bugs/E-B61', 'bugs/E-N08');
    t.same(
      rows.map((row) => [row.case, row.kernel, row.shownBy, row.threads, row.calls]),
      [
        ['bugs/E-B02', '2.5.44+sys_epoll-v11', 'finding', 2, 5],
        ['bugs/E-B61', '2.6.20', 'outcome', 2, 9],
      ],
    );
    for (const row of rows) {
      t.ok(row.execution >= 1 && row.execution <= row.traces, `${row.execution} of ${row.traces}`);
      t.ok(row.toFind > 0 && row.toFind <= row.whole, `${row.toFind} of ${row.whole} ms`);
    }
  },
);

t.test('the summary speaks of small programs only', (t) => {
  const row: BugTime = {
    case: 'bugs/x',
    kernel: '2.6.20',
    shownBy: 'finding',
    threads: 3,
    calls: 8,
    execution: 2,
    traces: 9,
    toFind: 9,
    whole: 11,
  };
  const rows = [row, { ...row, toFind: 11 }, { ...row, threads: 4 }, { ...row, calls: 9 }];
  t.match(bugTimeSummary(rows), /^1 of 2 found within 10 ms, 0 explored to the end within 10 ms/);
  t.end();
});

/** How soon the exact explorer meets each bug of the catalogue, from the program that the catalogue has for it. */

import type { Section } from './bench.ts';
import { bugTimeSummary } from './proof.ts';

/** Milliseconds of processor time for each program: to warm up, and to measure. */
const MILLISECONDS = { warmUp: 150, measure: 200 };
const SURVEY_MILLISECONDS = { warmUp: 2, measure: 5 };
/** When all sections are measured: some cases, and of these the rows that take longest. */
const SURVEY_CASES = ['bugs/E-B0*', 'bugs/A-B0*'];
const SURVEY_ROWS = 12;

export const proofSection: Section = {
  name: 'proof',
  title: 'the exact explorer on the program of each catalogued bug',
  reading:
    'The execution that shows the bug first, the time until then, and that of the whole exploration. "threads x calls" has\n' +
    `the calls of init. When all sections are measured: of E-B1 to A-B9 the ${SURVEY_ROWS} that take longest.`,
  columns: [
    { title: 'case', key: 'case', format: 'text' },
    { title: 'kernel', key: 'kernel', format: 'text' },
    { title: 'shown by', key: 'shownBy', format: 'text' },
    { title: 'threads x calls', key: 'size', format: 'text' },
    { title: 'in execution', key: 'execution', format: 'count' },
    { title: 'of', key: 'traces', format: 'count' },
    { title: 'ms', key: 'seconds', format: 'ms' },
    { title: 'ms whole', key: 'whole', format: 'ms' },
  ],
  main: { key: 'seconds', better: 'less' },
  async measure(bench) {
    const { seconds } = bench.options;
    const given = { warmUp: (seconds ?? 0) * 500, measure: (seconds ?? 0) * 500 };
    const usual = bench.isSurvey ? SURVEY_MILLISECONDS : MILLISECONDS;
    const words = bench.isSurvey ? SURVEY_CASES : ['bugs/*'];
    const order = { kind: 'proof', words, ...(seconds === undefined ? usual : given) } as const;
    const { rows } = await bench.ask('bugs of the catalogue', order);
    bench.check('proof, bugs are timed', rows.length > 0, true);
    const slowest = [...rows].sort((a, b) => b.toFind - a.toFind);
    for (const row of bench.isSurvey ? slowest.slice(0, SURVEY_ROWS) : rows) {
      const { case: name, kernel, shownBy, execution, traces } = row;
      bench.add({
        id: `${name} on ${kernel}`,
        values: {
          case: name,
          kernel,
          shownBy,
          size: `${row.threads} x ${row.calls}`,
          execution,
          traces,
          seconds: row.toFind / 1000,
          whole: row.whole / 1000,
        },
      });
    }
    bench.note(bugTimeSummary(rows));
  },
};

/** One sentence that says how a run went. */

import { outcomeOf, type RunReport } from '../runner/result.ts';

/** The last line of the text report, and the reason given for an exit code that is not zero. */
export function outcomeWords(report: RunReport): string {
  const { runs } = report.summary;
  switch (outcomeOf(report)) {
    case 'nothing':
      return 'Nothing was selected';
    case 'broken':
      return `Broken: ${runs.BROK} of ${total(report)} say nothing about the kernel`;
    case 'failed':
      return `Failed: ${runs.FAIL} of ${total(report)}`;
    case 'ok':
      return `${goodWords(report)}: ${total(report)}${remarks(report)}`;
    default:
      return '';
  }
}

function goodWords(report: RunReport): string {
  const far = report.stopped === undefined ? '' : ', as far as it went';
  return report.summary.runs.WARN > 0
    ? `No failure, but not all is proved${far}`
    : `As expected${far}`;
}

function remarks(report: RunReport): string {
  const { CONF, WARN, known } = report.summary.runs;
  const parts = [
    WARN > 0 ? `${WARN} with warnings` : '',
    CONF > 0 ? `${CONF} not applicable` : '',
    known > 0 ? `${known} known to fail` : '',
  ].filter(Boolean);
  return parts.length === 0 ? '' : `, of them ${parts.join(', ')}`;
}

function total(report: RunReport): string {
  const { PASS, FAIL, BROK, CONF, WARN, known } = report.summary.runs;
  const count = PASS + FAIL + BROK + CONF + WARN + known;
  return `${count} ${count === 1 ? 'run' : 'runs'}`;
}

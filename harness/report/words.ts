/** One sentence that says how a run went. */

import { outcomeOf, type RunReport } from '../runner/result.ts';

/** The last line of the text report, and the reason given for an exit code that is not zero. */
export function outcomeWords(report: RunReport): string {
  const { runs } = report.summary;
  switch (outcomeOf(report)) {
    case 'nothing':
      return 'Nothing was selected';
    case 'broken':
      return `Broken: ${runs.BROK} of ${total(report)} runs say nothing about the kernel`;
    case 'failed':
      return `Failed: ${runs.FAIL} of ${total(report)} runs`;
    case 'ok':
      return `As expected${report.stopped === undefined ? '' : ', as far as it went'}: ${total(report)} runs${runs.CONF > 0 ? `, ${runs.CONF} of them not applicable` : ''}`;
    default:
      return '';
  }
}

function total(report: RunReport): number {
  const { PASS, FAIL, BROK, CONF, WARN, known } = report.summary.runs;
  return PASS + FAIL + BROK + CONF + WARN + known;
}

/** What the exit code says. One table for the code, `--help` and the README. */

export interface ExitCode {
  readonly code: number;
  readonly meaning: string;
}

export const EXIT_CODES: readonly ExitCode[] = [
  { code: 0, meaning: 'everything as expected' },
  { code: 1, meaning: 'a case failed, or exploring, fuzzing or replaying found something' },
  { code: 2, meaning: 'the command line, a program, a schedule or a list cannot be understood' },
  {
    code: 3,
    meaning: 'the harness or the init of a program is broken, or a report could not be written',
  },
  { code: 4, meaning: 'nothing was selected' },
  { code: 130, meaning: 'interrupted by Ctrl-C; what was done is reported' },
  { code: 143, meaning: 'terminated; what was done is reported' },
];

export const OK = 0;
export const FAILED = 1;
export const USAGE = 2;
export const BROKEN = 3;
export const NOTHING = 4;
export const INTERRUPTED = 130;
export const TERMINATED = 143;

/** The end of a verb: an exit code, and for any but 0 the reason in one line. */
export interface Ending {
  readonly code: number;
  readonly why?: string;
}

export function ended(code: number, why?: string): Ending {
  return why === undefined ? { code } : { code, why };
}

/** So many findings, in words. */
export function foundText(n: number): string {
  return `${n} ${n === 1 ? 'finding' : 'findings'}`;
}

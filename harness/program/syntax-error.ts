/** What is wrong with a program's text, and where. */

/** One line for a person: `file:line:column: Cannot ...`. */
export class ProgramSyntaxError extends SyntaxError {
  override readonly name = 'ProgramSyntaxError';
  readonly fileName: string;
  /** From 1. 0 when the program was not read from text. */
  readonly line: number;
  /** From 1. 0 when the program was not read from text. */
  readonly column: number;
  /** Without the position. */
  readonly reason: string;

  constructor(reason: string, at: { fileName: string; line: number; column: number }) {
    super(
      at.line > 0
        ? `${at.fileName}:${at.line}:${at.column}: ${reason}`
        : `${at.fileName}: ${reason}`,
    );
    this.fileName = at.fileName;
    this.line = at.line;
    this.column = at.column;
    this.reason = reason;
  }
}

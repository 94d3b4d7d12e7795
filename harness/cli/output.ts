/** Where text goes: standard output that may be closed early, and files that are whole or not there. */

import { closeSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';

/** A report or counterexample that could not be written. */
export class OutputError extends Error {
  override name = 'OutputError';
}

/** Collects a file beside its place and puts it there when it is complete. */
export class WholeFile {
  private readonly path: string;
  /** The path itself for a device or a pipe: there is nothing to replace, and it must not be. */
  private temporary: string;
  private readonly fd: number;
  private isOpen = true;

  /** Throws an OutputError at once if nothing can be written there. */
  constructor(path: string) {
    this.path = path;
    this.temporary = `${path}.part-${process.pid}`;
    const stat = this.attempt(() => statSync(path, { throwIfNoEntry: false }));
    if (stat !== undefined && !stat.isFile()) this.temporary = path;
    this.fd = this.attempt(() => openSync(this.temporary, 'w'));
  }

  write(text: string): void {
    this.attempt(() => {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length;) at += writeSync(this.fd, bytes, at);
    });
  }

  /** Puts the file in its place. */
  finish(): void {
    this.attempt(() => {
      this.isOpen = false;
      closeSync(this.fd);
      if (this.temporary !== this.path) renameSync(this.temporary, this.path);
    });
  }

  /** Leaves nothing behind, unless the file is finished. */
  abandon(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    closeSync(this.fd);
    this.removeTemporary();
  }

  private removeTemporary(): void {
    if (this.temporary === this.path) return;
    try {
      rmSync(this.temporary, { force: true });
    } catch {
      // It was never there: a part of its path is no folder.
    }
  }

  private attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      this.removeTemporary();
      const code =
        thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown);
      throw new OutputError(`Cannot write ${this.path}: ${WORDS[code] ?? code}`);
    }
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder (ENOENT)',
  ENOSPC: 'no space left on the device (ENOSPC)',
  EACCES: 'permission denied (EACCES)',
  EROFS: 'the file system is read-only (EROFS)',
  EISDIR: 'there is a folder of that name (EISDIR)',
  ENOTDIR: 'a part of the path is not a folder (ENOTDIR)',
  EEXIST: 'a part of the path is not a folder (EEXIST)',
};

/** Standard output. When its reader has gone, what follows is dropped. */
export class Out {
  private closed = false;
  private failure: Error | null = null;
  private listener: () => void = () => undefined;

  constructor() {
    process.stdout.on('error', (error: Error & { readonly code?: string }) => {
      if (this.closed) return;
      this.closed = true;
      if (error.code !== 'EPIPE') this.failure = error;
      this.listener();
    });
    // A reader of standard error that is gone misses the talk, and nothing else.
    process.stderr.on('error', () => undefined);
  }

  /** Called once when nothing can be written any more. */
  onClosed(listener: () => void): void {
    this.listener = listener;
  }

  write(text: string): void {
    if (!this.closed) process.stdout.write(text);
  }

  line(text = ''): void {
    this.write(`${text}\n`);
  }

  /** Waits until all is written. Throws an OutputError if something other than a closed pipe went wrong. */
  async flush(): Promise<void> {
    if (!this.closed)
      await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
    if (this.failure !== null)
      throw new OutputError(`Cannot write to standard output: ${this.failure.message}`);
  }
}

/** Whether text to standard output is coloured. */
export function wantsColor(choice: string | undefined): boolean {
  if (choice === 'always') return true;
  if (choice === 'never') return false;
  const env = process.env;
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  if (env['FORCE_COLOR'] !== undefined) return env['FORCE_COLOR'] !== '0';
  return process.stdout.isTTY === true;
}

/** Width of text that is not for a terminal. */
export const WIDTH_OF_FILES = 120;

/** Columns of the terminal, or a fixed width for files and pipes. */
export function textWidth(): number {
  return process.stdout.isTTY === true ? Math.max(60, process.stdout.columns) : WIDTH_OF_FILES;
}

const EVERY_MS = 10_000;
const EVERY_MS_TTY = 100;

/** One line of progress on standard error: rewritten on a terminal, now and then elsewhere. */
export class ProgressLine {
  private readonly quiet: boolean;
  private readonly tty = process.stderr.isTTY === true;
  private last = performance.now();
  private shown = false;

  constructor(quiet: boolean) {
    this.quiet = quiet;
  }

  tell(text: () => string): void {
    if (this.quiet) return;
    const now = performance.now();
    if (now - this.last < (this.tty ? EVERY_MS_TTY : EVERY_MS)) return;
    this.last = now;
    if (this.tty) {
      process.stderr.write(
        `\r\u001B[2K${text().slice(0, Math.max(20, process.stderr.columns - 1))}`,
      );
      this.shown = true;
    } else process.stderr.write(`${text()}\n`);
  }

  /** Before other output. */
  clear(): void {
    if (this.shown) process.stderr.write('\r\u001B[2K');
    this.shown = false;
  }
}

/** Ctrl-C and termination: the first asks to stop, the second ends at once. */
export class Interrupt {
  signal: 'SIGINT' | 'SIGTERM' | null = null;
  private readonly listeners: (() => void)[] = [];

  constructor() {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (this.signal !== null) process.exit(signal === 'SIGINT' ? 130 : 143);
        this.signal = signal;
        for (const listener of this.listeners) listener();
      });
    }
  }

  onStop(listener: () => void): void {
    this.listeners.push(listener);
  }
}

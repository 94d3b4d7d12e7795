import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { EXIT_CODES } from './cli/exit-codes.ts';
import { packageRoot } from './runner/case-index.ts';

// Its commands are run one after the other; a busy machine takes its time.
t.setTimeout(180_000);

const root = packageRoot();
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** Commands of the README in order: what begins with `npx lostwake`, in blocks and in tables. */
function commands(): string[] {
  const lines = readme.split('\n').flatMap((line) => {
    if (line.startsWith('npx lostwake ')) return [line];
    return [...line.matchAll(/^\| `(npx lostwake [^`]+)`/g)].map((m) => m[1]);
  });
  return [...new Set(lines)];
}

/** The words of a command as a shell would hand them over; quotes are single ones. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map((m) => m[1] ?? m[2] ?? '').slice(2);
}

interface Ended {
  readonly code: number;
  readonly text: string;
}

async function lostwake(words: readonly string[], cwd: string): Promise<Ended> {
  return await new Promise((resolve) => {
    const options = { cwd, timeout: 120_000, killSignal: 'SIGKILL', maxBuffer: 1 << 26 } as const;
    const child = execFile(
      process.execPath,
      [join(root, 'bin/lostwake.js'), ...words],
      options,
      (_, out, err) => {
        resolve({ code: child.exitCode ?? -1, text: out + err });
      },
    );
  });
}

/** Worked examples: what commands that begin so print, and how the block with it begins. */
const EXAMPLES: readonly (readonly [command: string, block: string])[] = [
  ['npx lostwake fuzz ', 'FOUND '],
  ['npx lostwake explore bugs/A-B10 ', 'model:'],
];

/** What the README shows of a command is what it prints. */
function showsExample(t: Test, text: string, block: string): void {
  const shown = new RegExp(`\`\`\`\n(${block}[\\s\\S]*?)\`\`\``).exec(readme)?.[1] ?? '';
  t.not(shown, '', block);
  for (const line of shown.split('\n')) if (line.trim() !== '...') t.ok(text.includes(line), line);
}

t.test('every command of the README runs as written', async (t) => {
  const folder = t.testdir();
  const list = commands();
  t.ok(list.length >= 8, `${list.length} commands`);
  const examples = [...EXAMPLES];
  for (const command of list) {
    const { code, text } = await lostwake(wordsOf(command), folder);
    const at = examples.findIndex(([beginning]) => command.startsWith(beginning));
    if (at >= 0) showsExample(t, text, examples.splice(at, 1)[0][1]);
    // 1 is a finding or a failure of a kernel that has the bug: what these commands are there to show.
    t.ok(code === 0 || code === 1, `${command}: exit ${code}`, { text: text.slice(-600) });
  }
});

t.test('the README and the table of exit codes agree', (t) => {
  for (const { code, meaning } of EXIT_CODES.filter((e) => e.code < 130))
    t.ok(readme.includes(`| ${code} | ${meaning} |`), `${code}`);
  t.end();
});

t.test('every driver of the bench measures something', async (t) => {
  const one = join(root, 'build/harness/bench/one.js');
  for (const driver of ['fast-check', 'random', 'pos', 'dpor']) {
    const what = { program: 'mod-versus-del', kernel: '2.6.20', driver };
    const order = { kind: 'drive', ...what, sanitize: true, seconds: 0.05 };
    const out = await new Promise<string>((resolve) => {
      execFile(process.execPath, [one, JSON.stringify(order)], (_, stdout) => resolve(stdout));
    });
    const measured: unknown = JSON.parse(out);
    t.match(measured, { executions: Number, steps: Number, seconds: Number, peak: Number }, driver);
  }
});

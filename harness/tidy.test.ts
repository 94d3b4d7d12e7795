import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import t from 'tap';
import { packageRoot } from './runner/case-index.ts';

const root = packageRoot();

/** What a folder below harness/ may import; the README has the same table. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  abi: [],
  program: ['abi'],
  history: ['abi', 'program'],
  machine: [],
  kernel: ['abi', 'machine'],
  sanitizers: ['machine', 'history'],
  explore: ['machine', 'program', 'history'],
  coverage: ['machine'],
  check: ['abi', 'program', 'history'],
  target: ['abi', 'program', 'history', 'machine', 'kernel', 'sanitizers', 'explore', 'coverage'],
  runner: [
    'abi',
    'program',
    'history',
    'machine',
    'kernel',
    'sanitizers',
    'explore',
    'coverage',
    'check',
    'target',
    '',
  ],
  report: ['abi', 'program', 'history', 'runner'],
  cli: [
    'abi',
    'program',
    'history',
    'machine',
    'kernel',
    'sanitizers',
    'explore',
    'coverage',
    'check',
    'target',
    'runner',
    'report',
    '',
  ],
  bench: [
    'abi',
    'program',
    'history',
    'machine',
    'kernel',
    'sanitizers',
    'explore',
    'coverage',
    'check',
    'target',
    'runner',
    '',
    'cli',
  ],
};

/** Packages, and the folders that may use them. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  'fast-check': ['program', 'runner', 'bench'],
  execa: ['target', 'cli', 'runner'],
  koffi: ['target'],
  yaml: ['report'],
  zx: ['bench'],
};

function listFiles(folder: string, ending: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function importsOf(text: string): string[] {
  return [
    ...text.matchAll(/(?:^|\n)\s*(?:import|export)[^'"`;]*?from '([^']+)'|import\('([^']+)'\)/g),
  ].map((m) => m[1] ?? m[2] ?? '');
}

const sources = listFiles(join(root, 'harness'), '.ts');
/** Tests, and what several of them share. */
const isTest = (file: string): boolean => /\.test(-kit)?\.ts$/.test(file);

t.test('a folder imports only from the folders that the table allows', (t) => {
  const wrong: string[] = [];
  let seen = 0;
  for (const file of sources) {
    const shown = relative(join(root, 'harness'), file);
    const folder = dirname(shown) === '.' ? '' : shown.split('/')[0];
    if (folder === '' || isTest(file)) continue;
    const allowed = MAY_IMPORT[folder];
    if (allowed === undefined) {
      wrong.push(`${shown}: folder "${folder}" is not in the table`);
      continue;
    }
    for (const name of importsOf(readFileSync(file, 'utf8'))) {
      seen++;
      if (name.startsWith('.')) {
        const target = relative(join(root, 'harness'), join(dirname(file), name));
        const to = dirname(target) === '.' ? '' : target.split('/')[0];
        if (to !== folder && !allowed.includes(to)) wrong.push(`${shown} imports ${target}`);
      } else if (!name.startsWith('node:')) {
        const door = DOORS[name.split('/')[0]];
        if (door === undefined || !door.includes(folder)) wrong.push(`${shown} imports ${name}`);
      }
    }
  }
  t.ok(seen > 300, 'imports were found');
  t.same(wrong, []);
  t.end();
});

t.test('cases import the case API and nothing else', (t) => {
  const wrong = listFiles(join(root, 'cases'), '.ts').flatMap((file) =>
    importsOf(readFileSync(file, 'utf8'))
      .filter((name) => !name.endsWith('/harness/case-api.ts'))
      .map((name) => `${relative(root, file)} imports ${name}`),
  );
  t.same(wrong, []);
  t.end();
});

t.test('nothing that a model run depends on knows the clock, the process or chance', (t) => {
  const pure = [
    ...[
      'abi',
      'program',
      'history',
      'machine',
      'kernel',
      'sanitizers',
      'explore',
      'coverage',
      'check',
    ],
  ];
  const forbidden =
    /\bDate\b|Math\.random|\basync\s+(?:function|\()|\bawait\s+[\w(]|\bprocess\.|\bsetTimeout\b|from 'node:/;
  const wrong: string[] = [];
  for (const file of sources) {
    const shown = relative(join(root, 'harness'), file);
    if (isTest(file) || !pure.includes(shown.split('/')[0])) continue;
    // Comments may speak of anything.
    const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, '');
    const found = forbidden.exec(code);
    if (found !== null) wrong.push(`${shown}: ${found[0]}`);
  }
  t.same(wrong, []);
  t.end();
});

t.test('files are one idea each: under 600 lines, and none is called utils', (t) => {
  const wrong = sources
    .filter((file) => {
      const lines = readFileSync(file, 'utf8').split('\n').length;
      return lines > 600 || /(^|\/)(utils|helpers|common)(\.ts|\/)/.test(file);
    })
    .map((file) => relative(root, file));
  t.same(wrong, []);
  t.end();
});

t.test('kernel functions are always called with yield*', (t) => {
  const wrong: string[] = [];
  const generators = new Set<string>();
  const kernel = sources.filter(
    (file) => /harness\/(kernel|machine)\//.test(file) && !isTest(file),
  );
  const text = new Map(kernel.map((file) => [file, readFileSync(file, 'utf8')]));
  const kernelFunctions = /function(?:\* | (?=\w+(?:<[^>]*>)?\([^{}]*\): Kernel<))(\w+)/g;
  for (const code of text.values())
    for (const m of code.matchAll(kernelFunctions)) generators.add(m[1]);
  for (const [file, code] of text) {
    const here = new Set([...code.matchAll(/function (\w+)/g)].map((m) => m[1]));
    for (const m of code.matchAll(kernelFunctions)) here.delete(m[1]);
    for (const [at, line] of code.split('\n').entries()) {
      const m = /^\s+(\w+)\(/.exec(line);
      if (
        m !== null &&
        generators.has(m[1]) &&
        !here.has(m[1]) &&
        !/^\s+\w+\([^)]*:/.test(line) &&
        line.trimEnd().endsWith(');')
      )
        wrong.push(`${relative(root, file)}:${at + 1}: ${line.trim()}`);
    }
  }
  t.ok(generators.size > 50, 'generators were found');
  t.same(wrong, []);
  t.end();
});

t.test('the README and the import table say the same', (t) => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  for (const folder of Object.keys(MAY_IMPORT)) t.match(readme, `harness/${folder}/`, folder);
  t.end();
});

t.test('the package lock has no download addresses', (t) => {
  t.notMatch(readFileSync(join(root, 'package-lock.json'), 'utf8'), /"resolved": "http/);
  t.end();
});

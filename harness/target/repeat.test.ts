import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { engine } from '../machine/index.ts';
import { parseProgram } from '../program/text.ts';
import { packageRoot } from '../runner/case-index.ts';
import { openCatalog } from '../runner/catalog.ts';
import { placements, selectorOf } from '../runner/targets.ts';
import { modelTarget } from './model.ts';

function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

// First of all: no kernel may have run in this process.
t.test('what a kernel made is nothing to the next one', (t) => {
  const text =
    'init:\n  r, w = pipe()\nT1:\n  munmap(ALL, r)\n  x = write(w, "a")\nT2:\n  y = read(r, 1)\n';
  const program = parseProgram(text, 'unmaps.prog');
  const behaviour = (): string => JSON.stringify(modelTarget('2.6.20').run(program, {}));
  const before = behaviour();
  const sets = parseProgram(
    'init:\n  A = epoll_create(1)\n  r, w = pipe()\nT1:\n  x = munmap(ALL, A)\n',
    'sets.prog',
  );
  modelTarget('2.5.44+sys_epoll-v11').run(sets, {});
  t.equal(behaviour(), before, 'page tables of the other kernel');
  t.equal(behaviour(), before, 'and again');
  t.end();
});

/** Variables of kernel modules that are set at boot and say what the kernel is, not in which state. */
const FIXED = new Set(['vfs', 'system', 'wakeAsync', 'parts', 'fileParts']);

t.test('every kernel module names its state', (t) => {
  for (const path of filesBelow(join(packageRoot(), 'harness', 'kernel'), '.ts')) {
    if (/\.test(-kit)?\.ts$/.test(path)) continue;
    const text = readFileSync(path, 'utf8');
    for (const [, name = ''] of text.matchAll(/^(?:export )?let (\w+)/gm))
      t.ok(
        FIXED.has(name) || text.includes(`() => ${name},`) || text.includes(`() => ${name})`),
        `${path}: keepState(() => ${name}) where boot sets it`,
      );
    const made =
      /^(?:export )?const (\w+)\b(?!: Readonly)[^=\n]* = (?:\[\]|new (?:Weak)?(?:Map|Set)\b)/gm;
    for (const [, name = ''] of text.matchAll(made))
      t.ok(text.includes(`() => ${name}`), `${path}: ${name}: keepState, or a SideTable`);
  }
  t.end();
});

/** Executions of each program: what init built is put back before every one but the first. */
const RUNS = 8;

t.test('a run from kept state is the run from a new init', async (t) => {
  const catalog = await openCatalog();
  let compared = 0;
  for (const path of filesBelow(join(packageRoot(), 'cases', 'bugs'), '.prog')) {
    const program = parseProgram(readFileSync(path, 'utf8'), path);
    for (const place of placements(program, catalog, [])) {
      if (place.target === 'host') continue;
      const target = modelTarget(selectorOf(place.target));
      if (target.refuses(program) !== null) continue;
      const behaviour = (alwaysInit: boolean): string => {
        engine.alwaysInit = alwaysInit;
        return JSON.stringify(target.run(program, { runs: RUNS }));
      };
      const expected = behaviour(true);
      if (behaviour(false) !== expected) t.fail(`${path} on ${place.target}`);
      compared++;
    }
  }
  t.ok(compared > 100, `${compared} programs on kernels`);
});

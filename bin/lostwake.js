#!/usr/bin/env node
import { existsSync } from 'node:fs';

const main = new URL('../build/harness/cli/main.js', import.meta.url);
if (existsSync(main)) {
  await (await import(main.href)).main(process.argv.slice(2));
} else {
  process.stderr.write('lostwake: Cannot start: it is not compiled; run "npm run build" first\n');
  process.exitCode = 3;
}

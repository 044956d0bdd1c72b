#!/usr/bin/env node
// Builds what is missing or older than its source (an installed image has nothing to build), then runs the CLI.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
if (existsSync(here('src'))) {
  const cwd = process.cwd();
  await import('../scripts/build.mjs');
  process.chdir(cwd);
}
await import('../dist/src/cli/main.js');

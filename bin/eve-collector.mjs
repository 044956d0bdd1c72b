#!/usr/bin/env node
// Builds what is missing or older than its source (an installed package has no source), then runs the CLI.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const resolve = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
if (existsSync(resolve('src'))) {
  const cwd = process.cwd();
  await import('../scripts/build.mjs');
  process.chdir(cwd);
}
await import('../dist/src/cli/main.js');

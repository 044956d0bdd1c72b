import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openInBrowser } from '../../src/cli/browser.ts';

const { isTTY } = process.stdout;
beforeEach(() => {
  process.stdout.isTTY = true;
});
afterEach(() => {
  process.stdout.isTTY = isTTY;
});

test('openInBrowser does not fail when its file cannot be written', async () => {
  const missing = path.join(tmpdir(), 'eve-browser-missing', 'data');
  expect(await openInBrowser('https://login.example.com/?state=x', missing)).toBeUndefined();
});

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

const MAIN = path.resolve(import.meta.dirname, '../../dist/src/cli/main.js');

/** Throws outside of any handler as soon as the program has started. */
const CRASH = `data:text/javascript,const t = setInterval(() => {
  if (process.listenerCount('uncaughtException') === 0) return;
  clearInterval(t);
  throw new Error('the cause, with api_token=0123456789abcdef0123456789abcdef');
}, 1);`;

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'eve-last-word-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

test('an error outside of any handler ends the process with its cause', async () => {
  const result = await new Promise<{ code: unknown; stderr: string }>((resolve) =>
    execFile(
      process.execPath,
      ['--import', CRASH.replaceAll('\n', ' '), MAIN, 'doctor'],
      {
        env: {
          PATH: process.env['PATH'],
          ESI_USER_AGENT: 'test (test@example.com)',
          DATA_DIR: dataDir,
        },
      },
      (error, _, stderr) => resolve({ code: error?.code ?? 0, stderr }),
    ),
  );
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(/ends because of an unexpected error: the cause/);
});

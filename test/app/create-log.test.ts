import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

const HOSTILE = 'Eve\r\n[12:00:00.000] ERROR: forged \u001B[2J\u009B31m\u202Etxt';
const here = (file: string) => path.join(import.meta.dirname, file);

/** What a process of its own logs. */
async function logged(format: 'json' | 'pretty', text = HOSTILE): Promise<string> {
  const loader = here('../support/ts-loader.mjs');
  const args = ['--no-warnings', '--import', loader, here('log-printer.ts'), text, format];
  return (await promisify(execFile)(process.execPath, args)).stderr;
}

test('the pretty log parts no line at a text from outside, and shows its invisible characters', async () => {
  const lines = (await logged('pretty')).trimEnd().split('\n');
  expect(lines).toHaveLength(2); // the message and its field
  const safe = 'Eve\u240D\u240A[12:00:00.000] ERROR: forged \u241B[2J\\u{9b}31m\\u{202e}txt';
  expect(lines[0]).toContain(safe);
  expect(lines.join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});

test('the JSON log keeps a text from outside without invisible characters in the line', async () => {
  const line = await logged('json');
  expect(line).toMatch(/^[^\n]+\n$/);
  expect(line.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(JSON.parse(line)).toMatchObject({ target: HOSTILE, msg: HOSTILE });
});

test('a secret that the process holds is in no line of the log, whatever its form', async () => {
  for (const format of ['json', 'pretty'] as const) {
    const line = await logged(format, 'sent "s3cret&value" as s3cret%26value');
    expect(line).toContain('sent ');
    expect(line).not.toMatch(/s3cret/);
  }
});

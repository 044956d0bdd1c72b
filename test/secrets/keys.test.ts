import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadKeys } from '../../src/secrets/encryption-keys.ts';
import { errorOf } from '../sso/support.ts';

const [first, second] = [randomBytes(32), randomBytes(32)];
const base64 = (key: Buffer) => key.toString('base64');

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(path.join(process.env['EVE_TEST_TMP'] ?? tmpdir(), 'eve-keys-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A data directory that does not exist yet, and where its key file will be. */
function place(): { dataDir: string; file: string } {
  const dataDir = path.join(root, String(++count), 'data');
  return { dataDir, file: path.join(dataDir, 'token.key') };
}

async function placeWith(text: string, mode = 0o600): Promise<{ dataDir: string; file: string }> {
  const made = place();
  await mkdir(made.dataDir, { recursive: true });
  await writeFile(made.file, text);
  await chmod(made.file, mode);
  return made;
}

const modeOf = async (file: string) => (await stat(file)).mode & 0o777;

test('keys are read from the setting in its order, and no file is created', async () => {
  const { dataDir } = place();
  expect(await loadKeys({ setting: ` ${base64(first)} , ${base64(second)}`, dataDir })).toEqual([
    first,
    second,
  ]);
  await expect(stat(dataDir)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a malformed key of the setting is named by its position, not by its text', async () => {
  const { dataDir } = place();
  const bad = [base64(randomBytes(16)), base64(second).slice(0, -1), `${base64(second)}x`, 'password', ''];
  for (const text of bad) {
    const error = await errorOf(loadKeys({ setting: `${base64(first)},${text}`, dataDir }));
    expect(error).toMatchObject({ code: 'BAD_KEY', verdict: 'fail' });
    expect(error.message).toContain('Key 2 of TOKEN_ENCRYPTION_KEY');
    if (text !== '') expect(error.message).not.toContain(text);
  }
});

test('without the setting a key is created once, readable for its owner only', async () => {
  const { dataDir, file } = place();
  const [key, ...others] = await loadKeys({ setting: undefined, dataDir });
  expect([key?.length, others]).toEqual([32, []]);
  expect(await modeOf(file)).toBe(0o600);
  expect(await readdir(dataDir)).toEqual(['token.key']);
  expect(await readFile(file, 'utf8')).toBe(`${base64(key!)}\n`);
  expect(await loadKeys({ setting: ' ', dataDir })).toEqual([key]);
});

test('concurrent calls agree on one key', async () => {
  for (let round = 0; round < 10; round++) {
    const { dataDir } = place();
    const keys = await Promise.all(
      Array.from({ length: 20 }, () => loadKeys({ setting: undefined, dataDir })),
    );
    expect(new Set(keys.map(([key]) => base64(key!))).size).toBe(1);
    expect(await readdir(dataDir)).toEqual(['token.key']);
  }
});

/** A process that loads the keys on request and prints the first. */
async function starter(dataDir: string): Promise<{ load(): Promise<unknown> }> {
  const child = fork(path.join(import.meta.dirname, 'key-starter.ts'), [dataDir], {
    execArgv: ['--no-warnings', '--import', path.join(import.meta.dirname, '..', 'support', 'ts-loader.mjs')],
  });
  const heard = () => new Promise((resolve) => child.once('message', resolve));
  await heard();
  return {
    load() {
      const answer = heard();
      child.send('go');
      return answer;
    },
  };
}

test('two concurrent processes agree on one key', async () => {
  const { dataDir } = place();
  const starters = await Promise.all([starter(dataDir), starter(dataDir)]);
  const keys = await Promise.all(starters.map((each) => each.load()));
  expect(keys[0]).toMatch(/^[\w+/]{43}=$/);
  expect(keys[1]).toBe(keys[0]);
  expect(await loadKeys({ setting: undefined, dataDir })).toEqual([Buffer.from(String(keys[0]), 'base64')]);
});

test('a key file that others may read is closed to them', async () => {
  for (const mode of [0o644, 0o660, 0o606, 0o700]) {
    const { dataDir, file } = await placeWith(base64(first), mode);
    expect(await loadKeys({ setting: undefined, dataDir })).toEqual([first]);
    expect(await modeOf(file)).toBe(0o600);
  }
});

test('an invalid key file is rejected and not changed', async () => {
  for (const text of [
    '',
    '\n',
    'password',
    base64(first).slice(0, 20),
    `${base64(first)}\n${base64(second)}`,
  ]) {
    const { dataDir, file } = await placeWith(text);
    const error = await errorOf(loadKeys({ setting: undefined, dataDir }));
    expect(error).toMatchObject({ code: 'BAD_KEY', verdict: 'fail' });
    expect(error.message).toContain(file);
    expect(error.message).toContain('Restore the original file');
    if (text.trim() !== '') expect(error.message).not.toContain(text.trim());
    expect(await readFile(file, 'utf8')).toBe(text);
  }
});

test('an error says what to do when the key file cannot be created or read', async () => {
  const { dataDir } = place();
  await mkdir(path.dirname(dataDir), { recursive: true });
  await writeFile(dataDir, 'a file in the place of the folder');
  expect(await errorOf(loadKeys({ setting: undefined, dataDir }))).toMatchObject({ code: 'BAD_KEY' });
  const other = place();
  await mkdir(other.file, { recursive: true });
  const error = await errorOf(loadKeys({ setting: undefined, dataDir: other.dataDir }));
  expect(error.message).toContain('must be a file');
});

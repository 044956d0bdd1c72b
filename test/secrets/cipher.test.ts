import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { createCipher } from '../../src/secrets/cipher.ts';
import { allOf, errorOf, JWT } from '../sso/support.ts';

const ROW = 'character/90000001/refresh_token';
const OTHER_ROW = 'character/90000002/refresh_token';
const TOKEN = 'jXbY5vQ0kU2WqCk9p+7n4A==';
const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];

test('an encrypted text decrypts, and is different each time', async () => {
  const cipher = createCipher([newKey]);
  for (const text of ['', TOKEN, JWT, 'ключ 🔑', 'x'.repeat(10_000)]) {
    const encrypted = cipher.encrypt(text, ROW);
    expect(encrypted).toMatch(/^v1\.[0-9a-f]{8}\.[\w.-]+$/);
    expect(encrypted).not.toBe(cipher.encrypt(text, ROW));
    expect(cipher.decrypt(encrypted, ROW)).toBe(text);
    expect(cipher.decrypt(` ${encrypted}\n`, ROW)).toBe(text); // as pasted by hand
    expect([cipher.isEncrypted(encrypted), cipher.usesFirstKey(encrypted)]).toEqual([true, true]);
  }
});

test('texts of an older key decrypt and are recognized as old; without that key the error names it', async () => {
  const encrypted = createCipher([oldKey]).encrypt(TOKEN, ROW);
  const both = createCipher([newKey, oldKey]);
  expect(both.decrypt(encrypted, ROW)).toBe(TOKEN);
  expect([both.isEncrypted(encrypted), both.usesFirstKey(encrypted)]).toEqual([true, false]);
  expect(both.usesFirstKey(both.encrypt(TOKEN, ROW))).toBe(true);
  const error = await errorOf(() => createCipher([newKey]).decrypt(encrypted, ROW));
  expect(error).toMatchObject({ code: 'TOKEN_UNREADABLE', verdict: 'fail' });
  expect(error.message).toContain(encrypted.split('.')[1]);
  expect(error.message).toContain('Append that key to TOKEN_ENCRYPTION_KEY');
});

test('a text copied to another row does not decrypt', async () => {
  const cipher = createCipher([newKey]);
  const error = await errorOf(() => cipher.decrypt(cipher.encrypt(TOKEN, ROW), OTHER_ROW));
  expect(error).toMatchObject({ code: 'TOKEN_TAMPERED', verdict: 'fail' });
  expect(error.message).toContain(OTHER_ROW);
});

test('an encrypted text with a changed or missing character does not decrypt', async () => {
  const cipher = createCipher([newKey]);
  const encrypted = cipher.encrypt(TOKEN, ROW);
  for (let at = 'v1.'.length; at < encrypted.length; at++) {
    if (encrypted[at] === '.') continue;
    const changed = encrypted.slice(0, at) + (encrypted[at] === 'A' ? 'B' : 'A') + encrypted.slice(at + 1);
    const cut = encrypted.slice(0, at);
    for (const text of [changed, cut])
      expect((await errorOf(() => cipher.decrypt(text, ROW))).code).toMatch(/^TOKEN_(TAMPERED|UNREADABLE)$/);
  }
});

test('a text with another encoding of the same bytes does not decrypt', async () => {
  const cipher = createCipher([newKey]);
  const encrypted = cipher.encrypt(TOKEN, ROW);
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  for (const letter of letters.replace(encrypted.at(-1)!, ''))
    expect(await errorOf(() => cipher.decrypt(encrypted.slice(0, -1) + letter, ROW))).toMatchObject({
      code: 'TOKEN_TAMPERED',
    });
});

test('a damaged encrypted text counts as encrypted', async () => {
  const cipher = createCipher([newKey]);
  const encrypted = cipher.encrypt(TOKEN, ROW);
  for (const text of [encrypted.slice(0, -5), `${encrypted}x`, encrypted.slice(0, 12), ` ${encrypted}`])
    expect(cipher.isEncrypted(text)).toBe(true);
});

test('plaintext tokens do not count as encrypted', async () => {
  const cipher = createCipher([newKey]);
  const plaintexts = [
    TOKEN,
    JWT,
    '',
    'v1',
    'v1.0',
    `v1.${TOKEN}`,
    'eyJhbGciOiJkaXIifQ..aXY.dGV4dA.dGFn',
    ...Array.from({ length: 1_000 }, () => randomBytes(48).toString('base64')),
  ];
  expect(plaintexts.filter((text) => cipher.isEncrypted(text) || cipher.usesFirstKey(text))).toEqual([]);
  expect(await errorOf(() => cipher.decrypt(JWT, ROW))).toMatchObject({
    code: 'TOKEN_UNREADABLE',
    message: expect.stringContaining('is not encrypted'),
  });
});

test('a cipher needs at least one key of 32 bytes', async () => {
  for (const keys of [[], [randomBytes(16)], [newKey, randomBytes(31)]])
    expect(await errorOf(() => createCipher(keys))).toMatchObject({ code: 'BAD_KEY', verdict: 'fail' });
});

test('errors of the cipher contain neither the token nor the encrypted text nor a key', async () => {
  const encrypted = createCipher([oldKey]).encrypt(TOKEN, ROW);
  const errors = [
    await errorOf(() => createCipher([newKey]).decrypt(encrypted, ROW)),
    await errorOf(() => createCipher([oldKey]).decrypt(encrypted, OTHER_ROW)),
    await errorOf(() => createCipher([oldKey]).decrypt(JWT, ROW)),
  ];
  const secrets = [TOKEN, JWT, encrypted.slice(12), oldKey.toString('base64'), oldKey.toString('hex')];
  for (const error of errors) for (const secret of secrets) expect(allOf(error)).not.toContain(secret);
});

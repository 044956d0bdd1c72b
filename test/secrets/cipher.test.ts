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
    const sealed = cipher.encrypt(text, ROW);
    expect(sealed).toMatch(/^v1\.[0-9a-f]{8}\.[\w.-]+$/);
    expect(sealed).not.toBe(cipher.encrypt(text, ROW));
    expect(cipher.decrypt(sealed, ROW)).toBe(text);
    expect(cipher.decrypt(` ${sealed}\n`, ROW)).toBe(text); // as pasted by hand
    expect([cipher.isEncrypted(sealed), cipher.usesFirstKey(sealed)]).toEqual([true, true]);
  }
});

test('texts of an older key decrypt and are recognized as old; without that key the error names it', async () => {
  const sealed = createCipher([oldKey]).encrypt(TOKEN, ROW);
  const both = createCipher([newKey, oldKey]);
  expect(both.decrypt(sealed, ROW)).toBe(TOKEN);
  expect([both.isEncrypted(sealed), both.usesFirstKey(sealed)]).toEqual([true, false]);
  expect(both.usesFirstKey(both.encrypt(TOKEN, ROW))).toBe(true);
  const error = await errorOf(() => createCipher([newKey]).decrypt(sealed, ROW));
  expect(error).toMatchObject({ code: 'TOKEN_UNREADABLE', verdict: 'fail' });
  expect(error.message).toContain(sealed.split('.')[1]);
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
  const sealed = cipher.encrypt(TOKEN, ROW);
  for (let at = 'v1.'.length; at < sealed.length; at++) {
    if (sealed[at] === '.') continue;
    const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
    const cut = sealed.slice(0, at);
    for (const text of [changed, cut])
      expect((await errorOf(() => cipher.decrypt(text, ROW))).code).toMatch(/^TOKEN_(TAMPERED|UNREADABLE)$/);
  }
});

test('a text with another encoding of the same bytes does not decrypt', async () => {
  const cipher = createCipher([newKey]);
  const sealed = cipher.encrypt(TOKEN, ROW);
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  for (const letter of letters.replace(sealed.at(-1)!, ''))
    expect(await errorOf(() => cipher.decrypt(sealed.slice(0, -1) + letter, ROW))).toMatchObject({
      code: 'TOKEN_TAMPERED',
    });
});

test('a damaged encrypted text counts as encrypted', async () => {
  const cipher = createCipher([newKey]);
  const sealed = cipher.encrypt(TOKEN, ROW);
  for (const text of [sealed.slice(0, -5), `${sealed}x`, sealed.slice(0, 12), ` ${sealed}`])
    expect(cipher.isEncrypted(text)).toBe(true);
});

test('plaintext tokens do not count as encrypted', async () => {
  const cipher = createCipher([newKey]);
  const clear = [
    ...[TOKEN, JWT, '', 'v1', 'v1.0', `v1.${TOKEN}`, 'eyJhbGciOiJkaXIifQ..aXY.dGV4dA.dGFn'],
    ...Array.from({ length: 1_000 }, () => randomBytes(48).toString('base64')),
  ];
  expect(clear.filter((text) => cipher.isEncrypted(text) || cipher.usesFirstKey(text))).toEqual([]);
  expect((await errorOf(() => cipher.decrypt(JWT, ROW))).code).toBe('TOKEN_UNREADABLE');
});

test('a cipher needs at least one key of 32 bytes', async () => {
  for (const keys of [[], [randomBytes(16)], [newKey, randomBytes(31)]])
    expect(await errorOf(() => createCipher(keys))).toMatchObject({ code: 'BAD_KEY', verdict: 'fail' });
});

test('errors of the cipher contain neither the token nor the encrypted text nor a key', async () => {
  const sealed = createCipher([oldKey]).encrypt(TOKEN, ROW);
  const errors = [
    await errorOf(() => createCipher([newKey]).decrypt(sealed, ROW)),
    await errorOf(() => createCipher([oldKey]).decrypt(sealed, OTHER_ROW)),
    await errorOf(() => createCipher([oldKey]).decrypt(JWT, ROW)),
  ];
  const secrets = [TOKEN, JWT, sealed.slice(12), oldKey.toString('base64'), oldKey.toString('hex')];
  for (const error of errors) for (const secret of secrets) expect(allOf(error)).not.toContain(secret);
});

import { expect, test } from '@jest/globals';
import { cleanName, escapeInvisible, escapeInvisibleJson, escapeInvisibleLines } from '../../src/lib/text.ts';

/** Clears the screen, ends the line, rings, deletes, is CSI as one character, and reverses what follows. */
const HOSTILE = '\u001B[2J\r\n\u0007\u007F\u009B31m\u202Egnp.exe\u{E0041}\uD800\u2028';

test('escapeInvisible shows each invisible character as its symbol or its number', () => {
  expect(escapeInvisible(HOSTILE)).toBe(
    '\u241B[2J\u240D\u240A\u2407\u2421\\u{9b}31m\\u{202e}gnp.exe\\u{e0041}\\u{d800}\\u{2028}',
  );
  for (const text of ['Anna Testa', "K'thar-7 ÆØÅ 漢字 🚀", '']) expect(escapeInvisible(text)).toBe(text);
});

test('escapeInvisibleLines leaves line breaks as they are', () => {
  expect(escapeInvisibleLines('a\nb\r\nc\td\u202E')).toBe('a\nb\u240D\nc\u2409d\\u{202e}');
});

test('escapeInvisibleJson keeps the value of a JSON text', () => {
  const text = JSON.stringify({ name: HOSTILE });
  const safe = escapeInvisibleJson(`${text}\n`);
  expect(safe).not.toMatch(/[^\n\P{C}]/u);
  expect(JSON.parse(safe)).toEqual({ name: HOSTILE });
});

test('cleanName leaves out invisible characters and ends after a hundred', () => {
  expect(cleanName(` \u001B[31mEve\u0000\u202E\r\n Online `)).toBe('[31mEve Online');
  expect(cleanName('🚀'.repeat(101))).toBe('🚀'.repeat(100));
  expect(cleanName('\u200B\u0007')).toBe('');
});

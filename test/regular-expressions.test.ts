import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from '@swc/core';
import { checkSync } from 'recheck';

// The backend in JavaScript: the others are programs that recheck downloads as optional packages.
process.env['RECHECK_BACKEND'] = 'pure';

const SRC = path.resolve(import.meta.dirname, '../src');

/** Milliseconds for one expression. The slowest take five seconds. */
const TIMEOUT = 60_000;

/** Generated code, and files whose texts are the operator's own: settings and the demo's environment. */
const OWN_TEXT = /generated|^app\/setting|^demo\//;

interface Literal {
  readonly pattern: string;
  readonly flags: string;
}

/** The regular expressions in a syntax tree. */
function literalsIn(node: unknown): Literal[] {
  if (typeof node !== 'object' || node === null) return [];
  const { type, pattern, flags } = node as { type?: unknown } & Literal;
  if (type === 'RegExpLiteral') return [{ pattern, flags }];
  return Object.values(node).flatMap(literalsIn);
}

test('every regular expression that meets foreign text takes a time that grows with its length only', async () => {
  const names = (await readdir(SRC, { recursive: true })).filter(
    (name) => name.endsWith('.ts') && !OWN_TEXT.test(name),
  );
  const found = new Map<string, Literal>();
  for (const name of names) {
    const text = await readFile(path.join(SRC, name), 'utf8');
    expect([name, text.includes('new RegExp(')]).toEqual([name, false]); // it could not be checked here
    for (const literal of literalsIn(await parse(text, { syntax: 'typescript' })))
      found.set(`${name}: /${literal.pattern}/${literal.flags}`, literal);
  }
  expect(found.size).toBeGreaterThan(50);
  const slow = [...found].filter(
    ([, { pattern, flags }]) => checkSync(pattern, flags, { timeout: TIMEOUT }).status !== 'safe',
  );
  expect(slow.map(([where]) => where)).toEqual([]);
}, 180_000);

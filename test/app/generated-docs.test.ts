import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { generateDocs } from '../../scripts/docs.ts';

const DOCS = path.join(import.meta.dirname, '..', '..', 'docs');

test.each(Object.entries(generateDocs()))('docs/%s is what "npm run docs" generates', async (name, text) => {
  expect(await readFile(path.join(DOCS, name), 'utf8')).toBe(text);
});

import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { rowsOf, validateRows } from '../../src/engine/run/validate-rows.ts';
import { namedResources } from './resources.ts';

const ANSWERS = path.join(import.meta.dirname, 'answers');

test.each(namedResources)('a recorded answer of %s passes validation', async (name, resource) => {
  const answer: unknown = JSON.parse(await readFile(path.join(ANSWERS, `${name}.json`), 'utf8'));
  const { valid, rejected } = await validateRows(resource, rowsOf(resource, answer));
  expect(rejected).toEqual([]);
  expect(valid.length).toBeGreaterThan(0);
  const keys = valid.map((row) => JSON.stringify((resource.key as string[]).map((column) => row[column])));
  expect(new Set(keys).size).toBe(valid.length);
});

test('every recorded answer belongs to a resource', async () => {
  const files = (await readdir(ANSWERS)).filter((file) => file.endsWith('.json'));
  expect(files.sort()).toEqual(namedResources.map(([name]) => `${name}.json`).sort());
});

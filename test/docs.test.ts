import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { settings } from '../src/app/settings.ts';
import * as routes from '../src/http/api-routes.ts';
import { type TestDatabase, testDatabase } from './support/test-database.ts';

const ROOT = path.join(import.meta.dirname, '..');
const filesIn = (folder: string, extension: string) =>
  readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(extension))
    .map((file) => path.join(folder, file));
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

test.each(filesIn('examples', '.sql'))('%s runs on the migrated schema', async (file) => {
  await expect(db.pool.query(`BEGIN; ${read(file)} ROLLBACK;`)).resolves.toBeDefined();
});

test.each(['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', ...filesIn('docs', '.md')])(
  'every relative link in %s leads to a file',
  (file) => {
    const links = [...read(file).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, link]) => link!);
    const dead = links
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => !existsSync(path.join(ROOT, path.dirname(file), link)));
    expect(dead).toEqual([]);
  },
);

test('every file that the documentation names exists', () => {
  const named = ['README.md', 'CONTRIBUTING.md', ...filesIn('docs', '.md')].flatMap((file) =>
    [...read(file).matchAll(/`((?:src|test|simulator|prisma|scripts|bench)\/[\w./-]+)`/g)].map(
      ([, name]) => name!,
    ),
  );
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !existsSync(path.join(ROOT, name)))).toEqual([]);
});

test('the threat model names every setting that is a secret, and every path that needs no token', () => {
  const text = read('docs/threat-model.md');
  const secrets = Object.keys(settings).filter((name) => /SECRET|KEY$|TOKEN|DATABASE_URL/.test(name));
  expect(secrets.length).toBeGreaterThanOrEqual(6);
  const open = Object.values(routes).flatMap((route) =>
    'security' in route && route.security?.length === 0 ? [route.path] : [],
  );
  expect(open).toEqual(['/health']);
  expect([...secrets, ...open].filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});

test('the README has at most 120 lines', () => {
  expect(read('README.md').split('\n').length).toBeLessThanOrEqual(121);
});

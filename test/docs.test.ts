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

/** The SQL of a Markdown file, as one text per block. */
const sqlBlocks = (file: string) =>
  [...read(file).matchAll(/^ *```sql\n([^]*?)^ *```/gm)].map(([, sql]) => sql!);

/** Statements that are to be filled in before they are run stand in comments. */
const uncommented = (sql: string) =>
  sql.replaceAll(/^-- ((?:INSERT|UPDATE|DELETE|SELECT|VALUES| ).*)$/gm, '$1');

const EXAMPLES = [
  ...filesIn('examples', '.sql').map((file) => [file, [read(file)]] as const),
  ...['README.md', 'CONTRIBUTING.md', ...filesIn('docs', '.md')]
    .map((file) => [file, sqlBlocks(file)] as const)
    .filter(([, blocks]) => blocks.length > 0),
];

test('the SQL of the README, of docs and of the examples is found', () => {
  const files = EXAMPLES.map(([file]) => file);
  expect(files).toEqual(expect.arrayContaining(['README.md', 'docs/data.md', 'examples/owners.sql']));
});

// The character and the corporation that the examples name, logged in.
const OWNERS = `INSERT INTO corporations (corporation_id) VALUES (98000001);
  INSERT INTO characters (character_id, corporation_id) VALUES (90000001, 98000001);
  INSERT INTO esi_tokens (character_id, refresh_token) VALUES (90000001, 'v1.encrypted');`;

test.each(EXAMPLES)('the SQL of %s runs on the migrated schema, and twice', async (_, texts) => {
  const sql = texts.map(uncommented).join('\n');
  for (const owners of ['', OWNERS])
    await expect(db.pool.query(`BEGIN; ${owners} ${sql} ${sql} ROLLBACK;`)).resolves.toBeDefined();
});

test('the examples for owners create an assignment and a login once, however often they are run', async () => {
  const sql = uncommented(read('examples/owners.sql'));
  const counts = `SELECT (SELECT count(*) FROM esi_tokens) AS logins,
      (SELECT string_agg(refresh_token, ',') FROM esi_tokens) AS token,
      (SELECT count(*) FROM collector_assignments WHERE collector_type = 'WALLET') AS assignments`;
  const results = await db.pool.query(`BEGIN; ${OWNERS} ${sql} ${sql} ${counts}; ROLLBACK;`);
  const rows = (results as unknown as { rows: object[] }[]).at(-2)!.rows;
  expect(rows).toEqual([{ logins: 1, token: '...', assignments: 1 }]);
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

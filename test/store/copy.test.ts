import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { copyInto, encodeRows } from '../../src/store/copy.ts';
import { type TestDatabase, testDatabase } from '../support/test-database.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.drop());

/** What comes back of values that are sent by COPY. */
async function roundTrip(type: string, values: readonly unknown[]): Promise<unknown[]> {
  return db.transaction(async (client) => {
    await client.query(`CREATE TEMP TABLE trip (n int, v ${type}) ON COMMIT DROP`);
    const rows = values.map((v, n) => ({ n, v }));
    const lines = encodeRows(['n', 'v'], rows);
    expect(await copyInto(client, 'trip', ['n', 'v'], [lines])).toBe(values.length);
    return (await client.query<{ v: unknown }>('SELECT v FROM trip ORDER BY n')).rows.map((row) => row.v);
  });
}

test('COPY stores texts unchanged', async () => {
  const texts = [
    ...[
      '',
      ' ',
      'plain',
      'tab\there',
      'line\nbreak',
      'carriage\rreturn',
      'both\r\n',
      'back\\slash',
      '\\',
      '\\\\',
    ],
    ...['\\N', '\\.', '\\t', 'a\\nb', '\b\f\v', '"quoted"', "it's", 'a,b;c|d', '{"a": [1]}', '$1', '%s'],
    ...['Ümläut', '日本語', '😀 astral', 'e\u0301', '\u202eleft', '\u2028', '\ufeff', 'x'.repeat(100_000)],
  ];
  expect(await roundTrip('text', texts)).toEqual(texts);
});

test('COPY leaves out or replaces characters that PostgreSQL cannot hold', async () => {
  expect(await roundTrip('text', ['a\0b', '\0', 'half \ud83d'])).toEqual(['ab', '', 'half \ufffd']);
});

test('COPY stores null, undefined and objects as NULL', async () => {
  expect(await roundTrip('text', [null, undefined, {}, []])).toEqual([null, null, null, null]);
});

test('COPY stores numbers exactly', async () => {
  const floats = [0, 0.1, 1 / 3, 1e-7, 5e-324, 1.7976931348623157e308, 123456789.01, -0.01, 1e21];
  expect(await roundTrip('float8', floats)).toEqual(floats);
  const ints = [0, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
  expect(await roundTrip('int8', ints)).toEqual(ints);
});

test('COPY stores booleans and dates', async () => {
  expect(await roundTrip('boolean', [true, false])).toEqual([true, false]);
  const moments = [new Date('2026-11-20T14:00:00.123Z'), new Date(0)];
  expect(await roundTrip('timestamptz', moments)).toEqual(moments);
});

test('COPY stores several chunks with common trailing values', async () => {
  await db.transaction(async (client) => {
    await client.query('CREATE TEMP TABLE tail (a int, b text, page int, rejected boolean) ON COMMIT DROP');
    function* chunks() {
      for (let page = 1; page <= 3; page++)
        yield encodeRows(['a', 'b'], [{ a: page, b: 'x\ty' }, { a: page }], `\t${page}\tf`);
    }
    expect(await copyInto(client, 'tail', ['a', 'b', 'page', 'rejected'], chunks())).toBe(6);
    const { rows } = await client.query('SELECT DISTINCT a = page AND NOT rejected AS fits FROM tail');
    expect(rows).toEqual([{ fits: true }]);
  });
});

test('COPY stores no row when a chunk fails', async () => {
  const work = db.transaction(async (client) => {
    await client.query('CREATE TABLE broken (a int)');
    function* chunks() {
      yield '1\n';
      throw new Error('source failed');
    }
    await copyInto(client, 'broken', ['a'], chunks());
  });
  await expect(work).rejects.toThrow();
  expect(await db.rows(`SELECT FROM pg_class WHERE relname = 'broken'`)).toEqual([]);
});

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { dropPartitionsBefore, ensurePartitions } from '../../src/store/partitions.ts';
import { type TestDatabase, testDatabase } from '../support/test-database.ts';

let db: TestDatabase;
beforeEach(async () => {
  db = await testDatabase(new Date('2026-06-15T00:00:00Z'));
});
afterEach(() => db.drop());

const months = async (table = 'market_type_series') =>
  (
    await db.rows<{ name: string; bounds: string }>(
      `SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds FROM pg_inherits i
         JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::regclass ORDER BY 1`,
      [table],
    )
  ).map(({ name }) => name.slice(table.length + 1));

const write = (at: string) =>
  db.rows(
    `INSERT INTO market_type_series (region_id, type_id, observed_at, bid_volume, ask_volume, bid_orders, ask_orders)
     VALUES (1, 1, $1, 0, 0, 0, 0) RETURNING tableoid::regclass::text AS home`,
    [at],
  );

test('partitions over New Year have no gap and the right bounds', async () => {
  await ensurePartitions(db.pool, new Date('2026-12-31T23:59:59.999Z'));
  for (const table of ['market_type_series', 'market_order_changes'])
    expect(await months(table)).toEqual(['2026_06', '2026_07', '2026_08', '2026_12', '2027_01', '2027_02']);
  expect(await write('2026-12-31T23:59:59.999999Z')).toEqual([{ home: 'market_type_series_2026_12' }]);
  expect(await write('2027-01-01T00:00:00Z')).toEqual([{ home: 'market_type_series_2027_01' }]);
  await expect(write('2027-03-01T00:00:00Z')).rejects.toThrow(/no partition/);
});

test('partitions made on the last day of January include February', async () => {
  await ensurePartitions(db.pool, new Date('2027-01-31T12:00:00Z'));
  expect(await months()).toEqual(expect.arrayContaining(['2027_01', '2027_02', '2027_03']));
});

test('concurrent calls create each partition once', async () => {
  const at = new Date('2027-05-05T00:00:00Z');
  const inside = () => db.transaction((client) => ensurePartitions(client, at));
  await Promise.all([inside(), ensurePartitions(db.pool, at), inside(), ensurePartitions(db.pool, at)]);
  expect(await months()).toEqual(['2026_06', '2026_07', '2026_08', '2027_05', '2027_06', '2027_07']);
});

test('a failed transaction creates no partition', async () => {
  const work = db.transaction(async (client) => {
    await ensurePartitions(client, new Date('2027-05-05T00:00:00Z'));
    throw new Error('no');
  });
  await expect(work).rejects.toThrow('no');
  expect(await months()).toEqual(['2026_06', '2026_07', '2026_08']);
});

test('dropPartitionsBefore drops only whole months that ended before', async () => {
  await ensurePartitions(db.pool, new Date('2026-12-01T00:00:00Z'));
  const dropped = await dropPartitionsBefore(db.pool, 'market_type_series', new Date('2026-08-01T00:00:00Z'));
  expect(dropped.toSorted()).toEqual(['market_type_series_2026_06', 'market_type_series_2026_07']);
  expect(await months()).toEqual(['2026_08', '2026_12', '2027_01', '2027_02']);
  expect(await months('market_order_changes')).toHaveLength(6);
});

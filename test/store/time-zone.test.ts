import { afterEach, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { silentLog } from '../../src/lib/log.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { readLimitsAge, writeLimits } from '../../src/store/esi-limits.ts';
import { migrate } from '../../src/store/migrate.ts';
import { emptyDatabase } from '../support/test-database.ts';

const NOW = new Date('2026-11-20T14:00:00Z');

let empty: Awaited<ReturnType<typeof emptyDatabase>>;
let db: Database;
beforeEach(async () => {
  empty = await emptyDatabase();
  const name = new URL(empty.url).pathname.slice(1);
  const client = new pg.Client({ connectionString: empty.url });
  await client.connect();
  await client.query(`ALTER DATABASE ${name} SET timezone = 'Asia/Kolkata'`);
  await client.end();
  db = openDatabase({ url: empty.url, maxConnections: 3, minConnections: 0, log: silentLog });
});
afterEach(async () => {
  await db.close();
  await empty.drop();
});

test('a database in another time zone is migrated, written and read in UTC', async () => {
  await migrate(empty.url, NOW);
  const bounds = await db.pool.query<{ bound: string }>(
    `SELECT pg_get_expr(relpartbound, oid) AS bound FROM pg_class WHERE relname = 'market_order_changes_2026_11'`,
  );
  expect(bounds.rows).toEqual([{ bound: expect.stringContaining(`FROM ('2026-11-01 00:00:00+00')`) }]);
  const limit = {
    route: '/status',
    group: undefined,
    tokens: undefined,
    windowSeconds: undefined,
    cacheSeconds: 30,
    drift: undefined,
    stricter: false,
  };
  await writeLimits(db, [limit], NOW);
  expect(await readLimitsAge(db)).toEqual(NOW);
  const { rows } = await db.pool.query('SELECT checked_at FROM esi_limits');
  expect(rows).toEqual([{ checked_at: NOW }]);
});

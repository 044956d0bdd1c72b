import { expect } from '@jest/globals';
import type { Order } from '../../simulator/index.ts';
import { type TestEngine, testEngine } from './test-engine.ts';

export const FORGE_ID = 10000002;
export const FORGE = `region/${FORGE_ID}`;
export const DOMAIN_ID = 10000043;
export const DOMAIN = `region/${DOMAIN_ID}`;

/** An engine that has published The Forge's book, and an ESI that has the next snapshot, in which 1 % of the orders changed. */
export async function orderEngine(): Promise<TestEngine> {
  const engine = await testEngine({ churn: 0.01 });
  await engine.collect('universe');
  await engine.collect('market-orders', FORGE);
  engine.nextSnapshot();
  engine.sim.resetCounters();
  return engine;
}

type BookRow = Order & { issued: Date | string };

const FIELDS = [
  'order_id',
  'type_id',
  'location_id',
  'system_id',
  'volume_total',
  'volume_remain',
  'min_volume',
  'price',
  'is_buy_order',
  'duration',
  'range',
] as const satisfies (keyof Order)[];

/** The fields that ESI gives of orders, one text per order, sorted: comparable between ESI and the database. */
function comparableOrders(rows: readonly BookRow[]): string[] {
  return rows
    .map((row) => [...FIELDS.map((f) => String(row[f])), new Date(row.issued).toISOString()].join(' '))
    .toSorted();
}

export const readBook = (engine: TestEngine, regionId = FORGE_ID) =>
  engine.db.rows<BookRow>('SELECT * FROM market_orders_public WHERE region_id = $1', [regionId]);

/** Expects that the book in the database equals the one that ESI serves now. */
export async function expectExactBook(engine: TestEngine, regionId = FORGE_ID): Promise<void> {
  const served = engine.sim.world.snapshot(regionId).rows;
  expect(comparableOrders(await readBook(engine, regionId))).toEqual(comparableOrders(served));
}

/** Expects that `market_book_at` returns exactly every past book that ESI served and that was published. */
export async function expectExactPast(engine: TestEngine, regionId = FORGE_ID): Promise<void> {
  const published = await engine.db.rows<{ at: Date }>(
    `SELECT DISTINCT last_modified AS at FROM collection_runs WHERE target = $1 AND outcome IN ('published', 'unchanged') AND last_modified IS NOT NULL`,
    [`region/${regionId}`],
  );
  const times = new Set(published.map(({ at }) => at.getTime()));
  for (const { lastModified, rows } of engine.sim.world.snapshots(regionId)) {
    if (!times.has(lastModified.getTime())) continue;
    const book = await engine.db.rows<BookRow>('SELECT * FROM market_book_at($1, $2)', [
      regionId,
      lastModified,
    ]);
    expect(comparableOrders(book)).toEqual(comparableOrders(rows));
  }
}

/** The physical row versions of a table: equal before and after when nothing was written. */
export async function rowVersions(engine: TestEngine, table: string): Promise<string[]> {
  const rows = await engine.db.rows<{ v: string }>(
    `SELECT tableoid::regclass || ' ' || ctid || ' ' || xmin AS v FROM ${table} ORDER BY 1`,
  );
  return rows.map((row) => row.v);
}

/** The newest row of `collection_runs`. */
export async function lastRun(engine: TestEngine, collector = 'market-orders') {
  const [run] = await engine.db.rows(
    'SELECT * FROM collection_runs WHERE collector = $1 ORDER BY run_id DESC LIMIT 1',
    [collector],
  );
  return run!;
}

/** The requests for pages of orders. */
export const orderRequests = (engine: TestEngine) =>
  engine.sim.requests().filter((request) => request.route === '/markets/{region_id}/orders');

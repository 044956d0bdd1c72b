import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Price } from '../../simulator/index.ts';
import { type TestEngine, testEngine } from '../support/test-engine.ts';
import { rowVersions, lastRun } from '../support/order-book.ts';

let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine();
  await engine.collect('universe');
  engine.sim.resetCounters();
});
afterEach(async () => {
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
});

const collect = () => engine.collect('market-prices');
const served = () => engine.sim.world.priceList.served;
const nextHour = () => engine.clock.advance(3_601_000);
const readPrices = () =>
  engine.db.rows('SELECT type_id, adjusted_price, average_price FROM market_prices_now ORDER BY type_id');
const toRows = (rows: readonly Price[]) =>
  rows
    .map(({ type_id, adjusted_price = null, average_price = null }) => ({
      type_id,
      adjusted_price,
      average_price,
    }))
    .toSorted((a, b) => a.type_id - b.type_id);

test('the first price list is stored per type, exact to the last digit, with NULL for missing prices', async () => {
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: served().length, changed: 0 });
  expect(served().some((row) => row.average_price === undefined)).toBe(true);
  expect(await readPrices()).toEqual(toRows(served()));
  expect(await lastRun(engine, 'market-prices')).toMatchObject({
    requests: 1,
    rows_read: served().length,
    pages: 1,
  });
});

test('later price lists add a row for each changed price, and past prices stay', async () => {
  await collect();
  const first = toRows(served());
  const { lastModified } = engine.sim.world.priceList;
  nextHour();
  engine.sim.world.changePrices(0.1);
  engine.sim.world.takePriceSnapshot();
  const second = toRows(served());
  const changed = second.filter((row, i) => JSON.stringify(row) !== JSON.stringify(first[i])).length;
  expect(changed).toBeGreaterThan(5);
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 0, changed });
  expect(await readPrices()).toEqual(second);
  const past = `SELECT DISTINCT ON (type_id) type_id, adjusted_price, average_price FROM market_prices
                 WHERE observed_at <= $1 ORDER BY type_id, observed_at DESC`;
  expect(await engine.db.rows(past, [lastModified])).toEqual(first);
  expect(await engine.db.rows('SELECT count(*) AS n FROM market_prices')).toEqual([
    { n: first.length + changed },
  ]);
});

test('a price that is missing later is a change', async () => {
  await collect();
  nextHour();
  const target = served().find((row) => row.average_price !== undefined)!;
  engine.sim.faults.mutateRows((row) =>
    'average_price' in row && row.type_id === target.type_id ? { ...row, average_price: undefined } : row,
  );
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 0, changed: 1 });
  expect((await readPrices()).find((row) => row['type_id'] === target.type_id)).toMatchObject({
    average_price: null,
  });
});

test('an unchanged price list writes nothing, with 304 and with 200', async () => {
  await collect();
  const before = await rowVersions(engine, 'market_prices');
  nextHour();
  expect(await collect()).toMatchObject({ outcome: 'unchanged' });
  expect(engine.sim.requests().map((r) => r.status)).toEqual([200, 304]);
  nextHour();
  await engine.db.pool.query('UPDATE stage.pages SET etag = NULL');
  expect(await collect()).toMatchObject({ outcome: 'unchanged' });
  expect(engine.sim.requests().at(-1)?.status).toBe(200);
  expect(await rowVersions(engine, 'market_prices')).toEqual(before);
});

test('of a type that comes twice in the price list one row is stored', async () => {
  const duplicated = served()[0]!;
  engine.sim.faults.mutateRows((row) =>
    'order_id' in row || row.type_id !== served()[1]!.type_id ? row : duplicated,
  );
  expect(await collect()).toMatchObject({ outcome: 'published' });
  const rows = await engine.db.rows('SELECT type_id FROM market_prices');
  expect(rows).toHaveLength(served().length - 1);
  const kept = await engine.db.rows("SELECT rows FROM published_sets WHERE collector = 'market-prices'");
  expect(kept).toEqual([{ rows: rows.length }]);
});

test('an invalid price rejects one row', async () => {
  engine.sim.faults.mutateRows((row) =>
    'order_id' in row || row.type_id !== served()[1]!.type_id ? row : { ...row, adjusted_price: -1 },
  );
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: served().length - 1 });
  expect(await engine.db.rows('SELECT reason FROM rejected_rows')).toEqual([
    { reason: expect.stringContaining('adjusted_price') },
  ]);
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type TestEngine, testEngine } from '../support/engine.ts';

let engine: TestEngine;
const FORGE = 'region/10000002';

beforeAll(async () => {
  engine = await testEngine({ churn: 0.02 });
  expect(await engine.collect('universe')).toMatchObject({ outcome: 'published' });
});
afterAll(() => engine.close());

interface BookRow {
  order_id: number;
  price: number;
  volume_remain: number;
  issued: Date;
}

const essence = (rows: { order_id: number; price: number; volume_remain: number; issued: Date | string }[]) =>
  rows
    .map((r) => `${r.order_id} ${r.price} ${r.volume_remain} ${new Date(r.issued).toISOString()}`)
    .toSorted();

test('a first set is published whole and writes no change', async () => {
  expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'published', inserted: 2500, changed: 0, removed: 0 });
  const book = await engine.db.rows<BookRow>('SELECT * FROM market_orders_public');
  expect(essence(book)).toEqual(essence(engine.sim.world.snapshot(10000002).rows));
  expect(await engine.db.rows('SELECT count(*) AS n FROM market_order_changes')).toEqual([{ n: 0 }]);
});

test('every past book is exact to the row', async () => {
  for (let set = 0; set < 5; set++) {
    engine.nextSet();
    expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'published' });
  }
  const snapshots = engine.sim.world.snapshots(10000002);
  expect(snapshots.length).toBeGreaterThanOrEqual(6);
  for (const { lastModified, rows } of snapshots) {
    const book = await engine.db.rows<BookRow>('SELECT * FROM market_book_at(10000002, $1)', [lastModified]);
    expect(essence(book)).toEqual(essence(rows));
  }
});

test('no offence against ESI was committed', () => {
  expect(engine.sim.offences()).toEqual([]);
});

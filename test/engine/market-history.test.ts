import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { TestEngine } from '../support/test-engine.ts';
import {
  closeMarketHistoryEngine,
  collectHistory,
  expectExactHistory,
  marketHistoryEngine,
  METROPOLIS,
  METROPOLIS_ID,
  requestedTypes,
  sorted,
  tradableTypes,
} from '../support/market-history.ts';
import { lastRun } from '../support/order-book.ts';

const DAY = 86_400_000;

let engine: TestEngine;
beforeEach(async () => {
  engine = await marketHistoryEngine();
});
afterEach(() => closeMarketHistoryEngine(engine));

const collect = () => collectHistory(engine);
const tradable = () => tradableTypes(engine);
const requested = () => requestedTypes(engine);

test('the history of each tradable type is requested once a day and stored to the last digit', async () => {
  const { world } = engine.sim;
  for (const id of tradable().slice(0, 2)) world.untradable.add(id);
  const refused = tradable().filter((id) => world.untradable.has(id));
  expect(await collect()).toMatchObject({ outcome: 'published', changed: 0 });
  expect(sorted(requested())).toEqual(sorted(tradable()));
  await expectExactHistory(engine);
  const [{ n } = { n: 0 }] = await engine.db.rows<{ n: number }>('SELECT count(*) AS n FROM market_history');
  expect(await lastRun(engine, 'market-history')).toMatchObject({
    rows_read: n,
    rows_inserted: n,
    requests: requested().length + 1,
    progress_done: tradable().length,
    progress_total: tradable().length,
  });
  expect(await engine.db.rows("SELECT rows FROM published_sets WHERE collector = 'market-history'")).toEqual([
    { rows: n },
  ]);
  const rejected = `SELECT type_id, rejections, rest_until::text FROM market_history_types WHERE rejections > 0 ORDER BY 1`;
  expect(await engine.db.rows(rejected)).toEqual(
    sorted(refused).map((type_id) => ({ type_id, rejections: 1, rest_until: '2026-11-21' })),
  );
  const before = engine.sim.requests().length;
  engine.clock.advance(3_600_000);
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 0, changed: 0 });
  expect(engine.sim.requests()).toHaveLength(before);
});

test('types of known orders are requested although ESI no longer lists them', async () => {
  await engine.collect('market-orders', METROPOLIS);
  engine.sim.faults.rawBody('[]', { route: '/markets/{region_id}/types' });
  await collect();
  expect(sorted(requested())).toEqual(sorted(tradable()));
});

test('the next day adds the new day and late corrections, and changes nothing else', async () => {
  const { world } = engine.sim;
  await collect();
  const [typeId] = tradable().filter((id) => world.history(METROPOLIS_ID, id).length > 100);
  const { date } = world.history(METROPOLIS_ID, typeId!)[50]!;
  world.correctHistory(METROPOLIS_ID, typeId!, date, { volume: 27_939_708_190, average: 1.25 });
  engine.clock.advance(DAY);
  const newDays = tradable().filter(
    (id) => !world.untradable.has(id) && world.history(METROPOLIS_ID, id).at(-1)?.date === '2026-11-20',
  );
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: newDays.length, changed: 1 });
  const [row] = await engine.db.rows(
    'SELECT volume, average FROM market_history WHERE type_id = $1 AND date = $2',
    [typeId, date],
  );
  expect(row).toEqual({ volume: 27_939_708_190, average: 1.25 });
});

test('a type that ESI rejects is requested at growing intervals until ESI accepts it', async () => {
  const { world } = engine.sim;
  const rejectedType = tradable()[0]!;
  world.untradable.add(rejectedType);
  const days: number[] = [];
  for (let day = 0; day < 9; day++) {
    engine.sim.resetCounters();
    await collect();
    if (requested().includes(rejectedType)) days.push(day);
    if (day === 6) world.untradable.delete(rejectedType);
    engine.clock.advance(DAY);
  }
  expect(days).toEqual([0, 1, 3, 7, 8]); // after one day, two, four; then it was accepted
});

test('each invalid day of a history rejects one row', async () => {
  const id = tradable().find((type) => !engine.sim.world.untradable.has(type))!;
  const good = { average: 1, highest: 2, lowest: 1, order_count: 1, volume: 1 };
  const days = [
    { date: '2026-11-18', ...good },
    { date: 'yesterday', ...good },
    { date: '2026-11-17', ...good, volume: -1 },
    { date: '2026-11-16', ...good, average: null },
  ];
  engine.sim.faults.rawBody(JSON.stringify(days), { route: `history?type_id=${id}`, times: 1 });
  expect(await collect()).toMatchObject({ outcome: 'published' });
  expect(await engine.db.rows('SELECT date::text FROM market_history WHERE type_id = $1', [id])).toEqual([
    { date: '2026-11-18' },
  ]);
  expect(await engine.db.rows('SELECT FROM rejected_rows')).toHaveLength(3);
});

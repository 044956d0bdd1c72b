import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { collectTarget } from '../../src/engine/run/collect-target.ts';
import { type TestEngine, testEngine } from '../support/engine.ts';
import { lastRun } from '../support/orders.ts';

const METROPOLIS = 10000042;
const TARGET = `region/${METROPOLIS}`;
const KEY = { collector: 'market-history', target: TARGET };
const HISTORY = '/markets/{region_id}/history';
const DAY = 86_400_000;

let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine({ client: { downtime: false }, churn: 0, regions: { [METROPOLIS]: 120 } });
  await engine.collect('universe');
  engine.sim.resetCounters();
});
afterEach(async () => {
  const report = engine.sim.limitUsage().find(({ name }) => name === `hidden ${HISTORY}`);
  expect(report?.most ?? 0).toBeLessThanOrEqual(300);
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
});

const collect = () => engine.collect('market-history', TARGET);

/** Types with orders that can have a history: what is unpublished or in no market group is left out. */
function tradable(): number[] {
  const { world } = engine.sim;
  const ids = new Set(world.snapshot(METROPOLIS).rows.map((row) => row.type_id));
  return [...ids].filter((id) => {
    const type = world.types.get(id);
    return type?.published === true && type.market_group_id !== undefined;
  });
}

/** The requested types, in order. */
const asked = () =>
  engine.sim
    .requests()
    .filter(({ route }) => route === HISTORY)
    .map(({ path }) => Number(/type_id=(\d+)/.exec(path)?.[1]));
const listings = () => engine.sim.requests().filter(({ route }) => route === '/markets/{region_id}/types');
const sorted = (ids: readonly number[]) => ids.toSorted((a, b) => a - b);

async function expectExact(): Promise<void> {
  const { world } = engine.sim;
  const shown = sorted(tradable())
    .filter((id) => !world.untradable.has(id))
    .flatMap((type_id) => world.history(METROPOLIS, type_id).map((day) => ({ type_id, ...day })));
  const since = shown.map(({ date }) => date).toSorted()[0]; // older days stay, though ESI shows them no more
  const rows = await engine.db.rows(
    `SELECT type_id, date::text, average, highest, lowest, order_count, volume FROM market_history
      WHERE region_id = $1 AND date >= $2 ORDER BY type_id, date`,
    [METROPOLIS, since],
  );
  expect(rows).toEqual(shown);
}

test('market history of each type is requested once a day and all its days are stored exactly', async () => {
  const { world } = engine.sim;
  for (const id of tradable().slice(0, 2)) world.untradable.add(id);
  const refused = tradable().filter((id) => world.untradable.has(id));
  expect(await collect()).toMatchObject({ outcome: 'published', changed: 0 });
  expect(sorted(asked())).toEqual(sorted(tradable()));
  await expectExact();
  const [{ n } = { n: 0 }] = await engine.db.rows<{ n: number }>('SELECT count(*) AS n FROM market_history');
  expect(await lastRun(engine, 'market-history')).toMatchObject({
    rows_read: n,
    rows_inserted: n,
    requests: asked().length + 1,
    progress_done: tradable().length,
    progress_total: tradable().length,
  });
  const rejected = `SELECT type_id, rejections, rest_until::text FROM market_history_types WHERE rejections > 0 ORDER BY 1`;
  expect(await engine.db.rows(rejected)).toEqual(
    sorted(refused).map((type_id) => ({ type_id, rejections: 1, rest_until: '2026-11-21' })),
  );
  const before = engine.sim.requests().length;
  engine.clock.advance(3_600_000);
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 0, changed: 0 });
  expect(engine.sim.requests()).toHaveLength(before);
});

test('market history is requested for types of known orders that ESI does not list any more', async () => {
  await engine.collect('market-orders', TARGET);
  engine.sim.faults.rawBody('[]', { route: '/markets/{region_id}/types' });
  await collect();
  expect(sorted(asked())).toEqual(sorted(tradable()));
});

test('market history of the next day adds that day and corrections, and writes nothing else', async () => {
  const { world } = engine.sim;
  await collect();
  const [typeId] = tradable().filter((id) => world.history(METROPOLIS, id).length > 100);
  const { date } = world.history(METROPOLIS, typeId!)[50]!;
  world.correctHistory(METROPOLIS, typeId!, date, { volume: 27_939_708_190, average: 1.25 });
  engine.clock.advance(DAY);
  const newDays = tradable().filter(
    (id) => !world.untradable.has(id) && world.history(METROPOLIS, id).at(-1)?.date === '2026-11-20',
  );
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: newDays.length, changed: 1 });
  const [row] = await engine.db.rows(
    'SELECT volume, average FROM market_history WHERE type_id = $1 AND date = $2',
    [typeId, date],
  );
  expect(row).toEqual({ volume: 27_939_708_190, average: 1.25 });
});

test('a type whose market history ESI rejects is requested less and less often until ESI accepts it', async () => {
  const { world } = engine.sim;
  const odd = tradable()[0]!;
  world.untradable.add(odd);
  const days: number[] = [];
  for (let day = 0; day < 9; day++) {
    engine.sim.resetCounters();
    await collect();
    if (asked().includes(odd)) days.push(day);
    if (day === 6) world.untradable.delete(odd);
    engine.clock.advance(DAY);
  }
  expect(days).toEqual([0, 1, 3, 7, 8]); // after one day, two, four; then it was accepted
});

test('a killed market history run continues where it stopped, and its stored days are published', async () => {
  const stop = new AbortController();
  const heartbeat = (detail?: unknown) => {
    if (((detail as { done?: number } | undefined)?.done ?? 0) > 0) stop.abort(new Error('killed'));
  };
  await expect(collectTarget(engine.context, KEY, { signal: stop.signal, heartbeat })).rejects.toThrow(
    'killed',
  );
  const first = asked();
  expect(first.length).toBeGreaterThan(0);
  expect(first.length).toBeLessThan(tradable().length);
  const stored = await engine.db.rows('SELECT DISTINCT type_id FROM market_history');
  expect(stored.length).toBeGreaterThan(first.length / 2);
  expect(await collectTarget(engine.restart({ downtime: false }), KEY)).toMatchObject({
    outcome: 'published',
  });
  expect(sorted(asked())).toEqual(sorted(tradable())); // nothing twice
  expect(listings()).toHaveLength(1);
  await expectExact();
});

test('a market history run ends at the rollover, and the next one begins with the types that waited longest', async () => {
  engine.clock.advance(Date.parse('2026-11-21T11:04:50Z') - engine.clock.now());
  expect(await collect()).toMatchObject({ outcome: 'published' });
  expect(asked().length).toBeLessThan(tradable().length);
  const left = tradable().filter((id) => !asked().includes(id));
  const early = await engine.db.rows(
    `SELECT type_id FROM market_history_types WHERE asked_day = '2026-11-21' ORDER BY 1`,
  ); // the day began while they were in flight
  expect(await lastRun(engine, 'market-history')).toMatchObject({
    outcome: 'published',
    error: expect.stringMatching(
      /^The day ended before \d+ of \d+ types were requested\. The next run begins/,
    ),
  });
  engine.sim.resetCounters();
  engine.clock.advance(600_000);
  await collect();
  expect(new Set(asked().slice(0, left.length))).toEqual(new Set(left));
  const both = [...asked(), ...early.map(({ type_id }) => type_id as number)];
  expect(sorted(both)).toEqual(sorted(tradable())); // nothing twice
  await expectExact();
});

test('a 429 during market history stores what was fetched, and the run continues a minute later', async () => {
  engine.sim.faults.status(429, { route: HISTORY, headers: false, times: 1 });
  await expect(collect()).rejects.toMatchObject({ verdict: 'wait', retryAfter: expect.any(Number) });
  const first = asked();
  engine.clock.advance(61_000);
  expect(await collect()).toMatchObject({ outcome: 'published' });
  expect(asked()).toHaveLength(tradable().length + 1); // the refused one again
  expect(first.length).toBeLessThanOrEqual(50);
  await expectExact();
});

test('the types of a region are not listed again when none was answered, and the error limit is kept', async () => {
  engine.sim.faults.down('503', { route: HISTORY });
  await expect(collect()).rejects.toThrow();
  engine.clock.advance(120_000);
  await expect(collect()).rejects.toThrow();
  expect(listings()).toHaveLength(1);
  const errors = engine.sim.limitUsage().find(({ name }) => name === 'errors');
  expect(errors?.most).toBeLessThanOrEqual(75);
});

test('invalid days of market history are rejected one by one', async () => {
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

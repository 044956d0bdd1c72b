import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Faults, Order } from '../../simulator/index.ts';
import type { TestEngine } from '../support/test-engine.ts';
import {
  expectExactBook,
  expectExactPast,
  FORGE,
  FORGE_ID,
  lastRun,
  orderEngine,
  orderRequests,
  readBook,
} from '../support/order-book.ts';

/** Snapshots that are torn, have duplicates or are implausibly small. */
let engine: TestEngine;
beforeEach(async () => {
  engine = await orderEngine();
});
afterEach(async () => {
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
});

const collect = () => engine.collect('market-orders', FORGE);
const removedRows = async () =>
  (await engine.db.rows(`SELECT FROM market_order_changes WHERE ended_by = 'closed'`)).length;

const anotherPrice = (row: Record<string, unknown>) => ({ ...row, price: 4.25 });

const ONCE: Record<string, (faults: Faults) => void> = {
  'torn between two versions': (f) => f.tear({ times: 1 }),
  'with two different rows of one order': (f) => f.duplicateRow({ times: 1, change: anotherPrice }),
  'without one of its orders': (f) => f.dropRow({ times: 1 }),
  'whose pages state different page counts': (f) => f.wrongPages(500, { times: 1 }),
  'with an empty page in the middle': (f) => f.emptyPage(2, { times: 1 }),
  'with a page that answers 404': (f) => f.status(404, { route: 'page=3', times: 1 }),
};

test.each(Object.entries(ONCE))('a snapshot %s is read again and published whole', async (_, setFault) => {
  setFault(engine.sim.faults);
  expect(await collect()).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
  engine.nextSnapshot();
  expect(await collect()).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
  await expectExactPast(engine);
});

test('an implausible page count is not followed', async () => {
  engine.sim.faults.wrongPages(3_000, { times: 2 });
  await collect();
  const pages = engine.sim.requests().map((r) => Number(/page=(\d+)/.exec(r.path)?.[1] ?? 1));
  expect(Math.max(...pages)).toBe(3);
});

test('a snapshot that is always torn is published without removals', async () => {
  engine.sim.faults.wrongPages(500);
  const before = (await readBook(engine)).length;
  const result = await collect();
  expect(result).toMatchObject({ outcome: 'torn', removed: 0, detail: expect.any(String) });
  expect(await lastRun(engine)).toMatchObject({ outcome: 'torn', error: result.detail });
  expect(await removedRows()).toBe(0);
  const book = await readBook(engine);
  expect(book.length).toBeGreaterThanOrEqual(before);
  expect(new Set(book.map((row) => row.order_id)).size).toBe(book.length);
  // The first whole snapshot corrects everything.
  engine.sim.faults.clear();
  engine.nextSnapshot();
  expect(await collect()).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
});

test('one side of a book that is missing once is not believed', async () => {
  const RENS = 10000030;
  const target = `region/${RENS}`;
  await engine.collect('market-orders', target);
  const before = await readBook(engine, RENS);
  engine.nextSnapshot();
  // Fewer buys than sells: less than half of the book is missing.
  engine.sim.faults.mutateRows<Order>((row) => (row.is_buy_order ? null : row), {
    route: `/markets/${RENS}/`,
  });
  expect(await engine.collect('market-orders', target)).toMatchObject({
    outcome: 'refused',
    detail: expect.stringMatching(/\(is_buy_order: true\) rows are missing/),
  });
  expect(await readBook(engine, RENS)).toEqual(before);
  engine.sim.faults.clear();
  engine.nextSnapshot();
  expect(await engine.collect('market-orders', target)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine, RENS);
});

test('a whole snapshot after a torn one removes the rows that the torn one left', async () => {
  engine.sim.world.setChurn(0);
  for (const { order_id } of engine.sim.world.orders(FORGE_ID).slice(0, 5))
    engine.sim.world.removeOrder(FORGE_ID, order_id);
  engine.sim.faults.wrongPages(4);
  expect(await collect()).toMatchObject({ outcome: 'torn', removed: 0 });
  engine.sim.faults.clear();
  engine.nextSnapshot(); // the same pages, with the same ETags
  expect(await collect()).toMatchObject({ outcome: 'published', removed: 5 });
  await expectExactBook(engine);
});

test('a changed order that is listed twice does not prevent publishing', async () => {
  const { world, faults } = engine.sim;
  world.setChurn(0);
  world.changeOrder(FORGE_ID, world.orders(FORGE_ID)[0]!.order_id, { price: 4.5 });
  faults.duplicateRow({ times: 1 });
  expect(await collect()).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
});

test.each([
  ['empty', 0],
  ['much smaller', 0.3],
])(
  'a snapshot that is suddenly %s is refused, and published when a later snapshot confirms it',
  async (_, share) => {
    const { faults } = engine.sim;
    faults.collapse(share);
    const before = (await readBook(engine)).length;
    expect(await collect()).toMatchObject({
      outcome: 'refused',
      detail: expect.stringMatching(/rows are missing/),
    });
    expect(await lastRun(engine)).toMatchObject({ outcome: 'refused', rows_removed: 0 });
    expect(await readBook(engine)).toHaveLength(before);
    expect(await collect()).toMatchObject({ outcome: 'not-due' }); // the same snapshot does not confirm itself
    engine.nextSnapshot();
    expect(await collect()).toMatchObject({ outcome: 'published' });
    expect(await readBook(engine)).toHaveLength(
      Math.ceil(engine.sim.world.snapshot(FORGE_ID).rows.length * share),
    );
    faults.clear();
    engine.nextSnapshot();
    expect(await collect()).toMatchObject({ outcome: 'published' });
    await expectExactBook(engine);
  },
);

test('a normal snapshot between two empty ones clears the suspicion', async () => {
  const { faults } = engine.sim;
  for (let round = 0; round < 2; round++) {
    faults.emptySnapshot();
    expect(await collect()).toMatchObject({ outcome: 'refused' });
    engine.nextSnapshot();
    faults.clear();
    expect(await collect()).toMatchObject({ outcome: 'published' });
    engine.nextSnapshot();
  }
  expect(await removedRows()).toBeLessThan(100);
  await expectExactPast(engine);
});

test('an unchanged snapshot between two empty ones clears the suspicion', async () => {
  engine.sim.world.setChurn(0);
  await collect();
  engine.nextSnapshot();
  engine.sim.faults.emptySnapshot();
  expect(await collect()).toMatchObject({ outcome: 'refused' });
  engine.nextSnapshot();
  engine.sim.faults.clear();
  expect(await collect()).toMatchObject({ outcome: 'unchanged' });
  engine.nextSnapshot();
  engine.sim.faults.emptySnapshot();
  expect(await collect()).toMatchObject({ outcome: 'refused' });
});

test('a small market that is suddenly empty is refused at first', async () => {
  const RENS = 'region/10000030';
  await engine.collect('market-orders', RENS);
  engine.nextSnapshot();
  engine.sim.faults.emptySnapshot({ route: '/markets/10000030/' });
  expect(await engine.collect('market-orders', RENS)).toMatchObject({ outcome: 'refused' });
  engine.sim.faults.clear();
  engine.nextSnapshot();
  expect(await engine.collect('market-orders', RENS)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine, 10000030);
});

test('an answer that is no list is an error and changes nothing', async () => {
  engine.sim.faults.rawBody('{"error": "unexpected"}', { times: 1 });
  await expect(collect()).rejects.toThrow(/instead of a list/);
  expect(await lastRun(engine)).toMatchObject({
    outcome: 'failed',
    error: expect.stringContaining('a list'),
  });
  expect(await collect()).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine);
});

test('a page that does not exist ends the reading, and page 1 is asked again how many there are', async () => {
  const RENS = 10000030;
  engine.sim.faults.wrongPages(4_000, { route: `/markets/${RENS}/`, onAllPages: true, times: 1 });
  expect(await engine.collect('market-orders', `region/${RENS}`)).toMatchObject({ outcome: 'published' });
  await expectExactBook(engine, RENS);
  const missing = orderRequests(engine).filter(({ status }) => status === 404);
  expect(missing.map(({ path }) => /page=\d+/.exec(path)?.[0])).toEqual(['page=4000']);
});

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { TestEngine } from '../support/test-engine.ts';
import {
  expectExactBook,
  expectExactPast,
  FORGE,
  FORGE_ID,
  lastRun,
  orderEngine,
  readBook,
} from '../support/order-book.ts';

/** A clock of ESI's, or ours, that is wrong for a while. */
let engine: TestEngine;
beforeEach(async () => {
  engine = await orderEngine();
});
afterEach(async () => {
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
});

const collect = () => engine.collect('market-orders', FORGE);

test.each([3_600_000, -3_600_000, 600_000])(
  'a clock of ESI that is wrong by %d ms for one reading delays no snapshot',
  async (skew) => {
    engine.sim.faults.clockSkew(skew);
    expect(await collect()).toMatchObject({ outcome: 'published' });
    engine.sim.faults.clear();
    for (let round = 0; round < 2; round++) {
      engine.nextSnapshot();
      expect(await collect()).toMatchObject({ outcome: 'published' });
      await expectExactBook(engine);
    }
    await expectExactPast(engine);
  },
);

test('a published moment in the future, from a wrong clock of ours, delays no snapshot', async () => {
  await collect();
  await engine.db.pool.query(
    `UPDATE published_sets SET last_modified = last_modified + interval '1 hour' WHERE collector = 'market-orders'`,
  );
  const books: { at: Date; rows: number }[] = [];
  for (let round = 0; round < 3; round++) {
    engine.nextSnapshot();
    expect(await collect()).toMatchObject({
      outcome: 'published',
      detail: expect.stringContaining('lies in the future'),
    });
    await expectExactBook(engine);
    const { last_modified: at } = await lastRun(engine);
    books.push({ at: at as Date, rows: (await readBook(engine)).length });
  }
  for (const { at, rows } of books)
    expect(await engine.db.rows('SELECT FROM market_book_at($1, $2)', [FORGE_ID, at])).toHaveLength(rows);
  engine.clock.advance(3_600_000);
  expect((await collect()).detail).toBeUndefined();
  await expectExactBook(engine);
});

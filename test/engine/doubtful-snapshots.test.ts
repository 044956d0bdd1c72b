import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { engineSteps } from '../../src/engine/run/engine-steps.ts';
import { acceptSuspect } from '../../src/store/sets/published-snapshots.ts';
import type { Faults, Order } from '../../simulator/index.ts';
import { drive } from '../support/drive-runs.ts';
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
  rowVersions,
} from '../support/order-book.ts';

/** Snapshots that are believed when a later one gives the same. */
let engine: TestEngine;
beforeEach(async () => {
  engine = await orderEngine();
});
afterEach(async () => {
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
});

const collect = () => engine.collect('market-orders', FORGE);

const anotherPrice = (row: Record<string, unknown>) => ({ ...row, price: 4.25 });

/** What the simulated ESI serves with the fault, and what a person would conclude when it serves that again. */
const DOUBTFUL: Record<string, [set: (faults: Faults) => void, rows: (served: Order[]) => Order[]]> = {
  'lacks an order': [(f) => f.dropRow(), (served) => served.toSpliced(1_500, 1)],
  'has an empty page': [(f) => f.emptyPage(2), (served) => served.toSpliced(1_000, 1_000)],
  'has two different rows of one order': [
    (f) => f.duplicateRow({ change: anotherPrice }),
    ([first, ...others]) => [{ ...first!, price: 4.25 }, ...others],
  ],
};

test.each(Object.entries(DOUBTFUL))(
  'a snapshot that %s is believed when a later one does as well',
  async (_, [setFault, rowsOf]) => {
    setFault(engine.sim.faults);
    const result = await collect();
    expect(result).toMatchObject({ outcome: 'published', detail: expect.stringContaining('Believed') });
    expect(await lastRun(engine)).toMatchObject({ outcome: 'published', note: result.detail });
    const served = () => rowsOf([...engine.sim.world.snapshot(FORGE_ID).rows]);
    const ids = (rows: readonly Order[]) => rows.map((row) => `${row.order_id} ${row.price}`).toSorted();
    expect(ids(await readBook(engine))).toEqual(ids(served()));
    const requests = orderRequests(engine).length;
    engine.nextSnapshot();
    expect(await collect()).toMatchObject({ outcome: 'published' }); // at once, since it was published like this
    expect(orderRequests(engine).length).toBe(requests + 3);
    engine.sim.faults.clear();
    engine.nextSnapshot();
    expect(await collect()).toMatchObject({ outcome: 'published' });
    await expectExactBook(engine);
  },
);

test('a doubt is not confirmed by the very same snapshot', async () => {
  engine.sim.faults.dropRow();
  const before = await rowVersions(engine, 'market_orders_public');
  const key = { collector: 'market-orders', target: FORGE, workflowId: 'one' };
  for (let run = 0; run < 2; run++) {
    // This driver does not wait, so that each attempt reads the snapshot of the one before.
    const result = await drive(engineSteps(engine.context, { ...key, workflowRunId: `w${run}` }));
    expect(result).toMatchObject({ outcome: run === 0 ? 'refused' : 'not-due' });
  }
  expect(await rowVersions(engine, 'market_orders_public')).toEqual(before);
  engine.sim.resetCounters(); // the requests before Expires are this test's, not the engine's
});

test('rows that come twice, word for word, count once', async () => {
  engine.sim.faults.duplicateRow();
  for (let round = 0; round < 2; round++) {
    expect(await collect()).toMatchObject({
      outcome: 'published',
      detail: 'Rows that came more than once and count once: 1.',
    });
    await expectExactBook(engine);
    engine.nextSnapshot();
  }
  await expectExactPast(engine);
});

test('an accepted suspicion is believed with the next snapshot', async () => {
  engine.sim.faults.collapse(0.3);
  const { runId, detail } = await collect();
  expect(detail).toMatch(new RegExp(`has to confirm that\\. "eve-collector accept ${runId}"`));
  expect(await acceptSuspect(engine.db.pool, runId!)).toBe(true);
  expect(await acceptSuspect(engine.db.pool, runId! - 1)).toBe(false);
  engine.nextSnapshot();
  engine.sim.faults.clear();
  engine.sim.faults.collapse(0.1); // even less, which the rule alone would doubt again
  expect(await collect()).toMatchObject({ outcome: 'published' });
  expect(await readBook(engine)).toHaveLength(
    Math.ceil(engine.sim.world.snapshot(FORGE_ID).rows.length * 0.1),
  );
});

import { afterEach, expect, test } from '@jest/globals';
import { collectTarget } from '../../../src/engine/run/collect-target.ts';
import { engineSteps } from '../../../src/engine/run/engine-steps.ts';
import type { TransactionRow } from '../../../simulator/index.ts';
import type { TestEngine } from '../../support/test-engine.ts';
import {
  ANNA,
  advanceOneHour,
  countRequestsByPath,
  truncateStagingTables,
  runKey,
  createSteps,
  characterTarget,
  ownerEngine,
  runUntilKilled,
} from '../../support/owner-engine.ts';
import { drive } from '../../support/drive-runs.ts';

/** Transactions, which are paged by descending id. */
let engine: TestEngine;
afterEach(() => engine.close());

const ME = characterTarget(ANNA);
const withTransactions = (transactions: number) => ({
  characters: [{ id: ANNA, name: 'Anna Testa', transactions, journal: transactions + 100 }],
});
const stored = async () =>
  (
    await engine.db.rows<{ id: number }>(
      'SELECT transaction_id AS id FROM wallet_transactions WHERE character_id = $1 ORDER BY 1 DESC',
      [ANNA],
    )
  ).map(({ id }) => id);
const served = () => engine.sim.owners.transactions(ANNA).map((row) => row.transaction_id);

test('transactions are read whole when the database server crashes between two pages', async () => {
  engine = await ownerEngine(withTransactions(9_000));
  const context = engine.restart();
  const get = context.esi.get.bind(context.esi);
  let pages = 0;
  context.esi.get = async (request) => {
    if (request.route.endsWith('transactions') && ++pages === 3) await truncateStagingTables(engine);
    return get(request);
  };
  await collectTarget(context, { collector: 'wallet', target: ME });
  expect(await stored()).toEqual(served());
});

test.each([100, 2_499])('both sides of a transaction are stored, here after row %d', async (at) => {
  engine = await ownerEngine(withTransactions(6_000));
  const [first, second] = engine.sim.owners.transactions(ANNA).slice(at, at + 2);
  engine.sim.faults.mutateRows<TransactionRow>(
    (row) => (row.transaction_id === second!.transaction_id ? { ...first!, is_buy: !first!.is_buy } : row),
    { route: '/wallet/transactions' },
  );
  const all = () => served().map((id) => (id === second!.transaction_id ? first!.transaction_id : id));
  await engine.collect('wallet', ME);
  expect(await stored()).toEqual(all());
  await advanceOneHour(engine, () => engine.sim.owners.pay(ANNA, 5));
  await engine.collect('wallet', ME);
  expect(await stored()).toEqual(all());
});

test('transactions are published without further requests when the process is killed after the last page', async () => {
  engine = await ownerEngine(withTransactions(3_000));
  const key = runKey('wallet', ME, 'killed');
  const isKilledAt = (text: string) => text.startsWith('INSERT INTO wallet_transactions');
  expect(await runUntilKilled(engine, isKilledAt, (context) => drive(engineSteps(context, key)))).toBe(
    'killed',
  );
  expect(await drive(createSteps(engine, key))).toMatchObject({ outcome: 'published' });
  expect(await stored()).toEqual(served());
  expect(Object.values(countRequestsByPath(engine, '/wallet/transactions'))).toEqual([1, 1, 1]);
});

test('of two rows with one key that differ, one is stored and the other is rejected and counted', async () => {
  engine = await ownerEngine(withTransactions(20));
  const [first, second] = engine.sim.owners.transactions(ANNA);
  engine.sim.faults.mutateRows<TransactionRow>(
    (row) =>
      row.transaction_id === second!.transaction_id ? { ...first!, quantity: first!.quantity + 1 } : row,
    { route: '/wallet/transactions' },
  );
  await engine.collect('wallet', ME);
  expect(await stored()).toEqual(served().filter((id) => id !== second!.transaction_id));
  expect(await engine.db.rows('SELECT reason FROM rejected_rows')).toEqual([
    { reason: 'transaction_id, is_buy: another row of the answer has the same' },
  ]);
  expect(
    await engine.db.rows(`SELECT rows_rejected FROM collection_runs WHERE resource = 'transactions'`),
  ).toEqual([{ rows_rejected: 1 }]);
});

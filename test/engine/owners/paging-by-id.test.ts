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

test('transactions with a duplicate are read to the end', async () => {
  engine = await ownerEngine(withTransactions(6_000));
  const [first, second] = engine.sim.owners.transactions(ANNA).slice(100, 102);
  engine.sim.faults.mutateRows<TransactionRow>(
    (row) => (row.transaction_id === second!.transaction_id ? { ...first!, is_buy: !first!.is_buy } : row),
    { route: '/wallet/transactions' },
  );
  const all = () => served().filter((id) => id !== second!.transaction_id);
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

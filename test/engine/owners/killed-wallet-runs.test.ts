import { afterEach, expect, test } from '@jest/globals';
import { engineSteps } from '../../../src/engine/run/engine-steps.ts';
import { takeDueRuns } from '../../../src/engine/owners/due-runs.ts';
import type { SimulatorOptions } from '../../../simulator/index.ts';
import { testRateLimiter } from '../../support/test-rate-limiter.ts';
import type { TestEngine } from '../../support/test-engine.ts';
import {
  ANNA,
  advanceOneHour,
  countRequestsByPath,
  countRows,
  BRAM,
  CORPORATION,
  stepsKilledWhen,
  runKey,
  ownerEngine,
  characterTarget,
  corporationTarget,
  createSteps,
} from '../../support/owner-engine.ts';
import { drive, driveUntil, assertRead } from '../../support/drive-runs.ts';

/** Runs of many resources that are killed, repeated, or simultaneous. */
let engine: TestEngine;
afterEach(() => engine.close());

const HOUR = 3_601_000; // ESI caches journal and transactions for an hour
const ME = characterTarget(ANNA);
const CORP = corporationTarget(CORPORATION);

async function begin(owners?: SimulatorOptions['owners']): Promise<void> {
  engine = await ownerEngine(owners);
  engine.sim.resetCounters();
}

async function later(change: () => unknown): Promise<void> {
  await advanceOneHour(engine, change);
  engine.sim.resetCounters();
}

const count = (table: string, where?: string) => countRows(engine, table, where);

/** Expects that every transaction of the owner is stored once, and nothing else. */
async function expectExactTransactions() {
  const rows = await engine.db.rows<{ id: number }>(
    'SELECT transaction_id AS id FROM wallet_transactions WHERE character_id = $1 ORDER BY 1 DESC',
    [ANNA],
  );
  const served = engine.sim.owners.transactions(ANNA).map((row) => row.transaction_id);
  expect(rows.map(({ id }) => id)).toEqual(served);
}

/** Expects that every journal row that ESI serves is stored once. Rows that ESI no longer serves stay. */
async function expectExactJournal(owner: number, division?: number) {
  const served = engine.sim.owners.data.wallet(owner, division ?? 1).journalAt(engine.clock.now());
  const ids = Array.from({ length: served.length }, (_, n) => served.at(n)!.id).toSorted((a, b) => a - b);
  const rows = await engine.db.rows<{ id: number }>(
    `SELECT journal_id AS id FROM wallet_journal
      WHERE coalesce(corporation_id, character_id) = $1 AND division IS NOT DISTINCT FROM $2 AND journal_id >= $3
      ORDER BY 1`,
    [owner, division ?? null, ids[0]],
  );
  expect(rows.map(({ id }) => id)).toEqual(ids);
}

test('a run that is killed repeatedly between resources requests each of them once', async () => {
  await begin({
    characters: [{ id: ANNA, name: 'Anna Testa', roles: ['Director', 'Accountant'] }],
    corporations: [{ id: CORPORATION, journal: 2_510, transactions: 12 }],
  });
  const key = runKey('wallet', CORP, 'w1');
  /** Drives the run in a process that is killed at its third request. */
  const runUntilKill = async () => {
    let heartbeats = 0;
    const by = stepsKilledWhen(engine, key, () => ++heartbeats > 4);
    return drive(by).catch((error: Error) => error.message);
  };
  let kills = 0;
  for (let end: unknown = await runUntilKill(); end === 'killed'; end = await runUntilKill()) kills++;
  expect(kills).toBeGreaterThan(8);
  const wallets = countRequestsByPath(engine, '');
  expect(Object.keys(wallets).filter((path) => path.includes('wallets')).length).toBe(1 + 14 + 14);
  expect(Object.values(wallets).filter((n) => n > 1)).toEqual([]);
  for (let division = 1; division <= 7; division++) await expectExactJournal(CORPORATION, division);
  expect(await count('wallet_transactions')).toBe(7 * 12);
  expect(await count('wallet_balances')).toBe(7);
  expect(await count('wallet_journal_gaps')).toBe(0);
  expect(
    await count('collection_runs', `outcome IS DISTINCT FROM 'published' AND collector = 'wallet'`),
  ).toBe(0);
  expect(engine.sim.offences()).toEqual([]);
});

test('a resource of many pages that is killed between pages resumes, and earlier resources are not read again', async () => {
  await begin({ characters: [{ id: ANNA, journal: 6_000, transactions: 10 }] });
  const key = runKey('wallet', ME, 'w1');
  const by = stepsKilledWhen(engine, key, (detail) => detail?.page === 3);
  const { run } = assertRead(await by.begin());
  expect(run).toMatchObject({ resource: 'journal' });
  await by.readChunk(run, { from: 2, to: 2 });
  await expect(by.readChunk(run, { from: 3, to: 3 })).rejects.toThrow('killed');
  expect(await count('wallet_journal')).toBe(0);
  expect(await drive(createSteps(engine, key))).toMatchObject({ outcome: 'published' });
  expect(Object.values(countRequestsByPath(engine, '')).filter((n) => n > 1)).toEqual([]);
  await expectExactJournal(ANNA);
  await expectExactTransactions();
  expect(engine.sim.offences()).toEqual([]);
});

test.each([1, 2, 3])(
  'a list paged by id that is killed before page %i resumes, each row once',
  async (page) => {
    await begin({ characters: [{ id: ANNA, transactions: 6_000, journal: 10 }, { id: BRAM }] });
    const key = runKey('wallet', ME, 'w1');
    const trade = () =>
      engine.sim.owners.trade({ sellerId: BRAM, buyerId: ANNA, typeId: 34, quantity: 10, price: 5.5 });
    await driveUntil(createSteps(engine, key), 'continue'); // the journal is published
    const by = stepsKilledWhen(engine, key, (detail) => detail?.page === page);
    await expect(by.begin()).rejects.toThrow('killed');
    expect(await count('wallet_transactions')).toBe(0);
    trade(); // ESI serves it in an hour
    expect(await drive(createSteps(engine, key))).toMatchObject({ outcome: 'published' });
    const addresses = countRequestsByPath(engine, '/wallet/transactions');
    expect(Object.keys(addresses)).toHaveLength(4); // the last request returns nothing older
    expect(Object.values(addresses).filter((n) => n > 1)).toEqual([]);
    const unseen = page === 1 ? 0 : 1;
    expect(await count('wallet_transactions')).toBe(engine.sim.owners.transactions(ANNA).length - unseen);
    expect(engine.sim.offences()).toEqual([]);
    await later(trade);
    await drive(createSteps(engine, runKey('wallet', ME, 'w2')));
    expect(Object.keys(countRequestsByPath(engine, '/wallet/transactions'))).toHaveLength(1);
    await expectExactTransactions();
  },
);

test('rows that a killed run staged are not taken for published rows', async () => {
  await begin({ characters: [{ id: ANNA, transactions: 6_000, journal: 10 }] });
  const killed = runKey('wallet', ME, 'killed');
  await driveUntil(createSteps(engine, killed), 'continue'); // the journal is published
  const by = stepsKilledWhen(engine, killed, (detail) => detail?.page === 3);
  await expect(by.begin()).rejects.toThrow('killed');
  await later(() => undefined); // what the killed run had read expires
  expect(await drive(createSteps(engine, runKey('wallet', ME, 'next')))).toMatchObject({
    outcome: 'published',
  });
  await expectExactTransactions();
  const ended = `outcome = 'failed' AND error = 'The run was ended from outside.' AND resource = 'transactions'`;
  expect(await count('collection_runs', ended)).toBe(1);
  expect(
    await engine.db.rows(
      `SELECT relname FROM pg_class WHERE relnamespace = 'stage'::regnamespace AND relname ~ '\\d'`,
    ),
  ).toEqual([]);
});

test('a wallet collected by two processes at once has each row, balance and gap once', async () => {
  await begin({ characters: [{ id: ANNA, transactions: 5_200, journal: 5_300 }, { id: BRAM }] });
  const rateLimiter = testRateLimiter(engine.clock);
  const both = (turn: number) =>
    Promise.all(
      ['one', 'two'].map((id) =>
        drive(engineSteps(engine.restart({ rateLimiter }), runKey('wallet', ME, `${id}-${turn}`, id))),
      ),
    );
  for (let turn = 0; turn < 3; turn++) {
    const outcomes = (await both(turn)).map(({ outcome }) => outcome);
    expect(outcomes).toContain('published');
    expect(await count('wallet_balances')).toBe(turn + 1);
    await expectExactJournal(ANNA);
    await expectExactTransactions();
    expect(await count('wallet_journal_gaps')).toBe(turn);
    await later(() => {
      const { owners } = engine.sim;
      owners.dropJournal(ANNA, [owners.pay(ANNA, 500).id]);
      owners.trade({ sellerId: BRAM, buyerId: ANNA, typeId: 34, quantity: 10, price: 5.5 });
    });
  }
  expect(await count('collection_runs', 'finished_at IS NULL')).toBe(0);
  const [now] = await engine.db.rows<{ balance: string }>('SELECT balance FROM wallet_balances_now');
  const [, newest] = engine.sim.owners.journal(ANNA); // the first one is of the hour that was not collected
  expect(Number(now!.balance)).toBe(newest!.balance);
  // Both send the same requests; beyond that they break no rule.
  expect(engine.sim.offences().filter(({ kind }) => kind !== 'too-early')).toEqual([]);
});

test('a run publishes nothing after its successor has begun', async () => {
  await begin({ characters: [{ id: ANNA, journal: 2_600, transactions: 10 }] });
  const slow = createSteps(engine, runKey('wallet', ME, 'before'));
  const successor = createSteps(engine, runKey('wallet', ME, 'after'));
  const { run } = assertRead(await slow.begin());
  await slow.readChunk(run, { from: 2, to: 2 });
  await later(() => undefined); // what it has read expires
  const next = await successor.begin();
  expect(await slow.publish(run, false)).toMatchObject({ state: 'continue' });
  expect(await count('wallet_journal')).toBe(0);
  expect(await drive(successor)).toMatchObject({ outcome: 'published' });
  expect(next).toMatchObject({ state: 'read', run: { resource: 'journal' } });
  await expectExactJournal(ANNA);
  await expectExactTransactions();
});

test('an assignment taken by a killed process is due after ten minutes and resumes', async () => {
  await begin({ characters: [{ id: ANNA, journal: 10, transactions: 10 }] });
  await engine.db.pool.query(
    `INSERT INTO collector_assignments (collector_type, character_id, collection_interval_minutes) VALUES ('WALLET', $1, 60)`,
    [ANNA],
  );
  const due = [{ collector: 'wallet', target: ME }];
  const taken = engine.clock.now();
  expect(await takeDueRuns(engine.context)).toEqual(due);
  let heartbeats = 0;
  await expect(
    drive(stepsKilledWhen(engine, runKey('wallet', ME, 'w1'), () => ++heartbeats > 1)),
  ).rejects.toThrow('killed');
  engine.clock.advance(taken + 599_000 - engine.clock.now()); // waiting requests have moved the clock as well
  expect(await takeDueRuns(engine.restart())).toEqual([]);
  engine.clock.advance(1_000);
  expect(await takeDueRuns(engine.restart())).toEqual(due);
  expect(await drive(createSteps(engine, runKey('wallet', ME, 'w2')))).toMatchObject({
    outcome: 'published',
  });
  await expectExactJournal(ANNA);
  await expectExactTransactions();
  expect(await takeDueRuns(engine.context)).toEqual([]);
  engine.clock.advance(2 * HOUR);
  expect(await takeDueRuns(engine.context)).toEqual(due);
});

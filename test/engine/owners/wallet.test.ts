import { afterEach, describe, expect, test } from '@jest/globals';
import type { JournalRow, SimulatorOptions } from '../../../simulator/index.ts';
import type { TestEngine } from '../../support/test-engine.ts';
import {
  advance,
  ANNA,
  BRAM,
  CORPORATION,
  countRows,
  logIn,
  characterTarget,
  corporationTarget,
  ownerEngine,
} from '../../support/owner-engine.ts';

const HOUR = 3_601_000; // ESI caches journal and transactions for an hour
const DAY = 24 * HOUR;

let engine: TestEngine;
afterEach(() => engine.close());

async function begin(owners?: SimulatorOptions['owners']): Promise<void> {
  engine = await ownerEngine(owners);
  await logIn(engine, BRAM);
}

const collect = (id = ANNA) => engine.collect('wallet', characterTarget(id));

const later = (ms: number, change?: () => unknown) => advance(engine, ms, change);

const count = (table: string, where?: string) => countRows(engine, table, where);

const isk = (amount: number | undefined) => (amount === undefined ? null : amount.toFixed(2));

test('balance, journal and transactions are stored as ESI returns them', async () => {
  await begin();
  expect(await collect()).toMatchObject({ outcome: 'published' });
  const served = engine.sim.owners.journal(ANNA);
  const rows = await engine.db.rows(
    'SELECT * FROM wallet_journal WHERE character_id = $1 ORDER BY journal_id',
    [ANNA],
  );
  expect(rows.map((r) => [r['journal_id'], r['amount'], r['balance'], r['ref_type'], r['division']])).toEqual(
    served
      .toSorted((a, b) => a.id - b.id)
      .map((r) => [r.id, isk(r.amount), isk(r.balance), r.ref_type, null]),
  );
  expect(await engine.db.rows('SELECT balance, division FROM wallet_balances')).toEqual([
    { balance: isk(served.toSorted((a, b) => b.id - a.id)[0]!.balance), division: null },
  ]);
  expect(await count('wallet_transactions', `character_id = ${ANNA}`)).toBeGreaterThan(10);
  expect(await count('wallet_journal_gaps')).toBe(0);
  expect(engine.sim.offences()).toEqual([]);
});

test('a wallet without movements adds no row and is not requested before it expires', async () => {
  await begin();
  await collect();
  const requests = engine.sim.requests().length;
  expect(await collect()).toMatchObject({
    outcome: 'not-due',
    detail: expect.stringMatching(/^Already up to date\. ESI's next update is at .*UTC\.$/) as unknown,
  });
  expect(engine.sim.requests()).toHaveLength(requests);
  const before = [
    await count('wallet_journal'),
    await count('wallet_transactions'),
    await count('wallet_balances'),
  ];
  await later(HOUR);
  expect(await collect()).toMatchObject({ outcome: 'unchanged' });
  expect([
    await count('wallet_journal'),
    await count('wallet_transactions'),
    await count('wallet_balances'),
  ]).toEqual(before);
});

test('journal rows stay after ESI drops them, and new ones are added', async () => {
  await begin();
  await collect();
  const before = await count('wallet_journal');
  await later(40 * DAY, () => engine.sim.owners.pay(ANNA, 1_000.25));
  await collect();
  expect(await count('wallet_journal')).toBe(before + 1);
  expect(await count('wallet_balances')).toBe(2);
});

test('thousands of transactions are read once, then only new ones', async () => {
  await begin({
    characters: [{ id: ANNA, transactions: 6_000, journal: 6_100 }, { id: BRAM }],
  });
  await collect();
  const served = engine.sim.owners.transactions(ANNA).length;
  expect(served).toBeGreaterThanOrEqual(6_000);
  expect(await count('wallet_transactions', `character_id = ${ANNA}`)).toBe(served);
  const route = '/characters/{character_id}/wallet/transactions';
  const requestCount = () => engine.sim.requests().filter((r) => r.route === route).length;
  expect(requestCount()).toBeLessThanOrEqual(4);
  await later(HOUR, () => {
    engine.sim.owners.trade({ sellerId: BRAM, buyerId: ANNA, typeId: 34, quantity: 10, price: 5.5 });
  });
  const before = requestCount();
  await collect();
  expect(await count('wallet_transactions', `character_id = ${ANNA}`)).toBe(served + 1);
  expect(requestCount() - before).toBe(1);
});

test('a character that trades with its own corporation has both sides', async () => {
  await begin();
  await later(HOUR, () => {
    engine.sim.owners.trade({
      sellerId: CORPORATION,
      buyerId: ANNA,
      by: ANNA,
      typeId: 34,
      quantity: 7,
      price: 4.25,
    });
  });
  await collect();
  expect(
    await engine.db.rows(
      `SELECT is_buy, is_personal FROM wallet_transactions WHERE unit_price = 4.25 AND character_id = ${ANNA} ORDER BY 1`,
    ),
  ).toEqual([
    { is_buy: false, is_personal: false },
    { is_buy: true, is_personal: true },
  ]);
});

test('buyer and seller of a trade each have a row', async () => {
  await begin();
  await collect();
  await collect(BRAM);
  await later(HOUR, () => {
    engine.sim.owners.trade({ sellerId: ANNA, buyerId: BRAM, typeId: 34, quantity: 100, price: 4.25 });
  });
  await collect();
  await collect(BRAM);
  const sides = await engine.db.rows(
    `SELECT character_id, is_buy, quantity, unit_price FROM wallet_transactions
      WHERE transaction_id IN (SELECT transaction_id FROM wallet_transactions GROUP BY 1 HAVING count(*) = 2)
        AND unit_price = 4.25 ORDER BY 1`,
  );
  expect(sides).toEqual([
    { character_id: ANNA, is_buy: false, quantity: 100, unit_price: '4.25' },
    { character_id: BRAM, is_buy: true, quantity: 100, unit_price: '4.25' },
  ]);
});

describe('a gap in the journal', () => {
  test('a gap in the journal is found by the running balance, with the missing amount', async () => {
    await begin();
    await collect();
    await later(HOUR, () => {
      const { owners } = engine.sim;
      const lost = [owners.pay(ANNA, 500), owners.pay(ANNA, -120.5), owners.pay(ANNA, 77)];
      owners.pay(ANNA, 1);
      owners.dropJournal(
        ANNA,
        lost.map((row) => row.id),
      );
    });
    await collect();
    const gaps = await engine.db.rows(
      'SELECT missing_amount, division, character_id, after_journal_id < before_journal_id AS ordered FROM wallet_journal_gaps',
    );
    expect(gaps).toEqual([{ missing_amount: '456.50', division: null, character_id: ANNA, ordered: true }]);
  });

  test('a gap in the journal keeps its time although a missing row arrives late', async () => {
    await begin();
    await collect();
    await later(HOUR, () => {
      const { owners } = engine.sim;
      owners.pay(ANNA, 5);
      owners.pay(ANNA, 1);
      owners.dropJournal(ANNA, [owners.pay(ANNA, 500).id]);
      owners.pay(ANNA, 2);
    });
    engine.sim.faults.mutateRows<JournalRow>((row) => (row.amount === 5 ? null : row));
    await collect();
    const read = () =>
      engine.db.rows<{ missing_amount: string }>('SELECT * FROM wallet_journal_gaps ORDER BY missing_amount');
    const [late, gap] = await read();
    expect([late!.missing_amount, gap!.missing_amount]).toEqual(['5.00', '500.00']);
    engine.sim.faults.clear();
    await later(HOUR, () => engine.sim.owners.pay(ANNA, 2));
    await collect();
    expect(await read()).toEqual([gap]);
  });

  test('a gap in the journal is deleted when the missing row arrives', async () => {
    await begin();
    await collect();
    let left: JournalRow | undefined;
    await later(HOUR, () => {
      engine.sim.owners.pay(ANNA, 500);
      engine.sim.owners.pay(ANNA, 1);
    });
    engine.sim.faults.mutateRows<JournalRow>((row) => {
      if (row.amount !== 500) return row;
      left = row;
      return null;
    });
    await collect();
    expect(left).toBeDefined();
    expect(await count('wallet_journal_gaps')).toBe(1);
    engine.sim.faults.clear();
    await later(HOUR, () => engine.sim.owners.pay(ANNA, 2));
    await collect();
    expect(await count('wallet_journal_gaps')).toBe(0);
  });
});

test('the wallets of a corporation are collected by division', async () => {
  await begin();
  expect(await engine.collect('wallet', corporationTarget(CORPORATION))).toMatchObject({
    outcome: 'published',
  });
  const divisions = await engine.db.rows(
    `SELECT division, count(*) AS n FROM wallet_journal WHERE corporation_id = $1 GROUP BY 1 ORDER BY 1`,
    [CORPORATION],
  );
  expect(divisions.map((d) => d['division'])).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(await count('wallet_balances', `corporation_id = ${CORPORATION}`)).toBe(7);
  expect(await count('wallet_journal', 'character_id IS NOT NULL')).toBe(0);
  expect(await count('wallet_journal_gaps')).toBe(0);
  await later(HOUR, () => engine.sim.owners.pay(CORPORATION, 10, 'player_donation', 3));
  await engine.collect('wallet', corporationTarget(CORPORATION));
  expect(await count('wallet_balances', 'division = 3')).toBe(2);
  expect(await count('wallet_balances', 'division <> 3')).toBe(6);
  expect(engine.sim.offences()).toEqual([]);
});

describe('invalid answers', () => {
  test('a balance that is a string fails its resource, and the rest is collected', async () => {
    await begin();
    engine.sim.faults.rawBody('"1000.00"', { route: '/characters/{character_id}/wallet', times: 1 });
    await expect(collect()).rejects.toThrow(
      'balance: ESI answered /characters/{character_id}/wallet with string instead of a number.',
    );
    expect(await count('wallet_balances')).toBe(0);
    expect(await count('wallet_journal')).toBeGreaterThan(0);
    expect(
      (await engine.db.rows(`SELECT outcome, error FROM collection_runs WHERE resource = 'balance'`))[0],
    ).toMatchObject({ outcome: 'failed', error: expect.stringContaining('instead of a number') });
  });

  test('a journal row with a null id is rejected with the reason', async () => {
    await begin();
    const { length } = engine.sim.owners.journal(ANNA);
    let first = true;
    engine.sim.faults.mutateRows<JournalRow>(
      (row) => {
        const bad = first;
        first = false;
        return bad ? { ...row, id: null } : row;
      },
      { route: '/characters/{character_id}/wallet/journal' },
    );
    await collect();
    expect(await count('wallet_journal')).toBe(length - 1);
    expect(await engine.db.rows('SELECT reason, row FROM rejected_rows')).toEqual([
      { reason: expect.stringContaining('journal_id'), row: expect.objectContaining({ id: null }) },
    ]);
  });

  test('an unknown ref_type is stored as it is', async () => {
    await begin();
    await later(0, () => engine.sim.owners.pay(ANNA, 5, 'moon_lottery'));
    await collect();
    expect(await count('wallet_journal', `ref_type = 'moon_lottery'`)).toBe(1);
  });
});

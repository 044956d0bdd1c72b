import { afterEach, expect, test } from '@jest/globals';
import { refreshAffiliations } from '../../../src/engine/owners/refresh-affiliations.ts';
import type { TestEngine } from '../../support/test-engine.ts';
import {
  ANNA,
  BRAM,
  CORPORATION,
  logIn,
  characterTarget,
  corporationTarget,
  ownerEngine,
} from '../../support/owner-engine.ts';

/** Numbers and dates that PostgreSQL does not accept, or that are rounded. */
let engine: TestEngine;
afterEach(() => engine.close());

const ME = characterTarget(ANNA);
const ENDLESS = `2026-01-01T00:00:00.${'1'.repeat(200)}Z`;

test.each([
  ['an amount', '/wallet/journal', { amount: 1e18 }, 'wallet', ME],
  ['a balance that makes a gap', '/wallet/journal', { balance: 9e17, amount: -9e17 }, 'wallet', ME],
  ['an activity', '/characters/{character_id}/industry/jobs', { activity_id: 3e9 }, 'industry', ME],
  [
    'a division',
    '/corporations/{corporation_id}/orders',
    { wallet_division: 3e9 },
    'orders',
    corporationTarget(CORPORATION),
  ],
  ['a date', '/wallet/journal', { date: ENDLESS }, 'wallet', ME],
] as const)(
  'a row with %s out of range is rejected, and the rest is collected',
  async (_, route, patch, collector, owner) => {
    engine = await ownerEngine();
    let bad: object | undefined;
    const idOf = (row: Record<string, unknown>) => row['id'] ?? row['job_id'] ?? row['order_id'];
    engine.sim.faults.mutateRows<Record<string, unknown>>(
      (row) => {
        bad ??= row;
        return idOf(row) === idOf(bad as Record<string, unknown>) ? { ...row, ...patch } : row;
      },
      { route },
    );
    expect(await engine.collect(collector, owner)).toMatchObject({ outcome: 'published' });
    expect(await engine.db.rows('SELECT FROM rejected_rows')).toHaveLength(1);
    expect(await engine.db.rows(`SELECT FROM collection_runs WHERE outcome = 'failed'`)).toEqual([]);
  },
);

test('a journal in hundredths of a cent has no gaps, although each figure is rounded separately', async () => {
  engine = await ownerEngine();
  const served = engine.sim.owners.journal(ANNA).toSorted((a, b) => a.id - b.id);
  let balance = 10_000_000_000_049; // hundredths of a cent
  const exact = new Map(
    served.map(({ id }, n) => {
      const amount = 1_234_567 + n * 49;
      balance += amount;
      return [id, { amount: amount / 1e4, balance: balance / 1e4 }];
    }),
  );
  engine.sim.faults.mutateRows<{ id: number }>((row) => ({ ...row, ...exact.get(row.id) }), {
    route: '/wallet/journal',
  });
  await engine.collect('wallet', ME);
  expect(await engine.db.rows('SELECT FROM wallet_journal')).toHaveLength(served.length);
  expect(await engine.db.rows('SELECT * FROM wallet_journal_gaps')).toEqual([]);
});

test.each([8e13, 1.6e14])('a journal with a balance of %d ISK has only its real gap', async (isk) => {
  engine = await ownerEngine();
  const served = engine.sim.owners.journal(ANNA).toSorted((a, b) => a.id - b.id);
  let cents = BigInt(isk) * 100n;
  const exact = new Map(
    served.map(({ id }, n) => {
      const amount = n === 40 ? 7 : 1_234_567 + n * 49;
      cents += BigInt(n === 40 ? amount + 100 : amount); // one ISK is missing before row 40
      return [
        id,
        { amount: amount / 100, balance: Number(`${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`) },
      ];
    }),
  );
  engine.sim.faults.mutateRows<{ id: number }>((row) => ({ ...row, ...exact.get(row.id) }), {
    route: '/wallet/journal',
  });
  await engine.collect('wallet', ME);
  const gaps = await engine.db.rows<{ id: number }>(
    'SELECT before_journal_id AS id FROM wallet_journal_gaps',
  );
  expect(gaps).toEqual([{ id: served[40]!.id }]);
});

test('an invalid affiliation does not affect others and is requested again later', async () => {
  engine = await ownerEngine();
  await logIn(engine, BRAM);
  engine.sim.faults.mutateRows<{ character_id: number }>(
    (row) => (row.character_id === BRAM ? { ...row, corporation_id: null } : row),
    { route: '/characters/affiliation' },
  );
  expect(await refreshAffiliations(engine.context, {})).toBe(2);
  expect(await refreshAffiliations(engine.context, {})).toBe(0);
  engine.sim.faults.clear();
  engine.clock.advance(3_601_000);
  expect(await refreshAffiliations(engine.context, {})).toBe(2);
});

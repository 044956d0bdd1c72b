import { afterEach, expect, test } from '@jest/globals';
import type { TestEngine } from '../../support/test-engine.ts';
import {
  advanceOneHour,
  ANNA,
  characterTarget,
  CORPORATION,
  corporationTarget,
  countRequestsByPath,
  countRows,
  createSteps,
  ownerEngine,
  runKey,
} from '../../support/owner-engine.ts';

/** One division or one page that ESI fails for, for weeks: everything else is collected. */
let engine: TestEngine;
afterEach(() => engine.close());

const COMPANY = corporationTarget(CORPORATION);
const ME = characterTarget(ANNA);

/** Assigns the wallet of an owner. */
const assign = (column: 'character_id' | 'corporation_id', id: number) =>
  engine.db.pool.query(
    `INSERT INTO collector_assignments (collector_type, ${column}) VALUES ('WALLET', $1)`,
    [id],
  );
const note = async () =>
  (await engine.db.rows<{ note: string | null }>('SELECT note FROM collector_assignments'))[0]!.note;
const divisionsOf = async (table: string) =>
  (
    await engine.db.rows<{ division: number }>(
      `SELECT DISTINCT division FROM ${table} WHERE corporation_id = $1 ORDER BY 1`,
      [CORPORATION],
    )
  ).map(({ division }) => division);

test('a division that answers 500 for days stops neither the other divisions nor the run', async () => {
  engine = await ownerEngine();
  await assign('corporation_id', CORPORATION);
  engine.sim.faults.status(500, { route: `/corporations/${CORPORATION}/wallets/1/journal` });
  for (let hour = 0; hour < 12; hour++) {
    await expect(engine.collect('wallet', COMPANY)).rejects.toThrow(
      /^journal\/1: .*wallets\/1\/journal.*500/,
    );
    await advanceOneHour(engine);
  }
  expect(await divisionsOf('wallet_journal')).toEqual([2, 3, 4, 5, 6, 7]);
  expect((await divisionsOf('wallet_transactions')).length).toBeGreaterThan(1);
  expect(await countRows(engine, 'corporation_divisions')).toBeGreaterThan(0);
  expect(await countRows(engine, 'collection_runs', 'finished_at IS NULL')).toBe(0);
  expect(await note()).toMatch(/wallets\/1\/journal.*500/);
  // Three attempts of each run, whatever the other divisions have.
  const counts = countRequestsByPath(engine, '/wallets/{division}/journal');
  expect(counts[`/corporations/${CORPORATION}/wallets/1/journal`]).toBe(36);
  engine.sim.faults.clear();
  await engine.collect('wallet', COMPANY);
  expect(await divisionsOf('wallet_journal')).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(await note()).toBeNull();
});

test('a route that fails for all divisions stops no other route', async () => {
  engine = await ownerEngine();
  engine.sim.faults.status(500, { route: '/corporations/{corporation_id}/wallets/{division}/journal' });
  await expect(engine.collect('wallet', COMPANY)).rejects.toThrow(/^journal\/1: /);
  expect((await divisionsOf('wallet_transactions')).length).toBeGreaterThan(1);
  expect(await countRows(engine, 'wallet_journal')).toBe(0);
  expect(engine.sim.requests().filter(({ route }) => route.endsWith('/journal')).length).toBeLessThanOrEqual(
    12,
  );
});

test('a journal is stored without a page that fails, which the run, the assignment and the next run name', async () => {
  engine = await ownerEngine({ characters: [{ id: ANNA, name: 'Anna Testa', journal: 6_000 }] });
  await assign('character_id', ANNA);
  engine.sim.faults.status(500, { route: 'journal?page=2' });
  const total = engine.sim.owners.journal(ANNA).length;
  for (let hour = 0; hour < 3; hour++) {
    const before = engine.clock.now();
    expect(await engine.collect('wallet', ME)).toMatchObject({
      outcome: 'torn',
      detail: expect.stringMatching(/pages are missing.*journal\?page=2 \(500\)/),
    });
    expect(engine.clock.now() - before).toBeLessThan(60_000);
    await advanceOneHour(engine);
  }
  const stored = await countRows(engine, 'wallet_journal');
  expect(stored).toBeGreaterThan(0);
  expect(stored).toBeLessThan(total);
  expect(await note()).toMatch(/journal\?page=2 \(500\)/);
  expect(
    await countRows(engine, 'collection_runs', `resource = 'journal' AND error LIKE '%page=2 (500)%'`),
  ).toBe(3);
  engine.sim.faults.clear();
  expect(await engine.collect('wallet', ME)).toMatchObject({ outcome: 'published' });
  // ESI lists thirty days: what it lists no longer is not missing.
  const since = engine.clock.now() - 30 * 86_400_000;
  const listed = engine.sim.owners.journal(ANNA).filter(({ date }) => Date.parse(date) > since);
  expect(await countRows(engine, 'wallet_journal', `date > to_timestamp(${since / 1_000})`)).toBe(
    listed.length,
  );
  expect(await countRows(engine, 'wallet_journal_gaps')).toBe(0);
  expect(await note()).toBeNull();
});

test('transactions before a page that fails are stored, and the older ones are read when it answers', async () => {
  engine = await ownerEngine({ characters: [{ id: ANNA, transactions: 6_000, journal: 6_100 }] });
  const total = engine.sim.owners.transactions(ANNA).length;
  engine.sim.faults.status(500, { route: 'transactions?from_id' });
  for (let hour = 0; hour < 2; hour++) {
    expect(await engine.collect('wallet', ME)).toMatchObject({ outcome: 'torn' });
    await advanceOneHour(engine);
  }
  const stored = await countRows(engine, 'wallet_transactions');
  expect(stored).toBeGreaterThan(0);
  expect(stored).toBeLessThan(total);
  engine.sim.faults.clear();
  expect(await engine.collect('wallet', ME)).toMatchObject({ outcome: 'published' });
  expect(await countRows(engine, 'wallet_transactions')).toBe(total);
});

test('a page of assets that fails for minutes ends the run', async () => {
  engine = await ownerEngine({ characters: [{ id: ANNA, name: 'Anna Testa', assets: 3_000 }] });
  engine.sim.faults.status(500, { route: 'assets?page=2' });
  const by = createSteps(engine, runKey('assets', ME, 'run'));
  const step = await by.begin();
  if (step.state !== 'read') throw new Error(`the run is ${step.state}`);
  await expect(by.readChunk(step.run, step.chunks[0]!)).rejects.toThrow(/500/);
  engine.clock.advance(301_000);
  await by.readChunk(step.run, step.chunks[0]!);
  expect(await by.publish(step.run, false)).toMatchObject({ state: 'continue' });
  await expect(by.begin()).rejects.toThrow(/500/);
  expect(await countRows(engine, 'collection_runs', `collector = 'assets' AND outcome = 'failed'`)).toBe(1);
});

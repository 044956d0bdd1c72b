import { afterEach, expect, test } from '@jest/globals';
import type { EsiResponse } from '../../../src/esi/esi-request.ts';
import { DIRECTOR_ROLES } from '../../../simulator/owners/owner-options.ts';
import type { TestEngine } from '../../support/test-engine.ts';
import {
  ANNA,
  BRAM,
  advanceOneHour,
  CORPORATION,
  runKey,
  createSteps,
  logIn,
  characterTarget,
  corporationTarget,
  ownerEngine,
} from '../../support/owner-engine.ts';

/** Several resources in one run: one that fails does not affect the others, and simultaneous processes do no harm. */
let engine: TestEngine;
afterEach(() => engine.close());

const ME = characterTarget(ANNA);
const JOURNAL = '/characters/{character_id}/wallet/journal';
const TRANSACTIONS = '/characters/{character_id}/wallet/transactions';

async function assigned(collector: string): Promise<void> {
  await engine.db.pool.query(
    'INSERT INTO collector_assignments (collector_type, character_id) VALUES ($1, $2)',
    [collector.toUpperCase(), ANNA],
  );
}
const assignment = async () =>
  (
    await engine.db.rows<{ note: string | null; last_collected_at: Date | null }>(
      'SELECT note, last_collected_at FROM collector_assignments',
    )
  )[0]!;
const rowsOf = async (table: string) => (await engine.db.rows(`SELECT FROM ${table}`)).length;

/** Expects that every journal row that ESI still returns is stored. ESI returns thirty days. */
async function expectJournal(): Promise<void> {
  const stored = await engine.db.rows<{ id: number }>('SELECT journal_id AS id FROM wallet_journal');
  const since = engine.clock.now() - 30 * 86_400_000;
  const given = engine.sim.owners.journal(ANNA).filter(({ date }) => Date.parse(date) > since);
  expect(given.length).toBeGreaterThan(0);
  const held = new Set(stored.map(({ id }) => id));
  expect(given.filter(({ id }) => !held.has(id))).toEqual([]);
}

/** Changes the answers of ESI on a route. */
function changeAnswers(route: string, change: (answer: EsiResponse) => EsiResponse): void {
  const { esi } = engine.context;
  const get = esi.get.bind(esi);
  esi.get = async (request) => {
    const answer = await get(request);
    return request.route === route ? change(answer) : answer;
  };
}

test('resources that answer 500 are reported, and the others are collected', async () => {
  engine = await ownerEngine();
  await assigned('wallet');
  for (const route of [JOURNAL, TRANSACTIONS]) engine.sim.faults.status(500, { route });
  await expect(engine.collect('wallet', ME)).rejects.toThrow(/wallet.*500/);
  expect(await rowsOf('wallet_balances')).toBeGreaterThan(0);
  expect(await assignment()).toEqual({
    note: expect.stringMatching(/wallet\/journal.*500.*wallet\/transactions.*500/),
    last_collected_at: expect.any(Date),
  });
  expect(
    await engine.db.rows(`SELECT resource, outcome, error IS NOT NULL AS reported FROM collection_runs
      WHERE collector = 'wallet' ORDER BY run_id`),
  ).toEqual([
    { resource: 'balance', outcome: 'published', reported: false },
    { resource: 'journal', outcome: 'failed', reported: true },
    { resource: 'transactions', outcome: 'failed', reported: true },
  ]);
  engine.sim.faults.clear();
  await engine.collect('wallet', ME);
  await expectJournal();
  expect((await assignment()).note).toBeNull();
});

test('a resource with an invalid page is reported, and the others are collected', async () => {
  engine = await ownerEngine({ characters: [{ id: ANNA, name: 'Anna Testa', journal: 6_000 }] });
  await assigned('wallet');
  let page = 0;
  changeAnswers(JOURNAL, (answer) => (++page === 2 ? { ...answer, json: { error: 'x' } } : answer));
  await expect(engine.collect('wallet', ME)).rejects.toThrow(/journal: ESI answered .* with object/);
  expect(await rowsOf('wallet_transactions')).toBeGreaterThan(0);
  expect((await assignment()).note).toMatch(/with object instead of a list/);
  await advanceOneHour(engine);
  await engine.collect('wallet', ME);
  await expectJournal();
  expect((await assignment()).note).toBeNull();
});

test('a resource of many pages is not read further after an invalid page', async () => {
  engine = await ownerEngine({ characters: [{ id: ANNA, name: 'Anna Testa', assets: 200_000 }] });
  let requestCount = 0;
  changeAnswers('/characters/{character_id}/assets', (answer) =>
    ++requestCount > 1 ? { ...answer, json: {} } : answer,
  );
  await expect(engine.collect('assets', ME)).rejects.toThrow(/with object/);
  expect(requestCount).toBeLessThan(100);
  expect(await engine.context.metrics.registry.metrics()).toMatch(
    /^collector_runs_total\{.*assets.*failed.*\} 1$/m,
  );
});

test('an invalid answer is not requested again before it expires', async () => {
  engine = await ownerEngine();
  let sense = false;
  changeAnswers(JOURNAL, (answer) => (sense ? answer : { ...answer, json: {} }));
  await expect(engine.collect('wallet', ME)).rejects.toThrow(/with object/);
  sense = true;
  engine.clock.advance(1_800_000);
  await engine.collect('wallet', ME);
  expect(await rowsOf('wallet_journal')).toBe(0);
  await advanceOneHour(engine);
  await engine.collect('wallet', ME);
  await expectJournal();
  expect(engine.sim.offences()).toEqual([]);
});

test('a refused snapshot is noted and does not count as collected', async () => {
  engine = await ownerEngine({ characters: [{ id: ANNA, name: 'Anna Testa', assets: 100 }] });
  await assigned('assets');
  await engine.collect('assets', ME);
  const { last_collected_at: first } = await assignment();
  await advanceOneHour(engine);
  engine.sim.faults.emptySnapshot({ route: '/assets', times: 1 });
  expect(await engine.collect('assets', ME)).toMatchObject({ outcome: 'refused' });
  expect(await assignment()).toEqual({
    note: expect.stringMatching(/100 of 100 rows are missing/),
    last_collected_at: first,
  });
});

test('two processes with the same run collect each resource once and return the same', async () => {
  engine = await ownerEngine();
  for (let run = 0; run < 6; run++) {
    await advanceOneHour(engine, () => engine.sim.owners.pay(ANNA, 5));
    const key = runKey('wallet', ME, `run-${run}`);
    const [one, two] = await Promise.all([
      createSteps(engine, key).begin(),
      createSteps(engine, key).begin(),
    ]);
    expect(one).toMatchObject({ state: 'done', summary: { outcome: 'published' } });
    expect(two).toEqual(one);
  }
  expect(await engine.db.rows(`SELECT FROM collection_runs WHERE outcome = 'failed'`)).toEqual([]);
  await expectJournal();
});

test('a full first page without X-Pages is not taken for the whole snapshot', async () => {
  engine = await ownerEngine({ characters: [{ id: ANNA, name: 'Anna Testa', assets: 1_900 }] });
  await engine.collect('assets', ME);
  await advanceOneHour(engine, () => engine.sim.owners.addAsset(ANNA));
  let without = true;
  changeAnswers('/characters/{character_id}/assets', (answer) =>
    without ? { ...answer, pages: undefined } : answer,
  );
  await expect(engine.collect('assets', ME)).rejects.toThrow(/without X-Pages/);
  expect(await rowsOf('assets')).toBe(1_900);
  without = false;
  await advanceOneHour(engine);
  await engine.collect('assets', ME);
  expect(await rowsOf('assets')).toBe(1_901);
  expect(engine.sim.offences()).toEqual([]);
});

test('a row on two pages of a journal does not cause a second read', async () => {
  engine = await ownerEngine({ characters: [{ id: ANNA, name: 'Anna Testa', journal: 6_000 }] });
  engine.sim.faults.duplicateRow({ route: JOURNAL });
  const before = engine.clock.now();
  expect(await engine.collect('wallet', ME)).toMatchObject({ outcome: 'published' });
  expect(engine.clock.now() - before).toBeLessThan(60_000);
  await expectJournal();
  engine.sim.faults.clear();
  await advanceOneHour(engine);
  await engine.collect('wallet', ME);
  await expectJournal();
});

test('a snapshot older than the published one postpones the next request', async () => {
  engine = await ownerEngine();
  await engine.collect('industry', ME);
  await advanceOneHour(engine, () => engine.sim.owners.startJob(ANNA));
  changeAnswers('/characters/{character_id}/industry/jobs', (answer) => ({
    ...answer,
    lastModified: new Date(answer.lastModified!.getTime() - 7_200_000),
  }));
  expect(await engine.collect('industry', ME)).toMatchObject({ outcome: 'unchanged' });
  engine.clock.advance(10_000);
  expect(await engine.collect('industry', ME)).toMatchObject({ outcome: 'not-due' });
  expect(engine.sim.offences()).toEqual([]);
});

test('a second loss greater than the first one must be confirmed too', async () => {
  engine = await ownerEngine({ characters: [{ id: ANNA, name: 'Anna Testa', assets: 300 }] });
  await engine.collect('assets', ME);
  for (const [share, outcome] of [
    [0.4, 'refused'],
    [0.1, 'refused'],
    [0.1, 'published'],
  ] as const) {
    await advanceOneHour(engine);
    engine.sim.faults.collapse(share, { route: '/assets', times: 1 });
    expect(await engine.collect('assets', ME)).toMatchObject({ outcome });
  }
  expect(await rowsOf('assets')).toBeLessThan(60);
});

test('an invalid answer does not remove the names of divisions', async () => {
  engine = await ownerEngine();
  const corporation = corporationTarget(CORPORATION);
  await engine.collect('wallet', corporation);
  const before = await rowsOf('corporation_divisions');
  for (const text of ['[{"error":"x"}]', '{"error":"x"}', 'null', '"x"']) {
    await advanceOneHour(engine);
    engine.sim.faults.rawBody(text, { route: '/corporations/{corporation_id}/divisions', times: 1 });
    await expect(engine.collect('wallet', corporation)).rejects.toThrow(/^divisions: .*lists of divisions/);
  }
  expect(await rowsOf('corporation_divisions')).toBe(before);
  // ESI lists only divisions with custom names, so there may be none.
  await advanceOneHour(engine);
  engine.sim.faults.rawBody('{}', { route: '/corporations/{corporation_id}/divisions', times: 1 });
  expect(await engine.collect('wallet', corporation)).toMatchObject({ outcome: 'published' });
  expect(await rowsOf('corporation_divisions')).toBe(0);
});

test('another member is used when the roles of one cannot be read', async () => {
  const director = { corporationId: CORPORATION, roles: [...DIRECTOR_ROLES] };
  engine = await ownerEngine({
    characters: [
      { id: ANNA, name: 'Anna Testa', ...director },
      { id: BRAM, name: 'Bram Proof', ...director },
    ],
    corporations: [{ id: CORPORATION }],
  });
  engine.sim.faults.status(500, { route: `/characters/${ANNA}/roles` });
  const corporation = corporationTarget(CORPORATION);
  await expect(engine.collect('assets', corporation)).rejects.toThrow(/roles.*500/);
  await logIn(engine, BRAM);
  engine.sim.resetCounters();
  expect(await engine.collect('assets', corporation)).toMatchObject({ outcome: 'published' });
  expect(await engine.collect('orders', corporation)).toMatchObject({ outcome: 'published' });
  const roles = engine.sim.requests().filter(({ route }) => route.endsWith('/roles'));
  expect(roles.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(roles.length).toBeLessThanOrEqual(4); // the failing one is tried three times, then the known ones are read
});

import { afterEach, expect, test } from '@jest/globals';
import { collectTarget } from '../../../src/engine/run/collect-target.ts';
import { engineSteps } from '../../../src/engine/run/engine-steps.ts';
import type { EngineContext } from '../../../src/engine/engine-context.ts';
import type { AssetRow } from '../../../simulator/index.ts';
import { type TestEngine, testEngine } from '../../support/test-engine.ts';
import {
  ANNA,
  advanceOneHour,
  truncateStagingTables,
  runKey,
  logIn,
  characterTarget,
  ownerEngine,
  createSteps,
} from '../../support/owner-engine.ts';
import { drive, driveUntil } from '../../support/drive-runs.ts';

/** Names and positions, which are requested after the pages of a snapshot. */
let engine: TestEngine;
afterEach(() => engine.close());

const ME = characterTarget(ANNA);
const withAssets = (assets: number) => ({ characters: [{ id: ANNA, name: 'Anna Testa', assets }] });

const kinds = async () =>
  (
    await engine.db.rows<{ kind: string }>('SELECT DISTINCT change_type AS kind FROM asset_diffs ORDER BY 1')
  ).map(({ kind }) => kind);
const named = () =>
  engine.db.rows<{ id: number; name: string }>(
    'SELECT item_id AS id, name FROM assets WHERE name IS NOT NULL ORDER BY hashint8(item_id)',
  );

/** Collects assets and changes the quantity of one item for the next snapshot. */
const collectedWith = async (assets: number) => {
  engine = await ownerEngine(withAssets(assets));
  await engine.collect('assets', ME);
  const { item_id } = engine.sim.owners.assets(ANNA).find((row) => !row.is_singleton)!;
  await advanceOneHour(engine, () => engine.sim.owners.changeAsset(ANNA, item_id, { quantity: 77 }));
};

/** A context whose requests for positions wait for `before`. */
function delayPositions(before: () => Promise<unknown>): EngineContext {
  const context = engine.restart();
  const post = context.esi.post.bind(context.esi);
  context.esi.post = async (request) => {
    if (request.route.endsWith('locations')) await before();
    return post(request);
  };
  return context;
}

test('ships and containers have the names that their owner gave them, and items in space their position', async () => {
  await collectedWith(900);
  const kindsOfNamed = await engine.db.rows<{ ship: boolean }>(
    `SELECT DISTINCT g.category_id = 6 AS ship FROM assets a JOIN types t USING (type_id) JOIN groups g USING (group_id)
      WHERE a.name IS NOT NULL ORDER BY 1`,
  );
  expect(kindsOfNamed).toEqual([{ ship: false }, { ship: true }]);
  expect(
    await engine.db.rows('SELECT DISTINCT location_type FROM assets WHERE position_x IS NOT NULL'),
  ).toEqual([{ location_type: 'solar_system' }]);
});

test('a crash of the database server between two batches of enrichments loses no name', async () => {
  await collectedWith(900);
  const before = await named();
  let crashed = false;
  const context = delayPositions(async () => {
    if (crashed) return;
    crashed = true;
    // The names are staged by then: they are lost, and the positions that follow are not.
    const names = `SELECT FROM stage.enrichments WHERE kind = 'name'`;
    while ((await engine.db.rows(names)).length === 0) await new Promise((next) => setTimeout(next, 20));
    await truncateStagingTables(engine);
  });
  expect(await collectTarget(context, { collector: 'assets', target: ME })).toMatchObject({ changed: 1 });
  expect(await named()).toEqual(before);
  expect(await kinds()).toEqual(['QUANTITY_CHANGED']);
});

test('enrichments of an earlier attempt do not complete a later attempt', async () => {
  await collectedWith(2_300);
  engine.sim.faults.duplicateRow({
    route: '/characters/{character_id}/assets',
    times: 1,
    change: (row) => ({ ...row, quantity: 3 }),
  });
  const key = runKey('assets', ME, 'w1');
  const by = createSteps(engine, key);
  const run = await driveUntil(by, 'enrich');
  let release = () => {};
  const released = new Promise<void>((go) => (release = go));
  let waits: () => void = () => {};
  const waiting = new Promise<void>((go) => (waits = go));
  const late = engineSteps(
    delayPositions(() => {
      waits();
      return released;
    }),
    key,
  ).enrich(run);
  await waiting;
  await by.enrich(run);
  expect(await by.publish(run, false)).toMatchObject({ state: 'read' });
  release();
  await late;
  engine.clock.advance(3_601_000);
  expect(await drive(by)).toMatchObject({ outcome: 'published' });
  expect(await kinds()).toEqual(['QUANTITY_CHANGED']);
});

test('names are published with the first snapshot, also for unknown types', async () => {
  engine = await testEngine({ owners: withAssets(300) });
  await logIn(engine, ANNA);
  await engine.collect('assets', ME);
  expect((await named()).length).toBeGreaterThan(0);
  await advanceOneHour(engine);
  expect(await engine.collect('assets', ME)).toMatchObject({ outcome: 'unchanged' });
});

test('hundreds of invalid ids cost few requests and no known name', async () => {
  engine = await ownerEngine(withAssets(12_000));
  await engine.collect('assets', ME);
  const before = await named();
  const bad = new Set(before.slice(0, 300).map(({ id }) => id));
  expect(before.length).toBeGreaterThan(500);
  await advanceOneHour(engine, () => engine.sim.owners.churnAssets(ANNA, 0.01));
  engine.sim.resetCounters();
  engine.sim.faults.mutateRows<AssetRow>(
    (row) => (bad.has(row.item_id) ? { ...row, item_id: row.item_id + 70_000_000_000_000 } : row),
    { route: '/characters/{character_id}/assets' },
  );
  expect(await drive(createSteps(engine, runKey('assets', ME, 'w1')))).toMatchObject({
    outcome: 'published',
  });
  const refused = engine.sim.requests().filter(({ status }) => status === 404);
  expect(refused.length).toBeGreaterThan(50);
  expect(refused.length).toBeLessThan(120); // a hundred, and the requests that had been sent by then
  const known = new Map((await named()).map(({ id, name }) => [id, name]));
  for (const { id, name } of before) if (!bad.has(id) && known.has(id)) expect(known.get(id)).toBe(name);
  expect(known.size).toBeGreaterThan((before.length - bad.size) * 0.9);
});

test('a batch that ESI rejects within a 500 is halved', async () => {
  engine = await ownerEngine(withAssets(900));
  const route = '/characters/{character_id}/assets/names';
  engine.sim.faults.status(500, {
    route,
    times: 1,
    body: { error: 'Undefined 404 response. Original message: Invalid IDs in the request' },
  });
  expect(await engine.collect('assets', ME)).toMatchObject({ outcome: 'published' });
  const statuses = engine.sim
    .requests()
    .flatMap((request) => (request.route === route ? request.status : []));
  expect(statuses).toEqual([500, 200, 200]);
  expect((await named()).length).toBeGreaterThan(0);
});

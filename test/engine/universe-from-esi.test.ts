import { afterEach, expect, test } from '@jest/globals';
import { collectTarget } from '../../src/engine/run/collect-target.ts';
import { engineSteps } from '../../src/engine/run/engine-steps.ts';

import { type TestEngine, testEngine } from '../support/test-engine.ts';
import { lastRun } from '../support/order-book.ts';
import { readStaticTables } from '../support/static-tables.ts';

/** The universe without the static data export: UNIVERSE_SOURCE=esi. */
let engine: TestEngine;
afterEach(async () => {
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
});

const start = async (...args: Parameters<typeof testEngine>) => (engine = await testEngine(...args));
const collect = () => engine.collect('universe');
const world = () => engine.sim.world;

test('the import from ESI fills the same tables as the static data export', async () => {
  await start();
  await collect();
  const tables = () => readStaticTables(engine, ['description', 'capacity']); // the export leaves out '' and 0
  const fromExport = await tables();
  await engine.close();
  await start({ settings: { universeSource: 'esi' } });
  // Schematics have no list: the known ones are requested.
  await engine.db.pool.query(
    `INSERT INTO schematics (schematic_id, name) SELECT s, 'old' FROM generate_series(65, 69) s`,
  );
  expect(await collect()).toMatchObject({ outcome: 'published' });
  expect(await tables()).toEqual(fromExport);
  const requests = engine.sim.requests().length;
  expect(await lastRun(engine, 'universe')).toMatchObject({ outcome: 'published', requests });
  engine.sim.resetCounters();
  expect(await collect()).toMatchObject({ outcome: 'unchanged' }); // nothing is requested before Expires
  expect(engine.sim.requests()).toEqual([]);
  expect(await engine.db.rows(`SELECT FROM pg_class WHERE relname ~ '^r\\d+_'`)).toEqual([]);
});

test('an aborted import from ESI resumes and requests nothing twice', async () => {
  await start({ settings: { universeSource: 'esi' } });
  const key = { collector: 'universe', target: '', workflowId: 'universe', workflowRunId: 'w1' };
  const stop = new AbortController();
  let details = 0;
  const heartbeat = (detail: unknown) => {
    if ((detail as { done?: number } | undefined)?.done !== undefined && ++details === 3)
      stop.abort(new Error('killed'));
  };
  await expect(engineSteps(engine.context, key, { signal: stop.signal, heartbeat }).begin()).rejects.toThrow(
    'killed',
  );
  expect(await engine.db.rows('SELECT FROM types')).toEqual([]);
  const requested = engine.sim.requests().filter((r) => /\/\d+$/.test(r.path)).length;
  expect(requested).toBe(150);
  engine.sim.resetCounters();
  expect(await engineSteps(engine.restart(), key).begin()).toMatchObject({
    summary: { outcome: 'published' },
  });
  expect(await engine.db.rows('SELECT count(*) AS n FROM types')).toEqual([{ n: world().types.size }]);
  const paths = engine.sim.requests().filter((r) => /\/\d+$/.test(r.path));
  const total = [
    'types',
    'groups',
    'categories',
    'marketGroups',
    'regions',
    'constellations',
    'systems',
    'stations',
  ]
    .map((kind) => world().universe[kind as 'types'].size)
    .reduce((sum, n) => sum + n);
  expect(paths.length).toBe(total - 150);
});

test('ids that ESI fails to answer become placeholders', async () => {
  await start({ settings: { universeSource: 'esi' } });
  const last = [...world().types.keys()].toSorted((a, b) => b - a)[0]!; // types come last
  for (const id of world().types.keys()) if (id !== last) world().forget('types', id);
  engine.sim.faults.status(500, { route: `/universe/types/${last}`, headers: false });
  const before = [...world().stations.keys(), ...world().systems.keys()].length;
  expect(before).toBeGreaterThan(50); // so types have a batch of their own
  expect(await collect()).toMatchObject({ outcome: 'published' });
  expect(await engine.db.rows('SELECT type_id, is_placeholder FROM types')).toEqual([
    { type_id: last, is_placeholder: true },
  ]);
});

test('an import from ESI that fails leaves no rows and no staging tables', async () => {
  await start({ settings: { universeSource: 'esi' } });
  const target = { collector: 'universe', target: '' };
  const heartbeat = (detail: unknown) => {
    if ((detail as { done?: number } | undefined)?.done === 100) engine.sim.faults.down('503');
  };
  await expect(collectTarget(engine.context, target, { heartbeat })).rejects.toMatchObject({
    verdict: expect.stringMatching(/retry|wait/),
  });
  expect(await engine.db.rows('SELECT FROM categories')).toEqual([]);
  engine.sim.faults.clear();
  engine.clock.advance(86_400_000);
  const context = engine.restart(); // with a closed circuit breaker
  expect(await collectTarget(context, target)).toMatchObject({
    outcome: 'published',
  });
  expect(await engine.db.rows(`SELECT FROM pg_class WHERE relname ~ '^r\\d+_'`)).toEqual([]);
});

import { afterEach, expect, test } from '@jest/globals';
import { addUnknownFieldMetrics } from '../../src/app/unknown-field-metrics.ts';
import { listUnknownFields } from '../../src/engine/run/unknown-fields.ts';
import { readUnknownFields } from '../../src/store/sets/unknown-field-store.ts';
import {
  ANNA,
  advanceOneHour,
  characterTarget,
  CORPORATION,
  corporationTarget,
  ownerEngine,
} from '../support/owner-engine.ts';
import { FORGE } from '../support/order-book.ts';
import type { TestEngine } from '../support/test-engine.ts';

let engine: TestEngine;
afterEach(() => engine.close());

const DIVISIONS = '/corporations/{corporation_id}/divisions';
const JOURNAL = '/characters/{character_id}/wallet/journal';
const wallets = async () => {
  await engine.collect('wallet', characterTarget(ANNA));
  await engine.collect('wallet', corporationTarget(CORPORATION));
};

test('fields that no collector knows are left out, logged once, and listed by doctor and metrics', async () => {
  engine = await ownerEngine();
  const warnings: unknown[] = [];
  Object.assign(engine.context, {
    log: { ...engine.context.log, warn: (...args: unknown[]) => warnings.push(args) },
  });
  engine.sim.faults.mutateRows<object>((row) => ({ ...row, mood: 'good' }), { route: JOURNAL });
  engine.sim.faults.mutateRows<object>((row) => ({ ...row, projects: [{ division: 1, name: 'x' }] }), {
    route: DIVISIONS,
  });
  await wallets();
  await advanceOneHour(engine);
  await wallets();
  expect(await engine.db.rows('SELECT FROM rejected_rows')).toEqual([]);
  expect(await engine.db.rows('SELECT FROM corporation_divisions')).not.toEqual([]);
  expect(await engine.db.rows(`SELECT FROM corporation_divisions WHERE kind = 'projects'`)).toEqual([]);
  expect(warnings).toEqual([
    [{ route: JOURNAL, fields: ['mood'] }, expect.any(String)],
    [{ route: DIVISIONS, fields: ['projects'] }, expect.any(String)],
  ]);
  const found = [
    { route: JOURNAL, field: 'mood' },
    { route: DIVISIONS, field: 'projects' },
  ];
  expect(await listUnknownFields(engine)).toEqual(expect.arrayContaining(found));
  const { registry } = engine.context.metrics;
  addUnknownFieldMetrics(registry, engine.db);
  expect(await registry.metrics()).toContain(`esi_unknown_fields{route="${JOURNAL}",field="mood"} 1`);
  await engine.db.rows('INSERT INTO unknown_fields VALUES ($1, $2, now())', [JOURNAL, 'reason']);
  expect(await listUnknownFields(engine)).toHaveLength(2); // a later version that collects a field names it no more
});

test('every field of the known answers is known', async () => {
  engine = await ownerEngine();
  await wallets();
  for (const collector of ['assets', 'orders', 'industry'])
    for (const target of [characterTarget(ANNA), corporationTarget(CORPORATION)])
      await engine.collect(collector, target);
  await engine.collect('market-orders', FORGE);
  for (const collector of ['market-prices', 'industry-indices', 'industry-facilities'])
    await engine.collect(collector);
  expect(await readUnknownFields(engine.db.pool)).toEqual([]);
});

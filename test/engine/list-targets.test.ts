import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { findCollector } from '../../src/collectors/index.ts';
import { checkRegions, checkTarget, listTargets } from '../../src/engine/list-targets.ts';
import { lastRun } from '../support/order-book.ts';
import { type TestEngine, testEngine } from '../support/test-engine.ts';

let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine({ settings: { marketRegions: 'all' } });
});
afterEach(() => engine.close());

const targets = (collector: string) => listTargets(engine.context, findCollector(collector));

test('all regions are those of the universe, and wait for its import', async () => {
  await expect(targets('market-orders')).rejects.toMatchObject({ code: 'NO_UNIVERSE', verdict: 'wait' });
  await engine.collect('universe');
  const regions = [...engine.sim.world.universe.regions.keys()].toSorted((a, b) => a - b);
  expect(await targets('market-orders')).toEqual(regions.map((id) => `region/${id}`));
  expect(await targets('market-prices')).toEqual(['']);
});

test('a collector without targets takes none, and others take their own kind', () => {
  expect(() => checkTarget(findCollector('market-prices'), 'region/1')).toThrow('takes no target');
  expect(() => checkTarget(findCollector('market-prices'), '')).not.toThrow();
  expect(() => checkTarget(findCollector('market-orders'), 'region/1')).not.toThrow();
  expect(() => checkTarget(findCollector('market-orders'), 'character/1')).toThrow('Invalid target');
});

test('a region that does not exist is refused with the nearest ones, and not requested', async () => {
  const refusal = {
    code: 'UNKNOWN_REGION',
    message: expect.stringMatching(
      /^Region 10000049 does not exist\. The nearest are 10000042 \(Metropolis\), 10000043 \(Domain\), /,
    ) as unknown,
  };
  await expect(checkRegions(engine.context, [10000049])).resolves.toBeUndefined(); // before the import
  await engine.collect('universe');
  engine.sim.resetCounters();
  await expect(checkRegions(engine.context, [10000002, 10000049])).rejects.toMatchObject(refusal);
  await expect(checkRegions(engine.context, [10000002, 19000001])).resolves.toBeUndefined();
  await expect(checkRegions(engine.context, 'all')).resolves.toBeUndefined();
  for (const collector of ['market-orders', 'market-history']) {
    await expect(engine.collect(collector, 'region/10000049')).rejects.toMatchObject(refusal);
    expect(await lastRun(engine, collector)).toMatchObject({
      collector,
      outcome: 'failed',
      error: refusal.message,
    });
  }
  expect(engine.sim.requests()).toEqual([]);
});

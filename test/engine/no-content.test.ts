import { afterEach, expect, test } from '@jest/globals';
import { ANNA, advanceOneHour, characterTarget, countRows, ownerEngine } from '../support/owner-engine.ts';
import { FORGE, orderEngine, readBook } from '../support/order-book.ts';
import type { TestEngine } from '../support/test-engine.ts';

let engine: TestEngine;
afterEach(() => engine.close());

const ME = characterTarget(ANNA);

test('a list that is answered 204 is empty', async () => {
  engine = await ownerEngine();
  engine.sim.faults.status(204, { route: '/characters/{character_id}/orders', times: 1 });
  engine.sim.faults.status(204, { route: '/characters/{character_id}/industry/jobs', times: 1 });
  engine.sim.resetCounters();
  for (const collector of ['orders', 'industry'])
    expect(await engine.collect(collector, ME)).toMatchObject({
      outcome: expect.stringMatching(/published|unchanged/),
    });
  expect(engine.sim.requests().filter(({ status }) => status === 204)).toHaveLength(2);
  expect(await countRows(engine, 'industry_jobs')).toBe(0);
  await advanceOneHour(engine);
  await engine.collect('industry', ME);
  expect(await countRows(engine, 'industry_jobs')).toBeGreaterThan(0);
});

test('a book that is answered 204 does not lose its orders at once', async () => {
  engine = await orderEngine();
  await engine.collect('market-orders', FORGE);
  const before = await readBook(engine);
  expect(before.length).toBeGreaterThan(0);
  engine.nextSnapshot();
  engine.sim.faults.status(204, { times: 1 });
  expect(await engine.collect('market-orders', FORGE)).toMatchObject({ outcome: 'refused' });
  expect(await readBook(engine)).toEqual(before);
});

test('a balance that is answered 204 is not readable', async () => {
  engine = await ownerEngine();
  engine.sim.faults.status(204, { route: '/characters/{character_id}/wallet', times: 1 });
  await expect(engine.collect('wallet', ME)).rejects.toThrow(/with nothing instead of a number/);
});

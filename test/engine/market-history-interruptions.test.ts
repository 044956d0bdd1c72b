import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { collectTarget } from '../../src/engine/run/collect-target.ts';
import type { TestEngine } from '../support/test-engine.ts';
import {
  closeMarketHistoryEngine,
  collectHistory,
  expectExactHistory,
  HISTORY_ROUTE,
  marketHistoryEngine,
  METROPOLIS,
  requestedTypes,
  sorted,
  tradableTypes,
  typeListRequests,
} from '../support/market-history.ts';
import { lastRun } from '../support/order-book.ts';

const KEY = { collector: 'market-history', target: METROPOLIS };

let engine: TestEngine;
beforeEach(async () => {
  engine = await marketHistoryEngine();
});
afterEach(() => closeMarketHistoryEngine(engine));

const collect = () => collectHistory(engine);
const tradable = () => tradableTypes(engine);
const requested = () => requestedTypes(engine);

test('a killed run of the market history has published what it stored, and resumes', async () => {
  const stop = new AbortController();
  const heartbeat = (detail?: unknown) => {
    if (((detail as { done?: number } | undefined)?.done ?? 0) > 0) stop.abort(new Error('killed'));
  };
  await expect(collectTarget(engine.context, KEY, { signal: stop.signal, heartbeat })).rejects.toThrow(
    'killed',
  );
  const first = requested();
  expect(first.length).toBeGreaterThan(0);
  expect(first.length).toBeLessThan(tradable().length);
  const stored = await engine.db.rows('SELECT DISTINCT type_id FROM market_history');
  expect(stored.length).toBeGreaterThan(first.length / 2);
  expect(await collectTarget(engine.restart({ downtime: false }), KEY)).toMatchObject({
    outcome: 'published',
  });
  expect(sorted(requested())).toEqual(sorted(tradable())); // each type once
  expect(typeListRequests(engine)).toHaveLength(1);
  await expectExactHistory(engine);
});

test('a process that is killed before the last answer of a batch keeps the others', async () => {
  const [slow] = sorted(tradable());
  engine.sim.faults.hang({ route: `type_id=${slow}`, times: 1 });
  const killed = new AbortController();
  const running = collectTarget(engine.context, KEY, { signal: killed.signal });
  const stored = async () =>
    (await engine.db.rows('SELECT FROM market_history_types WHERE asked_day IS NOT NULL')).length;
  while ((await stored()) < 19) await new Promise((resolve) => setTimeout(resolve, 10));
  killed.abort(new Error('killed'));
  await expect(running).rejects.toThrow('killed');
  expect(await collectTarget(engine.restart({ downtime: false }), KEY)).toMatchObject({
    outcome: 'published',
  });
  expect(requested().filter((id) => id === slow)).toHaveLength(2);
  expect(requested()).toHaveLength(tradable().length + 1);
  await expectExactHistory(engine);
});

test('a run of the market history ends with the day, and the next one begins with the types left over', async () => {
  engine.clock.advance(Date.parse('2026-11-21T11:04:50Z') - engine.clock.now());
  expect(await collect()).toMatchObject({ outcome: 'published' });
  expect(requested().length).toBeLessThan(tradable().length);
  const left = tradable().filter((id) => !requested().includes(id));
  const early = await engine.db.rows(
    `SELECT type_id FROM market_history_types WHERE asked_day = '2026-11-21' ORDER BY 1`,
  ); // the day began after they had been requested
  expect(await lastRun(engine, 'market-history')).toMatchObject({
    outcome: 'published',
    error: expect.stringMatching(
      /^The day ended before \d+ of \d+ types were requested\. The next run begins/,
    ),
  });
  engine.sim.resetCounters();
  engine.clock.advance(600_000);
  await collect();
  expect(new Set(requested().slice(0, left.length))).toEqual(new Set(left));
  const both = [...requested(), ...early.map(({ type_id }) => type_id as number)];
  expect(sorted(both)).toEqual(sorted(tradable())); // each type once
  await expectExactHistory(engine);
});

test('a 429 of the game server keeps what was read, and the run resumes a minute later', async () => {
  engine.sim.faults.status(429, { route: HISTORY_ROUTE, headers: false, times: 1 });
  await expect(collect()).rejects.toMatchObject({ verdict: 'wait', retryAfter: expect.any(Number) });
  const first = requested();
  engine.clock.advance(61_000);
  expect(await collect()).toMatchObject({ outcome: 'published' });
  expect(requested()).toHaveLength(tradable().length + 1); // the refused type is requested again
  expect(first.length).toBeLessThanOrEqual(50);
  await expectExactHistory(engine);
});

test('after a run without answers the list of types is not requested again, and the error limit is respected', async () => {
  engine.sim.faults.down('503', { route: HISTORY_ROUTE });
  await expect(collect()).rejects.toThrow();
  engine.clock.advance(120_000);
  await expect(collect()).rejects.toThrow();
  expect(typeListRequests(engine)).toHaveLength(1);
  const errors = engine.sim.limitUsage().find(({ name }) => name === 'errors');
  expect(errors?.most).toBeLessThanOrEqual(75);
});

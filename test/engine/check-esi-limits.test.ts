import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { checkEsiLimits } from '../../src/engine/check-esi-limits.ts';
import type { EngineContext } from '../../src/engine/engine-context.ts';
import { silentLog } from '../../src/lib/log.ts';
import { readDrifts } from '../../src/store/esi-limits.ts';
import { type TestEngine, testEngine } from '../support/test-engine.ts';

const DESCRIPTION = '/meta/openapi.json';
const DAY = 86_400_000;

let engine: TestEngine;
let warnings: string[];
let context: EngineContext;
beforeEach(async () => {
  engine = await testEngine();
  warnings = [];
  const warn = (_: unknown, message?: string) => void warnings.push(message ?? '');
  context = { ...engine.context, log: { ...silentLog, warn } };
});
afterEach(async () => {
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
});

const check = () => checkEsiLimits(context, {});
const adopted = () =>
  engine.db.rows('SELECT route, tokens, window_seconds FROM esi_limits WHERE adopted ORDER BY route');
const industry = (tokens: number, window_seconds: number) =>
  ['/industry/facilities', '/industry/systems'].map((route) => ({ route, tokens, window_seconds }));

test('a description that equals the shipped limits changes nothing', async () => {
  expect(await check()).toEqual({ drifts: 0 });
  expect(warnings).toEqual([]);
  expect(await adopted()).toEqual([]);
  const [row] = await engine.db.rows(
    `SELECT group_name, tokens, window_seconds, cache_seconds, drift FROM esi_limits WHERE route = '/markets/{region_id}/orders'`,
  );
  expect(row).toEqual({
    group_name: 'market-order',
    tokens: 12_000,
    window_seconds: 900,
    cache_seconds: 300,
    drift: null,
  });
});

test.each([
  ['fewer tokens', { tokens: 100 }, industry(100, 900)],
  ['a longer window', { windowSeconds: 3_600 }, industry(150, 3_600)],
  ['fewer tokens in a shorter window', { tokens: 50, windowSeconds: 60 }, industry(50, 60)],
])('a limit with %s is adopted with a warning', async (_, bucket, rows) => {
  engine.sim.world.setBucket('industry', bucket);
  expect(await check()).toEqual({ drifts: 2 });
  expect(await adopted()).toEqual(rows);
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toContain('instead of industry 150/15m');
  expect(await readDrifts(engine.db)).toEqual([
    expect.objectContaining({ route: '/industry/facilities', adopted: true }),
    expect.objectContaining({ route: '/industry/systems', adopted: true }),
  ]);
});

test('a higher limit causes a warning and is not adopted', async () => {
  engine.sim.world.setBucket('industry', { tokens: 9_000 });
  expect(await check()).toEqual({ drifts: 2 });
  expect(await adopted()).toEqual([]);
  expect(warnings).toHaveLength(2);
});

test('the next day’s description replaces the adopted limits', async () => {
  engine.sim.world.setBucket('industry', { tokens: 100 });
  await check();
  engine.sim.world.setBucket('industry', { tokens: 150 });
  engine.clock.advance(DAY);
  expect(await check()).toEqual({ drifts: 0 });
  expect(await adopted()).toEqual([]);
});

test('the description is requested once a day', async () => {
  const requestCount = () => engine.sim.requests().filter(({ route }) => route === DESCRIPTION).length;
  await check();
  engine.clock.advance(21 * 3_600_000);
  expect(await check()).toBeUndefined();
  expect(requestCount()).toBe(1);
  engine.clock.advance(3 * 3_600_000);
  expect(await check()).toEqual({ drifts: 0 });
  expect(requestCount()).toBe(2);
});

test.each([
  ['"no"', '"no"'],
  ['no paths', '{"openapi": "3.1.0"}'],
  ['invalid paths', '{"paths": [1]}'],
])('a description with %s is an error, and the adopted limits stay', async (_, body) => {
  engine.sim.world.setBucket('industry', { tokens: 100 });
  await check();
  engine.clock.advance(DAY);
  engine.sim.faults.rawBody(body, { route: DESCRIPTION });
  await expect(check()).rejects.toMatchObject({
    code: 'ESI_BAD_SHAPE',
    verdict: 'fail',
    message: expect.stringContaining('The shipped limits stay in force'),
  });
  expect(await adopted()).toEqual(industry(100, 900));
});

test('an invalid limit in a description affects its own route only', async () => {
  const limit = { group: 'industry', 'max-tokens': -5, 'window-size': 'soon' };
  const paths = { '/industry/systems': { get: { 'x-rate-limit': limit } } };
  engine.sim.faults.rawBody(JSON.stringify({ paths }), { route: DESCRIPTION });
  await check();
  expect(await adopted()).toEqual([]);
  const drifts = await readDrifts(engine.db);
  expect(drifts.find(({ route }) => route === '/industry/systems')?.drift).toContain('industry');
  expect(drifts.find(({ route }) => route === '/markets/prices')?.drift).toContain('missing');
});

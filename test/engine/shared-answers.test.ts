import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { probeEsi } from '../../src/app/status.ts';
import { EsiClient } from '../../src/esi/esi-client.ts';
import { fetchIds } from '../../src/engine/fetch-ids.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createAnswerReader, deleteUnusedAnswers } from '../../src/store/esi-answers.ts';
import { type TestEngine, testEngine } from '../support/test-engine.ts';
import { testRateLimiter } from '../support/test-rate-limiter.ts';
import { TEST_USER_AGENT } from '../support/test-user-agent.ts';

const STATUS = { route: '/status', shared: true } as const;

let engine: TestEngine;
let clients: EsiClient[];
beforeEach(async () => {
  engine = await testEngine();
  clients = [];
});
afterEach(async () => {
  expect(engine.sim.offences()).toEqual([]); // one of them is to ask again before Expires
  for (const client of clients) await client.close();
  await engine.close();
});

/** The client of another process that uses the same database. */
function another(downtime = false): EsiClient {
  const { clock, sim, db } = engine;
  const client = new EsiClient({
    baseUrl: sim.url,
    userAgent: TEST_USER_AGENT,
    rateLimiter: testRateLimiter(clock),
    answers: createAnswerReader(db, clock),
    clock,
    log: silentLog,
    downtime,
  });
  clients.push(client);
  return client;
}

const sent = () => engine.sim.requests().length;

test('the start screen of a restarted process does not ask for /status before it expires', async () => {
  const first = await probeEsi({ esi: another() });
  expect(first).toMatchObject({ ok: true, detail: expect.stringContaining('players') });
  engine.clock.advance(20_000);
  expect(await probeEsi({ esi: another() })).toEqual(first);
  expect(sent()).toBe(1);
  engine.clock.advance(11_000);
  expect(await probeEsi({ esi: another() })).toMatchObject({ ok: true });
  expect(sent()).toBe(2);
});

test('an expired answer is requested with its ETag, and serves on when ESI confirms it', async () => {
  const { json } = await another().get({ route: '/universe/categories', shared: true });
  engine.clock.advance(25 * 3_600_000);
  const confirmed = await another().get({ route: '/universe/categories', shared: true });
  expect(confirmed).toMatchObject({ status: 200, json, requests: 1 });
  expect(engine.sim.requests().at(-1)).toMatchObject({ status: 304 });
  expect(await another().get({ route: '/universe/categories', shared: true })).toMatchObject({
    json,
    requests: 0,
  });
});

test('processes and callers that ask at once share one request', async () => {
  const one = another();
  const [first, second, third] = await Promise.all([one.get(STATUS), one.get(STATUS), one.get(STATUS)]);
  expect([second.json, third.json]).toEqual([first.json, first.json]);
  expect([first.requests, second.requests, third.requests]).toEqual([1, 0, 0]);
  expect(sent()).toBe(1);
});

test('a process waits for the request of another one, and goes on without it when that has died', async () => {
  const { db, clock } = engine;
  await db.pool.query(`INSERT INTO esi_answers (url, claimed_until) VALUES ('/status', $1)`, [
    new Date(clock.now() + 60_000),
  ]);
  const asked = clock.now();
  expect(await another().get(STATUS)).toMatchObject({ requests: 1 });
  expect(clock.now() - asked).toBeGreaterThanOrEqual(60_000);
});

test('a request that fails ends its claim, so that the next one is sent at once', async () => {
  engine.sim.faults.status(503, { times: 3 });
  await expect(another().get(STATUS)).rejects.toMatchObject({ verdict: 'retry' });
  const before = engine.clock.now();
  expect(await another().get(STATUS)).toMatchObject({ status: 200 });
  expect(engine.clock.now() - before).toBeLessThan(1_000);
});

test('lists of ids are shared by all processes, page by page', async () => {
  const list = { route: '/universe/types' } as const;
  const first = await fetchIds({ ...engine.context, esi: another() }, list);
  expect(first.requests).toBeGreaterThan(0);
  expect(await fetchIds({ ...engine.context, esi: another() }, list)).toEqual({ ...first, requests: 0 });
});

test('workers share what /status says at the end of the downtime', async () => {
  const { clock, sim } = engine;
  clock.advance(Date.parse('2026-11-21T11:03:00Z') - clock.now());
  const orders = { route: '/markets/prices' } as const;
  for (const client of [another(true), another(true), another(true)])
    await client.get(orders).catch(() => undefined);
  expect(sim.requests().filter(({ route }) => route === '/status')).toHaveLength(1);
  sim.resetCounters(); // the three ask for prices at once, which is not what is tested
});

test('answers that nobody asked for again are deleted', async () => {
  await another().get(STATUS);
  await deleteUnusedAnswers(engine.db, new Date(engine.clock.now() + 86_400_000));
  expect(await engine.db.rows('SELECT url FROM esi_answers')).toEqual([{ url: '/status' }]);
  await deleteUnusedAnswers(engine.db, new Date(engine.clock.now() + 3 * 86_400_000));
  expect(await engine.db.rows('SELECT url FROM esi_answers')).toEqual([]);
});

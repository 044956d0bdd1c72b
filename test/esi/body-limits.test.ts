import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from '@jest/globals';
import { BodyLimits } from '../../src/esi/body-limits.ts';
import { EsiClient, type EsiClientOptions } from '../../src/esi/esi-client.ts';
import { listen } from '../../src/http/listen.ts';
import { silentLog } from '../../src/lib/log.ts';
import { testApp } from '../http/support.ts';
import { testClock } from '../support/test-clock.ts';
import { errorOf, FORGE_ORDERS, PRICES, type TestEsi, testEsi } from '../support/test-esi.ts';
import { testRateLimiter } from '../support/test-rate-limiter.ts';
import { TEST_USER_AGENT } from '../support/test-user-agent.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function start(client: Partial<EsiClientOptions>): Promise<TestEsi> {
  const esi = await testEsi({ client });
  closers.push(() => esi.close());
  return esi;
}

/** A client of a server that answers every request with this packed body. */
async function packedEsi(packed: Buffer): Promise<EsiClient> {
  const server: Server = createServer((_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/json' }).end(packed);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const clock = testClock();
  const client = new EsiClient({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    userAgent: TEST_USER_AGENT,
    rateLimiter: testRateLimiter(clock),
    clock,
    log: silentLog,
  });
  closers.push(
    () => new Promise((resolve) => server.close(resolve)),
    () => server.closeAllConnections(),
    () => client.close(),
  );
  return client;
}

test('a body that never ends is given up as a whole, although each byte comes in time', async () => {
  const esi = await start({ bodyLimits: { time: 300 } });
  esi.sim.faults.drip(20);
  const error = await errorOf(esi.client.get(PRICES));
  expect(error).toMatchObject({ verdict: 'retry', requests: 3 });
  expect(error.message).toContain('it was not complete after 0.3 s');
});

test('slow bodies leave connections to others', async () => {
  const esi = await start({ connections: 4, bodyLimits: { slowAfter: 100, slowAtOnce: 2 } });
  esi.sim.faults.drip(20, { route: '/markets/prices' });
  let ended = 0;
  const stop = new AbortController();
  const slow = Array.from({ length: 4 }, () =>
    esi.client.get({ ...PRICES, signal: stop.signal }).catch(() => void ended++),
  );
  // All four connections are taken by now; two of the slow bodies are given up.
  expect(await esi.client.get(FORGE_ORDERS)).toMatchObject({ status: 200 });
  expect(ended).toBeLessThanOrEqual(2);
  stop.abort(new Error('enough'));
  await Promise.all(slow);
});

test('a body over the bound of all bodies is refused', async () => {
  const esi = await start({ bodyLimits: { total: 200_000 } });
  esi.sim.faults.oversize(2_000_000);
  const error = await errorOf(esi.client.get(PRICES));
  expect(error).toMatchObject({ code: 'ESI_BAD_BODY', verdict: 'retry', requests: 3 });
  expect(error.message).toContain('all answers together');
  esi.sim.faults.clear();
  expect(await esi.client.get(PRICES)).toMatchObject({ status: 200 }); // nothing is held any more
});

test('all bodies in flight share one bound', () => {
  const limits = new BodyLimits({ total: 100, time: 60_000, slowAfter: 60_000, slowAtOnce: 1 });
  const [first, second] = [limits.open(() => undefined), limits.open(() => undefined)];
  first.add(60);
  expect(() => second.add(50)).toThrow(/all answers together/);
  second.release();
  first.add(40);
  const third = limits.open(() => undefined);
  expect(() => third.add(1)).toThrow(/all answers together/);
  first.release();
  third.release();
  const fourth = limits.open(() => undefined);
  fourth.add(100);
  fourth.release();
});

test('a body that unpacks to more than is accepted is refused while it is unpacked', async () => {
  const client = await packedEsi(gzipSync(Buffer.alloc(300 * 2 ** 20, ' '), { level: 1 }));
  const before = process.memoryUsage().rss;
  const error = await errorOf(client.get(PRICES));
  expect(error).toMatchObject({ code: 'ESI_BAD_BODY', verdict: 'retry' });
  expect(error.message).toContain('larger than 8 MB');
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20);
});

/** Longer than a body whose values are counted. */
const LONG = ',[{"'.repeat(100_000);
const fields = (count: number) => Array.from({ length: count }, (_, n) => `"k${n}":1`).join(',');
const levels = (count: number) => '['.repeat(count) + ']'.repeat(count);

test.each([
  ['an object of 5,000 fields', `[{${fields(5_000)}},{${fields(5_000)}}`],
  ['100 levels', `[${levels(99)},${levels(99)}`],
  ['a long list in an object', `[{"list":[${'1,'.repeat(200_000)}1],"b":1}`],
  ['a text of brackets and commas', '["a"'],
])('a large body with %s is read', async (_, text) => {
  const client = await packedEsi(gzipSync(`${text},${JSON.stringify(LONG)}]`));
  expect(await client.get(PRICES)).toMatchObject({ status: 200 });
});

test.each([
  ['more than 5,000 fields in one object', `[{${fields(5_001)}}`],
  ['more than 5,000 fields in one object', `[{"list":[1,2],${fields(5_000)}}`],
  ['more than 100 levels', `[${levels(100)}`],
  ['more than 300,000 values', `[${'1,'.repeat(300_000)}1`],
])('a large body with %s is refused', async (what, text) => {
  const client = await packedEsi(gzipSync(`${text},${JSON.stringify(LONG)}]`));
  expect((await errorOf(client.get(PRICES))).message).toContain(what);
});

/** Bodies read at once. */
const BODIES = 12;

/** The hardest bodies to parse of those that are accepted, and one that is not. */
const LARGE: Record<string, string> = {
  'one object of many keys': `{${Array.from({ length: 290_000 }, (_, n) => `"k${n}":1`).join(',')}}`,
  'millions of empty objects': `[${'{},'.repeat(2_700_000)}{}]`,
  'text that is no JSON': `["${String.raw`\"`.repeat(3_500_000)}`,
  'large numbers': `[${'9001300000000000123,'.repeat(290_000)}1]`,
};

test.each(Object.entries(LARGE))(
  '/health answers while bodies of %s are read',
  async (_, text) => {
    const client = await packedEsi(gzipSync(text, { level: 1 }));
    const app = testApp();
    const server = await listen((request) => app.fetch(request), {
      host: '127.0.0.1',
      port: 0,
      setting: 'HTTP_PORT',
    });
    closers.push(() => server.close());
    const state = { isReading: true };
    const reading = Promise.allSettled(
      Array.from({ length: BODIES }, () => client.get(PRICES).then(() => undefined)),
    ).finally(() => (state.isReading = false));
    let answers = 0;
    while (state.isReading) {
      const response = await fetch(`${server.url}/health`, { headers: { connection: 'close' } });
      expect(response.status).toBe(200);
      answers++;
    }
    await reading;
    // Bodies that were parsed in one go would leave time for one or two, whatever the machine does besides.
    expect(answers).toBeGreaterThan(BODIES / 4);
  },
  60_000,
);

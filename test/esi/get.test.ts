import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from '@jest/globals';
import { COMPATIBILITY_DATE } from '../../src/esi/facts/routes.ts';
import { errorOf, FORGE_ORDERS, PRICES, type TestEsi, testEsi } from '../support/test-esi.ts';
import { eventually } from '../support/test-temporal.ts';
import { TEST_USER_AGENT } from '../support/test-user-agent.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function start(...args: Parameters<typeof testEsi>): Promise<TestEsi> {
  const esi = await testEsi(...args);
  closing.push(() => esi.close());
  return esi;
}

/** A client of a server that answers with just these headers. */
async function answering(headers: Record<string, string>, body = '[]'): Promise<TestEsi> {
  const listener: RequestListener = (_, response) => response.writeHead(200, headers).end(body);
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  closing.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return start({ client: { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } });
}

test('a client opens twenty connections at most, and closes them', async () => {
  const open = new Set<unknown>();
  let most = 0;
  const server = createServer((_, response) => setTimeout(() => response.end('[]'), 20));
  server.on('connection', (socket) => {
    open.add(socket);
    most = Math.max(most, open.size);
    socket.once('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const esi = await testEsi({ client: { baseUrl: `http://127.0.0.1:${port}` } });
  await Promise.all(Array.from({ length: 60 }, () => esi.client.get(PRICES)));
  expect(most).toBe(20);
  expect(open.size).toBe(20);
  await esi.client.close();
  await eventually('the end of the connections', async () => open.size === 0, 2_000);
  server.close();
  await esi.close();
});

test('an answer has rows, ETag, age, extent and the number of requests', async () => {
  const { client, sim } = await start();
  const { expires, lastModified, rows } = sim.world.snapshot(10000002);
  const answer = await client.get(FORGE_ORDERS);
  expect(answer).toMatchObject({ status: 200, pages: 3, requests: 1, lastModified, expires });
  expect(answer.url).toBe('/markets/10000002/orders?order_type=all');
  expect(answer.json).toEqual(rows.slice(0, 1_000));
  expect(sim.offences()).toEqual([]);
});

test('requests carry user agent, compatibility date and gzip support', async () => {
  const seen: IncomingMessage['headers'][] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers);
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('[1]'));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { client } = await start({ client: { baseUrl } });
  expect((await client.get({ ...PRICES, etag: 'W/"a"' })).json).toEqual([1]);
  expect(seen).toEqual([
    expect.objectContaining({
      'user-agent': TEST_USER_AGENT,
      'x-compatibility-date': COMPATIBILITY_DATE,
      'accept-encoding': 'gzip',
      accept: 'application/json',
      'if-none-match': 'W/"a"',
    }),
  ]);
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
});

test('a conditional request is answered 304 without a body', async () => {
  const { client, clock, sim } = await start({ churn: 0 });
  const { etag } = await client.get(FORGE_ORDERS);
  clock.advance(301_000);
  const answer = await client.get({ ...FORGE_ORDERS, etag });
  expect(answer).toMatchObject({ status: 304, json: undefined, etag, pages: 3 });
  expect(answer.expires?.getTime()).toBeGreaterThan(clock.now());
  expect(sim.offences()).toEqual([]);
});

test('Expires is read relative to Date, so that a wrong local clock causes no early request', async () => {
  const { client, clock, sim } = await start();
  const left = sim.world.snapshot(10000002).expires.getTime() - clock.now();
  for (const skew of [600_000, -600_000]) {
    sim.faults.clear();
    sim.faults.clockSkew(skew);
    expect((await client.get({ ...FORGE_ORDERS })).expires?.getTime()).toBe(clock.now() + left);
  }
});

test('implausible headers are ignored', async () => {
  const date = 'Fri, 20 Nov 2026 14:00:00 GMT';
  const never = await answering({ date, expires: 'Fri, 20 Nov 2099 14:00:00 GMT', 'last-modified': date });
  expect((await never.client.get(PRICES)).expires?.toISOString()).toBe('2026-11-21T14:00:00.000Z');
  const future = await answering({ date, 'last-modified': 'Fri, 20 Nov 2099 14:00:00 GMT', 'x-pages': '0' });
  expect(await future.client.get(PRICES)).toMatchObject({ lastModified: undefined, pages: 1 });
  const nonsense = await answering({ date, expires: '0', 'last-modified': 'yesterday', 'x-pages': 'many' });
  expect(await nonsense.client.get(PRICES)).toMatchObject({ lastModified: undefined, pages: undefined });
  const endless = await answering({ date, 'x-pages': '999999999' });
  expect(await errorOf(endless.client.get(PRICES))).toMatchObject({
    verdict: 'retry',
    code: 'ESI_BAD_SHAPE',
    requests: 3,
  });
});

test('NaN becomes null, and the same letters in a text stay', async () => {
  const { client, sim } = await start();
  sim.faults.rawBody('[{"price": NaN, "n": -Infinity, "range": "a: NaN, b"}, [NaN,Infinity]]');
  expect((await client.get(PRICES)).json).toEqual([
    { price: null, n: null, range: 'a: NaN, b' },
    [null, null],
  ]);
});

test('health() describes the last answers and sends nothing', async () => {
  const { client, clock, sim } = await start();
  expect(client.health()).toEqual({ status: 'unknown', detail: 'no request yet' });
  expect(sim.requests()).toEqual([]);
  sim.faults.down('503');
  await errorOf(client.get(PRICES));
  expect(client.health()).toMatchObject({ status: 'down', detail: expect.stringContaining('503') });
  sim.faults.clear();
  clock.advance(1_000);
  await client.get(PRICES);
  expect(client.health()).toEqual({ status: 'ok', detail: 'responding' });
  sim.faults.html();
  clock.advance(3_600_000);
  await errorOf(client.get(PRICES));
  expect(client.health()).toMatchObject({ status: 'degraded', detail: expect.stringContaining('web page') });
  sim.faults.clear();
  sim.faults.status(404);
  clock.advance(60_000);
  await errorOf(client.get({ route: '/universe/types/{type_id}', params: { type_id: 34 } }));
  expect(client.health().status).toBe('ok'); // refusing is answering
});

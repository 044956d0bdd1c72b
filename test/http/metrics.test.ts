import { request as httpRequest } from 'node:http';
import { afterEach, expect, test } from '@jest/globals';
import { metricsAccess } from '../../src/app/serve-metrics.ts';
import { readConfig } from '../../src/app/settings.ts';
import { type Listening, listen } from '../../src/http/listen.ts';
import { createMetricsApp } from '../../src/http/metrics-server.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { testClock } from '../support/test-clock.ts';

const API_TOKEN = 'the-token-of-the-api';
const METRICS_TOKEN = 'the-token-of-metrics';

let server: Listening | undefined;
afterEach(() => server?.close());

/** Serves metrics on a loopback port with the access rules of the settings, and asks for them. */
async function metricsServer(settings: Record<string, string>) {
  const access = metricsAccess(readConfig({ ESI_USER_AGENT: 'me@example.com', ...settings }));
  const { registry } = createMetrics();
  const count = { reads: 0 };
  const read = () => {
    count.reads++;
    return registry.metrics();
  };
  const clock = testClock();
  const { contentType } = registry;
  const app = createMetricsApp({ access, read, contentType, clock, log: silentLog });
  server = await listen(app.fetch, { host: '127.0.0.1', port: 0, setting: 'METRICS_PORT' });
  const { port } = new URL(server.url);
  const get = (headers: Record<string, string> = {}, path = '/metrics') =>
    new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; text: string }>(
      (resolve, reject) => {
        const sent = httpRequest({ host: '127.0.0.1', port, path, headers }, (response) => {
          let text = '';
          response.on('data', (chunk) => (text += String(chunk)));
          response.on('end', () =>
            resolve({ status: response.statusCode!, headers: response.headers, text }),
          );
        });
        sent.on('error', reject);
        sent.end();
      },
    );
  const statusFor = async (token: string) => (await get({ authorization: `Bearer ${token}` })).status;
  return { get, statusFor, count, clock };
}

test('metrics on loopback are served to this machine under its own names only', async () => {
  const { get } = await metricsServer({ API_TOKEN });
  const answer = await get();
  expect(answer).toMatchObject({
    status: 200,
    text: expect.stringContaining('process_cpu_seconds_total') as unknown,
  });
  expect(answer.headers).toMatchObject({
    'content-type': expect.stringMatching(/^text\/plain; version=0\.0\.4/) as unknown,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
  for (const host of ['localhost:9090', '127.0.0.1', '[::1]:9090'])
    expect((await get({ host })).status).toBe(200);
  for (const host of ['evil.example.com', '10.0.0.1:9090', 'localhost.evil.com'])
    expect(await get({ host })).toMatchObject({
      status: 421,
      text: expect.stringContaining('METRICS_HOST') as unknown,
    });
  expect((await get({ origin: 'https://evil.example.com' })).status).toBe(403);
  expect((await get({}, '/')).status).toBe(404);
});

test('metrics for other machines need API_TOKEN or METRICS_TOKEN', async () => {
  const { get, statusFor } = await metricsServer({ METRICS_HOST: '0.0.0.0', API_TOKEN, METRICS_TOKEN });
  for (const path of ['/metrics', '/']) {
    const answer = await get({ host: 'collector.lan:9090' }, path);
    expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, 'Bearer realm=""']);
  }
  expect(await statusFor(METRICS_TOKEN)).toBe(200);
  expect(await statusFor(API_TOKEN)).toBe(200);
  expect(await statusFor('another-token-altogether')).toBe(401);
  const basic = `Basic ${Buffer.from(`me:${METRICS_TOKEN}`).toString('base64')}`;
  expect((await get({ authorization: basic })).status).toBe(401);
  const headers = { host: 'collector.lan:9090', authorization: `Bearer ${METRICS_TOKEN}` };
  expect((await get(headers)).status).toBe(200);
});

test('METRICS_TOKEN is required on loopback too where it is set, and wrong ones are limited', async () => {
  const { get, statusFor } = await metricsServer({ METRICS_TOKEN });
  expect((await get()).status).toBe(401);
  expect(await statusFor(METRICS_TOKEN)).toBe(200);
  for (let n = 0; n < 20; n++) expect(await statusFor(`wrong-token-number-${n}`)).toBe(401);
  expect(await statusFor(METRICS_TOKEN)).toBe(429);
});

test('metrics are read once a second at most', async () => {
  const { get, count, clock } = await metricsServer({});
  await Promise.all(Array.from({ length: 100 }, () => get()));
  expect(count.reads).toBe(1);
  clock.advance(1_000);
  await get();
  expect(count.reads).toBe(2);
});

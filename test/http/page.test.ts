import { afterEach, expect, test } from '@jest/globals';
import { checkHealth, type Health } from '../../src/http/health.ts';
import { ago } from '../../src/http/page.ts';
import { createApp, type Listening, listen } from '../../src/http/server.ts';
import type { TargetStatus } from '../../src/store/status.ts';

const ok = { status: 'ok', detail: 'answers' } as const;
const HEALTHY: Health = { status: 'ok', checks: { database: ok, temporal: ok, esi: ok, progress: ok } };

const FORGE: TargetStatus = {
  collector: 'market-orders',
  target: 'region/10000002',
  state: 'failing',
  detail: 'ESI said <script>alert(1)</script>',
  running: false,
  readAt: null,
  lastModified: null,
  expires: null,
  rows: 418_148,
  lastOutcome: 'failed',
  lastFinished: null,
  lastError: null,
};

const app = (health: Health, paused: string | null = null, token?: string) =>
  createApp({
    health: async () => health,
    status: async () => ({ targets: [FORGE], paused }),
    temporalUi: 'http://127.0.0.1:8233',
    token,
  });

test('/health is 200 while degraded and 503 when down, with the checks either way', async () => {
  for (const [status, code] of [
    ['ok', 200],
    ['degraded', 200],
    ['down', 503],
  ] as const) {
    const answer = await app({ ...HEALTHY, status }).request('/health');
    expect(answer.status).toBe(code);
    expect(await answer.json()).toEqual({ ...HEALTHY, status });
  }
});

test('the product is down without its database or Temporal, else degraded when anything is wrong', async () => {
  const probes = {
    database: async () => ok,
    temporal: async () => ok,
    esi: async () => ok,
    progress: async () => ok,
  };
  const fails = async () => {
    throw new Error('no connection');
  };
  expect(await checkHealth(probes)).toEqual(HEALTHY);
  expect(await checkHealth({ ...probes, esi: fails })).toMatchObject({
    status: 'degraded',
    checks: { esi: { status: 'down', detail: 'no connection' } },
  });
  expect((await checkHealth({ ...probes, database: fails })).status).toBe('down');
  expect((await checkHealth({ ...probes, temporal: fails })).status).toBe('down');
});

test('the page shows every target and what is wrong, and nothing that it shows is taken for a tag', async () => {
  const answer = await app(HEALTHY, 'maintenance & <b>rest</b>').request('/');
  const text = await answer.text();
  expect(answer.headers.get('content-type')).toMatch(/^text\/html/);
  for (const part of ['market-orders', 'region/10000002', '418,148', 'never', 'http://127.0.0.1:8233'])
    expect(text).toContain(part);
  expect(text).toContain('&lt;script&gt;');
  expect(text).toContain('maintenance &amp; &lt;b&gt;rest');
  expect(text).not.toContain('<script>');
});

test('an unknown address gives a problem in JSON', async () => {
  const answer = await app(HEALTHY).request('/nothing');
  expect([answer.status, ((await answer.json()) as { title: string }).title]).toEqual([404, 'Not found']);
});

test.each([
  [null, 'never'],
  ['2026-11-20T13:59:59Z', '1 s ago'],
  ['2026-11-20T14:00:30Z', '0 s ago'],
  ['2026-11-20T13:50:00Z', '10 min ago'],
  ['2026-11-20T09:00:00Z', '5 h ago'],
  ['2026-11-10T14:00:00Z', '10 days ago'],
])('a person reads %s as %s', (moment, text) => {
  expect(ago(moment, new Date('2026-11-20T14:00:00Z'))).toBe(text);
});

let first: Listening | undefined;
afterEach(() => first?.close());

test('a taken port is refused with the setting to change', async () => {
  const answer = () => new Response('here\n');
  first = await listen(answer, { host: '127.0.0.1', port: 0, setting: 'HTTP_PORT' });
  expect(await (await fetch(first.url)).text()).toBe('here\n');
  const port = Number(new URL(first.url).port);
  await expect(listen(answer, { host: '127.0.0.1', port, setting: 'METRICS_PORT' })).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    message: expect.stringMatching(new RegExp(`Port ${port} is taken.*METRICS_PORT`)) as unknown,
  });
});

test('with a token everything but /health asks for it', async () => {
  const guarded = app(HEALTHY, null, 'a-token-of-many-letters');
  const ask = async (path: string, token?: string) =>
    (
      await guarded.request(path, {
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      })
    ).status;
  expect(await ask('/health')).toBe(200);
  for (const path of ['/', '/api/status']) {
    expect(await ask(path)).toBe(401);
    expect(await ask(path, 'another-token-altogether')).toBe(401);
    expect(await ask(path, 'a-token-of-many-letters')).toBe(200);
  }
});

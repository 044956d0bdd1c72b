import { afterEach, expect, test } from '@jest/globals';
import type { AssignmentView } from '../../src/engine/owners/assignment-service.ts';
import type { TokenView } from '../../src/engine/owners/token-service.ts';
import { checkHealth, type Health } from '../../src/http/health.ts';
import { ago } from '../../src/http/html-table.ts';
import { type Listening, listen } from '../../src/http/server.ts';
import type { TargetStatus } from '../../src/store/target-status.ts';
import { HEALTHY, NOTHING, testApp } from './support.ts';

const ok = { status: 'ok', detail: 'answers' } as const;

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

const app = (health: Health, paused: string | null = null) =>
  testApp({ health: async () => health, status: async () => ({ ...NOTHING, targets: [FORGE], paused }) });

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

test('/health repeats no password of an address, whether a probe fails or tells', async () => {
  const told = 'no way to postgres://eve:hunter22@db:5432/eve';
  const fails = async () => {
    throw new Error(told);
  };
  const tells = async () => ({ status: 'degraded', detail: told }) as const;
  const health = await checkHealth({ database: fails, temporal: fails, esi: tells, progress: tells });
  for (const { detail } of Object.values(health.checks))
    expect(detail).toBe('no way to postgres://eve:[hidden]@db:5432/eve');
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
  expect([answer.status, ((await answer.json()) as { title: string }).title]).toEqual([404, 'Not Found']);
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

const PILOT: TokenView = {
  id: 1,
  characterId: 90000001,
  name: 'Some <b>Pilot</b>',
  corporationId: 98000001,
  corporation: 'Some Corporation',
  scopes: [],
  isActive: false,
  reason: 'EVE no longer accepts this login. Log the character in again.',
  expiresAt: null,
  lastRefreshedAt: null,
};
const WALLET: AssignmentView = {
  id: 1,
  target: 'corporation/98000001',
  owner: 'Some Corporation',
  collector: 'wallet',
  isEnabled: true,
  intervalMinutes: 60,
  lastCollectedAt: null,
  nextCollectionAt: null,
  note: 'nobody has the role Accountant',
};

test('the page shows owners, what is wrong with their logins, and the way to add one', async () => {
  const status = async () => ({
    ...NOTHING,
    tokens: [PILOT, { ...PILOT, characterId: 90000002, name: 'Other', isActive: true }],
    assignments: [WALLET, { ...WALLET, target: 'character/90000003', isEnabled: false, owner: 'Third' }],
  });
  const text = await (await testApp({ status }).request('/')).text();
  for (const part of [
    'Some &lt;b&gt;Pilot&lt;/b&gt;',
    'off: EVE no longer accepts this login.',
    'in use',
    'wallet: never (nobody has the role Accountant)',
    'wallet: switched off',
    'no login: add the character again',
    '<form method="post" action="/login">',
  ])
    expect(text).toContain(part);
  const without = { callbackUrl: 'http://localhost:8080/callback', isSet: false };
  const told = await (await testApp({ login: without }).request('/')).text();
  expect(told).toContain('ESI_CLIENT_ID');
  expect(told).toContain(without.callbackUrl);
  expect(told).not.toContain('<form');
});

import { afterEach, expect, test } from '@jest/globals';
import type { AssignmentView } from '../../src/engine/owners/assignment-service.ts';
import type { TokenView } from '../../src/engine/owners/token-service.ts';
import { checkHealth, type Health } from '../../src/http/health.ts';
import { type Listening, listen } from '../../src/http/listen.ts';
import type { TargetStatus } from '../../src/store/target-status.ts';
import { HEALTHY, EMPTY_STATUS, testApp } from './support.ts';

const ok = { status: 'ok', detail: 'responds' } as const;

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
  testApp({
    health: async () => health,
    status: async () => ({ ...EMPTY_STATUS, targets: [FORGE], paused }),
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

test('health is down without the database or Temporal, and degraded when another check fails', async () => {
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

test('/health hides passwords of addresses in details and errors', async () => {
  const detail = 'cannot reach postgres://eve:hunter22@db:5432/eve';
  const fails = async () => {
    throw new Error(detail);
  };
  const reports = async () => ({ status: 'degraded', detail }) as const;
  const health = await checkHealth({ database: fails, temporal: fails, esi: reports, progress: reports });
  for (const check of Object.values(health.checks))
    expect(check.detail).toBe('cannot reach postgres://eve:[hidden]@db:5432/eve');
});

test('the page tells a cause that several targets fail of once', async () => {
  const fail = (target: string, detail: string): TargetStatus => ({ ...FORGE, target, detail });
  const targets = [
    fail('region/1', 'ESI is away.'),
    fail('region/2', 'ESI is away.'),
    fail('region/3', 'Another cause.'),
    fail('region/4', 'ESI is away.'),
    { ...fail('region/5', 'not collected yet'), state: 'never' as const },
    { ...fail('region/6', 'not collected yet'), state: 'never' as const },
    { ...fail('region/7', 'Nobody is logged in.'), state: 'blocked' as const },
  ];
  const page = testApp({ status: async () => ({ ...EMPTY_STATUS, targets }) });
  const text = await (await page.request('/')).text();
  const times = (part: string) => text.split(part).length - 1;
  expect([times('ESI is away.'), times('Another cause.'), times('as above')]).toEqual([1, 1, 2]);
  expect([times('not collected yet'), times('see below'), times('Nobody is logged in.')]).toEqual([2, 1, 0]);
});

test('the page shows every target and what is wrong, and escapes all text', async () => {
  const answer = await app(HEALTHY, 'maintenance & <b>rest</b>').request('/');
  const text = await answer.text();
  expect(answer.headers.get('content-type')).toMatch(/^text\/html/);
  for (const part of ['market-orders', 'region/10000002', '418,148', 'never', 'http://127.0.0.1:8233'])
    expect(text).toContain(part);
  expect(text).toContain('&lt;script&gt;');
  expect(text).toContain('maintenance &amp; &lt;b&gt;rest');
  expect(text).not.toContain('<script>');
});

test('an unknown path gives problem details', async () => {
  const answer = await app(HEALTHY).request('/nothing');
  expect([answer.status, ((await answer.json()) as { title: string }).title]).toEqual([404, 'Not Found']);
});

let first: Listening | undefined;
afterEach(() => first?.close());

test('listen on a used port fails and names the setting to change', async () => {
  const answer = () => new Response('here\n');
  first = await listen(answer, { host: '127.0.0.1', port: 0, setting: 'HTTP_PORT' });
  expect(await (await fetch(first.url)).text()).toBe('here\n');
  const port = Number(new URL(first.url).port);
  await expect(listen(answer, { host: '127.0.0.1', port, setting: 'METRICS_PORT' })).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    message: expect.stringMatching(
      new RegExp(`Port ${port} is used by another program.*METRICS_PORT`),
    ) as unknown,
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

test('the page shows owners, what is wrong with their logins, and how to add one', async () => {
  const status = async () => ({
    ...EMPTY_STATUS,
    tokens: [PILOT, { ...PILOT, characterId: 90000002, name: 'Other', isActive: true }],
    assignments: [
      WALLET,
      { ...WALLET, collector: 'assets' },
      { ...WALLET, target: 'character/90000003', isEnabled: false, owner: 'Third' },
    ],
  });
  const text = await (await testApp({ status }).request('/')).text();
  for (const part of [
    'Some &lt;b&gt;Pilot&lt;/b&gt;',
    'disabled: EVE no longer accepts this login.',
    'enabled',
    'wallet: never (nobody has the role Accountant)',
    'wallet: disabled',
    'no login: add the character again',
    '<form method="post" action="/login">',
  ])
    expect(text).toContain(part);
  expect(text.split('nobody has the role Accountant')).toHaveLength(2); // one reason is shown once
  const without = { callbackUrl: 'http://localhost:8080/callback', isSet: false };
  const page = await (await testApp({ login: without }).request('/')).text();
  expect(page).toContain('ESI_CLIENT_ID');
  expect(page).toContain(without.callbackUrl);
  expect(page).not.toContain('<form');
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Config, readConfig, readEnvironment, settings } from '../../src/app/settings.ts';
import { isCron } from '../../src/lib/cron.ts';
import { AGENT, errorLines } from './rejected-settings.ts';

const read = (environment: NodeJS.ProcessEnv) => readConfig({ ...AGENT, ...environment });

describe('defaults of settings', () => {
  test('ESI_USER_AGENT is the only required setting', () => {
    expect(read({})).toMatchObject({
      ...AGENT,
      DATABASE_MAX_CONNECTIONS: 25,
      DATABASE_MIN_CONNECTIONS: 5,
      TEMPORAL_NAMESPACE: 'default',
      DATA_DIR: path.resolve('data'),
      ESI_BASE_URL: 'https://esi.evetech.net',
      ESI_RATE_LIMIT: 300,
      ESI_BURST_LIMIT: 50,
      COLLECT_MARKET_ORDERS: true,
      COLLECT_KILLMAILS: false,
      MARKET_REGIONS: [10000002, 10000043, 10000032, 10000030, 10000042, 19000001],
      MARKET_ORDERS_INTERVAL: '5m',
      UNIVERSE_UPDATE_CRON: '0 2 * * 0',
      UNIVERSE_SOURCE: 'sde',
      RETENTION_MARKET_ORDER_CHANGES: '0',
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: 8080,
      METRICS_PORT: 9090,
      LOG_LEVEL: 'info',
    } satisfies Partial<Config>);
    for (const name of ['DATABASE_URL', 'TEMPORAL_ADDRESS', 'API_TOKEN', 'LOG_FORMAT'] as const)
      expect(read({})[name]).toBeUndefined();
  });

  test('an empty setting counts as not set', () => {
    expect(read({ DATABASE_URL: '', HTTP_PORT: ' ', ESI_CLIENT_SECRET: '' })).toEqual(read({}));
    expect(errorLines({ ESI_USER_AGENT: '' })).toEqual([
      expect.stringMatching(/^ESI_USER_AGENT is not set\. Use a text with a contact/),
    ]);
  });

  test('a low ESI_RATE_LIMIT lowers the default of ESI_BURST_LIMIT', () => {
    expect(read({ ESI_RATE_LIMIT: '20' })).toMatchObject({ ESI_RATE_LIMIT: 20, ESI_BURST_LIMIT: 20 });
    expect(read({ ESI_RATE_LIMIT: '600' }).ESI_BURST_LIMIT).toBe(50);
  });

  test('values are converted to numbers, lists and booleans', () => {
    const config = read({
      MARKET_REGIONS: '10000002, 10000043,10000002',
      COLLECT_KILLMAILS: 'yes',
      COLLECT_MARKET_ORDERS: '0',
      ESI_BASE_URL: 'http://127.0.0.1:4000/',
      HTTP_PORT: '0',
    });
    expect(config).toMatchObject({
      MARKET_REGIONS: [10000002, 10000043],
      COLLECT_KILLMAILS: true,
      COLLECT_MARKET_ORDERS: false,
      ESI_BASE_URL: 'http://127.0.0.1:4000',
      HTTP_PORT: 0,
    });
    expect(read({ MARKET_REGIONS: 'all' }).MARKET_REGIONS).toBe('all');
  });
});

describe('a setting that is not valid', () => {
  test.each([
    ['HTTP_PORT', '80a', /a whole number/],
    ['HTTP_PORT', '1e3', /a whole number/],
    ['METRICS_PORT', '8080', /another port than HTTP_PORT/],
    ['METRICS_PORT', '65536', /a whole number from 0 to 65535/],
    ['DATABASE_MAX_CONNECTIONS', '2', /a whole number from 5 to 500/],
    ['DATABASE_MAX_CONNECTIONS', '-7', /a whole number/],
    ['DATABASE_MIN_CONNECTIONS', '30', /no more than DATABASE_MAX_CONNECTIONS/],
    ['ESI_RATE_LIMIT', '0', /a whole number from 1 to 1000000/],
    ['ESI_RATE_LIMIT', '2.5', /a whole number/],
    ['ESI_BURST_LIMIT', '301', /no more than ESI_RATE_LIMIT/],
    ['ESI_BASE_URL', 'esi.evetech.net', /an address that begins with http:\/\/ or https:\/\//],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'grpc://host', /an address that begins with/],
    ['TEMPORAL_ADDRESS', 'http://localhost:7233', /host:port/],
    ['ESI_COMPATIBILITY_DATE', '18.8.2026', /a date such as/],
    ['COLLECT_MARKET_ORDERS', 'on', /one of true, false, yes, no, 1, 0/],
    ['MARKET_REGIONS', 'Jita', /region ids separated by commas, or "all"/],
    ['MARKET_REGIONS', '10000002,', /region ids separated by commas/],
    ['MARKET_ORDERS_INTERVAL', '5 minutes', /a duration such as 10s, 5m, 1h or 1d/],
    ['MARKET_ORDERS_INTERVAL', '9s', /at least 10s/],
    ['RETENTION_MARKET_PRICES', 'ever', /a duration such as 90d, or 0 to keep for ever/],
    ['RETENTION_MARKET_PRICES', '0d', /or 0 to keep for ever/],
    ['UNIVERSE_UPDATE_CRON', '@daily', /five cron fields/],
    ['UNIVERSE_SOURCE', 'wiki', /one of sde, esi/],
    ['LOG_LEVEL', 'loud', /one of debug, info, warn, error/],
    ['LOG_FORMAT', 'xml', /one of json, pretty/],
    ['ESI_CALLBACK_URL', 'localhost:8080/callback', /a path of its own, such as/],
    ['ESI_CALLBACK_URL', 'http://localhost:8080', /a path of its own, such as/],
    ['ESI_CALLBACK_URL', 'http://localhost:8080/api/tokens', /a path of its own, such as/],
    ['ESI_CALLBACK_URL', 'http://localhost:8080/callback?x=1', /a path of its own, such as/],
    ['ESI_CALLBACK_URL', 'http://localhost:8080/call%20back', /a path of letters, digits and any of/],
    ['ESI_CALLBACK_URL', 'http://localhost:8080/%61pi/tokens', /a path of letters, digits and any of/],
    ['ESI_CALLBACK_URL', 'http://localhost:8080/:x', /a path of letters, digits and any of/],
    ['ESI_CALLBACK_URL', 'http://localhost:8080/*', /a path of letters, digits and any of/],
    ['ESI_USER_AGENT', 'my tool 1.0', /a contact: an e-mail address, a URL/],
    ['HTTP_HOST', '0.0.0.0', /a loopback address .*, or set API_TOKEN/],
  ])('%s=%s is rejected with one line that says what to use', (name, value, accepted) => {
    const lines = errorLines({ [name]: value });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`${name}="${value}" is not valid. Use `);
    expect(lines[0]).toMatch(accepted);
    expect(lines[0]).not.toMatch(/invalid|expected|received|undefined|NaN/i);
  });

  test.each([
    ['DATABASE_URL', 'mysql://root:hunter22@host/eve', /postgres:\/\//],
    ['SSO_BASE_URL', 'https://me:hunter22@sso', /an address without user, password/],
    ['ESI_BASE_URL', 'https://hunter22@esi/', /an address without user, password/],
    ['SDE_BASE_URL', 'ftp://me:hunter22@sde', /an address that begins with/],
    ['R2Z2_BASE_URL', 'me:hunter22@r2z2', /an address that begins with/],
    ['ESI_CALLBACK_URL', 'http://me:hunter22@localhost/callback', /an address without user and password/],
    ['ESI_CALLBACK_URL', 'http://me:hunter22@localhost/', /a path of its own, such as/],
    ['TEMPORAL_ADDRESS', 'me:hunter22@temporal:7233', /host:port/],
    ['API_TOKEN', 'hunter22', /at least 16 characters/],
    ['METRICS_TOKEN', 'hunter22', /at least 16 characters/],
    ['API_TOKEN', 'hunter22 and some more', /letters, digits and any of/],
  ])('a value of %s that is or contains a secret is not shown', (name, value, accepted) => {
    const [line, ...others] = errorLines({ [name]: value });
    expect(others).toEqual([]);
    expect(line).toMatch(new RegExp(`^${name} is (not valid\\. Use|too short: use) `));
    expect(line).toMatch(accepted);
    expect(line).not.toContain('hunter22');
  });

  test('a secret without its client id is told, and not shown', () => {
    const secret = { ESI_CLIENT_SECRET: 'hunter22' };
    expect(errorLines(secret)).toEqual([
      'ESI_CLIENT_ID is not set. Use the client id that belongs to ESI_CLIENT_SECRET, or leave both out.',
    ]);
    expect(read({ ...secret, ESI_CLIENT_ID: 'abc' })).toMatchObject({ ESI_CLIENT_ID: 'abc' });
    expect(read({ ESI_CLIENT_ID: 'abc' }).ESI_CLIENT_SECRET).toBeUndefined(); // an application without a secret
  });

  test('several settings that are not valid give a line each', () => {
    expect(
      errorLines({ HTTP_PORT: 'x', LOG_LEVEL: 'loud', MARKET_REGION: '10000002', API_TOKEN: 'short' }),
    ).toEqual([
      'Unknown setting MARKET_REGION. Did you mean MARKET_REGIONS?',
      'HTTP_PORT="x" is not valid. Use a whole number from 0 to 65535.',
      'API_TOKEN is too short: use at least 16 characters.',
      'LOG_LEVEL="loud" is not valid. Use one of debug, info, warn, error.',
    ]);
  });
});

test.each(['me@example.com', 'https://example.com/me', 'tool; Discord: someone', 'tool (EVE: Some Pilot)'])(
  'ESI_USER_AGENT accepts the contact "%s"',
  (agent) => {
    expect(readConfig({ ESI_USER_AGENT: agent }).ESI_USER_AGENT).toBe(agent);
  },
);

test('ESI_CALLBACK_URL is not changed, because EVE compares it letter for letter', () => {
  for (const url of ['https://eve.example.com/~me/back-1_x.y/', 'http://localhost:8080/api/tokens/callback'])
    expect(read({ ESI_CALLBACK_URL: url }).ESI_CALLBACK_URL).toBe(url);
});

test('HTTP_HOST beyond loopback needs API_TOKEN', () => {
  for (const host of ['127.0.0.1', '127.0.0.2', '::1', 'localhost'])
    expect(read({ HTTP_HOST: host })).toBeTruthy();
  for (const host of ['0.0.0.0', '::', '192.168.1.4', '127.0.0.1.example.com'])
    errorLines({ HTTP_HOST: host });
  expect(read({ HTTP_HOST: '0.0.0.0', API_TOKEN: '0123456789abcdef' }).HTTP_HOST).toBe('0.0.0.0');
});

test('HTTP_HOST loses the brackets of an IPv6 address', () => {
  expect(read({ HTTP_HOST: '[::1]' }).HTTP_HOST).toBe('::1');
  expect(read({ HTTP_HOST: '[::]', API_TOKEN: '0123456789abcdef' }).HTTP_HOST).toBe('::');
  expect(errorLines({ HTTP_HOST: '[::]' })[0]).toMatch(
    /^HTTP_HOST="\[::\]" is not valid\. Use a loopback address/,
  );
});

test('isCron accepts what Temporal accepts', () => {
  for (const good of ['0 2 * * 0', '*/15 0-6,12 1 jan-mar mon', '30 11 * * *'])
    expect(isCron(good)).toBe(true);
  for (const bad of [
    '',
    '* * * *',
    '0 0 2 * * 0',
    '60 * * * *',
    '0 24 * * *',
    '0 0 L * *',
    'H * * * *',
    '@daily',
  ])
    expect(isCron(bad)).toBe(false);
});

describe('.env', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'eve-config-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  test('.env is overridden by the environment', async () => {
    await writeFile(path.join(dir, '.env'), 'ESI_RATE_LIMIT=100\nPATH=/nowhere\n# a comment\n');
    const environment = readEnvironment(dir);
    expect(environment['ESI_RATE_LIMIT']).toBe('100');
    expect(environment['PATH']).toBe(process.env['PATH']);
  });

  test('.env may be missing', () => {
    expect(readEnvironment(dir)).toEqual({ ...process.env });
  });

  test('an unreadable .env is an error', () => {
    expect(() => readEnvironment('\0')).toThrow(/Could not read \.env/);
  });

  test('.env.example lists every setting, and no other', async () => {
    const text = await readFile(path.join(import.meta.dirname, '..', '..', '.env.example'), 'utf8');
    const names = [...text.matchAll(/^#?\s?([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name ?? '');
    expect(names.toSorted()).toEqual(Object.keys(settings).toSorted());
  });
});

test('TOKEN_ENCRYPTION_KEY is 32 bytes in base64, and a bad one is rejected without being shown', () => {
  const contact = { ESI_USER_AGENT: 'me@example.com' };
  const key = Buffer.alloc(32, 7).toString('base64');
  expect(readConfig({ ...contact, TOKEN_ENCRYPTION_KEY: `${key},${key}` }).TOKEN_ENCRYPTION_KEY).toBe(
    `${key},${key}`,
  );
  for (const bad of ['hunter2hunter2', Buffer.alloc(16).toString('base64'), `${key},`]) {
    const read = () => readConfig({ ...contact, TOKEN_ENCRYPTION_KEY: bad });
    expect(read).toThrow(/TOKEN_ENCRYPTION_KEY .*32 bytes in base64/);
    expect(read).not.toThrow(bad);
  }
});

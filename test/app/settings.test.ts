import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Config, readConfig, readEnvironment, SETTING_NAMES } from '../../src/app/settings.ts';
import { isCron } from '../../src/lib/cron.ts';

const AGENT = { ESI_USER_AGENT: 'my-tool (me@example.com)' };
const read = (environment: NodeJS.ProcessEnv) => readConfig({ ...AGENT, ...environment });

/** The sentences that a bad environment is refused with. */
function refusal(environment: NodeJS.ProcessEnv): string[] {
  try {
    readConfig({ ...AGENT, ...environment });
  } catch (error) {
    expect(error).toMatchObject({ name: 'AppError', code: 'BAD_SETTINGS', verdict: 'fail' });
    return (error as Error).message.split('\n');
  }
  throw new Error(`accepted: ${JSON.stringify(environment)}`);
}

describe('defaults', () => {
  test('a contact is all that has to be set', () => {
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
      MARKET_REGIONS: [10000002, 10000043, 10000032, 10000030, 10000042],
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

  test('an empty value counts as not set', () => {
    expect(read({ DATABASE_URL: '', HTTP_PORT: ' ', ESI_CLIENT_SECRET: '' })).toEqual(read({}));
    expect(refusal({ ESI_USER_AGENT: '' })).toEqual([expect.stringMatching(/^ESI_USER_AGENT is not set; /)]);
  });

  test('a low rate lowers the burst that nobody set', () => {
    expect(read({ ESI_RATE_LIMIT: '20' })).toMatchObject({ ESI_RATE_LIMIT: 20, ESI_BURST_LIMIT: 20 });
    expect(read({ ESI_RATE_LIMIT: '600' }).ESI_BURST_LIMIT).toBe(50);
  });

  test('values are read as what they mean', () => {
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

describe('a bad value', () => {
  test.each([
    ['HTTP_PORT', '80a', /a whole number/],
    ['HTTP_PORT', '1e3', /a whole number/],
    ['METRICS_PORT', '65536', /65535 or less/],
    ['DATABASE_MAX_CONNECTIONS', '2', /5 or more/],
    ['DATABASE_MAX_CONNECTIONS', '-7', /a whole number/],
    ['DATABASE_MIN_CONNECTIONS', '30', /no more than DATABASE_MAX_CONNECTIONS/],
    ['ESI_RATE_LIMIT', '0', /1 or more/],
    ['ESI_RATE_LIMIT', '2.5', /a whole number/],
    ['ESI_BURST_LIMIT', '301', /no more than ESI_RATE_LIMIT/],
    ['ESI_BASE_URL', 'esi.evetech.net', /an address that begins with http:\/\/ or https:\/\//],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'grpc://host', /an address that begins with/],
    ['TEMPORAL_ADDRESS', 'http://localhost:7233', /host:port/],
    ['ESI_COMPATIBILITY_DATE', '18.8.2026', /a date such as/],
    ['COLLECT_MARKET_ORDERS', 'on', /one of true, false, yes, no, 1, 0|one of 0, 1, true/],
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
    ['HTTP_HOST', '0.0.0.0', /a loopback address .* unless API_TOKEN is set/],
  ])('%s=%s gives one sentence with what was found and what is accepted', (name, value, accepted) => {
    const sentences = refusal({ [name]: value });
    expect(sentences).toHaveLength(1);
    expect(sentences[0]).toContain(`${name} is "${value}"; accepted is `);
    expect(sentences[0]).toMatch(accepted);
    expect(sentences[0]).not.toMatch(/invalid|expected|received|undefined|NaN/i);
  });

  test.each([
    ['DATABASE_URL', 'mysql://root:hunter22@host/eve', /postgres:\/\//],
    ['SSO_BASE_URL', 'https://me:hunter22@sso', /an address without user and password/],
    ['ESI_BASE_URL', 'https://hunter22@esi/', /an address without user and password/],
    ['SDE_BASE_URL', 'ftp://me:hunter22@sde', /an address that begins with/],
    ['R2Z2_BASE_URL', 'me:hunter22@r2z2', /an address that begins with/],
    ['ESI_CALLBACK_URL', 'http://me:hunter22@localhost/callback', /an address without user and password/],
    ['ESI_CALLBACK_URL', 'http://me:hunter22@localhost/', /a path of its own, such as/],
    ['TEMPORAL_ADDRESS', 'me:hunter22@temporal:7233', /host:port/],
    ['API_TOKEN', 'hunter22', /at least 16 characters/],
    ['API_TOKEN', 'hunter22 and some more', /letters, digits and any of/],
  ])('%s is a secret, or has one in it, and is not shown', (name, value, accepted) => {
    const [sentence, ...others] = refusal({ [name]: value });
    expect(others).toEqual([]);
    expect(sentence).toMatch(new RegExp(`^${name} is set`));
    expect(sentence).toMatch(accepted);
    expect(sentence).not.toContain('hunter22');
  });

  test('several faults are told at once, a sentence each', () => {
    const sentences = refusal({ HTTP_PORT: 'x', LOG_LEVEL: 'loud', MARKET_REGION: '10000002' });
    expect(sentences.map((text) => text.split(' ')[0] ?? '').toSorted()).toEqual([
      'HTTP_PORT',
      'LOG_LEVEL',
      'MARKET_REGION',
    ]);
    for (const sentence of sentences) expect(sentence).toMatch(/[.?]$/);
  });
});

describe('unknown settings', () => {
  test('with one of our prefixes are refused, with a guess where one is near', () => {
    expect(refusal({ ESI_USERAGENT: 'x' })).toEqual([
      'ESI_USERAGENT is no setting of ours; did you mean ESI_USER_AGENT?',
    ]);
    expect(refusal({ COLLECT_MOON_DUST: 'true' })[0]).toMatch(
      /^COLLECT_MOON_DUST is no setting of ours; see /,
    );
  });

  test.each([
    ['TOKEN_ENCRYPTION_KEYS', 'TOKEN_ENCRYPTION_KEY'],
    ['TOKEN_ENCRYPTION_KY', 'TOKEN_ENCRYPTION_KEY'],
    ['API_TOKN', 'API_TOKEN'],
    ['HTTP_PRT', 'HTTP_PORT'],
    ['LOG_LEVL', 'LOG_LEVEL'],
    ['DATA_DIRR', 'DATA_DIR'],
    ['TEMPORAL_ADRESS', 'TEMPORAL_ADDRESS'],
    ['OTEL_EXPORTER_OTLP_ENDPONT', 'OTEL_EXPORTER_OTLP_ENDPOINT'],
  ])('%s is a slip for %s, and does not pass for a name of another program', (name, meant) => {
    expect(refusal({ [name]: 'x' })).toEqual([`${name} is no setting of ours; did you mean ${meant}?`]);
  });

  test("of other programs are none of our business, and an empty one of ours isn't either", () => {
    const others = [
      ...['PGHOST', 'HTTP_PROXY', 'API_KEY', 'LOG_FILE', 'LOGLEVEL', 'OTEL_SERVICE_NAME'],
      ...['TEMPORAL_CLI_ADDRESS', 'TEMPORAL_CLI_AUTH', 'TEMPORAL_ENV', 'TEMPORAL_TLS_CLIENT_KEY_DATA'],
    ];
    const environment = Object.fromEntries(others.map((name) => [name, 'x']));
    expect(read({ ...environment, ESI_FOO: '' })).toEqual(read({}));
  });
});

test.each(['me@example.com', 'https://example.com/me', 'tool; Discord: someone', 'tool (EVE: Some Pilot)'])(
  'a contact is accepted: %s',
  (agent) => {
    expect(readConfig({ ESI_USER_AGENT: agent }).ESI_USER_AGENT).toBe(agent);
  },
);

test('the callback is kept letter for letter, as EVE compares it', () => {
  for (const url of ['https://eve.example.com/~me/back-1_x.y/', 'http://localhost:8080/api/tokens/callback'])
    expect(read({ ESI_CALLBACK_URL: url }).ESI_CALLBACK_URL).toBe(url);
});

test('other machines may reach the page only with an API token', () => {
  for (const host of ['127.0.0.1', '127.0.0.2', '::1', 'localhost'])
    expect(read({ HTTP_HOST: host })).toBeTruthy();
  for (const host of ['0.0.0.0', '::', '192.168.1.4', '127.0.0.1.example.com']) refusal({ HTTP_HOST: host });
  expect(read({ HTTP_HOST: '0.0.0.0', API_TOKEN: '0123456789abcdef' }).HTTP_HOST).toBe('0.0.0.0');
});

test('a host is listened on without the brackets that addresses put it in', () => {
  expect(read({ HTTP_HOST: '[::1]' }).HTTP_HOST).toBe('::1');
  expect(read({ HTTP_HOST: '[::]', API_TOKEN: '0123456789abcdef' }).HTTP_HOST).toBe('::');
  expect(refusal({ HTTP_HOST: '[::]' })[0]).toMatch(/^HTTP_HOST is "\[::\]"; accepted is a loopback address/);
});

test('crons are what Temporal takes', () => {
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

  test('lies beneath the environment', async () => {
    await writeFile(path.join(dir, '.env'), 'ESI_RATE_LIMIT=100\nPATH=/nowhere\n# a comment\n');
    const environment = readEnvironment(dir);
    expect(environment['ESI_RATE_LIMIT']).toBe('100');
    expect(environment['PATH']).toBe(process.env['PATH']);
  });

  test('need not be there', () => {
    expect(readEnvironment(dir)).toEqual({ ...process.env });
  });

  test('that cannot be read is told', () => {
    expect(() => readEnvironment('\0')).toThrow(/\.env cannot be read/);
  });

  test('.env.example lists every setting, and no other', async () => {
    const text = await readFile(path.join(import.meta.dirname, '..', '..', '.env.example'), 'utf8');
    const names = [...text.matchAll(/^#?\s?([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name ?? '');
    expect(names.toSorted()).toEqual(SETTING_NAMES.toSorted());
  });
});

test('a token key is 32 bytes in base64, and a bad one is refused without being shown', () => {
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

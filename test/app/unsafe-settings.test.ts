import { expect, test } from '@jest/globals';
import { readConfig } from '../../src/app/settings.ts';
import { errorOf } from '../sso/support.ts';

const AGENT = { ESI_USER_AGENT: 'my-tool (me@example.com)' };
const read = (environment: NodeJS.ProcessEnv) => readConfig({ ...AGENT, ...environment });

/** The lines of the error that rejects an environment. */
const errorLines = async (environment: NodeJS.ProcessEnv) =>
  (await errorOf(() => read(environment))).message.split('\n');

test.each([
  ['ESI_USER_AGENT', 'me@example.com ☕', /one line of Latin letters/],
  ['ESI_BASE_URL', 'https://esi.evetech.net/?x=1', /without user, password, query and fragment/],
  ['SSO_BASE_URL', 'https://login.eveonline.com?', /without user, password, query and fragment/],
  ['SDE_BASE_URL', 'https://developers.eveonline.com/#', /without user, password, query and fragment/],
  ['R2Z2_BASE_URL', 'https://r2z2.zkillboard.com#x', /without user, password, query and fragment/],
  ['ESI_BASE_URL', 'https://169.254.169.254', /an address that is not link-local/],
  ['ESI_BASE_URL', 'https://0xA9FE0001/', /an address that is not link-local/],
  ['SSO_BASE_URL', 'https://[fe80::1]', /an address that is not link-local/],
  ['SDE_BASE_URL', 'https://[febf::1]:8080', /an address that is not link-local/],
  ['R2Z2_BASE_URL', 'https://[::ffff:169.254.0.1]', /an address that is not link-local/],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://169.254.0.1:4317', /an address that is not link-local/],
])('%s=%s would fail or mislead later and is rejected at the start', async (name, value, accepted) => {
  const lines = await errorLines({ [name]: value });
  expect(lines).toEqual([expect.stringContaining(`${name}="${value}" is not valid. Use `)]);
  expect(lines[0]).toMatch(accepted);
});

test('line breaks and NUL in a setting are rejected, and shown as symbols', async () => {
  expect(await errorLines({ ESI_USER_AGENT: 'me@example.com\r\nX-Evil: 1' })).toEqual([
    expect.stringMatching(
      /^ESI_USER_AGENT="me@example.com\u240D\u240AX-Evil: 1" is not valid\. Use one line/,
    ),
  ]);
  expect(await errorLines({ DATA_DIR: './data\u0000x' })).toEqual([
    'DATA_DIR="./data\u2400x" is not valid. Use a path without NUL.',
  ]);
});

test('base addresses beyond this machine need https', async () => {
  for (const name of ['ESI_BASE_URL', 'SSO_BASE_URL', 'SDE_BASE_URL', 'R2Z2_BASE_URL'] as const) {
    for (const url of [
      'https://esi.example.com/x',
      'http://localhost:1',
      'http://127.0.0.2',
      'http://[::1]:1/x',
    ])
      expect(read({ [name]: url })[name]).toBe(url);
    for (const url of ['http://esi.evetech.net', 'http://192.168.1.4:80', 'http://127.0.0.1.example.com'])
      expect(await errorLines({ [name]: url })).toEqual([
        `${name}="${url}" is not valid. Use https, because http is for this machine only.`,
      ]);
  }
});

test('METRICS_HOST is loopback by default, and beyond it needs METRICS_TOKEN or API_TOKEN', async () => {
  const token = '0123456789abcdef';
  expect(read({ HTTP_HOST: '0.0.0.0', API_TOKEN: token }).METRICS_HOST).toBe('127.0.0.1');
  expect(await errorLines({ METRICS_HOST: '0.0.0.0' })).toEqual([
    'METRICS_HOST="0.0.0.0" is not valid. Use a loopback address (127.0.0.1, ::1, localhost), or set METRICS_TOKEN or API_TOKEN.',
  ]);
  for (const name of ['METRICS_TOKEN', 'API_TOKEN'])
    expect(read({ METRICS_HOST: '[::]', [name]: token }).METRICS_HOST).toBe('::');
  expect(read({ METRICS_HOST: '0.0.0.0', METRICS_ENABLED: 'false' }).METRICS_ENABLED).toBe(false);
});

test('TEMPORAL_API_KEY is not sent in the clear to another machine', async () => {
  const key = { TEMPORAL_API_KEY: 'a-key-of-temporal-cloud', TEMPORAL_TLS: 'false' };
  expect(await errorLines({ ...key, TEMPORAL_ADDRESS: 'temporal.example.com:7233' })).toEqual([
    'TEMPORAL_TLS="false" is not valid. Use true, because TEMPORAL_API_KEY would be sent in the clear.',
  ]);
  for (const TEMPORAL_ADDRESS of ['localhost:7233', '127.0.0.1:7233', undefined])
    expect(read({ ...key, TEMPORAL_ADDRESS }).TEMPORAL_TLS).toBe(false);
});

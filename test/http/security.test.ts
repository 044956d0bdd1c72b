import { afterEach, describe, expect, test } from '@jest/globals';
import { request as httpRequest } from 'node:http';
import { type Listening, listen } from '../../src/http/listen.ts';
import { AppError } from '../../src/lib/errors.ts';
import { readConfig } from '../../src/app/settings.ts';
import { accessRules, describeCallbackMismatch } from '../../src/app/create-http-sources.ts';
import { ACCESS, NO_OWNERS, testApp } from './support.ts';

const TOKEN = 'a-token-of-many-letters';
const PUBLIC = { ...ACCESS, tokens: [TOKEN], isPublic: true };

const started = {
  url: 'https://login.eveonline.com/v2/oauth/authorize?state=x',
  state: 'x',
  expiresAt: new Date(0),
};
const owners = { ...NO_OWNERS, startLogin: async () => started };

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: Record<string, unknown>;
}

const headersOf = (token?: string) => (token === undefined ? {} : { authorization: `Bearer ${token}` });

let server: Listening | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** Uses a real connection, so that Host and Origin arrive as the client sends them. */
async function request(
  path: string,
  headers: Record<string, string>,
  method = 'GET',
  access = ACCESS,
): Promise<Reply> {
  server ??= await listen(testApp({ access, owners }).fetch, {
    host: '127.0.0.1',
    port: 0,
    setting: 'HTTP_PORT',
  });
  const { port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('end', () => {
        const type = response.headers['content-type'] ?? '';
        const body = /json/.test(type) ? (JSON.parse(text) as Record<string, unknown>) : {};
        resolve({ status: response.statusCode ?? 0, type, body });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

test('requests are served under known host names only, with any port', async () => {
  for (const host of ['localhost', 'LOCALHOST:99', '127.0.0.1:8080', '[::1]:8080', 'eve.example.com'])
    expect((await request('/api/tokens', { host })).status).toBe(200);
  for (const host of [
    'evil.example.com',
    '127.0.0.1.evil.example.com:8080',
    '10.0.0.1',
    'localhost.evil.com',
  ])
    for (const path of ['/', '/health', '/api/tokens', '/callback?state=x']) {
      const { status, type, body } = await request(path, { host });
      expect({ status, type }).toEqual({ status: 421, type: 'application/problem+json' });
      expect(body).toMatchObject({ title: 'Misdirected Request', code: 'FOREIGN_HOST' });
    }
});

test('requests from pages of other sites are rejected', async () => {
  const host = 'localhost:8080';
  for (const origin of ['http://localhost:8080', 'https://eve.example.com'])
    expect((await request('/api/tokens', { host, origin })).status).toBe(200);
  for (const origin of [
    'https://evil.example.com',
    'http://localhost:8081',
    'null',
    '',
    'file://',
    'javascript:0',
  ])
    for (const [method, path] of [
      ['POST', '/login'],
      ['POST', '/api/tokens/register'],
      ['DELETE', '/api/tokens/1'],
      ['GET', '/api/tokens'],
    ] as const) {
      const { status, body } = await request(path, { host, origin }, method);
      expect({ origin, status }).toEqual({ origin, status: 403 });
      expect(body['code']).toBe('FOREIGN_ORIGIN');
    }
});

describe('with API_TOKEN', () => {
  const guarded = testApp({ access: PUBLIC, owners });
  const get = async (path: string, token?: string, method = 'GET') =>
    guarded.request(path, { method, headers: headersOf(token) });

  test('everything but health and callback requires API_TOKEN', async () => {
    expect((await get('/health')).status).toBe(200);
    for (const path of ['/callback', '/api/tokens/callback']) expect((await get(path)).status).toBe(500); // reaches the owner service
    for (const path of ['/', '/api/status', '/api/tokens', '/api/openapi.json', '/api/nothing', '/nothing']) {
      for (const wrong of [undefined, 'another-token-altogether', TOKEN.slice(1)]) {
        const answer = await get(path, wrong);
        expect([path, answer.status]).toEqual([path, 401]);
        expect(answer.headers.get('www-authenticate')).toMatch(/^(Bearer|Basic) /);
        expect(answer.headers.get('content-type')).toBe('application/problem+json');
        expect(await answer.text()).not.toContain(TOKEN);
      }
      expect((await get(path, TOKEN)).status).toBe(/nothing/.test(path) ? 404 : 200);
    }
    expect((await get('/login', undefined, 'POST')).status).toBe(401);
  });

  test('API_TOKEN is accepted as password of the page, but not of the API', async () => {
    const basic = (password: string) => ({
      authorization: `Basic ${Buffer.from(`me:${password}`).toString('base64')}`,
    });
    const page = (password: string, path = '/') => guarded.request(path, { headers: basic(password) });
    expect((await page(TOKEN)).status).toBe(200);
    expect((await page('wrong')).status).toBe(401);
    for (const path of ['/api/tokens', '/api']) {
      const answer = await page(TOKEN, path);
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm=""']);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
    }
  });

  test('API_TOKEN allows other machines to use any host name', async () => {
    const host = 'collector.lan:8080';
    expect((await request('/api/tokens', { host, ...headersOf(TOKEN) }, 'GET', PUBLIC)).status).toBe(200);
    expect((await request('/api/tokens', { host, ...headersOf('wrong-token-altogether') })).status).toBe(401);
    for (const path of ['/health', '/style.css']) expect((await request(path, { host })).status).toBe(200);
    expect((await request('/callback?state=x', { host })).status).toBe(421);
  });
});

test('responses forbid caching, content sniffing and framing, and limit referrers', async () => {
  for (const path of ['/', '/health', '/api/tokens', '/nothing', '/style.css']) {
    const { headers } = await testApp().request(path);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('same-origin');
    expect(headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
  }
  const { headers } = await testApp().request('/callback?state=x&code=y');
  expect(headers.get('referrer-policy')).toBe('no-referrer');
});

test('the button of the page redirects to the login of EVE', async () => {
  const answer = await testApp({ owners }).request('/login', {
    method: 'POST',
    headers: { origin: 'http://localhost' },
  });
  expect([answer.status, answer.headers.get('location')]).toEqual([303, started.url]);
  expect(answer.headers.get('content-security-policy')).toContain(
    "form-action 'self' https://login.eveonline.com https://eve.example.com;",
  );
});

test('a character can be added at 127.0.0.1 while the callback is at localhost', async () => {
  const config = readConfig({ ESI_USER_AGENT: 'me@example.com' });
  const page = 'http://127.0.0.1:8080';
  const login = { callbackUrl: config.ESI_CALLBACK_URL, isSet: true };
  const app = testApp({ owners, login, access: accessRules(config) });
  const policy = (await app.request(`${page}/`)).headers.get('content-security-policy') ?? '';
  const sources = /form-action ([^;]*)/.exec(policy)?.[1]?.split(' ') ?? [];
  const allowed = sources.map((source) => (source === "'self'" ? page : source));
  const answer = await app.request(`${page}/login`, { method: 'POST', headers: { origin: page } });
  expect(answer.status).toBe(303);
  for (const hop of [`${page}/login`, answer.headers.get('location')!, config.ESI_CALLBACK_URL])
    expect(allowed).toContain(new URL(hop).origin);
});

test('a login that cannot start gives a page that says why', async () => {
  const unreachable = async () => {
    throw new AppError('The login server does not respond.', { code: 'SSO_UNREACHABLE', verdict: 'retry' });
  };
  const answer = await testApp({ owners: { ...NO_OWNERS, startLogin: unreachable } }).request('/login', {
    method: 'POST',
  });
  expect([answer.status, answer.headers.get('content-type')]).toEqual([503, 'text/html; charset=UTF-8']);
  expect(await answer.text()).toContain(
    'The login server does not respond. Load this page again in a minute.',
  );
});

test('accessRules follow the settings', () => {
  const read = (settings: Record<string, string>) =>
    accessRules(readConfig({ ESI_USER_AGENT: 'me@example.com', ...settings }));
  expect(read({})).toEqual({
    tokens: [],
    hosts: ['localhost', '127.0.0.1', '[::1]', '127.0.0.1', 'localhost'],
    hostSettings: 'HTTP_HOST or ESI_CALLBACK_URL',
    isPublic: false,
    origin: 'http://localhost:8080',
    ssoOrigin: 'https://login.eveonline.com',
  });
  const wide = { HTTP_HOST: '::', API_TOKEN: TOKEN, ESI_CALLBACK_URL: 'https://eve.example.com/callback/' };
  expect(read(wide)).toMatchObject({ isPublic: true, origin: 'https://eve.example.com' });
  expect(read(wide).hosts).toContain('[::]');
  expect(read({ API_TOKEN: TOKEN }).isPublic).toBe(false);
});

test('describeCallbackMismatch reports a callback URL that leads to another port', () => {
  expect(describeCallbackMismatch('http://localhost:8080/callback', 'http://127.0.0.1:8080')).toEqual([]);
  expect(describeCallbackMismatch('https://eve.example.com/callback', 'http://127.0.0.1:8080')).toEqual([]);
  expect(describeCallbackMismatch('http://localhost:8080/callback', 'http://127.0.0.1:9000')[0]).toMatch(
    /ESI_CALLBACK_URL leads to port 8080, but the page is on port 9000/,
  );
});

import { afterEach, expect, test } from '@jest/globals';
import { networkOf } from '../../src/http/guess-limit.ts';
import { type Listening, listen } from '../../src/http/listen.ts';
import { silentLog } from '../../src/lib/log.ts';
import { testClock } from '../support/test-clock.ts';
import { ACCESS, testApp } from './support.ts';

const TOKEN = 'a-token-of-many-letters';
const basic = (password: string) => `Basic ${Buffer.from(`me:${password}`).toString('base64')}`;

let server: Listening | undefined;
afterEach(() => server?.close());

/** A server with API_TOKEN that records its warnings. */
async function guardedServer() {
  const clock = testClock();
  const warnings: object[] = [];
  const log = {
    ...silentLog,
    warn: (fields: object, message: string) => void warnings.push({ ...fields, message }),
  };
  const app = testApp({ access: { ...ACCESS, tokens: [TOKEN], isPublic: true }, clock, log });
  server = await listen(app.fetch, { host: '127.0.0.1', port: 0, setting: 'HTTP_PORT' });
  const { url } = server;
  const get = (path: string, authorization?: string) =>
    fetch(url + path, { headers: authorization === undefined ? {} : { authorization } });
  return { clock, warnings, get };
}

test('an address that sends 20 wrong tokens in a minute has to wait, with one warning', async () => {
  const { clock, warnings, get } = await guardedServer();
  for (let n = 0; n < 10; n++) {
    expect((await get('/api/tokens', `Bearer ${TOKEN}`)).status).toBe(200);
    expect((await get('/api/tokens', `Bearer wrong-token-number-${n}`)).status).toBe(401);
    expect((await get('/', basic(`wrong-password-${n}`))).status).toBe(401);
    expect((await get('/api/tokens')).status).toBe(401); // sends no token, so it guesses none
  }
  clock.advance(20_000);
  for (const authorization of [
    'Bearer wrong-token-number-10',
    basic('wrong'),
    `Bearer ${TOKEN}`,
    basic(TOKEN),
  ])
    for (const path of authorization.startsWith('Bearer') ? ['/', '/api/tokens'] : ['/']) {
      const answer = await get(path, authorization);
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '40']);
      expect(await answer.json()).toMatchObject({ title: 'Too Many Requests', code: 'TOO_MANY_GUESSES' });
    }
  expect((await get('/health')).status).toBe(200);
  expect((await get('/api/tokens')).status).toBe(401);
  expect(warnings).toEqual([
    { address: '127.0.0.1', message: '20 wrong API tokens in a minute: the address has to wait' },
  ]);
  clock.advance(40_000);
  expect((await get('/api/tokens', `Bearer ${TOKEN}`)).status).toBe(200);
});

test('guesses that are sent at once are counted one by one', async () => {
  const { get } = await guardedServer();
  const answers = await Promise.all(
    Array.from(
      { length: 100 },
      async (_, n) => (await get('/api/tokens', `Bearer wrong-token-number-${n}`)).status,
    ),
  );
  expect([401, 429].map((status) => answers.filter((one) => one === status).length)).toEqual([20, 80]);
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['unknown', 'unknown'],
])('guesses of %s count for %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

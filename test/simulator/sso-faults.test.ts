import { afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { Faults } from '../../simulator/index.ts';
import { refresh } from './sso-support.ts';
import { ANNA, closeAll, kinds, start } from './support.ts';

afterEach(closeAll);

const TOKEN = '/sso/v2/oauth/token';
const JWKS = '/sso/oauth/jwks';

describe('faults of the SSO', () => {
  const broken: [string, (faults: Faults) => void][] = [
    ['reset', (faults) => faults.reset({ route: JWKS, times: 1 })],
    ['truncate', (faults) => faults.truncate({ route: JWKS, times: 1 })],
    ['resetMidway', (faults) => faults.resetMidway({ route: JWKS, times: 1 })],
    ['loseAnswer', (faults) => faults.loseAnswer({ route: JWKS, times: 1 })],
  ];
  test.each(broken)('%s', async (_name, set) => {
    const { simulator } = await start();
    set(simulator.faults);
    await expect(fetch(simulator.url + JWKS).then((response) => response.json())).rejects.toThrow();
    expect((await fetch(simulator.url + JWKS)).status).toBe(200);
    expect(simulator.sso.requests().jwks).toBe(2);
  });

  const spoilt: [string, (faults: Faults) => void, number, RegExp][] = [
    ['status', (faults) => faults.status(503, { route: '/sso' }), 503, /503/],
    ['html', (faults) => faults.html({ route: JWKS }), 200, /<html>/],
    ['badJson', (faults) => faults.badJson({ route: JWKS }), 200, /price/],
    ['rawBody', (faults) => faults.rawBody('{"keys":[]}', { route: JWKS }), 200, /^\{"keys":\[\]\}$/],
  ];
  test.each(spoilt)('%s', async (_name, set, status, text) => {
    const { simulator } = await start();
    set(simulator.faults);
    const response = await fetch(simulator.url + JWKS);
    expect(response.status).toBe(status);
    expect(await response.text()).toMatch(text);
  });

  test('hang and latency', async () => {
    const { simulator } = await start();
    simulator.faults.latency(60, { route: JWKS, times: 1 });
    const from = performance.now();
    await fetch(simulator.url + JWKS);
    expect(performance.now() - from).toBeGreaterThan(50);
    simulator.faults.hang({ route: TOKEN });
    const { refreshToken } = await simulator.sso.issue(ANNA);
    const asked = refresh(simulator, refreshToken).catch(() => 'closed');
    expect(await Promise.race([asked, delay(100, 'waiting')])).toBe('waiting');
    await simulator.close();
    expect(await asked).toBe('closed');
  });

  test('faults without a route are ESI’s alone', async () => {
    const { simulator } = await start();
    simulator.faults.down();
    expect((await fetch(simulator.url + JWKS)).status).toBe(200);
    simulator.faults.clear();
    simulator.faults.loseAnswer({ times: 1 });
    await expect(fetch(`${simulator.url}/status`)).rejects.toThrow();
  });

  test('an answer that is lost has rotated the token', async () => {
    const { simulator } = await start({ sso: { rotation: 'strict' } });
    const { refreshToken } = await simulator.sso.issue(ANNA);
    simulator.faults.loseAnswer({ route: TOKEN, times: 1 });
    await expect(refresh(simulator, refreshToken)).rejects.toThrow();
    expect((await refresh(simulator, refreshToken)).status).toBe(400);
    const second = await start();
    const lenient = await second.simulator.sso.issue(ANNA);
    second.simulator.faults.loseAnswer({ route: TOKEN, times: 1 });
    await expect(refresh(second.simulator, lenient.refreshToken)).rejects.toThrow();
    expect((await refresh(second.simulator, lenient.refreshToken)).status).toBe(200);
  });
});

describe('offences at the SSO', () => {
  test('two refreshes of one character at a time', async () => {
    const { simulator } = await start();
    const [one, two] = [await simulator.sso.issue(ANNA), await simulator.sso.issue(ANNA + 1)];
    await Promise.all([one, two].map(({ refreshToken }) => refresh(simulator, refreshToken)));
    expect(kinds(simulator)).toEqual([]);
    simulator.faults.latency(50, { route: TOKEN });
    await Promise.all([1, 2].map(() => refresh(simulator, one.refreshToken)));
    expect(kinds(simulator)).toEqual(['double-refresh']);
  });

  test('a refresh token that was refused before', async () => {
    const { simulator } = await start();
    const { refreshToken } = await simulator.sso.issue(ANNA);
    simulator.sso.revoke(ANNA);
    expect((await refresh(simulator, refreshToken)).status).toBe(400);
    expect(kinds(simulator)).toEqual([]);
    await delay(110); // what was under way before the refusal was read does not count
    await refresh(simulator, refreshToken);
    expect(kinds(simulator)).toEqual(['dead-token']);
  });

  test('nothing of it counts against ESI', async () => {
    const { simulator } = await start();
    for (let call = 0; call < 120; call++) await refresh(simulator, `nonsense ${call}`);
    expect(kinds(simulator)).toEqual([]);
    expect(simulator.limitUsage()).toEqual([]);
    const prices = await fetch(`${simulator.url}/markets/prices`);
    expect(prices.headers.get('x-esi-error-limit-remain')).toBe('100');
    expect(simulator.sso.requests().refresh_token).toBe(120);
    simulator.resetCounters();
    expect(simulator.sso.requests().refresh_token).toBe(0);
  });
});

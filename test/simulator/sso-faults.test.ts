import { afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { Faults } from '../../simulator/index.ts';
import { refresh } from './sso-requests.ts';
import { ANNA, closeSimulators, offenceKinds, startTestSimulator } from './test-simulator.ts';

afterEach(closeSimulators);

const TOKEN = '/sso/v2/oauth/token';
const JWKS = '/sso/oauth/jwks';

describe('faults of the SSO', () => {
  const broken: [string, (faults: Faults) => void][] = [
    ['truncate', (faults) => faults.truncate({ route: JWKS, times: 1 })],
    ['loseAnswer', (faults) => faults.loseAnswer({ route: JWKS, times: 1 })],
  ];
  test.each(broken)('the fault %s breaks the connection to the SSO once', async (_name, set) => {
    const { simulator } = await startTestSimulator();
    set(simulator.faults);
    await expect(fetch(simulator.url + JWKS).then((response) => response.json())).rejects.toThrow();
    expect((await fetch(simulator.url + JWKS)).status).toBe(200);
    expect(simulator.sso.requests().jwks).toBe(2);
  });

  const changed: [string, (faults: Faults) => void, number, RegExp][] = [
    ['status', (faults) => faults.status(503, { route: '/sso' }), 503, /503/],
    ['rawBody', (faults) => faults.rawBody('{"keys":[]}', { route: JWKS }), 200, /^\{"keys":\[\]\}$/],
  ];
  test.each(changed)('the fault %s changes the answer of the SSO', async (_name, set, status, text) => {
    const { simulator } = await startTestSimulator();
    set(simulator.faults);
    const response = await fetch(simulator.url + JWKS);
    expect(response.status).toBe(status);
    expect(await response.text()).toMatch(text);
  });

  test('hang and latency affect the SSO', async () => {
    const { simulator } = await startTestSimulator();
    simulator.faults.latency(60, { route: JWKS, times: 1 });
    const from = performance.now();
    await fetch(simulator.url + JWKS);
    expect(performance.now() - from).toBeGreaterThan(50);
    simulator.faults.hang({ route: TOKEN });
    const { refreshToken } = await simulator.sso.issue(ANNA);
    const response = refresh(simulator, refreshToken).catch(() => 'closed');
    expect(await Promise.race([response, delay(100, 'waiting')])).toBe('waiting');
    await simulator.close();
    expect(await response).toBe('closed');
  });

  test('faults without a route affect ESI and not the SSO', async () => {
    const { simulator } = await startTestSimulator();
    simulator.faults.down();
    expect((await fetch(simulator.url + JWKS)).status).toBe(200);
    simulator.faults.clear();
    simulator.faults.loseAnswer({ times: 1 });
    await expect(fetch(`${simulator.url}/status`)).rejects.toThrow();
  });

  test('a lost answer has rotated the refresh token', async () => {
    const { simulator } = await startTestSimulator({ sso: { rotation: 'strict' } });
    const { refreshToken } = await simulator.sso.issue(ANNA);
    simulator.faults.loseAnswer({ route: TOKEN, times: 1 });
    await expect(refresh(simulator, refreshToken)).rejects.toThrow();
    expect((await refresh(simulator, refreshToken)).status).toBe(400);
    const second = await startTestSimulator();
    const lenient = await second.simulator.sso.issue(ANNA);
    second.simulator.faults.loseAnswer({ route: TOKEN, times: 1 });
    await expect(refresh(second.simulator, lenient.refreshToken)).rejects.toThrow();
    expect((await refresh(second.simulator, lenient.refreshToken)).status).toBe(200);
  });
});

describe('offences at the SSO', () => {
  test('two refreshes of one character at the same time are an offence', async () => {
    const { simulator } = await startTestSimulator();
    const [one, two] = [await simulator.sso.issue(ANNA), await simulator.sso.issue(ANNA + 1)];
    await Promise.all([one, two].map(({ refreshToken }) => refresh(simulator, refreshToken)));
    expect(offenceKinds(simulator)).toEqual([]);
    simulator.faults.latency(50, { route: TOKEN });
    await Promise.all([1, 2].map(() => refresh(simulator, one.refreshToken)));
    expect(offenceKinds(simulator)).toEqual(['double-refresh']);
  });

  test('the use of a refresh token that was refused before is an offence', async () => {
    const { simulator } = await startTestSimulator();
    const { refreshToken } = await simulator.sso.issue(ANNA);
    simulator.sso.revoke(ANNA);
    expect((await refresh(simulator, refreshToken)).status).toBe(400);
    expect(offenceKinds(simulator)).toEqual([]);
    await delay(110); // requests sent before the refusal was read do not count
    await refresh(simulator, refreshToken);
    expect(offenceKinds(simulator)).toEqual(['refused-token']);
  });

  test('requests to the SSO do not count against ESI’s limits', async () => {
    const { simulator } = await startTestSimulator();
    for (let call = 0; call < 120; call++) await refresh(simulator, `nonsense ${call}`);
    expect(offenceKinds(simulator)).toEqual([]);
    expect(simulator.limitUsage()).toEqual([]);
    const prices = await fetch(`${simulator.url}/markets/prices`);
    expect(prices.headers.get('x-esi-error-limit-remain')).toBe('100');
    expect(simulator.sso.requests().refresh_token).toBe(120);
    simulator.resetCounters();
    expect(simulator.sso.requests().refresh_token).toBe(0);
  });
});

import { afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ANNA,
  bearer,
  BRAM,
  closeSimulators,
  CORPORATION,
  get,
  offenceKinds,
  requestAs,
  post,
  startTestSimulator,
} from './test-simulator.ts';

afterEach(closeSimulators);

const WALLET = `/characters/${ANNA}/wallet`;
const CORP_ASSETS = `/corporations/${CORPORATION}/assets`;

describe('access to what owners have', () => {
  test('an owner route needs a valid token of the SSO', async () => {
    const { simulator, clock } = await startTestSimulator();
    const { sso } = simulator;
    const status = async (token: string) => {
      const response = await get(simulator, WALLET, bearer(token));
      return [response.status, ((await response.json()) as { error?: string }).error];
    };
    expect((await get(simulator, WALLET)).status).toBe(401);
    expect(await status('nonsense')).toEqual([401, 'token is invalid']);
    const { accessToken } = await sso.issue(ANNA);
    expect((await get(simulator, WALLET, bearer(accessToken))).status).toBe(200);
    sso.expire(ANNA);
    expect(await status(accessToken)).toEqual([401, 'token is expired']);
    const second = await sso.issue(ANNA);
    clock.advance(1_200_000);
    expect(await status(second.accessToken)).toEqual([401, 'token is expired']);
    const third = await sso.issue(ANNA);
    sso.revoke(ANNA);
    expect(await status(third.accessToken)).toEqual([401, 'token is revoked']);
    expect(await status(await sso.forge(ANNA, { key: 'other' }))).toEqual([401, 'token is invalid']);
    expect(await status(await sso.forge(ANNA, { payload: { exp: 1 } }))).toEqual([401, 'token is expired']);
    expect((await get(simulator, WALLET, bearer(await sso.forge(ANNA)))).status).toBe(200);
  });

  test('an owner route needs the scope and the character of the token', async () => {
    const { simulator } = await startTestSimulator();
    const request = await requestAs(simulator, ANNA, ['esi-assets.read_assets.v1']);
    expect(await request(WALLET)).toMatchObject({
      status: 403,
      json: { error: 'Token is not valid for scope(s): esi-wallet.read_character_wallet.v1' },
    });
    expect((await request(`/characters/${BRAM}/assets`)).status).toBe(403);
    expect((await request(`/characters/${ANNA}/assets`)).status).toBe(200);
    simulator.sso.withdrawScope(ANNA, 'esi-assets.read_assets.v1');
    expect((await request(`/characters/${ANNA}/assets`)).status).toBe(403);
  });

  test('a corporation route needs the present corporation and role', async () => {
    const { simulator } = await startTestSimulator();
    const { owners } = simulator;
    const bram = await requestAs(simulator, BRAM);
    expect(await bram(CORP_ASSETS)).toMatchObject({
      status: 403,
      json: { error: 'Character does not have required role(s)' },
    });
    owners.setRoles(BRAM, ['Trader']);
    expect((await bram(`/corporations/${CORPORATION}/orders`)).status).toBe(200);
    expect((await bram(`/corporations/${CORPORATION}/wallets`)).status).toBe(403);
    owners.setRoles(BRAM, ['Director']);
    expect((await bram(`/corporations/${CORPORATION}/wallets`)).status).toBe(200);
    owners.move(BRAM, CORPORATION + 1);
    expect((await bram(CORP_ASSETS)).status).toBe(403);
    owners.setRoles(BRAM, ['Director']);
    expect((await bram(`/corporations/${CORPORATION + 1}/assets`)).status).toBe(200);
    expect(owners.character(BRAM)).toMatchObject({ corporationId: CORPORATION + 1, roles: ['Director'] });
    expect(owners.corporation(CORPORATION)).toMatchObject({ name: 'Proof of Concept' });
    expect(() => owners.character(5)).toThrow('5');
  });

  test('owner routes refuse unknown paths, pages, divisions and methods', async () => {
    const { simulator } = await startTestSimulator();
    const request = await requestAs(simulator, ANNA);
    expect((await request(`/corporations/${CORPORATION}/wallets/8/journal`)).status).toBe(400);
    expect((await post(simulator, WALLET, [1])).status).toBe(405);
    expect((await request(`/characters/${ANNA}/assets/names`)).status).toBe(405);
    expect((await request(`/characters/${ANNA}/assets?page=9`)).status).toBe(404);
    expect((await request(`/characters/${ANNA}/nothing`)).status).toBe(404);
  });
});

describe('buckets of owners', () => {
  test('the buckets of owner routes belong to an application and a character, not to an address', async () => {
    const { simulator } = await startTestSimulator();
    simulator.world.setBucket('char-wallet', { tokens: 5 });
    const [anna, bram] = [await requestAs(simulator, ANNA), await requestAs(simulator, BRAM)];
    const first = await anna(WALLET);
    expect(first.headers.get('x-ratelimit-group')).toBe('char-wallet');
    expect(first.headers.get('x-ratelimit-limit')).toBe('5/15m');
    expect((await anna(`${WALLET}/journal`)).headers.get('x-ratelimit-remaining')).toBe('1');
    expect((await anna(`${WALLET}/transactions`)).status).toBe(200);
    expect((await anna(`${WALLET}/transactions?from_id=1`)).status).toBe(429);
    expect((await bram(`/characters/${BRAM}/wallet`)).headers.get('x-ratelimit-remaining')).toBe('3');
    expect((await bram(WALLET)).headers.get('x-ratelimit-used')).toBe('5');
    const report = simulator.limitUsage();
    const line = (name: string) => report.find((entry) => entry.name === name);
    expect(line(`char-wallet simulated-client:${ANNA}`)).toMatchObject({
      allowed: 5,
      windowSeconds: 900,
      spent: 6,
      requests: 4,
      refused: 1,
    });
    expect(line(`char-wallet simulated-client:${BRAM}`)).toMatchObject({ spent: 7, requests: 2 });
    expect(line('char-wallet')).toBeUndefined();
  });

  test('the buckets of owner routes have ESI’s sizes, and routes without one count errors by address', async () => {
    const { simulator } = await startTestSimulator();
    const request = await requestAs(simulator, ANNA);
    const limit = async (path: string) => (await request(path)).headers.get('x-ratelimit-limit');
    expect(await limit(WALLET)).toBe('150/15m');
    expect(await limit(`/corporations/${CORPORATION}/divisions`)).toBe('300/15m');
    expect(await limit(`/characters/${ANNA}/assets`)).toBe('1800/15m');
    expect(await limit(CORP_ASSETS)).toBe('1800/15m');
    expect(await limit(`/characters/${ANNA}/industry/jobs`)).toBe('600/15m');
    expect(await limit(`/corporations/${CORPORATION}/industry/jobs`)).toBe('600/15m');
    expect(await limit(`/characters/${ANNA}/roles`)).toBe('600/15m');
    expect(await limit(`/characters/${ANNA}/orders`)).toBeNull();
    expect((await request(`/characters/${BRAM}/orders`)).headers.get('x-esi-error-limit-remain')).toBe('99');
  });

  test('the description states bucket, scope and roles of owner routes', async () => {
    const { simulator } = await startTestSimulator({ owners: { cacheSeconds: 600 } });
    const answer = await get(simulator, '/meta/openapi.json?compatibility_date=2026-08-18');
    const { paths } = (await answer.json()) as { paths: Record<string, Record<string, unknown>> };
    expect(paths['/corporations/{corporation_id}/wallets/{division}/journal']?.['get']).toMatchObject({
      'x-rate-limit': { group: 'corp-wallet', 'max-tokens': 300, 'window-size': '15m' },
      'x-required-roles': ['Accountant', 'Junior_Accountant'],
      security: [{ OAuth2: ['esi-wallet.read_corporation_wallets.v1'] }],
      'x-cache-age': 600,
    });
    expect(Object.keys(paths['/characters/{character_id}/assets/names'] ?? {})).toEqual(['post']);
  });
});

describe('offences against owners', () => {
  test('an owner route must not be requested before Expires', async () => {
    const { simulator, clock } = await startTestSimulator();
    const request = await requestAs(simulator, ANNA);
    await request(WALLET);
    clock.advance(120_000);
    await request(WALLET);
    expect(offenceKinds(simulator)).toEqual([]);
    await request(WALLET);
    expect(offenceKinds(simulator)).toEqual(['too-early']);
  });

  test('the repeated use of a revoked token or of a refused role is an offence', async () => {
    const { simulator, clock } = await startTestSimulator();
    const bram = await requestAs(simulator, BRAM);
    await bram(`/corporations/${CORPORATION}/wallets/1/journal`);
    await delay(110); // requests sent before the refusal was read do not count
    await bram(`/corporations/${CORPORATION}/wallets/2/journal`);
    expect(offenceKinds(simulator)).toEqual(['role-refused']);
    const old = (await simulator.sso.issue(ANNA)).accessToken;
    simulator.sso.revoke(ANNA);
    await get(simulator, WALLET, bearer(old));
    await delay(110);
    clock.advance(61_000);
    await get(simulator, WALLET, bearer(old));
    expect(offenceKinds(simulator)).toEqual(['role-refused', 'refused-token']);
  });

  test('a new token after a refusal, or other ids after a refused batch, is no offence', async () => {
    const { simulator } = await startTestSimulator();
    const ids = simulator.owners.assets(ANNA).map((row) => row.item_id);
    const { accessToken } = await simulator.sso.issue(ANNA);
    const names = `/characters/${ANNA}/assets/names`;
    for (const batch of [ids.slice(0, 4), ids.slice(0, 2), ids.slice(2, 4)])
      await post(simulator, names, batch, accessToken);
    simulator.sso.expire(ANNA);
    expect((await get(simulator, WALLET, bearer(accessToken))).status).toBe(401);
    expect((await (await requestAs(simulator, ANNA))(WALLET)).status).toBe(200);
    expect(offenceKinds(simulator)).toEqual([]);
  });
});

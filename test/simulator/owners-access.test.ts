import { afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { ANNA, bearer, BRAM, closeAll, CORP, get, kinds, login, post, start } from './support.ts';

afterEach(closeAll);

const WALLET = `/characters/${ANNA}/wallet`;
const CORP_ASSETS = `/corporations/${CORP}/assets`;

describe('access to what owners have', () => {
  test('takes a token, one of ours, and one that is good', async () => {
    const { simulator, clock } = await start();
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
    clock.pass(1_200);
    expect(await status(second.accessToken)).toEqual([401, 'token is expired']);
    const third = await sso.issue(ANNA);
    sso.revoke(ANNA);
    expect(await status(third.accessToken)).toEqual([401, 'token is revoked']);
    expect(await status(await sso.forge(ANNA, { key: 'other' }))).toEqual([401, 'token is invalid']);
    expect(await status(await sso.forge(ANNA, { payload: { exp: 1 } }))).toEqual([401, 'token is expired']);
    expect((await get(simulator, WALLET, bearer(await sso.forge(ANNA)))).status).toBe(200);
  });

  test('takes the scope and the right character', async () => {
    const { simulator } = await start();
    const ask = await login(simulator, ANNA, ['esi-assets.read_assets.v1']);
    expect(await ask(WALLET)).toMatchObject({
      status: 403,
      json: { error: 'Token is not valid for scope(s): esi-wallet.read_character_wallet.v1' },
    });
    expect((await ask(`/characters/${BRAM}/assets`)).status).toBe(403);
    expect((await ask(`/characters/${ANNA}/assets`)).status).toBe(200);
    simulator.sso.withdrawScope(ANNA, 'esi-assets.read_assets.v1');
    expect((await ask(`/characters/${ANNA}/assets`)).status).toBe(403);
  });

  test('takes the corporation and the role as they are now', async () => {
    const { simulator } = await start();
    const { owners } = simulator;
    const bram = await login(simulator, BRAM);
    expect(await bram(CORP_ASSETS)).toMatchObject({
      status: 403,
      json: { error: 'Character does not have required role(s)' },
    });
    owners.setRoles(BRAM, ['Trader']);
    expect((await bram(`/corporations/${CORP}/orders`)).status).toBe(200);
    expect((await bram(`/corporations/${CORP}/wallets`)).status).toBe(403);
    owners.setRoles(BRAM, ['Director']);
    expect((await bram(`/corporations/${CORP}/wallets`)).status).toBe(200);
    owners.move(BRAM, CORP + 1);
    expect((await bram(CORP_ASSETS)).status).toBe(403);
    owners.setRoles(BRAM, ['Director']);
    expect((await bram(`/corporations/${CORP + 1}/assets`)).status).toBe(200);
    expect(owners.character(BRAM)).toMatchObject({ corporationId: CORP + 1, roles: ['Director'] });
    expect(owners.corporation(CORP)).toMatchObject({ name: 'Proof of Concept' });
    expect(() => owners.character(5)).toThrow('5');
  });

  test('what is missing, wrong or not to be posted', async () => {
    const { simulator } = await start();
    const ask = await login(simulator, ANNA);
    expect((await ask(`/corporations/${CORP}/wallets/8/journal`)).status).toBe(400);
    expect((await post(simulator, WALLET, [1])).status).toBe(405);
    expect((await ask(`/characters/${ANNA}/assets/names`)).status).toBe(405);
    expect((await ask(`/characters/${ANNA}/assets?page=9`)).status).toBe(404);
    expect((await ask(`/characters/${ANNA}/nothing`)).status).toBe(404);
  });
});

describe('buckets of owners', () => {
  test('belong to an application and a character, not to an address', async () => {
    const { simulator } = await start();
    simulator.world.setBucket('char-wallet', { tokens: 5 });
    const [anna, bram] = [await login(simulator, ANNA), await login(simulator, BRAM)];
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

  test('are as large as ESI’s, and routes without one count errors by address', async () => {
    const { simulator } = await start();
    const ask = await login(simulator, ANNA);
    const limit = async (path: string) => (await ask(path)).headers.get('x-ratelimit-limit');
    expect(await limit(WALLET)).toBe('150/15m');
    expect(await limit(`/corporations/${CORP}/divisions`)).toBe('300/15m');
    expect(await limit(`/characters/${ANNA}/assets`)).toBe('1800/15m');
    expect(await limit(CORP_ASSETS)).toBe('1800/15m');
    expect(await limit(`/characters/${ANNA}/industry/jobs`)).toBe('600/15m');
    expect(await limit(`/corporations/${CORP}/industry/jobs`)).toBe('600/15m');
    expect(await limit(`/characters/${ANNA}/roles`)).toBe('600/15m');
    expect(await limit(`/characters/${ANNA}/orders`)).toBeNull();
    expect((await ask(`/characters/${BRAM}/orders`)).headers.get('x-esi-error-limit-remain')).toBe('99');
  });

  test('are described with their scopes and roles', async () => {
    const { simulator } = await start({ owners: { cacheSeconds: 600 } });
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
  test('asking before Expires, but not after it', async () => {
    const { simulator, clock } = await start();
    const ask = await login(simulator, ANNA);
    await ask(WALLET);
    clock.pass(120);
    await ask(WALLET);
    expect(kinds(simulator)).toEqual([]);
    await ask(WALLET);
    expect(kinds(simulator)).toEqual(['too-early']);
  });

  test('a revoked token, a refused role, and the same refusal again', async () => {
    const { simulator, clock } = await start();
    const bram = await login(simulator, BRAM);
    await bram(`/corporations/${CORP}/wallets/1/journal`);
    await delay(110); // what was under way before the refusal was read does not count
    await bram(`/corporations/${CORP}/wallets/2/journal`);
    expect(kinds(simulator)).toEqual(['role-refused']);
    const old = (await simulator.sso.issue(ANNA)).accessToken;
    simulator.sso.revoke(ANNA);
    await get(simulator, WALLET, bearer(old));
    await delay(110);
    clock.pass(61);
    await get(simulator, WALLET, bearer(old));
    expect(kinds(simulator)).toEqual(['role-refused', 'dead-token']);
  });

  test('a new token after a refusal, and other ids after a refused batch, are none', async () => {
    const { simulator } = await start();
    const ids = simulator.owners.assets(ANNA).map((row) => row.item_id);
    const { accessToken } = await simulator.sso.issue(ANNA);
    const names = `/characters/${ANNA}/assets/names`;
    for (const batch of [ids.slice(0, 4), ids.slice(0, 2), ids.slice(2, 4)])
      await post(simulator, names, batch, accessToken);
    simulator.sso.expire(ANNA);
    expect((await get(simulator, WALLET, bearer(accessToken))).status).toBe(401);
    expect((await (await login(simulator, ANNA))(WALLET)).status).toBe(200);
    expect(kinds(simulator)).toEqual([]);
  });
});

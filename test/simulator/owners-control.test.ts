import { afterEach, expect, test } from '@jest/globals';
import { ANNA, closeSimulators, CORPORATION, requestAs, startTestSimulator } from './test-simulator.ts';

afterEach(closeSimulators);

test('owners and the SSO are controlled by HTTP', async () => {
  const { simulator } = await startTestSimulator();
  const call = async (name: string, method: string, ...args: unknown[]) => {
    const url = `${simulator.url}/__simulator/${name}`;
    const response = await fetch(url, { method: 'POST', body: JSON.stringify({ method, args }) });
    return { status: response.status, json: (await response.json()) as { result?: unknown; error?: string } };
  };
  expect((await call('owners', 'pay', ANNA, 5, 'bounty_prizes')).json.result).toMatchObject({ amount: 5 });
  expect((await call('owners', 'setRoles', ANNA, [])).json).toEqual({ ok: true });
  expect(simulator.owners.character(ANNA).roles).toEqual([]);
  const issued = await call('sso', 'issue', ANNA);
  expect(issued.json.result).toMatchObject({ accessToken: expect.any(String), expiresIn: 1_199 });
  expect((await call('sso', 'tokenCount', ANNA)).json.result).toBe(1);
  await call('sso', 'revoke', ANNA);
  expect(simulator.sso.tokenCount(ANNA)).toBe(0);
  expect(await call('owners', 'nothing')).toMatchObject({
    status: 400,
    json: { error: 'method: unknown: nothing' },
  });
  expect((await call('owners', 'removeAsset', ANNA, 1)).status).toBe(400);
});

test('options create owners with given numbers of rows', async () => {
  const { simulator } = await startTestSimulator({
    owners: {
      characters: [
        {
          id: 5,
          name: 'Five',
          corporationId: 77,
          roles: ['Accountant'],
          assets: 0,
          journal: 0,
          transactions: 0,
          orders: 0,
          jobs: 0,
          balance: 3.5,
        },
      ],
      structures: [],
    },
  });
  const request = await requestAs(simulator, 5);
  expect((await request('/characters/5/assets')).json).toEqual([]);
  expect((await request('/characters/5/wallet')).json).toBe(3.5);
  expect((await request('/characters/5/wallet/journal')).json).toEqual([]);
  expect((await request('/characters/5/industry/jobs?include_completed=true')).json).toEqual([]);
  expect((await request<unknown[]>('/corporations/77/wallets')).json).toHaveLength(7);
  expect((await request(`/corporations/${CORPORATION}/wallets`)).status).toBe(403);
  expect(() => simulator.owners.assets(6)).toThrow('no owner 6');
});

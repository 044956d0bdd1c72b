import { afterEach, describe, expect, test } from '@jest/globals';
import type { AssetRow, Faults, JournalRow, TransactionRow } from '../../simulator/index.ts';
import {
  ANNA,
  closeSimulators,
  offenceKinds,
  requestAs,
  post,
  startTestSimulator,
} from './test-simulator.ts';

afterEach(closeSimulators);

const ASSETS = `/characters/${ANNA}/assets`;
const JOURNAL = `/characters/${ANNA}/wallet/journal`;
const TRANSACTIONS = `/characters/${ANNA}/wallet/transactions`;

type RequestAs = Awaited<ReturnType<typeof requestAs>>;

/** A character with three pages of everything. */
async function startWithThreePages() {
  const characters = [{ id: ANNA, assets: 2_500, journal: 6_000, transactions: 6_000, orders: 3, jobs: 2 }];
  const { simulator } = await startTestSimulator({ owners: { characters } });
  return { simulator, request: await requestAs(simulator, ANNA) };
}

async function pages(request: RequestAs, path: string) {
  const answers = [];
  for (const page of [1, 2, 3]) answers.push(await request<AssetRow[]>(`${path}?page=${page}`));
  return answers;
}

const modified = (answers: { headers: Headers }[]) =>
  new Set(answers.map(({ headers }) => headers.get('last-modified'))).size;

describe('faults of sets of rows', () => {
  test('tear mixes two snapshots of assets, journal and transactions', async () => {
    const { simulator, request } = await startWithThreePages();
    simulator.faults.tear({ route: 'assets', times: 1 });
    simulator.owners.removeAsset(ANNA, simulator.owners.assets(ANNA)[0]?.item_id ?? 0);
    expect(modified(await pages(request, ASSETS))).toBe(2);
    expect(modified(await pages(request, ASSETS))).toBe(1);
    simulator.faults.tear({ route: 'journal', times: 1 });
    expect(modified(await pages(request, JOURNAL))).toBe(2);
    simulator.faults.tear({ times: 1 });
    const first = await request<TransactionRow[]>(TRANSACTIONS);
    const next = await request(`${TRANSACTIONS}?from_id=${first.json.at(-1)?.transaction_id}`);
    expect(modified([first, next])).toBe(2);
    await request(TRANSACTIONS); // a torn snapshot may be read again
    expect(offenceKinds(simulator)).toEqual([]);
  });

  const sizes: [string, (faults: Faults) => void, number[]][] = [
    ['emptyPage', (faults) => faults.emptyPage(2), [1_000, 0, 500]],
    ['dropRow', (faults) => faults.dropRow(), [1_000, 999, 500]],
    ['duplicateRow', (faults) => faults.duplicateRow(), [1_000, 1_000, 501]],
  ];
  test.each(sizes)(
    'the fault %s changes the rows of assets under one Last-Modified',
    async (name, set, expected) => {
      const { simulator, request } = await startWithThreePages();
      set(simulator.faults);
      const answers = await pages(request, ASSETS);
      expect(answers.map(({ json }) => json.length)).toEqual(expected);
      expect(modified(answers)).toBe(1);
      const rows = answers.flatMap(({ json }) => json);
      if (name === 'duplicateRow') expect(rows.at(-1)).toEqual(rows[0]);
    },
  );

  test('wrongPages, emptySnapshot and collapse affect snapshots of owners', async () => {
    const { simulator, request } = await startWithThreePages();
    simulator.faults.wrongPages(9);
    const wrong = await pages(request, ASSETS);
    expect(wrong.map(({ headers }) => headers.get('x-pages'))).toEqual(['3', '9', '9']);
    simulator.faults.clear();
    simulator.faults.emptySnapshot();
    for (const path of [ASSETS, JOURNAL, TRANSACTIONS, `/characters/${ANNA}/orders`])
      expect((await request(path)).json).toEqual([]);
    simulator.faults.clear();
    simulator.faults.collapse(0.5);
    const [one, two, three] = await pages(request, ASSETS);
    expect([one?.json.length, two?.json.length, three?.status]).toEqual([1_000, 250, 404]);
    expect((await request<JournalRow[]>(`${JOURNAL}?page=2`)).json).toHaveLength(500);
  });

  test('faults of pages affect transactions, which are read by from_id', async () => {
    const { simulator, request } = await startWithThreePages();
    const first = (await request<TransactionRow[]>(TRANSACTIONS)).json;
    const next = `${TRANSACTIONS}?from_id=${first.at(-1)?.transaction_id}`;
    simulator.faults.emptyPage(2, { times: 1 });
    expect((await request(next)).json).toEqual([]);
    expect((await request<TransactionRow[]>(next)).json).toHaveLength(2_500);
    simulator.faults.dropRow();
    expect((await request<TransactionRow[]>(TRANSACTIONS)).json).toHaveLength(2_499);
  });

  test('mutateRows changes rows, single values and answers to ids', async () => {
    const { simulator, request } = await startWithThreePages();
    const { faults } = simulator;
    faults.mutateRows<AssetRow>((row) => (row.is_singleton ? null : { ...row, quantity: -1 }), {
      route: 'assets',
    });
    const { json } = await request<AssetRow[]>(ASSETS);
    expect(json.every((row) => row.quantity === -1 && !row.is_singleton)).toBe(true);
    faults.mutateRows<number>((balance) => String(balance), {
      route: '/characters/{character_id}/wallet',
      times: 1,
    });
    expect(typeof (await request(`/characters/${ANNA}/wallet`)).json).toBe('string');
    expect(typeof (await request(`/characters/${ANNA}/wallet`)).json).toBe('number');
    faults.mutateRows((row) => ({ ...row, name: 5 }), { route: '/universe/names' });
    expect((await post(simulator, '/universe/names', [ANNA])).json).toMatchObject([{ id: ANNA, name: 5 }]);
  });

  test('status, rawBody, html, truncate and loseAnswer affect owner routes', async () => {
    const { simulator, request } = await startWithThreePages();
    const { faults } = simulator;
    faults.status(502, { route: 'assets', times: 1 });
    expect((await request(ASSETS)).status).toBe(502);
    faults.rawBody('{"odd":1}', { times: 1 });
    expect((await request(ASSETS)).json).toEqual({ odd: 1 });
    faults.html({ times: 1 });
    await expect(request(ASSETS)).rejects.toThrow();
    for (const name of ['truncate', 'reset', 'resetMidway', 'loseAnswer'] as const) {
      faults[name]({ route: 'assets', times: 1 });
      await expect(request(ASSETS)).rejects.toThrow();
    }
    expect((await request(ASSETS)).status).toBe(200);
    expect(offenceKinds(simulator)).toEqual([]);
  });
});

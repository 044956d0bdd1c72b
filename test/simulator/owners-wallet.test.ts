import { afterEach, describe, expect, test } from '@jest/globals';
import type { JournalRow, TransactionRow } from '../../simulator/index.ts';
import {
  ANNA,
  BRAM,
  closeSimulators,
  CORPORATION,
  offenceKinds,
  requestAs,
  START,
  startTestSimulator,
} from './test-simulator.ts';

afterEach(closeSimulators);

const JOURNAL = `/characters/${ANNA}/wallet/journal`;
const TRANSACTIONS = `/characters/${ANNA}/wallet/transactions`;
const corporation = (rest: string) => `/corporations/${CORPORATION}/wallets${rest}`;

const cents = (isk: number | undefined) => Math.round((isk ?? Number.NaN) * 100);

/** Each row's balance is the older one's and its own amount, to the hundredth. */
function expectSums(rows: readonly JournalRow[]): void {
  for (const [index, row] of rows.entries()) {
    const older = rows[index + 1];
    if (!older) continue;
    expect(cents(row.balance)).toBe(cents(older.balance) + cents(row.amount));
    expect(row.id).toBeGreaterThan(older.id);
    expect(row.date >= older.date).toBe(true);
  }
}

describe('journals', () => {
  test('a journal adds up and ends with the wallet’s balance', async () => {
    const { simulator } = await startTestSimulator();
    const request = await requestAs(simulator, ANNA);
    const { json, headers } = await request<JournalRow[]>(JOURNAL);
    expect([json.length, headers.get('x-pages')]).toEqual([60, '1']);
    expectSums(json);
    expect((await request<number>(`/characters/${ANNA}/wallet`)).json).toBe(json[0]?.balance);
    expect(Math.min(...json.map((row) => row.balance ?? 0))).toBeGreaterThan(0);
    expect(new Set(json.map((row) => row.ref_type)).size).toBeGreaterThan(4);
    const oldest = Date.parse(json.at(-1)?.date ?? '');
    expect(oldest).toBeGreaterThan(START - 30 * 86_400_000);
    expect(json.every((row) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(row.date))).toBe(true);
  });

  test('a corporation has seven journals, each with its own balance', async () => {
    const { simulator } = await startTestSimulator();
    const request = await requestAs(simulator, ANNA);
    const wallets = (await request<{ division: number; balance: number }[]>(corporation(''))).json;
    expect(wallets.map((row) => row.division)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const ids = new Set<number>();
    for (const { division, balance } of wallets) {
      const { json } = await request<JournalRow[]>(corporation(`/${division}/journal`));
      expectSums(json);
      expect([json.length, json[0]?.balance]).toEqual([30, balance]);
      for (const row of json) ids.add(row.id);
    }
    expect(ids.size).toBe(7 * 30);
    expect((await request(`/corporations/${CORPORATION}/divisions`)).json).toMatchObject({
      wallet: [{ division: 2, name: 'Trade' }],
    });
  });

  test('a journal is paged by 2,500 and ends with the balance of the options', async () => {
    const characters = [{ id: ANNA, journal: 6_000, transactions: 3_000, balance: 1_234.56 }];
    const { simulator } = await startTestSimulator({ owners: { characters } });
    const request = await requestAs(simulator, ANNA);
    const pages = [];
    for (const page of [1, 2, 3]) pages.push(await request<JournalRow[]>(`${JOURNAL}?page=${page}`));
    expect(pages.map(({ json }) => json.length)).toEqual([2_500, 2_500, 1_000]);
    expect(new Set(pages.map(({ headers }) => headers.get('last-modified'))).size).toBe(1);
    expectSums(pages.flatMap(({ json }) => json));
    expect((await request(`/characters/${ANNA}/wallet`)).json).toBe(1_234.56);
    expect((await request(`${JOURNAL}?page=4`)).status).toBe(404);
  });

  test('a journal grows, loses rows after 30 days, and can have gaps', async () => {
    const { simulator, clock } = await startTestSimulator();
    const { owners } = simulator;
    const request = await requestAs(simulator, ANNA);
    const before = (await request<JournalRow[]>(JOURNAL)).json;
    const row = owners.pay(ANNA, -12.34, 'brokers_fee');
    owners.pay({ ownerId: ANNA, amount: 0.1, partyId: BRAM, reason: 'thanks' });
    expect((await request<JournalRow[]>(JOURNAL)).json).toHaveLength(60); // the snapshot has not been taken yet
    owners.takeSnapshots(ANNA, 'journal');
    const after = (await request<JournalRow[]>(JOURNAL)).json;
    expect(after.slice(1, 2)).toEqual([row]);
    expect(after[0]).toMatchObject({ first_party_id: BRAM, second_party_id: ANNA, reason: 'thanks' });
    expectSums(after);
    expect(after.slice(2)).toEqual(before);
    const dropped = owners.dropJournal(ANNA, 3);
    owners.takeSnapshots();
    const gapped = (await request<JournalRow[]>(JOURNAL)).json;
    expect(gapped).toEqual(after.filter(({ id }) => !dropped.includes(id)));
    expect(() => expectSums(gapped)).toThrow();
    expect(owners.dropJournal(ANNA, [row.id])).toEqual([row.id]);
    clock.advance(29 * 86_400 * 1_000);
    const later = await requestAs(simulator, ANNA);
    expect((await later<JournalRow[]>(JOURNAL)).json.length).toBeLessThan(10);
    expect(owners.journal(ANNA)).toHaveLength(58);
  });

  test('journals and assets are the same for the same seed', async () => {
    const [one, two] = [await startTestSimulator({ seed: 4 }), await startTestSimulator({ seed: 4 })];
    expect(one.simulator.owners.journal(ANNA)).toEqual(two.simulator.owners.journal(ANNA));
    expect(one.simulator.owners.assets(CORPORATION)).toEqual(two.simulator.owners.assets(CORPORATION));
    const other = await startTestSimulator({ seed: 5 });
    expect(other.simulator.owners.journal(ANNA)).not.toEqual(one.simulator.owners.journal(ANNA));
  });
});

describe('transactions', () => {
  test('transactions match the journal, newest first', async () => {
    const { simulator } = await startTestSimulator();
    const request = await requestAs(simulator, ANNA);
    const journal = new Map((await request<JournalRow[]>(JOURNAL)).json.map((row) => [row.id, row]));
    const rows = (await request<TransactionRow[]>(TRANSACTIONS)).json;
    const own = rows.filter((row) => row.is_personal);
    expect(own).toHaveLength(20);
    for (const row of own) {
      const amount = row.quantity * cents(row.unit_price) * (row.is_buy ? -1 : 1);
      expect(journal.get(row.journal_ref_id)).toMatchObject({
        amount: amount / 100,
        context_id: row.transaction_id,
        context_id_type: 'market_transaction_id',
        ref_type: 'market_transaction',
      });
    }
    const ids = rows.map((row) => row.transaction_id);
    expect(ids).toEqual([...ids].sort((a, b) => b - a));
    expect(journal.size - own.length).toBe(
      [...journal.values()].filter((row) => row.ref_type !== 'market_transaction').length,
    );
  });

  test('transactions are read by from_id, whose row is included', async () => {
    const { simulator } = await startTestSimulator({
      owners: {
        characters: [{ id: ANNA, transactions: 6_000 }],
        corporations: [{ id: CORPORATION, transactions: 1 }],
      },
    });
    const request = await requestAs(simulator, ANNA);
    const first = (await request<TransactionRow[]>(TRANSACTIONS)).json;
    const last = first.at(-1)?.transaction_id ?? 0;
    const second = (await request<TransactionRow[]>(`${TRANSACTIONS}?from_id=${last}`)).json;
    const third = (
      await request<TransactionRow[]>(`${TRANSACTIONS}?from_id=${second.at(-1)?.transaction_id}`)
    ).json;
    expect([first.length, second.length, second[0]]).toEqual([2_500, 2_500, first.at(-1)]);
    const personal = new Set(
      [...first, ...second, ...third].filter((row) => row.is_personal).map((row) => row.transaction_id),
    );
    expect(personal.size).toBe(6_000);
    const end = (await request<TransactionRow[]>(`${TRANSACTIONS}?from_id=${third.at(-1)?.transaction_id}`))
      .json;
    expect(end).toEqual(third.slice(-1));
    expect((await request(`${TRANSACTIONS}?from_id=5`)).json).toEqual([]);
    expect((await request(`${TRANSACTIONS}?from_id=x`)).status).toBe(400);
    expect(offenceKinds(simulator)).toEqual([]);
  });

  test('both parties of a trade have the same transaction id', async () => {
    const { simulator } = await startTestSimulator();
    const { owners } = simulator;
    const [anna, bram] = [await requestAs(simulator, ANNA), await requestAs(simulator, BRAM)];
    const mine = (await anna<TransactionRow[]>(TRANSACTIONS)).json.filter((row) => row.client_id === BRAM);
    const theirs = (await bram<TransactionRow[]>(`/characters/${BRAM}/wallet/transactions`)).json;
    expect(mine).toHaveLength(2);
    for (const row of mine) {
      const other = theirs.find(({ transaction_id }) => transaction_id === row.transaction_id);
      expect(other).toEqual({ ...row, client_id: ANNA, is_buy: !row.is_buy });
    }
    const before = [owners.balance(ANNA), owners.balance(CORPORATION, 3)];
    const deal = {
      sellerId: ANNA,
      buyerId: CORPORATION,
      buyerDivision: 3,
      typeId: 34,
      quantity: 7,
      price: 1.11,
      by: BRAM,
    };
    const { transactionId, journalId } = owners.trade(deal);
    expect([owners.balance(ANNA), owners.balance(CORPORATION, 3)].map(cents)).toEqual([
      cents(before[0]) + 777,
      cents(before[1]) - 777,
    ]);
    owners.takeSnapshots();
    const sale = (await anna<TransactionRow[]>(TRANSACTIONS)).json[0];
    expect(sale).toMatchObject({
      transaction_id: transactionId,
      is_buy: false,
      is_personal: true,
      client_id: CORPORATION,
    });
    const bought = (await anna<TransactionRow[]>(corporation('/3/transactions'))).json[0];
    expect(bought).toMatchObject({ transaction_id: transactionId, is_buy: true, journal_ref_id: journalId });
    expect(bought).not.toHaveProperty('is_personal');
    const seen = (await bram<TransactionRow[]>(`/characters/${BRAM}/wallet/transactions`)).json[0];
    expect(seen).toEqual({ ...bought, is_personal: false });
    expectSums((await anna<JournalRow[]>(corporation('/3/journal'))).json);
  });

  test('transactions of a corporation are listed for the character that made them', async () => {
    const { simulator } = await startTestSimulator();
    const [anna, bram] = [await requestAs(simulator, ANNA), await requestAs(simulator, BRAM)];
    const theirs = (await anna<TransactionRow[]>(corporation('/1/transactions'))).json;
    const lists = [
      await anna<TransactionRow[]>(TRANSACTIONS),
      await bram<TransactionRow[]>(`/characters/${BRAM}/wallet/transactions`),
    ];
    const shown = lists.flatMap(({ json }) => json.filter((row) => row.is_personal === false));
    expect(shown.length).toBeGreaterThan(0);
    for (const { is_personal: _, ...row } of shown) expect(theirs).toContainEqual(row);
  });
});

import { z } from 'zod';
import { parseRow } from '../esi/facts/parse-row.ts';
import { count, date, enumText, id, int8, isk, price } from '../esi/facts/bounds.ts';
import { defineResource, type OwnerCollector } from './define.ts';

const division = z.int().min(1).max(7);

const journalRow = z.object({
  journal_id: id,
  date,
  ref_type: z.string().min(1).max(100),
  first_party_id: id.optional(),
  second_party_id: id.optional(),
  amount: isk.optional(),
  balance: isk.optional(),
  reason: z.string().optional(),
  tax: isk.optional(),
  tax_receiver_id: id.optional(),
  context_id: int8.refine((value) => value !== 0).optional(),
  context_id_type: z.string().max(100).optional(),
  description: z.string().default(''),
});

const transactionRow = z.object({
  transaction_id: id,
  date,
  type_id: count,
  location_id: id,
  quantity: count,
  unit_price: price,
  is_buy: z.boolean(),
  client_id: id,
  journal_ref_id: int8,
});

const journal = {
  name: 'journal',
  fields: { journal_id: 'id' },
  row: journalRow,
  table: 'wallet_journal',
  ownerScoped: true,
  key: ['journal_id'],
  versionedAt: 'created_at',
  change: { policy: 'append' },
  series: 'wallet_journal_gaps',
} as const;

const transactions = {
  name: 'transactions',
  table: 'wallet_transactions',
  ownerScoped: true,
  key: ['transaction_id', 'is_buy'], // an owner may trade with itself
  versionedAt: 'created_at',
  change: { policy: 'append' },
  references: { type_id: 'types', location_id: 'locations' },
} as const;

const balance = {
  name: 'balance',
  table: 'wallet_balances',
  ownerScoped: true,
  versionedAt: 'observed_at',
  change: { policy: 'changes' },
} as const;

const divisionLists = z.array(z.looseObject({})).optional();
const divisions = z.object({ hangar: divisionLists, wallet: divisionLists });

/** Merges the lists of hangars and wallets. ESI leaves out the list in which no division has a name. */
function flattenDivisions(json: unknown): unknown {
  const { data } = parseRow(divisions, json);
  // Anything but a list is rejected, and so is an object that has neither list but something else.
  if (!data) return typeof json === 'object' ? {} : json;
  if (Object.keys(data).length === 0 && Object.keys(json as object).length > 0) return {};
  return Object.entries(data).flatMap(([kind, list]) => (list ?? []).map((row) => ({ ...row, kind })));
}

export const wallet: OwnerCollector = {
  name: 'wallet',
  description: 'Wallets: balance, journal and transactions; of corporations by division',
  schedule: { every: '30m' },
  resources: [
    defineResource({
      ...balance,
      route: '/characters/{character_id}/wallet',
      for: 'character',
      expected: 'a number',
      // The answer is a single row, which needs no key.
      rows: (json) => (typeof json === 'number' ? [{ balance: json }] : json),
      row: z.object({ balance: isk }),
      key: [],
    }),
    defineResource({ ...journal, route: '/characters/{character_id}/wallet/journal', for: 'character' }),
    defineResource({
      ...transactions,
      route: '/characters/{character_id}/wallet/transactions',
      for: 'character',
      row: transactionRow.extend({ is_personal: z.boolean().optional() }),
    }),
    defineResource({
      ...balance,
      route: '/corporations/{corporation_id}/wallets',
      for: 'corporation',
      row: z.object({ division, balance: isk }),
      key: ['division'],
    }),
    defineResource({
      ...journal,
      route: '/corporations/{corporation_id}/wallets/{division}/journal',
      for: 'corporation',
      per: 'division',
    }),
    defineResource({
      ...transactions,
      route: '/corporations/{corporation_id}/wallets/{division}/transactions',
      for: 'corporation',
      per: 'division',
      row: transactionRow,
    }),
    defineResource({
      name: 'divisions',
      route: '/corporations/{corporation_id}/divisions',
      for: 'corporation',
      expected: 'lists of divisions',
      rows: flattenDivisions,
      outerFields: ['hangar', 'wallet'],
      row: z.object({ kind: enumText, division, name: z.string().optional() }),
      table: 'corporation_divisions',
      key: ['kind', 'division'],
      versionedAt: 'updated_at',
      change: { policy: 'snapshot' },
    }),
  ],
};

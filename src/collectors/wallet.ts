import { z } from 'zod';
import { date, isk } from '../esi/facts/bounds.ts';
import { defineResource, type OwnerCollector } from './define.ts';

const id = z.int().positive();
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
  context_id: z.int().optional(),
  context_id_type: z.string().max(100).optional(),
  description: z.string(),
});

const transactionRow = z.object({
  transaction_id: id,
  date,
  type_id: z.int().nonnegative(),
  location_id: id,
  quantity: z.int().positive(),
  unit_price: isk.nonnegative(),
  is_buy: z.boolean(),
  client_id: id,
  journal_ref_id: z.int(),
});

const journal = {
  part: 'journal',
  rename: { journal_id: 'id' },
  row: journalRow,
  table: 'wallet_journal',
  shared: true,
  key: ['journal_id'],
  seenAt: 'created_at',
  change: { policy: 'append' },
  series: 'wallet_journal_gaps',
} as const;

const transactions = {
  part: 'transactions',
  table: 'wallet_transactions',
  shared: true,
  key: ['transaction_id'],
  seenAt: 'created_at',
  change: { policy: 'append' },
  lookups: { type_id: 'types', location_id: 'locations' },
} as const;

const balance = {
  part: 'balance',
  table: 'wallet_balances',
  shared: true,
  seenAt: 'observed_at',
  change: { policy: 'changes' },
} as const;

const divisions = z
  .strictObject({ hangar: z.array(z.looseObject({})), wallet: z.array(z.looseObject({})) })
  .partial();

/** Names of hangars and wallets in one list; either is left out where no division has a name of its own. */
function flattenDivisions(json: unknown): unknown {
  const { data } = divisions.safeParse(json);
  if (!data) return typeof json === 'object' ? {} : json; // no list, whatever it is
  return Object.entries(data).flatMap(([kind, list]) => (list ?? []).map((row) => ({ ...row, kind })));
}

export const wallet: OwnerCollector = {
  name: 'wallet',
  about: 'Wallets: balance, journal and transactions, of corporations by division',
  rhythm: { every: '30m' },
  parts: [
    defineResource({
      ...balance,
      route: '/characters/{character_id}/wallet',
      for: 'character',
      answers: 'a number',
      // A single row, without a key.
      rows: (json) => (typeof json === 'number' ? [{ balance: json }] : json),
      row: z.object({ balance: isk }),
      key: [],
    }),
    defineResource({ ...journal, route: '/characters/{character_id}/wallet/journal', for: 'character' }),
    defineResource({
      ...transactions,
      route: '/characters/{character_id}/wallet/transactions',
      for: 'character',
      row: transactionRow.extend({ is_personal: z.boolean() }),
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
      part: 'divisions',
      route: '/corporations/{corporation_id}/divisions',
      for: 'corporation',
      answers: 'lists of divisions',
      rows: flattenDivisions,
      row: z.object({ kind: z.string().max(50), division, name: z.string().optional() }),
      table: 'corporation_divisions',
      key: ['kind', 'division'],
      seenAt: 'updated_at',
      change: { policy: 'snapshot' },
    }),
  ],
};

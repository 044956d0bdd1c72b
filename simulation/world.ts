import type { Database } from '../src/store/database.ts';
import { createRandom, mixSeed, type Random } from '../simulator/random.ts';
import { BalanceSubject, GrowingSubject, JournalSubject, OrdersSubject } from './list-subjects.ts';
import type { SimulatedCollector } from './plan.ts';
import type { Source } from './source.ts';
import { assets, ASSET_COLUMNS, shipName } from './sources/assets.ts';
import { idsOf, type WorldIds } from './sources/ids.ts';
import { marketBook, ORDER_COLUMNS, type Turmoil } from './sources/market-book.ts';
import { OWN_ORDER_COLUMNS, type OwnOrders, ownOrders } from './sources/own-orders.ts';
import { JOURNAL_COLUMNS, TRANSACTION_COLUMNS, type Wallet, wallet } from './sources/wallet.ts';
import { SnapshotSubject, type Subject } from './subjects.ts';

/** The truth of one world: its lists, and the judgement of what is stored of them. */
export interface World {
  readonly ids: WorldIds;
  readonly sources: readonly Source[];
  readonly subjects: Readonly<Record<SimulatedCollector, readonly Subject[]>>;
  readonly orders: OrdersSubject;
  targetOf(collector: SimulatedCollector): string;
  /** Lets most rows of a list end with its next version. */
  readonly turmoil: Turmoil;
  /** The name of an item, where it exists. */
  nameOf(itemId: number): { name: string } | undefined;
}

/** Creates the world of a seed. `number` sets its ids apart from those of other worlds in the database. */
export function createWorld(number: number, seed: number, start: number): World {
  const ids = idsOf(number);
  const turmoil: Turmoil = { isDue: false };
  const random = (salt: number): Random => createRandom(mixSeed(seed, salt));
  const book = marketBook(ids, random(1), start, turmoil);
  const items = assets(ids, random(2), start, turmoil);
  const money = wallet(ids, random(3), start);
  const trades = ownOrders(ids, random(4), start);
  const orders = ordersSubject(ids, trades);
  return {
    ids,
    turmoil,
    orders,
    sources: [book, items, money.balance, money.journal, money.transactions, trades.open, trades.history],
    targetOf: (collector) =>
      collector === 'market-orders' ? `region/${ids.region}` : `character/${ids.character}`,
    nameOf(itemId) {
      const rows = items.versions.at(-1)!.rows;
      return rows.some((row) => row['item_id'] === itemId) ? { name: shipName(itemId) ?? 'None' } : undefined;
    },
    subjects: {
      'market-orders': [bookSubject(ids, book)],
      assets: [assetsSubject(ids, items)],
      wallet: walletSubjects(ids, money),
      orders: [orders],
    },
  };
}

const ofCharacter = ({ character }: WorldIds) => ({
  target: `character/${character}`,
  where: `b.character_id = ${character}`,
});

function bookSubject({ region }: WorldIds, source: Source): Subject {
  const options = {
    source,
    collector: 'market-orders',
    target: `region/${region}`,
    resource: '',
    table: 'market_orders_public',
    where: `b.region_id = ${region}`,
    columns: ORDER_COLUMNS,
  };
  return new SnapshotSubject(options, `market_book_at(${region}, $1)`);
}

function assetsSubject(ids: WorldIds, source: Source): Subject {
  const own = ofCharacter(ids);
  const options = {
    ...own,
    source,
    collector: 'assets',
    resource: '',
    table: 'assets',
    columns: ASSET_COLUMNS,
  };
  return new SnapshotSubject(options, `assets_at(${ids.character}, NULL, $1)`);
}

function walletSubjects(ids: WorldIds, { balance, journal, transactions }: Wallet): Subject[] {
  const own = { ...ofCharacter(ids), collector: 'wallet' };
  return [
    new BalanceSubject({
      ...own,
      source: balance,
      resource: 'balance',
      table: 'wallet_balances',
      columns: {},
    }),
    new JournalSubject({
      ...own,
      source: journal,
      resource: 'journal',
      table: 'wallet_journal',
      columns: JOURNAL_COLUMNS,
      renamed: { id: 'journal_id' },
    }),
    new GrowingSubject({
      ...own,
      source: transactions,
      resource: 'transactions',
      table: 'wallet_transactions',
      columns: TRANSACTION_COLUMNS,
    }),
  ];
}

function ordersSubject(ids: WorldIds, trades: OwnOrders): OrdersSubject {
  const own = { ...ofCharacter(ids), collector: 'orders', resource: 'open', table: 'character_orders' };
  return new OrdersSubject({ ...own, source: trades.open, columns: OWN_ORDER_COLUMNS }, trades);
}

/** What stays of a world in the bookkeeping when it is at rest: nothing but what its published snapshots need. */
export async function findLeftovers({ pool }: Database, targets: readonly string[]): Promise<string[]> {
  const { rows } = await pool.query<{ text: string }>(
    `SELECT 'run ' || run_id || ' of ' || collector || ' is open' AS text FROM collection_runs
      WHERE target = ANY($1) AND finished_at IS NULL
     UNION ALL
     SELECT 'run ' || run_id || ' of ' || collector || ' left its stage' FROM collection_runs
      WHERE target = ANY($1) AND to_regclass('stage.r' || run_id) IS NOT NULL
     UNION ALL
     SELECT 'run ' || run_id || ' of ' || collector || ' left staged pages' FROM collection_runs r
      WHERE target = ANY($1) AND EXISTS (SELECT FROM stage.pages p WHERE p.run_id = r.run_id)
        AND NOT EXISTS (SELECT FROM published_sets p WHERE p.run_id = r.run_id)
     UNION ALL
     SELECT collector || ' ' || resource || ' awaits confirmation' FROM published_sets
      WHERE target = ANY($1) AND suspect_last_modified IS NOT NULL`,
    [targets],
  );
  return rows.map(({ text }) => text);
}

/** Empties what is staged for these targets, as a crash of the database server does: those tables are unlogged. */
export async function emptyStage({ pool }: Database, targets: readonly string[]): Promise<void> {
  const { rows } = await pool.query<{ run: number; hasTable: boolean }>(
    `SELECT run_id AS run, to_regclass('stage.r' || run_id) IS NOT NULL AS "hasTable" FROM collection_runs
      WHERE target = ANY($1)`,
    [targets],
  );
  for (const { run, hasTable } of rows) if (hasTable) await pool.query(`TRUNCATE stage.r${run}`);
  for (const table of ['pages', 'enrichments', 'enrichment_attempts'])
    await pool.query(`DELETE FROM stage.${table} WHERE run_id = ANY($1)`, [rows.map(({ run }) => run)]);
}

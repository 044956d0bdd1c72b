import type { PoolClient } from 'pg';
import { copyInto, encodeRows } from '../copy.ts';
import type { Database, Queryable } from '../database.ts';
import { assignments, columnList, differ } from '../sql-fragments.ts';
import { ensureHistoryYears } from '../partitions.ts';

/** A day of a type's history in a region. `date` is like `2026-11-24`. */
export interface HistoryDay {
  readonly date: string;
  readonly average: number;
  readonly highest: number;
  readonly lowest: number;
  readonly order_count: number;
  readonly volume: number;
}

/** The answer for one type. */
export interface HistoryAnswer {
  readonly typeId: number;
  /** Undefined: ESI rejected this type of this region. */
  readonly days: readonly HistoryDay[] | undefined;
}

const DATA = ['average', 'highest', 'lowest', 'order_count', 'volume'];
const COLUMNS = ['type_id', 'date', ...DATA];

/**
 * Adds the types that have a market in a region: those of known orders, and those that ESI lists. Types known to be
 * unpublished or without a market group are left out, because the history route rejects them.
 */
export async function addHistoryTypes(
  db: Queryable,
  regionId: number,
  listed: readonly number[],
): Promise<void> {
  await db.query(
    `INSERT INTO market_history_types (region_id, type_id)
     SELECT $1, c.type_id FROM (SELECT type_id FROM market_orders_public WHERE region_id = $1
                                UNION SELECT unnest($2::bigint[])) c
       LEFT JOIN types t USING (type_id)
      WHERE t.type_id IS NULL OR t.is_placeholder OR (t.published AND t.market_group_id IS NOT NULL)
     ON CONFLICT DO NOTHING`,
    [regionId, listed],
  );
}

/** The condition that a type is to be requested for a day ($2). */
const IS_DUE = `region_id = $1 AND (asked_day IS NULL OR asked_day < $2) AND (rest_until IS NULL OR rest_until <= $2)`;

/** Types that are due for a day, those first that waited longest. */
export async function readDueTypes(
  db: Queryable,
  regionId: number,
  day: string,
  limit: number,
): Promise<number[]> {
  const { rows } = await db.query<{ type_id: number }>(
    `SELECT type_id FROM market_history_types WHERE ${IS_DUE} ORDER BY asked_day NULLS FIRST, type_id LIMIT $3`,
    [regionId, day, limit],
  );
  return rows.map((row) => row.type_id);
}

/** How many types were requested for a day, and how many are still due. */
export async function countHistoryTypes(
  db: Queryable,
  regionId: number,
  day: string,
): Promise<{ done: number; due: number }> {
  const { rows } = await db.query<{ done: number; due: number }>(
    `SELECT count(*) FILTER (WHERE asked_day = $2) AS done, count(*) FILTER (WHERE ${IS_DUE}) AS due
       FROM market_history_types WHERE region_id = $1`,
    [regionId, day],
  );
  return rows[0] ?? { done: 0, due: 0 };
}

/** The stored days of all types of a region. A run ends with it: some millions are a second of work, once a day. */
export async function countHistoryRows(db: Queryable, regionId: number): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    'SELECT count(*) AS n FROM market_history WHERE region_id = $1',
    [regionId],
  );
  return rows[0]?.n ?? 0;
}

/** Whether a run since `since` listed the types of a target. The list counts for the whole day. */
export async function wereTypesListed(db: Queryable, target: string, since: Date): Promise<boolean> {
  const { rowCount } = await db.query(
    `SELECT FROM collection_runs WHERE collector = 'market-history' AND target = $1 AND started_at >= $2
        AND progress_total IS NOT NULL LIMIT 1`,
    [target, since],
  );
  return (rowCount ?? 0) > 0;
}

/** How many of these types ESI rejected before. */
export async function countRejectedTypes(
  db: Queryable,
  regionId: number,
  typeIds: readonly number[],
): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    `SELECT count(*) AS n FROM market_history_types WHERE region_id = $1 AND type_id = ANY($2) AND rejections > 0`,
    [regionId, typeIds],
  );
  return rows[0]?.n ?? 0;
}

/** Days of a batch. */
export interface HistoryCounts {
  read: number;
  inserted: number;
  changed: number;
}

/**
 * Stores the answers of a batch in one transaction: new days and late corrections of old ones, while equal days stay
 * untouched. Marks the types as requested for this day. A rejected type is not requested for 1, 2, 4 … and at most 30
 * days.
 */
export async function storeHistory(
  db: Database,
  regionId: number,
  day: string,
  answers: readonly HistoryAnswer[],
): Promise<HistoryCounts> {
  const rows = answers.flatMap(({ typeId, days = [] }) => days.map((row) => ({ type_id: typeId, ...row })));
  return db.transaction(async (client) => {
    await ensureHistoryYears(
      client,
      rows.map((row) => Number(row.date.slice(0, 4))),
    );
    await client.query(
      `CREATE TEMP TABLE days ON COMMIT DROP AS SELECT ${columnList(COLUMNS)} FROM market_history WITH NO DATA`,
    );
    await copyInto(client, 'days', COLUMNS, [encodeRows(COLUMNS, rows)]);
    const { rows: counts } = await client.query<{ inserted: number; changed: number }>(
      `WITH diff AS (
         SELECT d.*, k.date IS NOT NULL AS known FROM days d
           LEFT JOIN market_history k ON k.region_id = $1 AND k.type_id = d.type_id AND k.date = d.date
          WHERE ${differ(DATA, 'k', 'd')}),
       written AS (
         INSERT INTO market_history (region_id, ${columnList(COLUMNS)})
         SELECT $1, ${columnList(COLUMNS)} FROM diff
         ON CONFLICT (region_id, type_id, date) DO UPDATE SET ${assignments(DATA, 'excluded')})
       SELECT count(*) FILTER (WHERE NOT known) AS inserted, count(*) FILTER (WHERE known) AS changed FROM diff`,
      [regionId],
    );
    await markRequested(client, regionId, day, answers);
    return { read: rows.length, inserted: counts[0]?.inserted ?? 0, changed: counts[0]?.changed ?? 0 };
  });
}

async function markRequested(
  client: PoolClient,
  regionId: number,
  day: string,
  answers: readonly HistoryAnswer[],
): Promise<void> {
  await client.query(
    `UPDATE market_history_types t
        SET asked_day = $2, rejections = CASE WHEN a.rejected THEN t.rejections + 1 ELSE 0 END,
            rest_until = CASE WHEN a.rejected THEN $2::date + least(30, power(2, least(t.rejections, 5)))::int END
       FROM unnest($3::bigint[], $4::boolean[]) AS a (type_id, rejected)
      WHERE t.region_id = $1 AND t.type_id = a.type_id`,
    [regionId, day, answers.map(({ typeId }) => typeId), answers.map(({ days }) => days === undefined)],
  );
}

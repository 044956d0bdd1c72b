import type { Queryable } from './database.ts';

/** Time series that are partitioned by month. */
const MONTHLY = ['market_order_changes', 'market_type_series'] as const;

/** Partitions created ahead, so that a product that is stopped over New Year has its month when it writes. */
const MONTHS_AHEAD = 2;

/** Any constant: the advisory lock that serializes the creation of partitions. */
const PARTITION_LOCK = 7_203_178;

function monthStart(date: Date, offset: number): Date {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + offset, 1));
}

const day = (date: Date) => date.toISOString().slice(0, 10);

/** A bound in the type of the column. A moment has its time zone, whatever that of the server is. */
const bound = (table: string, at: Date) => (table === 'market_history' ? day(at) : `${day(at)} 00:00:00+00`);

interface Partition {
  readonly table: string;
  readonly name: string;
  readonly start: Date;
  readonly end: Date;
}

/** Creates the partitions of the month of `from` and of `ahead` months after it. One query when they exist. */
export async function ensurePartitions(client: Queryable, from: Date, ahead = MONTHS_AHEAD): Promise<void> {
  const wanted = MONTHLY.flatMap((table) =>
    Array.from({ length: ahead + 1 }, (_, months) => {
      const start = monthStart(from, months);
      const name = `${table}_${day(start).slice(0, 7).replace('-', '_')}`;
      return { table, name, start, end: monthStart(from, months + 1) };
    }),
  );
  await createMissing(client, wanted);
}

/** Creates the yearly partitions of `market_history` that the given years need. */
export async function ensureHistoryYears(client: Queryable, years: readonly number[]): Promise<void> {
  const start = (year: number) => new Date(Date.UTC(year, 0, 1));
  await createMissing(
    client,
    [...new Set(years)].map((year) => ({
      table: 'market_history',
      name: `market_history_${year}`,
      start: start(year),
      end: start(year + 1),
    })),
  );
}

async function createMissing(client: Queryable, wanted: readonly Partition[]): Promise<void> {
  const { rows } = await client.query<{ relname: string }>(
    `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = current_schema() AND c.relname = ANY($1)`,
    [wanted.map(({ name }) => name)],
  );
  const present = new Set(rows.map((row) => row.relname));
  const missing = wanted.filter(({ name }) => !present.has(name));
  if (missing.length === 0) return;
  // One query, and so one transaction that holds the lock. A pool may run it on any connection.
  const create = missing.map(
    ({ table, name, start, end }) =>
      `CREATE TABLE IF NOT EXISTS ${name} PARTITION OF ${table} FOR VALUES FROM ('${bound(table, start)}') TO ('${bound(table, end)}')`,
  );
  await client.query(`SELECT pg_advisory_xact_lock(${PARTITION_LOCK}); ${create.join('; ')}`);
}

/** Drops partitions of months that ended before `before`. Returns their names. */
export async function dropPartitionsBefore(
  client: Queryable,
  table: (typeof MONTHLY)[number],
  before: Date,
): Promise<string[]> {
  const { rows } = await client.query<{ relname: string }>(
    `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::regclass`,
    [table],
  );
  const last = `${table}_${day(monthStart(before, 0)).slice(0, 7).replace('-', '_')}`;
  const old = rows.map((row) => row.relname).filter((name) => name < last);
  for (const name of old) await client.query(`DROP TABLE IF EXISTS ${name}`);
  return old;
}

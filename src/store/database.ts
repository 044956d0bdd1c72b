import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import type { PoolClient } from 'pg';
import { toExactInt } from '../lib/exact-int.ts';
import type { Log } from '../lib/log.ts';
import { PrismaClient } from './generated/client.ts';

/** Milliseconds that a clean stop waits for statements under way. */
const CLOSE_TIMEOUT = 2_000;

/** PostgreSQL's type OID of BIGINT. Counts, and nearly all ids, fit 2^53; an id that does not is read as ExactInt. */
const INT8 = 20;

/** pg's own parser for every type but int8. */
function parserOf(oid: number, format?: string): unknown {
  if (oid === INT8 && format !== 'binary') return toExactInt;
  // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- pg calls this with the OIDs of all types
  return pg.types.getTypeParser(oid, format as 'text');
}

/**
 * Sets the session's time zone to UTC, whatever the database's is: Prisma reads times as if they were UTC, and bounds of
 * partitions are dates.
 */
async function useUtc(client: pg.ClientBase): Promise<void> {
  await client.query("SET TIME ZONE 'UTC'");
}

/** Opens one connection outside the pool. It must be ended. */
export async function openConnection(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined); // a broken connection also fails the statement under way
  try {
    await client.connect();
    await useUtc(client);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

export interface DatabaseOptions {
  readonly url: string;
  readonly maxConnections: number;
  readonly minConnections: number;
  readonly log: Log;
  /** Counts statements by their first word, for the metric db_queries_total. */
  readonly observe?: (type: string) => void;
}

/** What runs statements: the pool, or the client of a transaction. */
export type Queryable = Pick<pg.Pool | pg.ClientBase, 'query'>;

/** How a transaction ends. With `commit` false everything that it wrote is rolled back. */
export interface TransactionOutcome<T> {
  readonly commit: boolean;
  readonly result: T;
}

/** One connection pool, used as plain SQL for bulk work and through Prisma for single rows. */
export interface Database {
  readonly pool: pg.Pool;
  readonly prisma: PrismaClient;
  /** Runs `work` in one transaction on one connection. Rolls back when it throws. */
  transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T>;
  /** The same, for work that decides by its outcome whether to commit. */
  decideTransaction<T>(work: (client: PoolClient) => Promise<TransactionOutcome<T>>): Promise<T>;
  close(): Promise<void>;
}

export function openDatabase(options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.maxConnections,
    min: options.minConnections,
    application_name: 'eve-collector',
    // An unreachable database must not block a caller for ever: activities are retried.
    connectionTimeoutMillis: 10_000,
    // The system notices a connection whose other end is lost; otherwise its statement would wait without end.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser: parserOf as typeof pg.types.getTypeParser },
    onConnect: useUtc as unknown as (client: pg.ClientBase) => void, // the pool waits for it, which its types do not say
  });
  // An idle connection that breaks is replaced. Without a listener the event would end the process.
  pool.on('error', (error) => options.log.warn({ error: error.message }, 'lost an idle database connection'));
  // A connection that breaks in use also fails its statement, so the event itself is ignored.
  pool.on('connect', (client) => client.on('error', () => undefined));
  if (options.observe) pool.on('connect', (client) => observeQueries(client, options.observe!));
  return databaseOn(pool, new PrismaClient({ adapter: new PrismaPg(pool) }));
}

/** The database that a pool is connected to. */
export function databaseOn(pool: pg.Pool, prisma: PrismaClient): Database {
  const decideTransaction: Database['decideTransaction'] = async (work) => {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      const { commit, result } = await work(client);
      await client.query(commit ? 'COMMIT' : 'ROLLBACK');
      client.release();
      return result;
    } catch (error) {
      client.release(true); // closing the connection rolls back, also when the connection itself is broken
      throw error;
    }
  };
  return {
    pool,
    prisma,
    decideTransaction,
    transaction: (work) =>
      decideTransaction(async (client) => ({ commit: true, result: await work(client) })),
    async close() {
      await prisma.$disconnect();
      // The server ends statements that are still under way with their connections.
      await Promise.race([pool.end(), new Promise((resolve) => setTimeout(resolve, CLOSE_TIMEOUT).unref())]);
    },
  };
}

/** Reports the first word of each statement of a connection. */
function observeQueries(client: PoolClient, observe: (type: string) => void): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  client.query = ((...args: unknown[]) => {
    const [first] = args;
    const text = typeof first === 'string' ? first : (first as { text?: unknown } | undefined)?.text;
    observe(typeof text === 'string' ? (/[a-z]+/i.exec(text)?.[0].toLowerCase() ?? 'other') : 'copy');
    return query(...args);
  }) as typeof client.query;
}

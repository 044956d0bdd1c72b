import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import type { PoolClient } from 'pg';
import type { Log } from '../lib/log.ts';
import { PrismaClient } from './generated/client.ts';

/** How long a clean stop waits for statements under way. */
const LAST_WORDS = 2_000;

/** Postgres' type number of BIGINT. Every id of ESI fits 2^53, and so does every count of rows. */
const INT8 = 20;

function readInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} does not fit a number exactly`);
  return value;
}

/** pg's own parsers for every type but int8. */
function parserOf(oid: number, format?: string): unknown {
  if (oid === INT8 && format !== 'binary') return readInt8;
  // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- pg calls this with the numbers of all types
  return pg.types.getTypeParser(oid, format as 'text');
}

export interface DatabaseOptions {
  readonly url: string;
  readonly maxConnections: number;
  readonly minConnections: number;
  readonly log: Log;
  /** Counts statements by what they do; see the metric db_queries_total. */
  readonly observe?: (type: string) => void;
}

/** One pool for everything: plain SQL where rows are many, Prisma where they are few. */
export interface Database {
  readonly pool: pg.Pool;
  readonly prisma: PrismaClient;
  /** Runs `work` in one transaction on one connection; rolls back when it throws. */
  transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function openDatabase(options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.maxConnections,
    min: options.minConnections,
    application_name: 'eve-collector',
    // A database that is away must not hang a caller for ever; activities come back by themselves.
    connectionTimeoutMillis: 10_000,
    types: { getTypeParser: parserOf as typeof pg.types.getTypeParser },
  });
  // An idle connection that breaks (a restart of the server) is replaced; without a listener it would end the process.
  pool.on('error', (error) => options.log.warn({ error: error.message }, 'lost an idle database connection'));
  // One that breaks while it is in use fails its statement; the event beside it must not end the process either.
  pool.on('connect', (client) => client.on('error', () => undefined));
  if (options.observe) pool.on('connect', (client) => observeQueries(client, options.observe!));
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    pool,
    prisma,
    async transaction(work) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        const result = await work(client);
        await client.query('COMMIT');
        client.release();
        return result;
      } catch (error) {
        client.release(true); // closing the connection rolls back, also when the connection itself was the trouble
        throw error;
      }
    },
    async close() {
      await prisma.$disconnect();
      // A statement under way is not waited for: the server ends it with the connection.
      await Promise.race([pool.end(), new Promise((resolve) => setTimeout(resolve, LAST_WORDS).unref())]);
    },
  };
}

/** Counts what a connection is asked, by the statement's first word. */
function observeQueries(client: PoolClient, observe: (type: string) => void): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  client.query = ((...args: unknown[]) => {
    const [first] = args;
    const text = typeof first === 'string' ? first : (first as { text?: unknown } | undefined)?.text;
    observe(typeof text === 'string' ? (/[a-z]+/i.exec(text)?.[0].toLowerCase() ?? 'other') : 'copy');
    return query(...args);
  }) as typeof client.query;
}

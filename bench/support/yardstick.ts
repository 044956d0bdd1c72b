import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import pg from 'pg';
import { Agent, request } from 'undici';
import { marketOrders } from '../../src/collectors/market-orders.ts';
import { copyInto, encodeRows } from '../../src/store/copy.ts';
import { timed } from './report.ts';

const inflate = promisify(gunzip);

/** As many connections as the client has. */
const CONNECTIONS = 20;

/** Rows encoded at a time, outside of the measured time. */
const BATCH = 5_000;

export interface Yardstick {
  readonly read: number;
  readonly copy: number;
  readonly total: number;
}

export type Row = Readonly<Record<string, unknown>>;

/** A GET of a page, or a POST of ids. */
export interface BenchRequest {
  readonly url: string;
  readonly ids?: readonly number[];
  readonly accessToken?: string;
}

/**
 * Measures the task without any of our work: reading all pages, then COPY of the rows into an empty copy of the table
 * with its indexes. Encoding the rows for COPY is left out, which makes the yardstick shorter, not longer.
 */
export async function measureYardstick(
  databaseUrl: string,
  esiUrl: string,
  region: number,
): Promise<Yardstick> {
  const pages = await countPages({ url: pageUrl(esiUrl, region, 1) });
  const read = await timed(() =>
    readRows(Array.from({ length: pages }, (_, i) => ({ url: pageUrl(esiUrl, region, i + 1) }))),
  );
  const columns = Object.keys(marketOrders.row.shape);
  const tail = `\t${region}\t${new Date().toISOString()}`;
  const texts = encodeAll(columns, read.result, tail);
  const copy = await copyIntoEmpty(
    databaseUrl,
    'market_orders_public',
    [...columns, 'region_id', 'snapshot_at'],
    texts,
    read.result.length,
  );
  return { read: read.seconds, copy, total: read.seconds + copy };
}

const pageUrl = (esiUrl: string, region: number, page: number) =>
  `${esiUrl}/markets/${region}/orders?order_type=all&page=${page}`;

const authorization = ({ accessToken }: BenchRequest) =>
  accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` };

/** The number of pages, which page 1 states. */
export async function countPages(first: BenchRequest): Promise<number> {
  const answer = await fetch(first.url, { headers: authorization(first) });
  await answer.arrayBuffer();
  return Number(answer.headers.get('x-pages'));
}

/** Reads the rows of all answers, with as many connections as the client has. */
export async function readRows(requests: readonly BenchRequest[]): Promise<Row[]> {
  const rows: Row[] = [];
  await readAnswers(requests, async (packed) => {
    for (const row of JSON.parse((await inflate(packed)).toString()) as Row[]) rows.push(row);
  });
  return rows;
}

/** Passes on every answer, packed as it was received. */
export async function readAnswers(
  requests: readonly BenchRequest[],
  take: (packed: Buffer) => Promise<void> | void,
): Promise<void> {
  const agent = new Agent({ connections: CONNECTIONS, pipelining: 1 });
  await Promise.all(
    requests.map(async (each) => {
      const { url, ids } = each;
      const { body, statusCode } = await request(url, {
        dispatcher: agent,
        headers: { 'accept-encoding': 'gzip', ...authorization(each) },
        ...(ids ? { method: 'POST', body: JSON.stringify(ids) } : {}),
      });
      const packed = Buffer.from(await body.arrayBuffer());
      if (statusCode !== 200) throw new Error(`${url} answered ${statusCode}`);
      await take(packed);
    }),
  );
  await agent.destroy();
}

/** Encodes rows for COPY, in texts of limited size. */
export function encodeAll(columns: readonly string[], rows: readonly Row[], tail: string): string[] {
  const texts: string[] = [];
  for (let i = 0; i < rows.length; i += BATCH)
    texts.push(encodeRows(columns, rows.slice(i, i + BATCH), tail));
  return texts;
}

/** The seconds of COPY into an empty copy of a table with its indexes. */
export async function copyIntoEmpty(
  databaseUrl: string,
  table: string,
  columns: readonly string[],
  texts: readonly string[],
  rows: number,
): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(`CREATE TABLE yardstick (LIKE ${table} INCLUDING ALL)`);
    const copied = await timed(() =>
      copyInto(client as unknown as pg.PoolClient, 'yardstick', columns, texts),
    );
    if (copied.result !== rows) throw new Error(`${copied.result} of ${rows} rows copied`);
    return copied.seconds;
  } finally {
    await client.query('DROP TABLE IF EXISTS yardstick');
    await client.end();
  }
}

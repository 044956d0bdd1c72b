import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import pg from 'pg';
import { Agent, request } from 'undici';
import { marketOrders } from '../../src/collectors/market-orders.ts';
import { copyInto, encodeRows } from '../../src/store/copy.ts';
import { timed } from './report.ts';

const inflate = promisify(gunzip);

/** As many as the client has. */
const CONNECTIONS = 20;

/** Rows encoded at a time, outside of the measured time. */
const BATCH = 5_000;

export interface Yardstick {
  readonly read: number;
  readonly copy: number;
  readonly total: number;
}

type Row = Record<string, unknown>;

/**
 * What the task costs without any of our work: reading all pages, then COPY of the rows into an empty copy of the final
 * table with its indexes. Encoding the rows for COPY is left out, which makes the yardstick shorter, not longer.
 */
export async function measureYardstick(
  databaseUrl: string,
  esiUrl: string,
  region: number,
): Promise<Yardstick> {
  const firstPage = await fetch(pageUrl(esiUrl, region, 1));
  await firstPage.arrayBuffer();
  const pages = Number(firstPage.headers.get('x-pages'));
  const read = await timed(() => readAll(esiUrl, region, pages));
  const copy = await copyAll(databaseUrl, read.result, region);
  return { read: read.seconds, copy, total: read.seconds + copy };
}

const pageUrl = (esiUrl: string, region: number, page: number) =>
  `${esiUrl}/markets/${region}/orders?order_type=all&page=${page}`;

async function readAll(esiUrl: string, region: number, pages: number): Promise<Row[]> {
  const agent = new Agent({ connections: CONNECTIONS, pipelining: 1 });
  const rows: Row[] = [];
  await Promise.all(
    Array.from({ length: pages }, async (_, i) => {
      const url = pageUrl(esiUrl, region, i + 1);
      const { body } = await request(url, { dispatcher: agent, headers: { 'accept-encoding': 'gzip' } });
      const text = await inflate(Buffer.from(await body.arrayBuffer()));
      for (const row of JSON.parse(text.toString()) as Row[]) rows.push(row);
    }),
  );
  await agent.destroy();
  return rows;
}

async function copyAll(databaseUrl: string, rows: readonly Row[], region: number): Promise<number> {
  const columns = Object.keys(marketOrders.row.shape);
  const texts: string[] = [];
  const tail = `\t${region}\t${new Date().toISOString()}`;
  for (let i = 0; i < rows.length; i += BATCH)
    texts.push(encodeRows(columns, rows.slice(i, i + BATCH), tail));
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('CREATE TABLE yardstick (LIKE market_orders_public INCLUDING ALL)');
    const pool = client as unknown as pg.PoolClient;
    const copied = await timed(() =>
      copyInto(pool, 'yardstick', [...columns, 'region_id', 'snapshot_at'], texts),
    );
    if (copied.result !== rows.length) throw new Error(`${copied.result} of ${rows.length} rows copied`);
    return copied.seconds;
  } finally {
    await client.query('DROP TABLE IF EXISTS yardstick');
    await client.end();
  }
}

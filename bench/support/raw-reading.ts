import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Agent, request } from 'undici';
import type { Raw } from './measure-rounds.ts';
import { timed } from './report.ts';

const inflate = promisify(gunzip);

/** As many connections as the client has. */
const CONNECTIONS = 20;

export type Row = Readonly<Record<string, unknown>>;

/** A GET of a page, or a POST of ids. */
export interface BenchRequest {
  readonly url: string;
  readonly ids?: readonly number[];
  readonly accessToken?: string;
}

/** Reads all orders of regions and parses them: the task without any of our work. */
export async function measureRawOrders(esiUrl: string, regions: readonly number[]): Promise<Raw> {
  const requests: BenchRequest[] = [];
  for (const region of regions) {
    const pages = await countPages({ url: pageUrl(esiUrl, region, 1) });
    for (let page = 1; page <= pages; page++) requests.push({ url: pageUrl(esiUrl, region, page) });
  }
  return measureRaw(() => readAnswers(requests, async (packed) => void (await parse(packed))));
}

/** Seconds and CPU of a reading. */
export async function measureRaw(read: () => Promise<unknown>): Promise<Raw> {
  const before = process.cpuUsage();
  const { seconds } = await timed(read);
  const { user, system } = process.cpuUsage(before);
  return { seconds, cpu: (user + system) / 1e6 };
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

const parse = async (packed: Buffer) => JSON.parse((await inflate(packed)).toString()) as Row[];

/** Reads the rows of all answers, with as many connections as the client has. */
export async function readRows(requests: readonly BenchRequest[]): Promise<Row[]> {
  const rows: Row[] = [];
  await readAnswers(requests, async (packed) => {
    for (const row of await parse(packed)) rows.push(row);
  });
  return rows;
}

/** Passes on every answer, packed as it was received. */
async function readAnswers(
  requests: readonly BenchRequest[],
  take: (packed: Buffer) => Promise<void>,
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

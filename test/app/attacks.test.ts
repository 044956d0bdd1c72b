import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { constants, deflateRawSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeZip, type PackedEntry } from '../../simulator/zip.ts';
import { startTestUp, type TestUp } from '../support/running-up.ts';
import { eventually } from '../support/test-temporal.ts';

/**
 * Answers that are made to stop the process. It goes on serving within its memory, and collects when the source is well
 * again.
 */

/** As many as stay below the ten failures in a row after which a route is stopped. */
const REGIONS = [10000002, 10000043, 10000032, 10000030, 10000042, 10000001, 10000016, 10000033];
const ORDERS = '/markets/{region_id}/orders';

/** MB of JavaScript objects, beyond which the process would end. It stands for a small machine. */
const HEAP = 256;

/** Bytes: the heap, all bodies in flight (96 MB), and 300 MB for code and Temporal's core, which a process has after its start. */
const MAX_MEMORY = (HEAP + 96 + 300) * 2 ** 20;

/** Milliseconds. Who watches a process by its /health, such as Kubernetes by default, waits no longer. */
const MAX_WAIT = 1_000;

/** Milliseconds between two requests of /health. */
const INTERVAL = 200;

let up: TestUp;
beforeAll(async () => {
  up = await startTestUp({
    regions: Object.fromEntries(REGIONS.map((id) => [id, 50])),
    cacheSeconds: 1,
    enforceLimits: false,
    settings: {
      NODE_OPTIONS: `--max-old-space-size=${HEAP}`,
      ESI_RATE_LIMIT: '1000000',
      ESI_BURST_LIMIT: '1000000',
    },
  });
  expect(await collectOrders()).toEqual(REGIONS.map(() => 'published'));
}, 90_000);
afterAll(() => up.close());

async function collect(collector: string, target: string): Promise<string> {
  const workflowId = target === '' ? collector : `${collector}/${target}`;
  try {
    const args = [{ collector, target, waitUntilDue: true }];
    const result = await up.temporal.client.workflow.execute('collect', {
      taskQueue: 'collect',
      workflowId,
      args,
    });
    return (result as { outcome: string }).outcome;
  } catch {
    return 'failed';
  }
}

/** Collects the orders of all regions at once. Returns the outcomes. */
const collectOrders = () => Promise.all(REGIONS.map((id) => collect('market-orders', `region/${id}`)));

/** Bytes of memory that the process has used at most; undefined where the system does not say. */
async function peakMemory(): Promise<number | undefined> {
  const status = await readFile(`/proc/${up.running.pid}/status`, 'utf8').catch(() => '');
  const peak = /VmHWM:\s+(\d+) kB/.exec(status)?.[1];
  return peak === undefined ? undefined : Number(peak) * 1_024;
}

/** Waits for `work`, and asks the process meanwhile how it is. */
async function whileServing<T>(work: Promise<T>): Promise<T> {
  const state = { isDone: false };
  const done = work.finally(() => (state.isDone = true));
  done.catch(() => undefined);
  const waits: number[] = [];
  while (!state.isDone) {
    const asked = performance.now();
    const response = await fetch(`${up.running.endpoints.http}/health`, { headers: { connection: 'close' } });
    await response.text();
    waits.push(performance.now() - asked);
    expect(response.status).toBe(200);
    await new Promise((next) => setTimeout(next, Math.max(0, INTERVAL - waits.at(-1)!)));
  }
  expect(Math.max(...waits)).toBeLessThan(MAX_WAIT);
  expect((await peakMemory()) ?? 0).toBeLessThan(MAX_MEMORY);
  return done;
}

/** Lets what was collected expire, so that ESI is asked at once. */
const expire = () => up.query(`UPDATE published_sets SET expires = '2000-01-01'`);

/** Repeats a body, packed: gzip allows several members one after another. */
const packTimes = (text: string, times: number) => Buffer.concat(Array<Buffer>(times).fill(pack(text)));
const pack = (text: string) => gzipSync(text, { level: 1 });
const keys = (count: number) => Array.from({ length: count }, (_, n) => `"k${n}":1`).join();

/** Bodies of a kind, which come together: each for the same number of regions. */
const BODIES: Record<string, () => readonly Buffer[]> = {
  'millions of empty rows': () => [
    pack(`[${'{},'.repeat(1_000_000)}{}]`),
    pack(`[${'{},'.repeat(7_999_999)}{}]`),
  ],
  'as many empty rows as values are read': () => [pack(`[${'{},'.repeat(149_000)}{}]`)],
  'as many empty rows as rows are read': () => [pack(`[${'{},'.repeat(4_999)}{}]`)],
  'text that is no JSON': () => [
    pack(`["${String.raw`\"`.repeat(80_000)}`), // 160 kB
    pack(`["${String.raw`\"`.repeat(4_000_000)}`), // as much as is read
    pack(`["${String.raw`\"`.repeat(8_000_000)}`),
  ],
  'four gigabytes of spaces': () => [packTimes(' '.repeat(2 ** 24), 256)],
  'millions of brackets, and rows that are nested deeply': () => [
    pack('['.repeat(5_000_000)),
    pack(`[${'['.repeat(125_000)}${']'.repeat(125_000)}]`),
    pack(`[${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}]`),
  ],
  'objects of 600,000 keys': () => [pack(`[{${keys(600_000)}}]`)],
  'objects of as many keys as values are read': () => [pack(`[{${keys(290_000)}}]`)],
  'objects of 20,000 keys': () => [pack(`[{${keys(20_000)}}]`)],
};

/** Collects while each region is answered with an attack once. */
async function collectAttacked(): Promise<void> {
  await expire();
  up.sim.resetCounters();
  await whileServing(collectOrders());
  const asked = up.sim.requests().filter(({ route }) => route === ORDERS);
  expect(asked.length).toBeGreaterThanOrEqual(REGIONS.length);
}

test.each(Object.entries(BODIES))(
  'the process goes on serving while ESI answers with %s',
  async (_, makeBodies) => {
    const bodies = makeBodies();
    const headers = { 'Content-Encoding': 'gzip', 'X-Pages': '1' };
    for (let n = 0; n < REGIONS.length; n++)
      up.sim.faults.rawBody(bodies[n % bodies.length]!, { route: ORDERS, times: 1, headers });
    await collectAttacked();
  },
);

test('the process goes on serving while ESI answers with bodies without end', async () => {
  up.sim.faults.oversize(Infinity, { route: ORDERS, times: REGIONS.length });
  await collectAttacked();
});

test('the process goes on serving and collecting while ESI sends bodies byte by byte', async () => {
  await expire();
  const dripping = ['market-prices', 'industry-indices', 'industry-facilities'];
  for (const route of ['/markets/prices', '/industry/systems', '/industry/facilities'])
    up.sim.faults.drip(3_000, { route });
  for (const collector of dripping) void collect(collector, '');
  await eventually(
    'the requests',
    async () =>
      dripping.length <= up.sim.requests().filter(({ route }) => /prices|industry/.test(route)).length,
  );
  const outcomes = await whileServing(collectOrders());
  expect(outcomes).not.toContain('failed');
  for (const collector of dripping) await up.temporal.client.workflow.getHandle(collector).terminate();
});

const FILES = ['categories', 'groups', 'marketGroups', 'types', 'mapRegions', 'mapConstellations']
  .concat('mapSolarSystems', 'npcStations', 'planetSchematics', 'npcCorporations', 'stationOperations')
  .map((name) => `${name}.jsonl`);

/** A file that repeats a text. A deflated stream may be cut at a full flush, and its parts repeated. */
function repeated(name: string, text: string, times: number, size = text.length * times): PackedEntry {
  const part = deflateRawSync(text, { level: 1, finishFlush: constants.Z_FULL_FLUSH });
  const end = deflateRawSync('');
  return { name, packed: Buffer.concat([...Array<Buffer>(times).fill(part), end]), size };
}

const MEGABYTE = 2 ** 20;
const LINE = '{"_key":34,"groupID":18,"name":{"en":"Tritanium"}}\n';
const LINES = LINE.repeat(20_000); // a megabyte

/** The types of an archive. */
const TYPES: Record<string, () => PackedEntry> = {
  'a line of 600 MB': () => repeated('types.jsonl', 'x'.repeat(MEGABYTE), 600),
  '3 GB of rows': () => repeated('types.jsonl', LINES, 3_000),
  '3 GB of rows where it states one': () => repeated('types.jsonl', LINES, 3_000, LINE.length),
  '900 MB of rows': () => repeated('types.jsonl', LINES, 900),
  'a line of 15 MB, with a million keys': () =>
    repeated('types.jsonl', `{"_key":34,"groupID":18,${keys(1_000_000)}}\n`, 1),
};

const downloads = async () => readdir(path.join(up.runner.dataDir, 'downloads'));

test.each(Object.entries(TYPES))(
  'the process goes on serving while it imports an archive with %s, and sets it aside',
  async (_, makeTypes) => {
    const { world, faults } = up.sim;
    world.setBuild(world.build + 1);
    const others = FILES.filter((name) => name !== 'types.jsonl').map((name) => repeated(name, '', 0));
    faults.rawBody(makeZip([...others, makeTypes()]), { route: '-jsonl.zip', times: 1 });
    expect(await whileServing(collect('universe', ''))).toBe('failed');
    expect(await downloads()).toContain(`sde-${world.build}.zip.unreadable`);
  },
);

test('the process goes on serving while the list of builds has no end', async () => {
  const { world, faults } = up.sim;
  world.setBuild(world.build + 1);
  faults.oversize(Infinity, { route: 'latest.jsonl', times: 1 });
  expect(await whileServing(collect('universe', ''))).toBe('published');
});

test('a start beside an archive that was set aside collects as ever', async () => {
  const { world, faults } = up.sim;
  world.setBuild(world.build + 1);
  faults.rawBody(makeZip([repeated('types.jsonl', '', 0)]), { route: '-jsonl.zip', times: 1 });
  expect(await collect('universe', '')).toBe('failed');
  expect(await downloads()).toContain(`sde-${world.build}.zip.unreadable`);
  await up.restart();
  await expire();
  expect(await collectOrders()).not.toContain('failed');
});

import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { collectTarget } from '../../src/engine/run/collect-target.ts';
import { STATIC_TABLE_NAMES, STATIC_TABLES } from '../../src/store/universe/static-tables.ts';
import { sdeArchive } from '../../simulator/sde-archive.ts';
import { makeZip } from '../../simulator/zip.ts';
import { type TestEngine, testEngine } from '../support/test-engine.ts';
import { rowVersions, lastRun } from '../support/order-book.ts';
import { readStaticTables } from '../support/static-tables.ts';

let engine: TestEngine;
afterEach(async () => {
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
});

const start = async (...args: Parameters<typeof testEngine>) => (engine = await testEngine(...args));
const collect = () => engine.collect('universe');
const world = () => engine.sim.world;

const tables = () => readStaticTables(engine);

const allRowVersions = async () => {
  const all: Record<string, string[]> = {};
  for (const name of STATIC_TABLE_NAMES) all[name] = await rowVersions(engine, name);
  return all;
};

test('the static data export fills every static table, including names of stations', async () => {
  await start();
  expect(await collect()).toMatchObject({ outcome: 'published', changed: 0 });
  for (const [table, kind] of [
    ['categories', 'categories'],
    ['groups', 'groups'],
    ['market_groups', 'marketGroups'],
    ['types', 'types'],
    ['regions', 'regions'],
    ['constellations', 'constellations'],
    ['systems', 'systems'],
    ['stations', 'stations'],
    ['schematics', 'schematics'],
  ] as const) {
    const { key } = STATIC_TABLES[table];
    const rows = await engine.db.rows<{ id: number; name: string; is_placeholder: boolean }>(
      `SELECT ${key} AS id, name, is_placeholder FROM ${table} ORDER BY 1`,
    );
    const expected = [...world().universe[kind]].map(([id, row]) => ({
      id,
      name: 'name' in row ? row.name : row.schematic_name,
      is_placeholder: false,
    }));
    expect(rows).toEqual(expected.toSorted((a, b) => a.id - b.id));
  }
  const [type] = [...world().types.values()].filter((row) => row.market_group_id !== undefined);
  expect(await engine.db.rows('SELECT * FROM types WHERE type_id = $1', [type!.type_id])).toEqual([
    expect.objectContaining({
      group_id: type!.group_id,
      market_group_id: type!.market_group_id,
      volume: type!.volume,
      packaged_volume: type!.packaged_volume ?? null,
      portion_size: type!.portion_size,
      published: type!.published,
    }),
  ]);
});

test('the same build again writes no row and requests only the number of the newest build', async () => {
  await start();
  await collect();
  const before = await allRowVersions();
  engine.sim.resetCounters();
  expect(await collect()).toMatchObject({ outcome: 'unchanged', inserted: 0, changed: 0 });
  expect(engine.sim.requests().map((r) => r.path)).toEqual(['/static-data/tranquility/latest.jsonl']);
  expect(await allRowVersions()).toEqual(before);
});

test('a new build writes only changes and keeps rows that it no longer has', async () => {
  await start();
  await collect();
  const before = await allRowVersions();
  const [first, second] = [...world().types.values()];
  world().put('types', first!.type_id, { ...first!, name: 'Tritanium\tII' });
  world().put('types', 99_999, { ...second!, type_id: 99_999, name: 'New' });
  world().hide('types', second!.type_id);
  world().setBuild(world().build + 1);
  expect(await collect()).toMatchObject({ outcome: 'published', inserted: 1, changed: 1 });
  const after = await allRowVersions();
  for (const name of STATIC_TABLE_NAMES) {
    const fresh = after[name]!.filter((row) => !before[name]!.includes(row));
    expect(fresh).toHaveLength(name === 'types' ? 2 : 0);
  }
  const names = await engine.db.rows(
    'SELECT name FROM types WHERE type_id IN ($1, $2, 99999) ORDER BY type_id',
    [first!.type_id, second!.type_id],
  );
  expect(names.map((row) => row['name'])).toEqual(['Tritanium\tII', second!.name, 'New']);
  expect((await readdir(engine.dataDir)).filter((f) => f.startsWith('sde-'))).toHaveLength(1);
});

test.each(['truncate', 'html', 'reset'] as const)(
  'a download of the archive that fails (%s) is a retryable error',
  async (fault) => {
    await start();
    await collect();
    const before = await tables();
    world().setBuild(world().build + 1);
    engine.sim.faults[fault]({ route: '-jsonl.zip' });
    await expect(collect()).rejects.toMatchObject({
      verdict: 'retry',
      message: expect.stringMatching(/Could not (download|read) .*static data export/),
    });
    expect(await tables()).toEqual(before);
    expect(await lastRun(engine, 'universe')).toMatchObject({ outcome: 'failed' });
    engine.sim.faults.clear();
    expect(await collect()).toMatchObject({ outcome: 'unchanged' });
  },
);

test.each([
  ['is truncated', (zip: Buffer) => zip.subarray(0, zip.length - 200)],
  ['has broken data inside', (zip: Buffer) => Buffer.from(zip).fill(0xff, 4_000, 8_000)],
  ['holds other data than was packed', changeOneByte],
  ['is of another build', () => inBuild(1, () => sdeArchive(world()))],
  ['lacks a file', () => makeZip([{ name: '_sde.jsonl', data: Buffer.from('{}\n') }])],
  ['holds no JSON', () => makeZip(names().map((name) => ({ name, data: Buffer.from('{"_key": 1,\n') })))],
  [
    'has a line of 2 MB',
    () => makeZip(names().map((name) => ({ name, data: Buffer.alloc(2 * 2 ** 20, ' ') }))),
  ],
])('an archive on disk that %s is set aside, and downloaded again after an hour', async (_, damage) => {
  await start();
  await collect();
  const before = await tables();
  world().setBuild(world().build + 1);
  const build = world().build;
  const file = await engine.context.sde.download(build);
  await writeFile(path.join(engine.dataDir, `sde-${build}.zip`), damage(await readFile(file)));
  await expect(collect()).rejects.toMatchObject({
    code: 'SDE_BROKEN',
    verdict: 'wait',
    retryAfter: 3_600_000,
  });
  expect(await tables()).toEqual(before);
  expect(await readdir(engine.dataDir)).toEqual([`sde-${build}.zip.unreadable`]);
  engine.sim.resetCounters();
  engine.clock.advance(3_599_000);
  await expect(collect()).rejects.toMatchObject({
    code: 'SDE_SET_ASIDE',
    verdict: 'wait',
    retryAfter: 1_000,
  });
  expect(engine.sim.requests().filter(({ path: url }) => url.endsWith('.zip'))).toEqual([]);
  engine.clock.advance(1_000);
  expect(await collect()).toMatchObject({ outcome: 'unchanged' });
});

/** What `make` gives while the world is in another build. */
function inBuild(build: number, make: () => Buffer): Buffer {
  const current = world().build;
  world().setBuild(build);
  try {
    return make();
  } finally {
    world().setBuild(current);
  }
}

/** A zip whose types are stored with another byte than the checksum in its directory was made of. */
function changeOneByte(): Buffer {
  const files = names().map((name) => ({ name, data: Buffer.from('{"_key":1,"name":{"en":"a"}}\n') }));
  const zip = makeZip(files);
  const changed = makeZip(
    files.map(({ name, data }) => ({ name, data: Buffer.from(data).fill('b', 24, 25) })),
  );
  // The data of the second, the directory of the first: the sizes are the same.
  const directory = zip.indexOf('PK\u0001\u0002');
  return Buffer.concat([changed.subarray(0, directory), zip.subarray(directory)]);
}

const names = () =>
  ['categories', 'groups', 'marketGroups', 'types', 'mapRegions', 'mapConstellations', 'mapSolarSystems']
    .concat('npcStations', 'planetSchematics', 'npcCorporations', 'stationOperations')
    .map((name) => `${name}.jsonl`);

test('an import that is killed leaves the previous universe unchanged', async () => {
  await start();
  await collect();
  const before = await tables();
  for (const row of [...world().categories.values()])
    world().put('categories', row.category_id, { ...row, name: `${row.name} II` });
  world().setBuild(world().build + 1);
  const stop = new AbortController();
  const heartbeat = (detail: unknown) => {
    if ((detail as { table?: string }).table === 'types') stop.abort(new Error('killed'));
  };
  const target = { collector: 'universe', target: '' };
  await expect(collectTarget(engine.context, target, { signal: stop.signal, heartbeat })).rejects.toThrow(
    'killed',
  );
  expect(await tables()).toEqual(before);
  expect(await collect()).toMatchObject({ outcome: 'published', changed: world().categories.size });
});

test('a type of the export without published is unpublished, and one without a name is asked for at ESI', async () => {
  await start();
  const [first, second] = [...world().types.values()].filter((row) => row.published);
  world().put('types', first!.type_id, { ...first!, published: null as unknown as boolean });
  world().put('types', second!.type_id, { ...second!, name: undefined as unknown as string });
  world().put('types', 77_777, { ...second!, type_id: 77_777, market_group_id: 0 });
  await collect();
  expect(await engine.db.rows('SELECT * FROM rejected_rows')).toEqual([]);
  expect(
    await engine.db.rows(
      `SELECT type_id, name, published, is_placeholder FROM types WHERE type_id IN ($1, $2) ORDER BY type_id`,
      [first!.type_id, second!.type_id],
    ),
  ).toEqual([
    { type_id: first!.type_id, name: first!.name, published: false, is_placeholder: false },
    expect.objectContaining({ type_id: second!.type_id, is_placeholder: true }),
  ]);
  expect(await engine.db.rows('SELECT market_group_id FROM types WHERE type_id = 77777')).toEqual([
    { market_group_id: null },
  ]);
});

test('a text of the export may contain U+2028', async () => {
  await start();
  const [type] = world().types.values();
  world().put('types', type!.type_id, { ...type!, description: 'one\u2028two\u2029three\u0085four' });
  expect(await collect()).toMatchObject({ outcome: 'published' });
  expect(await engine.db.rows('SELECT description FROM types WHERE type_id = $1', [type!.type_id])).toEqual([
    { description: 'one\u2028two\u2029three\u0085four' },
  ]);
});

test('a list of builds without end is not read', async () => {
  await start();
  engine.sim.faults.oversize(50_000_000, { route: 'latest.jsonl' });
  await expect(collect()).rejects.toMatchObject({
    code: 'SDE_UNREACHABLE',
    message: expect.stringContaining('larger than 64 KB'),
  });
});

import { afterEach, expect, test } from '@jest/globals';
import { engineSteps } from '../../../src/engine/run/engine-steps.ts';
import type { RunSteps } from '../../../src/engine/run/run-steps.ts';
import { testRateLimiter } from '../../support/test-rate-limiter.ts';
import type { TestEngine } from '../../support/test-engine.ts';
import {
  ANNA,
  countRequestsByPath,
  countRows,
  stepsKilledWhen,
  runKey,
  ownerEngine,
  characterTarget,
  createSteps,
  runUntilKilled,
} from '../../support/owner-engine.ts';
import { drive, driveUntil, assertRead } from '../../support/drive-runs.ts';

/** Runs of assets that are killed, repeated, or simultaneous. */
let engine: TestEngine;
afterEach(() => engine.close());

const HOUR = 3_601_000; // ESI caches assets and transactions for an hour
const ME = characterTarget(ANNA);

const count = (table: string, where?: string) => countRows(engine, table, where);

const COLUMNS = `item_id, type_id, location_id, location_type, location_flag, quantity, is_singleton,
                 is_blueprint_copy, name, position_x, position_y, position_z`;
const readAssets = () =>
  engine.db.rows(`SELECT ${COLUMNS} FROM assets WHERE character_id = $1 ORDER BY 1`, [ANNA]);
const readAssetsAt = (at: Date) =>
  engine.db.rows(`SELECT ${COLUMNS} FROM assets_at($1, NULL, $2) ORDER BY 1`, [ANNA, at]);

/** The snapshot published before the one that the test is about. */
let previous: { rows: unknown[]; at: Date };

async function beginWith(assets: number): Promise<void> {
  engine = await ownerEngine({ characters: [{ id: ANNA, name: 'Anna Testa', assets }] });
  await engine.collect('assets', ME);
  const [set] = await engine.db.rows<{ at: Date }>(
    `SELECT last_modified AS at FROM published_sets WHERE collector = 'assets'`,
  );
  previous = { rows: await readAssets(), at: set!.at };
  const [ship] = await engine.db.rows<{ id: number }>(
    'SELECT item_id AS id FROM assets WHERE name IS NOT NULL ORDER BY 1',
  );
  engine.clock.advance(HOUR);
  engine.sim.owners.churnAssets(ANNA, 0.03);
  engine.sim.owners.rename(ANNA, ship!.id, 'Second Wind');
  engine.sim.owners.takeSnapshots();
  engine.sim.resetCounters();
}

/** All assets that ESI serves, with names and positions. */
function served(): unknown[] {
  const assets = engine.sim.owners.data.assets(ANNA);
  const rows = engine.sim.owners.assets(ANNA).map((row) => {
    const name = assets.namesOf([row.item_id])?.[0]?.name;
    const inSpace = row.location_type === 'solar_system';
    const position = inSpace ? assets.locationsOf([row.item_id])?.[0]?.position : undefined;
    return {
      ...row,
      is_blueprint_copy: row.is_blueprint_copy ?? null,
      name: name === undefined || name === 'None' ? null : name,
      ...{
        position_x: position?.x ?? null,
        position_y: position?.y ?? null,
        position_z: position?.z ?? null,
      },
    };
  });
  return rows.toSorted((a, b) => a.item_id - b.item_id);
}

async function expectUntouched() {
  expect(await readAssets()).toEqual(previous.rows);
  expect(await count('asset_diffs')).toBe(0);
}

/** Expects that the table equals what ESI serves, the previous snapshot can be read, and no diff is there twice. */
async function expectExact() {
  expect(await readAssets()).toEqual(served());
  expect(await readAssetsAt(previous.at)).toEqual(previous.rows);
  expect(await count('asset_diffs')).toBeGreaterThan(0);
  const duplicates = `SELECT FROM asset_diffs GROUP BY item_id, change_type, current_snapshot_at HAVING count(*) > 1`;
  expect(await engine.db.rows(duplicates)).toEqual([]);
  expect(await count('collection_runs', 'finished_at IS NULL')).toBe(0);
}

test('a run of assets that is killed between pages resumes without requesting staged pages again', async () => {
  await beginWith(3_300);
  const key = runKey('assets', ME, 'w1');
  const by = stepsKilledWhen(engine, key, (detail) => detail?.page === 3);
  const { run, pages } = assertRead(await by.begin());
  expect(pages).toBe(4);
  await by.readChunk(run, { from: 2, to: 2 });
  await expect(by.readChunk(run, { from: 3, to: 3 })).rejects.toThrow('killed');
  await expectUntouched();
  expect(await drive(createSteps(engine, key))).toMatchObject({ outcome: 'published' });
  expect(Object.values(countRequestsByPath(engine, '/assets'))).toEqual([1, 1, 1, 1]);
  await expectExact();
  expect(engine.sim.offences()).toEqual([]);
});

test.each([
  ['first', 1],
  ['second', 2],
])(
  'a run of assets that is killed at its %s request for enrichments publishes nothing before all are complete',
  async (_, nth) => {
    await beginWith(1_500);
    const key = runKey('assets', ME, 'w1');
    const run = await driveUntil(createSteps(engine, key), 'enrich');
    let requests = 0;
    const by = stepsKilledWhen(engine, key, () => ++requests === nth);
    await expect(by.enrich(run)).rejects.toThrow('killed');
    expect(requests).toBeGreaterThanOrEqual(nth);
    await expectUntouched();
    for (const isLastAttempt of [false, true])
      expect(await createSteps(engine, key).publish(run, isLastAttempt)).toMatchObject({
        state: 'read',
        chunks: [],
      });
    await expectUntouched();
    expect(await drive(createSteps(engine, key))).toMatchObject({ outcome: 'published' });
    expect(Object.values(countRequestsByPath(engine, '/assets'))).toEqual([1, 1]);
    await expectExact();
  },
);

test('every step of a run of assets can be repeated with the same result', async () => {
  await beginWith(2_300);
  const by = createSteps(engine, runKey('assets', ME, 'w1'));
  const same = async <T>(work: () => Promise<T>, second?: T): Promise<T> => {
    const first = await work();
    expect(await work()).toEqual(second ?? first);
    return first;
  };
  const first = assertRead(await by.begin());
  const repeated: RunSteps = {
    ...by,
    begin: () => same(() => by.begin()),
    readChunk: async (run, chunk) => {
      await same(() => by.readChunk(run, chunk), 0);
      expect(await by.begin()).toEqual(first);
    },
    enrich: async (run) => {
      await same(() => by.enrich(run));
      expect(await by.begin()).toEqual(first);
    },
    publish: (run, isLastAttempt) => same(() => by.publish(run, isLastAttempt)),
  };
  const summary = await drive(repeated);
  expect(summary).toMatchObject({ outcome: 'published' });
  const [runs, diffs] = [await engine.db.rows('TABLE collection_runs'), await count('asset_diffs')];
  await by.close(new Error('too late'));
  for (const isLastAttempt of [false, true])
    expect(await by.publish(first.run, isLastAttempt)).toMatchObject({ state: 'continue' });
  expect(await repeated.begin()).toEqual({ state: 'done', summary });
  expect(await engine.db.rows('TABLE collection_runs')).toEqual(runs);
  expect(await count('asset_diffs')).toBe(diffs);
  await expectExact();
  expect(engine.sim.offences()).toEqual([]);
});

test('a run of assets survives a process killed at any statement of any step', async () => {
  await beginWith(1_100);
  const key = runKey('assets', ME, 'w1');
  let kills = 0;
  /** Runs a step in processes that are each killed one statement later, until it succeeds. */
  const repeatUntilDone = async <T>(work: (by: RunSteps) => Promise<T>): Promise<T> => {
    for (let statements = 0; ; statements++) {
      const done = await runUntilKilled(
        engine,
        (_, n) => n > statements,
        (context) => work(engineSteps(context, key)),
      );
      if (done !== 'killed') return done;
      kills++;
      const rows = await readAssets();
      if (rows.length > 0 && (await count('asset_diffs')) === 0) expect(rows).toEqual(previous.rows);
    }
  };
  await drive({
    begin: () => repeatUntilDone((by) => by.begin()),
    readChunk: (run, chunk) => repeatUntilDone((by) => by.readChunk(run, chunk)),
    enrich: (run) => repeatUntilDone((by) => by.enrich(run)),
    publish: (run, isLastAttempt) => repeatUntilDone((by) => by.publish(run, isLastAttempt)),
    close: () => Promise.resolve(),
  });
  expect(kills).toBeGreaterThan(60);
  await expectExact();
});

test('a database connection that breaks while assets are published loses nothing', async () => {
  await beginWith(1_500);
  const key = runKey('assets', ME, 'w1');
  const run = await driveUntil(createSteps(engine, key), 'publish');
  const after = new Map(engine.sim.owners.assets(ANNA).map((row) => [row.item_id, row.quantity]));
  const changed = (previous.rows as { item_id: number; quantity: number }[]).find(
    ({ item_id, quantity }) => after.has(item_id) && after.get(item_id) !== quantity,
  );
  // The diffs are written before the rows: one row is locked until the publisher waits for it.
  await engine.db.transaction(async (client) => {
    await client.query('SELECT FROM assets WHERE item_id = $1 FOR UPDATE', [changed!.item_id]);
    const publishing = createSteps(engine, key)
      .publish(run, false)
      .catch((error: unknown) => error);
    for (let killed = 0; killed === 0;) {
      const { rowCount } = await engine.db.pool.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      killed = rowCount ?? 0;
    }
    expect(await publishing).toBeInstanceOf(Error);
  });
  await expectUntouched();
  expect(await drive(createSteps(engine, key))).toMatchObject({ outcome: 'published' });
  await expectExact();
});

test('assets collected by two processes at once are published once, with each diff once', async () => {
  await beginWith(2_300);
  const rateLimiter = testRateLimiter(engine.clock);
  const ends = await Promise.all(
    ['one', 'two'].map((id) =>
      drive(engineSteps(engine.restart({ rateLimiter }), runKey('assets', ME, id, id))),
    ),
  );
  expect(ends.map(({ outcome }) => outcome).toSorted()).toEqual(['published', 'unchanged']);
  await expectExact();
  // Both send the same requests; beyond that they break no rule.
  expect(engine.sim.offences().filter(({ kind }) => kind !== 'too-early')).toEqual([]);
});

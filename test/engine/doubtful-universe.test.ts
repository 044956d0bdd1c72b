import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { acceptSuspect } from '../../src/store/sets/published-snapshots.ts';
import { type TestEngine, testEngine } from '../support/test-engine.ts';
import { lastRun } from '../support/order-book.ts';
import { readStaticTables } from '../support/static-tables.ts';

/** Builds of the static data export with invalid rows, and builds that lack rows. */
let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine();
});
afterEach(async () => {
  expect(engine.sim.offences()).toEqual([]);
  await engine.close();
});

const collect = () => engine.collect('universe');
const world = () => engine.sim.world;
const rejected = () =>
  engine.db.rows<{ run_id: number; reason: string }>('SELECT run_id, reason FROM rejected_rows ORDER BY id');

test('invalid rows of the export are rejected one by one, and the others published', async () => {
  const some = [...world().types.values()];
  world().put('types', some[5]!.type_id, { ...some[5]!, portion_size: 0.5 });
  world().put('types', some[6]!.type_id, { ...some[6]!, portion_size: -0.5 });
  expect(await collect()).toMatchObject({ outcome: 'published' });
  expect((await rejected()).map(({ reason }) => reason)).toEqual([
    expect.stringMatching(/^types: portionSize/),
    expect.stringMatching(/^types: portionSize/),
  ]);
  const run = await lastRun(engine, 'universe');
  expect(run).toMatchObject({ rows_rejected: 2 });
  const kept = await engine.db.rows("SELECT rows FROM published_sets WHERE collector = 'universe'");
  expect(kept).toEqual([{ rows: Number(run['rows_read']) - 2 }]);
  expect(await collect()).toMatchObject({ outcome: 'unchanged' });
  expect(await lastRun(engine, 'universe')).toMatchObject({ rows_rejected: 0 });
});

test('many invalid rows of the export do not stop the others, and the build is imported again when they are understood', async () => {
  await collect();
  const [first, ...some] = [...world().types.values()];
  world().put('types', first!.type_id, { ...first!, name: 'Renamed' });
  const broken = some.slice(0, Math.floor(world().types.size * 0.9));
  for (const row of broken) world().put('types', row.type_id, { ...row, portion_size: 0.5 });
  world().setBuild(world().build + 1);
  const text = `types: ${broken.length} of ${world().types.size} rows failed validation`;
  for (const changed of [1, 0]) {
    const outcome = changed === 1 ? 'published' : 'unchanged';
    expect(await collect()).toMatchObject({ outcome, changed, detail: expect.stringContaining(text) });
    expect(await lastRun(engine, 'universe')).toMatchObject({ outcome, rows_rejected: broken.length });
  }
  expect(await rejected()).toHaveLength(2 * Math.min(broken.length, 100)); // the first hundred of a file
  const names = 'SELECT name FROM types WHERE type_id = $1';
  expect(await engine.db.rows(names, [first!.type_id])).toEqual([{ name: 'Renamed' }]);
  // A release that understands the rows finds them in the same build.
  for (const row of broken) world().put('types', row.type_id, { ...row, name: 'Understood' });
  await rm(path.join(engine.dataDir, `sde-${world().build}.zip`));
  expect(await collect()).toMatchObject({ outcome: 'published', changed: broken.length });
  engine.sim.resetCounters();
  expect(await collect()).toMatchObject({ outcome: 'unchanged' });
  expect(engine.sim.requests()).toHaveLength(1); // the list of builds
});

/** Makes the export lack most types, and have one invalid row. */
function loseTypes(): void {
  const [first, second, ...others] = [...world().types.values()];
  world().put('types', first!.type_id, { ...first!, name: 'Renamed' });
  world().put('types', second!.type_id, { ...second!, portion_size: 0.5 });
  for (const { type_id } of others.slice(0, Math.ceil(world().types.size * 0.6)))
    world().hide('types', type_id);
  world().setBuild(world().build + 1);
}

const renamed = () => engine.db.rows(`SELECT FROM types WHERE name = 'Renamed'`);

test('a build that lacks most of the known rows is refused, and imported when the next build lacks them too', async () => {
  await collect();
  const before = await readStaticTables(engine);
  loseTypes();
  for (let n = 0; n < 2; n++) {
    // The same build does not confirm itself.
    const summary = await collect();
    expect(summary).toMatchObject({
      outcome: 'refused',
      detail: expect.stringMatching(/^types: \d+ of \d+ rows are missing.*"eve-collector accept \d+"/),
    });
    expect(await lastRun(engine, 'universe')).toMatchObject({
      outcome: 'refused',
      error: summary.detail,
      rows_rejected: 1,
      rows_inserted: 0,
    });
    expect(await rejected()).toHaveLength(n + 1);
    engine.clock.advance(86_400_000);
  }
  expect(await readStaticTables(engine)).toEqual(before);
  world().setBuild(world().build + 1);
  expect(await collect()).toMatchObject({
    outcome: 'published',
    changed: 1,
    detail: expect.stringMatching(/Believed.*types: \d+ of \d+ rows are missing/),
  });
  expect(await renamed()).toHaveLength(1);
  world().setBuild(world().build + 1); // which lacks the same rows
  expect(await collect()).toMatchObject({ outcome: 'unchanged' });
});

test('a build that is refused is imported when a person accepts the run', async () => {
  await collect();
  loseTypes();
  const { runId } = await collect();
  expect(await acceptSuspect(engine.db.pool, runId!)).toBe(true);
  expect(await collect()).toMatchObject({ outcome: 'published', changed: 1 });
  expect(await renamed()).toHaveLength(1);
});

test('a type whose row is invalid is not missing from the export', async () => {
  await collect();
  for (const row of [...world().types.values()])
    world().put('types', row.type_id, { ...row, portion_size: 0.5 });
  world().setBuild(world().build + 1);
  expect(await collect()).toMatchObject({
    outcome: 'unchanged',
    detail: expect.stringContaining('failed validation'),
  });
});

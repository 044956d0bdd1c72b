import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { maintain } from '../../src/store/maintenance.ts';
import { type TestEngine, testEngine } from '../support/test-engine.ts';
import { ANNA, logIn, characterTarget } from '../support/owner-engine.ts';

let engine: TestEngine;
beforeEach(async () => {
  engine = await testEngine();
  await engine.collect('universe');
  await logIn(engine, ANNA);
  await engine.collect('assets', characterTarget(ANNA));
});
afterEach(() => engine.close());

const FOR_EVER = {
  orderChanges: undefined,
  typeSeries: undefined,
  prices: undefined,
  runs: undefined,
  rejected: undefined,
};

test('maintenance drops only staging tables that neither an open run nor a published snapshot uses', async () => {
  const { pool } = engine.db;
  const [set] = await engine.db.rows<{ run_id: number }>(
    `SELECT run_id FROM published_sets WHERE collector = 'assets'`,
  );
  // A late twin of a run that ended long ago, and the ETag of a page that is not read any more.
  const { rows } = await pool.query<{ run_id: number }>(
    `INSERT INTO collection_runs (collector, target, started_at, finished_at, outcome)
     VALUES ('assets', 'character/1', now() - interval '3 days', now() - interval '2 days', 'failed') RETURNING run_id`,
  );
  const gone = rows[0]!.run_id;
  await pool.query(`INSERT INTO stage.enrichments (run_id, kind, id) VALUES ($1, 'name', 1)`, [gone]);
  await pool.query('INSERT INTO stage.enrichment_attempts (run_id) VALUES ($1)', [gone]);
  await pool.query(`CREATE TABLE stage.r${gone} ()`);
  await pool.query(`UPDATE esi_cache SET updated_at = now() - interval '9 days'`);
  await pool.query(
    `INSERT INTO esi_cache (url, etag, updated_at) VALUES ('https://gone', 'a', now() - interval '9 days'), ('https://new', 'a', now())`,
  );
  const useful = await engine.db.rows(`SELECT url FROM esi_cache WHERE url <> 'https://gone' ORDER BY 1`);
  expect(useful.length).toBeGreaterThan(1);

  await maintain(engine.context.db, FOR_EVER, new Date());

  expect(await engine.db.rows('SELECT FROM stage.enrichments')).toEqual([]);
  expect(await engine.db.rows('SELECT FROM stage.enrichment_attempts')).toEqual([]);
  expect(await engine.db.rows(`SELECT to_regclass('stage.r${gone}') AS stage`)).toEqual([{ stage: null }]);
  expect(await engine.db.rows('SELECT url FROM esi_cache ORDER BY 1')).toEqual(useful);
  expect(await engine.db.rows(`SELECT FROM stage.pages WHERE run_id = $1`, [set!.run_id])).not.toEqual([]);
});

import { assets } from '../../src/collectors/assets.ts';
import { resourcesOf, snapshotSpec } from '../../src/engine/run/resources.ts';
import type { Database } from '../../src/store/database.ts';
import { copyInto } from '../../src/store/copy.ts';
import { readRowsToEnrich } from '../../src/store/sets/enrichments.ts';
import { stageTable } from '../../src/store/sets/snapshot-spec.ts';
import { createStage, dropStage } from '../../src/store/sets/stage.ts';
import { FIRST_CHARACTER } from '../../simulator/owners/owner-options.ts';
import { assetsUrl, pagesOf, targetOf } from './asset-owner.ts';
import { timed } from './report.ts';
import type { BenchSimulator } from './servers.ts';
import { copyIntoEmpty, encodeAll, type Question, readRows, type Row, type Yardstick } from './yardstick.ts';

/** Ids in one POST, as many as ESI takes. */
const IDS = 1_000;

/** No run has it. */
const NO_RUN = 0;

const TARGET = targetOf('character');
const SPEC = snapshotSpec(resourcesOf(assets.resources, TARGET)[0]!.resource, {
  collector: assets.name,
  target: TARGET,
});

/**
 * Reading all pages, then asking for the names and places of what can have them, both with 20 connections; then COPY
 * into an empty copy of `assets`. Finding out what can have a name and encoding the rows are left out, which makes the
 * yardstick shorter, not longer.
 */
export async function measureAssetYardstick(
  db: Database,
  databaseUrl: string,
  simulator: BenchSimulator,
): Promise<Yardstick & { readonly asked: number }> {
  const pages = await pagesOf(simulator, 'character');
  const { seconds: paging, result: rows } = await timed(() => readRows(pages));
  const questions = await detailsOf(db, simulator, rows, pages[0]!.accessToken);
  const { seconds: asking, result: told } = await timed(() => readRows(questions));
  const tail = `\t${FIRST_CHARACTER}\t${new Date().toISOString()}`;
  const copy = await copyIntoEmpty(
    databaseUrl,
    'assets',
    [...SPEC.columns, 'character_id', 'snapshot_at'],
    encodeAll(SPEC.columns, withDetails(rows, told), tail),
    rows.length,
  );
  const read = paging + asking;
  return { read, copy, total: read + copy, asked: questions.length };
}

/** The POSTs that the product makes for these rows: its own question to its own stage. */
async function detailsOf(
  db: Database,
  simulator: BenchSimulator,
  rows: readonly Row[],
  accessToken: string | undefined,
): Promise<Question[]> {
  const columns = [...SPEC.columns, 'page', 'rejected'];
  await createStage(db.pool, SPEC, NO_RUN);
  const staged = encodeAll(SPEC.columns, rows, '\t1\tf');
  await db.transaction((client) => copyInto(client, stageTable(NO_RUN), columns, staged));
  const questions: Question[] = [];
  for (const detail of SPEC.enrichments) {
    const ids = await readRowsToEnrich(db.pool, SPEC, detail, { runId: NO_RUN, previousRun: undefined });
    const url = assetsUrl(simulator.url, 'character', detail.kind === 'name' ? '/names' : '/locations');
    for (let i = 0; i < ids.length; i += IDS)
      questions.push({
        url,
        ids: ids.slice(i, i + IDS),
        ...(accessToken === undefined ? {} : { accessToken }),
      });
  }
  await dropStage(db.pool, NO_RUN);
  return questions;
}

/** Rows with their names and places, as the table holds them. */
function withDetails(rows: readonly Row[], told: readonly Row[]): Row[] {
  const details = new Map<unknown, Row>();
  for (const { item_id, name, position } of told) {
    const { x, y, z } = (position ?? {}) as Row;
    const placed = position === undefined ? {} : { position_x: x, position_y: y, position_z: z };
    const named = name === undefined || name === 'None' ? {} : { name };
    details.set(item_id, { ...details.get(item_id), ...named, ...placed });
  }
  return rows.map((row) => ({ ...row, ...details.get(row['item_id']) }));
}

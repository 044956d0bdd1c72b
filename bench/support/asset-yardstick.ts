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
import type { BenchSimulator } from './bench-servers.ts';
import {
  copyIntoEmpty,
  encodeAll,
  type BenchRequest,
  readRows,
  type Row,
  type Yardstick,
} from './yardstick.ts';

/** Ids in one POST, as many as ESI accepts. */
const IDS = 1_000;

/** A run id that no run has. */
const NO_RUN = 0;

const TARGET = targetOf('character');
const SPEC = snapshotSpec(resourcesOf(assets.resources, TARGET)[0]!.resource, {
  collector: assets.name,
  target: TARGET,
});

/**
 * Measures reading all pages, then requesting the names and positions of what can have them, both with 20 connections;
 * then COPY into an empty copy of `assets`. Finding out what can have a name and encoding the rows are left out, which
 * makes the yardstick shorter, not longer.
 */
export async function measureAssetYardstick(
  db: Database,
  databaseUrl: string,
  simulator: BenchSimulator,
): Promise<Yardstick & { readonly requests: number }> {
  const pages = await pagesOf(simulator, 'character');
  const { seconds: paging, result: rows } = await timed(() => readRows(pages));
  const requests = await enrichmentRequests(db, simulator, rows, pages[0]!.accessToken);
  const { seconds: enriching, result: enrichments } = await timed(() => readRows(requests));
  const tail = `\t${FIRST_CHARACTER}\t${new Date().toISOString()}`;
  const copy = await copyIntoEmpty(
    databaseUrl,
    'assets',
    [...SPEC.columns, 'character_id', 'snapshot_at'],
    encodeAll(SPEC.columns, withEnrichments(rows, enrichments), tail),
    rows.length,
  );
  const read = paging + enriching;
  return { read, copy, total: read + copy, requests: requests.length };
}

/** The POST requests that the product makes for these rows, found by its own query of its staging table. */
async function enrichmentRequests(
  db: Database,
  simulator: BenchSimulator,
  rows: readonly Row[],
  accessToken: string | undefined,
): Promise<BenchRequest[]> {
  const columns = [...SPEC.columns, 'page', 'rejected'];
  await createStage(db.pool, SPEC, NO_RUN);
  const staged = encodeAll(SPEC.columns, rows, '\t1\tf');
  await db.transaction((client) => copyInto(client, stageTable(NO_RUN), columns, staged));
  const requests: BenchRequest[] = [];
  for (const enrichment of SPEC.enrichments) {
    const ids = await readRowsToEnrich(db.pool, SPEC, enrichment, { runId: NO_RUN, absent: [] });
    const url = assetsUrl(simulator.url, 'character', enrichment.kind === 'name' ? '/names' : '/locations');
    for (let i = 0; i < ids.length; i += IDS)
      requests.push({
        url,
        ids: ids.slice(i, i + IDS),
        ...(accessToken === undefined ? {} : { accessToken }),
      });
  }
  await dropStage(db.pool, NO_RUN);
  return requests;
}

/** Rows with their names and positions, as in the table. */
function withEnrichments(rows: readonly Row[], enrichments: readonly Row[]): Row[] {
  const byItem = new Map<unknown, Row>();
  for (const { item_id, name, position } of enrichments) {
    const { x, y, z } = (position ?? {}) as Row;
    const placed = position === undefined ? {} : { position_x: x, position_y: y, position_z: z };
    const named = name === undefined || name === 'None' ? {} : { name };
    byItem.set(item_id, { ...byItem.get(item_id), ...named, ...placed });
  }
  return rows.map((row) => ({ ...row, ...byItem.get(row['item_id']) }));
}
